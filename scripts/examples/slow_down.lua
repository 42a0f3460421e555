---Lets requests wait a little after a client was refused too often, without keeping the worker busy.
---
---     policies = { { "slow_down", after = 5, delay = "1s" }, { "api_key", keys = { "k1" } } }
local time = require "moongate.time"

local slow_down = {}

slow_down.options = {
  after = { type = "integer", default = 5, min = 1, doc = "refusals in a row that cost nothing" },
  delay = { type = "duration", default = "1s", doc = "what each further one costs" },
  clients = { type = "integer", default = 10000, min = 1, doc = "how many clients are remembered" },
}

function slow_down:setup()
  self.refused, self.known = {}, 0
end

function slow_down:access(req)
  local times = self.refused[req.client.ip] or 0
  if times >= self.after then time.sleep(self.delay) end
end

function slow_down:log(req, res)
  local ip = req.client.ip
  if res.status == 401 or res.status == 403 then
    if self.known >= self.clients then self:setup() end
    if not self.refused[ip] then self.known = self.known + 1 end
    self.refused[ip] = (self.refused[ip] or 0) + 1
  elseif self.refused[ip] then
    self.refused[ip], self.known = nil, self.known - 1
  end
end

return slow_down
