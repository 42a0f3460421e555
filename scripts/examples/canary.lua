---Sends a share of the clients to another upstream, each client always to the same one.
---
---     policies = { { "canary", upstream = "next", percent = 5 } }
local bit = require "bit"

local canary = {}

canary.options = {
  upstream = { type = "string", required = true, doc = "where the share goes" },
  percent = { type = "number", required = true, min = 0, max = 100 },
}

---A number from 0 to 99.99 that is always the same for the same text.
local function place_of(text)
  local hash = 5381
  for i = 1, #text do hash = bit.bxor(bit.lshift(hash, 5) + hash, text:byte(i)) end
  return hash % 10000 / 100
end

function canary:access(req)
  if req.cookies.canary == "yes" or place_of(req.client.ip) < self.percent then
    req.upstream = self.upstream
    req.ctx.canary = true
  end
end

function canary:response(req, res)
  if req.ctx.canary then res.headers:add("set-cookie", "canary=yes; Path=/; Max-Age=86400") end
end

return canary
