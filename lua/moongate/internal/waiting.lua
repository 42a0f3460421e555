---How scripts wait: the coroutine of the hook or task yields a mark, the loop goes on, something wakes it.
---
---A wait inside a coroutine that a script made for itself travels outward: `coroutine.resume` and
---`coroutine.wrap` are replaced by ones that pass the mark on and come back where they were.
local native = require "moongate.internal.native"

local waiting = {}

---The error that is raised where a cancelled task waits.
waiting.CANCELLED = "task was cancelled"

local WAIT = native.WAIT
local yield, resume, create = coroutine.yield, coroutine.resume, coroutine.create
local cancelled = native.cancelled

---Suspends until somebody wakes this runner. Ask again for what you wait for: a wake is no promise.
function waiting.wait()
  yield(WAIT)
  if cancelled() then error(waiting.CANCELLED, 0) end
end

local wait = waiting.wait

---Suspends for that long at least.
---@param seconds number
function waiting.sleep(seconds)
  native.alarm(seconds)
  repeat wait() until native.rang()
end

---Raises an error at the line of the script that called the library, when nobody may wait here.
---@param what string what would wait
function waiting.check(what)
  if not native.current() then
    native.raise(what .. " waits, which is not possible while the configuration is loaded or in setup()")
  end
end

local pass

---What a coroutine of a script came to; a wait of ours goes on to the outside and comes back.
local function passed(co, ok, first, ...)
  if ok and first == WAIT then return pass(co, yield(WAIT)) end
  return ok, first, ...
end

function pass(co, ...)
  return passed(co, resume(co, ...))
end

local function returned(ok, ...)
  if ok then return ... end
  error((...), 0)
end

---Replaces the functions of `coroutine` that a wait must travel through.
function waiting.install()
  function coroutine.resume(co, ...) -- luacheck: ignore 122
    return passed(co, resume(co, ...))
  end
  function coroutine.wrap(f) -- luacheck: ignore 122
    local co = create(f)
    return function(...) return returned(passed(co, resume(co, ...))) end
  end
end

return waiting
