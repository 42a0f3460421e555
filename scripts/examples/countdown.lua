---A handler that streams: one line a second, as server-sent events. The body is a function that is called for
---each piece, may wait, and is only called again when the client has taken what was sent.
---
---     { path = "/countdown/:from", handler = require("countdown") }
local time = require "moongate.time"

---@param req moongate.request
return function(req)
  local left = math.min(tonumber(req.params.from) or 10, 60)
  return {
    headers = { ["content-type"] = "text/event-stream", ["cache-control"] = "no-store" },
    body = function()
      if left < 0 then return nil end
      if left > 0 then time.sleep(1) end
      left = left - 1
      return ("data: %d\n\n"):format(left + 1)
    end,
  }
end
