---Answers 503 to everybody but a few addresses, for as long as a file exists.
---
---     policies = { { "shut_by_file", file = "run/shut", except = { "127.0.0.1" } } }
---
---A timer looks for the file now and then, so that no request waits for the disk.
local task = require "moongate.task"

local shut_by_file = {}

shut_by_file.options = {
  file = { type = "string", required = true, doc = "while it exists, the site is closed" },
  except = { type = "list", of = "string", default = {}, doc = "client addresses that are let in" },
  every = { type = "duration", default = "2s", doc = "how often to look" },
}

local function look(self)
  local file = io.open(self.file)
  self.closed = file ~= nil
  if file then file:close() end
end

function shut_by_file:setup()
  self.allowed = {}
  for _, ip in ipairs(self.except) do self.allowed[ip] = true end
  look(self)
end

function shut_by_file:start()
  task.every(self.every, look, self)
end

function shut_by_file:access(req)
  if self.closed and not self.allowed[req.client.ip] then
    return { status = 503, headers = { ["retry-after"] = 60 }, body = "back in a minute\n" }
  end
end

return shut_by_file
