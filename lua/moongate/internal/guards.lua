---What budgets need of Lua's own functions: some are replaced by ones that can be stopped, some are gone.
---
---A script whose CPU budget is over gets an error before each further instruction (core/script/budget.h). That
---reaches everything but code that runs while an error is handled, and C functions that compute for long.
local native = require "moongate.internal.native"

local guards = {}

local over = native.over

---Handlers of errors run where no hook is called: the one of an error that ends the entry does not run at all.
local function stoppable(handler)
  return function(message)
    if over() then return message end
    return handler(message)
  end
end

local function guard_xpcall()
  local plain = xpcall
  function xpcall(fn, handler, ...) -- luacheck: globals xpcall
    if type(handler) ~= "function" then return plain(fn, handler, ...) end
    return plain(fn, stoppable(handler), ...)
  end
end

local function less(a, b) return a < b end

---Sorting a long list without a function is one long C call.
local function guard_sort()
  local plain, LONG = table.sort, 10000
  function table.sort(list, before) -- luacheck: globals table.sort
    if before == nil and type(list) == "table" and #list > LONG then before = less end
    return plain(list, before)
  end
end

local IGNORED = { stop = true, restart = true, setpause = true, setstepmul = true, step = true }

---The collector is the proxy's: it works between requests. "collect" stays, and leaves it as it was.
local function guard_collector()
  local plain = collectgarbage
  function collectgarbage(what, ...) -- luacheck: globals collectgarbage
    if IGNORED[what] then return 0 end
    local result = plain(what, ...)
    if what == nil or what == "collect" then plain "stop" end
    return result
  end
end

---There is one hook and one profiler, and they are the proxy's. Finalizers of `newproxy` would run with no request
---to answer for them.
local function remove()
  newproxy = nil -- luacheck: globals newproxy
  debug.sethook = nil -- luacheck: globals debug.sethook
  package.preload["jit.profile"], package.loaded["jit.profile"] = nil, nil
  if not native.compiles() then function jit.on() end end -- luacheck: globals jit.on
end

---Before any script runs.
function guards.install()
  guard_xpcall()
  guard_sort()
  guard_collector()
  remove()
end

return guards
