---What `require` gives a policy that runs without a proxy: the modules of the proxy's API, as far as they make sense
---there. Time stands still except when the policy sleeps or the test moves it; the log is a list; dictionaries are
---tables; timers wait for the clock.

local dictionaries = require "moongate.testing.dictionaries"

local modules = {}

local function show_fields(fields)
  local names, parts = {}, {}
  for name in pairs(fields or {}) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = (" %s=%s"):format(name, tostring(fields[name])) end
  return table.concat(parts)
end

local function log_module(policy)
  local log = {}
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    log[level] = function(message, fields)
      if fields ~= nil and type(fields) ~= "table" then
        error(("log.%s takes a message and a table of fields, not a %s"):format(level, type(fields)), 2)
      end
      policy.logged[#policy.logged + 1] = level .. ": " .. tostring(message) .. show_fields(fields)
    end
  end
  return log
end

local function check_seconds(seconds, what)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error(("%s takes a number of seconds, not %s"):format(what, tostring(seconds)), 3)
  end
end

local function time_module(policy)
  return {
    now = function() return policy.now end,
    monotonic = function() return policy.now end,
    sleep = function(seconds)
      check_seconds(seconds, "time.sleep")
      policy:advance(seconds)
    end,
    http_date = function(seconds)
      return (os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(seconds or policy.now)))
    end,
  }
end

---Tasks run at once, to their end; timers when the policy's clock comes to them.
local function task_module(policy)
  local task, Task = {}, {}
  Task.__index = Task

  function Task:wait()
    if self.ok then return unpack(self.results) end
    return nil, tostring(self.results[1])
  end

  function Task:cancel()
    self.canceled = true
  end

  local function finish(made, ok, ...)
    made.done, made.ok, made.results = true, ok, { ... }
    return made
  end

  function task.spawn(fn, ...)
    return finish(setmetatable({}, Task), pcall(fn, ...))
  end

  local function timer(seconds, again, fn, ...)
    local made, arguments = setmetatable({ done = false, again = again, at = policy.now + seconds }, Task), { ... }
    function made.fire()
      local ok, message = pcall(fn, unpack(arguments))
      if not ok then policy.logged[#policy.logged + 1] = "error: script error in a timer: " .. tostring(message) end
    end
    policy.timers[#policy.timers + 1] = made
    return made
  end

  function task.every(seconds, fn, ...)
    check_seconds(seconds, "task.every")
    return timer(seconds, seconds, fn, ...)
  end

  function task.after(seconds, fn, ...)
    check_seconds(seconds, "task.after")
    return timer(seconds, nil, fn, ...)
  end

  function task.all(list)
    local results = {}
    for i, one in ipairs(list) do
      one = type(one) == "function" and task.spawn(one) or one
      if not one.ok then return nil, tostring(one.results[1]), i end
      results[i] = one.results[1]
    end
    return results
  end

  function task.any(list)
    local first = type(list[1]) == "function" and task.spawn(list[1]) or list[1]
    return 1, first:wait()
  end

  return task
end

---Environment of a policy's module: all globals, with a `require` that knows the proxy's modules.
---@param policy moongate.testing.policy
---@param given? table<string, any> modules of the test, which win
---@return table
function modules.environment(policy, given)
  local known = {
    ["moongate.log"] = log_module(policy), ["moongate.time"] = time_module(policy),
    ["moongate.task"] = task_module(policy), ["moongate.dict"] = dictionaries.module(policy),
  }
  for name, module in pairs(given or {}) do known[name] = module end
  local function find(name)
    if known[name] ~= nil then return known[name] end
    return require(name)
  end
  return setmetatable({ require = find }, { __index = _G, __newindex = _G })
end

return modules
