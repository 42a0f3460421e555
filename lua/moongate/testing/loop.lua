---Coroutines over one poll loop: the test's body, its origins and its clients all run here.
---
---A task runs until it waits: for a descriptor, for a moment, or for the next turn of the loop. The loop polls what the
---waiting tasks wait for and resumes those that got it. One thread, no callbacks: the order of events is the order of
---the lines in the test.

local failure = require "moongate.testing.failure"
local sys = require "moongate.testing.sys"

local TURN = 0.004 -- seconds that a task which asks for turns waits at most for one

---@class moongate.testing.task
---@field name string
---@field background boolean its end and its waiting concern nobody
---@field doing? string what it waits for, for people
---@field place? string where in the test it waits
---@field done boolean

---@class moongate.testing.wait
---@field fd? integer
---@field events? integer
---@field deadline? number as sys.now()
---@field turn? boolean wake at the next turn
---@field doing string

---@class moongate.testing.loop
---@field on_error fun(task: moongate.testing.task, err: any, trace: string)
local Loop = {}
Loop.__index = Loop

local loop = {}

---@return moongate.testing.loop
function loop.new()
  return setmetatable({ ready = {}, waits = {}, tasks = {}, on_error = function() end }, Loop)
end

---Makes a task, which runs at the next turn.
---@param name string
---@param fn function
---@param background? boolean
---@return moongate.testing.task
function Loop:spawn(name, fn, background)
  local task = { name = name, co = coroutine.create(fn), background = background or false, done = false }
  self.tasks[task] = true
  self.ready[#self.ready + 1] = { task = task }
  return task
end

---Suspends the running task. Returns "ready", "late" or, when another task closed the descriptor, "closed".
---@param wait moongate.testing.wait
---@return "ready"|"late"|"closed"
function Loop:wait(wait)
  local task = self.current
  if not task then failure.raise("misuse", "this waits, so it must run inside a scenario") end
  wait.task = task
  task.doing, task.place = wait.doing, failure.place()
  self.waits[#self.waits + 1] = wait
  local result = coroutine.yield()
  task.doing = nil
  return result
end

---Waits until a descriptor can be read.
---@param fd integer
---@param doing string
---@param deadline? number
---@return "ready"|"late"|"closed"
function Loop:readable(fd, doing, deadline)
  return self:wait { fd = fd, events = sys.IN, doing = doing, deadline = deadline }
end

---Waits until a descriptor can be written.
---@param fd integer
---@param doing string
---@param deadline? number
---@return "ready"|"late"|"closed"
function Loop:writable(fd, doing, deadline)
  return self:wait { fd = fd, events = sys.OUT, doing = doing, deadline = deadline }
end

---Lets all others have a turn.
---@param doing string
function Loop:turn(doing)
  self:wait { turn = true, doing = doing }
end

---Waits until a moment.
---@param deadline number as sys.now()
---@param doing string
function Loop:sleep_until(deadline, doing)
  self:wait { deadline = deadline, doing = doing }
end

---Takes every wait that `chosen` names out of the list and makes its task ready with that result.
---@param chosen fun(wait: moongate.testing.wait, index: integer): string|nil
function Loop:wake(chosen)
  local kept = {}
  for index, wait in ipairs(self.waits) do
    local result = chosen(wait, index)
    if result then
      self.ready[#self.ready + 1] = { task = wait.task, result = result }
    else
      kept[#kept + 1] = wait
    end
  end
  self.waits = kept
end

---A descriptor is about to be closed: whoever waits for it learns so.
---@param fd integer
function Loop:forget(fd)
  self:wake(function(wait) return wait.fd == fd and "closed" or nil end)
end

function Loop:resume(task, result)
  self.current = task
  local ok, err = coroutine.resume(task.co, result)
  self.current = nil
  if coroutine.status(task.co) ~= "dead" then return end
  task.done = true
  self.tasks[task] = nil
  if not ok then self.on_error(task, err, debug.traceback(task.co)) end
end

---Runs what is ready, and what becomes ready meanwhile, as long as `goes_on`.
function Loop:run_ready(goes_on)
  while self.ready[1] and goes_on() do
    local batch = self.ready
    self.ready = {}
    for _, entry in ipairs(batch) do self:resume(entry.task, entry.result) end
  end
end

---How long poll may wait, given what the tasks wait for.
local function patience(waits, deadline)
  local first, turn = deadline, false
  for _, wait in ipairs(waits) do
    if wait.turn then turn = true end
    if wait.deadline and wait.deadline < first then first = wait.deadline end
  end
  local seconds = first - sys.now()
  return turn and math.min(seconds, TURN) or seconds
end

---Polls once and wakes whoever got what it waited for.
---@param deadline number
function Loop:poll(deadline)
  local fds, events, owners = {}, {}, {}
  for index, wait in ipairs(self.waits) do
    if wait.fd then
      fds[#fds + 1], events[#fds + 1] = wait.fd, wait.events
      owners[#fds] = index
    end
  end
  local hit = {}
  for _, index in ipairs(sys.poll(fds, events, patience(self.waits, deadline))) do hit[owners[index]] = true end
  local now = sys.now()
  self:wake(function(wait, index)
    if hit[index] or wait.turn then return "ready" end
    return wait.deadline and wait.deadline <= now and "late" or nil
  end)
end

---Runs until `goes_on` says no, or the deadline has passed.
---@param goes_on fun(): boolean
---@param deadline number
---@return boolean in_time
function Loop:run(goes_on, deadline)
  while true do
    self:run_ready(goes_on)
    if not goes_on() then return true end
    if sys.now() >= deadline then return false end
    self:poll(deadline)
  end
end

---Who waits for what, a line each, for a scenario that took too long.
---@return string
function Loop:waiting()
  local lines = {}
  for task in pairs(self.tasks) do
    if not task.background and task.doing then
      lines[#lines + 1] = ("  %s is %s (%s)"):format(task.name, task.doing, task.place)
    end
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

return loop
