---Tasks: functions that run beside each other and wait for each other.
---
---     local a, b = task.spawn(fetch, "one"), task.spawn(fetch, "two")
---     local first, second = a:wait(), b:wait()
---     task.every(60, refresh)
---
---A task belongs to its generation: a reload ends it. One that a request spawned may outlive the request, but
---cannot touch its `req` any more. The error of a task is logged, and whoever waits gets nil and the message.
local native = require "moongate.internal.native"
local waiting = require "moongate.internal.waiting"

local task = {}

---@class moongate.task
---@field done boolean
local methods = {}
local Task = { __index = methods, __metatable = "moongate.task" }

local function check_function(fn, what)
  if type(fn) ~= "function" then error(("%s takes a function, not a %s"):format(what, type(fn)), 3) end
end

local function check_seconds(seconds, what)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error(("%s takes a number of seconds first, not %s"):format(what, tostring(seconds)), 3)
  end
end

local function start(fn, ...)
  local made = setmetatable({ done = false, waiters = {} }, Task)
  made.runner = native.spawn(made, fn, ...)
  return made
end

---Starts a function as a task; it runs when who called it waits or is done.
---@param fn function
---@param ... any its arguments
---@return moongate.task
function task.spawn(fn, ...)
  check_function(fn, "task.spawn")
  return start(fn, ...)
end

---Called by the program when a task is over.
---@param ended moongate.task
---@param ok boolean
---@param ... any what it returned, or its error
function task.finish(ended, ok, ...)
  if getmetatable(ended) ~= "moongate.task" then return end
  ended.done, ended.ok, ended.count, ended.results = true, ok, select("#", ...), { ... }
  local waiters = ended.waiters
  ended.waiters, ended.runner = nil, nil
  for i = 1, #waiters do native.wake(waiters[i]) end
end

local function results_of(ended)
  if ended.ok then return unpack(ended.results, 1, ended.count) end
  return nil, tostring(ended.results[1])
end

local function watch(watched)
  if not watched.done then watched.waiters[#watched.waiters + 1] = native.current() end
end

---Waits until the task is over.
---@return any ... what it returned; nil and a message when it failed or was cancelled
function methods:wait()
  waiting.check("task:wait")
  if not self.done then
    watch(self)
    repeat waiting.wait() until self.done
  end
  return results_of(self)
end

---Ends the task: an error is raised where it waits, so that it may clean up; if it waits again, it is gone.
function methods:cancel()
  if not self.done then native.cancel(self.runner) end
end

---The tasks of a list; its functions are started. Those that were started here are `own`.
local function started(list, what)
  if type(list) ~= "table" then
    error(("%s takes a list of tasks or functions, not a %s"):format(what, type(list)), 3)
  end
  local tasks, own = {}, {}
  for i, one in ipairs(list) do
    if type(one) == "function" then
      one = start(one)
      own[#own + 1] = one
    elseif getmetatable(one) ~= "moongate.task" then
      error(("%s takes a list of tasks or functions; [%d] is a %s"):format(what, i, type(one)), 3)
    end
    tasks[i] = one
  end
  return tasks, own
end

local function cancel_all(tasks)
  for _, one in ipairs(tasks) do one:cancel() end
end

---Waits until every one is over, or until one fails: then those that `all` started are cancelled.
---@param list (moongate.task|function)[]
---@return any[]? results the first result of each, in order
---@return string? message of the first that failed
---@return integer? index
function task.all(list)
  waiting.check("task.all")
  local tasks, own = started(list, "task.all")
  for _, one in ipairs(tasks) do watch(one) end
  while true do
    local left, results = 0, {}
    for i, one in ipairs(tasks) do
      if not one.done then
        left = left + 1
      elseif not one.ok then
        cancel_all(own)
        return nil, tostring(one.results[1]), i
      else
        results[i] = one.results[1]
      end
    end
    if left == 0 then return results end
    waiting.wait()
  end
end

---Waits until the first one is over; those that `any` started are cancelled then.
---@param list (moongate.task|function)[]
---@return integer? index of the first
---@return any ... what it returned; nil and a message when it failed
function task.any(list)
  waiting.check("task.any")
  local tasks, own = started(list, "task.any")
  if #tasks == 0 then error("task.any takes at least one task", 2) end
  for _, one in ipairs(tasks) do watch(one) end
  while true do
    for i, one in ipairs(tasks) do
      if one.done then
        cancel_all(own)
        return i, results_of(one)
      end
    end
    waiting.wait()
  end
end

local function log_failure(message)
  if message ~= waiting.CANCELLED then native.log(3, "script error in a timer: " .. native.describe(message)) end
  return message
end

local function repeatedly(seconds, fn, ...)
  repeat
    waiting.sleep(seconds)
    local _, message = xpcall(fn, log_failure, ...)
  until message == waiting.CANCELLED
end

---Calls a function again and again, that long after it was over; an error is logged and it goes on.
---@param seconds number
---@param fn function
---@param ... any its arguments
---@return moongate.task timer cancel it to end it
function task.every(seconds, fn, ...)
  check_seconds(seconds, "task.every")
  check_function(fn, "task.every")
  return start(repeatedly, seconds, fn, ...)
end

local function later(seconds, fn, ...)
  waiting.sleep(seconds)
  return fn(...)
end

---Calls a function once, that long from now.
---@param seconds number
---@param fn function
---@param ... any its arguments
---@return moongate.task timer cancel it in time and it does not happen
function task.after(seconds, fn, ...)
  check_seconds(seconds, "task.after")
  check_function(fn, "task.after")
  return start(later, seconds, fn, ...)
end

return task
