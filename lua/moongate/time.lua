---Time: what o'clock it is, and waiting.
---
---     local time = require "moongate.time"
---     local began = time.monotonic()
---     time.sleep(0.25)
---     log.info("slept", { seconds = time.monotonic() - began })
local time = {}

local native = package.loaded["moongate.internal.native"]
local waiting = native and require "moongate.internal.waiting"

---Seconds since 1970, with fractions; as of this turn of the loop.
---@return number
function time.now()
  return native and native.now() or os.time()
end

---Seconds on a clock that never jumps and says nothing by itself; for durations.
---@return number
function time.monotonic()
  return native and native.monotonic() or os.clock()
end

---Waits for that long at least, while the worker goes on serving.
---@param seconds number
function time.sleep(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error("time.sleep takes a number of seconds, not " .. tostring(seconds), 2)
  end
  if not native then error("time.sleep works inside the proxy only", 2) end
  waiting.check("time.sleep")
  waiting.sleep(seconds)
end

---A date as HTTP writes it (RFC 9110 section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
---@param seconds? number since 1970; now unless given
---@return string
function time.http_date(seconds)
  return (os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(seconds or time.now())))
end

return time
