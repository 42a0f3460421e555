---Whether code is being compiled: the switch of accessors that exist twice.
---
---Compiled Lua reaches the program through the FFI in a few nanoseconds; interpreted Lua would pay hundreds
---for the same call, and asks a C function instead. So an accessor is written
---
---     local REC = false
---     dual.attach(function(...) return REC, ... end)
---     function thing.__index(t, key, ...)
---       if REC then return by_ffi(t, key) end
---       return by_c(t, key)
---     end
---
---REC is an upvalue that no Lua code assigns, so the recorder takes it for a constant; it is true exactly
---while a trace is recorded. Traces therefore hold the FFI path alone, without a test, and the interpreter
---takes the other. Accessors are vararg: such functions are never counted as hot, hence never blacklisted,
---and one script that cannot be compiled does not slow those of others.
local dual = {}

local setupvalue = debug.setupvalue
local anchors = {}

---Makes the first upvalue of a function follow the recorder.
---@param anchor function
function dual.attach(anchor)
  anchors[#anchors + 1] = anchor
end

local function on_trace(what)
  local recording = what == "start"
  for i = 1, #anchors do setupvalue(anchors[i], 1, recording) end
end
-- It runs in the middle of the compiler's work. Compiled code there would make it forget which trace it is at.
jit.off(on_trace)

---Turns the FFI path on. Without it every accessor takes the C path, compiled or not.
function dual.start()
  jit.attach(on_trace, "trace")
end

---Turns it off again (tests compare both paths). Traces that were recorded stay.
function dual.stop()
  jit.attach(on_trace)
  on_trace("stop")
end

return dual
