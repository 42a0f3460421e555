---A scenario: one test, its deadline, its end, and its report.
---
---    running ── body returns ──> closing ── proxies have drained and exited ──> judged ──> cleaned up
---       │                                                                       ^
---       └── something failed, or took too long ── (the same, with less patience) ┘

local failure = require "moongate.testing.failure"
local sys = require "moongate.testing.sys"
local world = require "moongate.testing.world"

local TIMEOUT = 20      -- seconds of wall time for the body
local CLOSING = 15      -- and for what was started to end
local CLOSING_FAILED = 3

local scenario = {}

---How much slower than usual this run may be, for sanitizers and valgrind.
---@return number
local function patience()
  return tonumber(os.getenv "MOONGATE_TEST_PATIENCE") or 1
end

---@class moongate.testing.scenario_options
---@field timeout? number seconds of wall time, 20 unless said

---The state of one run.
---@class moongate.testing.run
---@field world moongate.testing.world
---@field failed? boolean
---@field err? any the first thing that went wrong
---@field trace? string

---Kinds of failure that only mean that the scenario is being taken down.
local taken_down = { closed = true, reset = true, idle = true, misuse = true }

local function watch_errors(run)
  run.world.loop.on_error = function(task, err, trace)
    if run.failed or (run.closing and taken_down[failure.kind(err) or ""]) then return end
    run.failed, run.err, run.trace, run.by = true, err, trace, task.name
  end
end

local function fail_late(run, seconds)
  local waiting = run.world.loop:waiting()
  run.failed = true
  run.err = ("the scenario took longer than %g s\n%s"):format(seconds, waiting ~= "" and waiting or "  nobody waits")
end

---Runs the test's function.
local function run_body(run, body, seconds)
  local w = run.world
  w.deadline = sys.now() + seconds
  local task = w.loop:spawn("the test", function() body(w) end)
  local in_time = w.loop:run(function() return not task.done and not run.failed end, w.deadline)
  if not in_time then fail_late(run, seconds) end
end

---Lets everything end in good order, and judges how it did.
local function close(run)
  local w = run.world
  run.closing = true
  local task = w.loop:spawn("the end of the test", function() w:wind_up(run.failed) end)
  local seconds = (run.failed and CLOSING_FAILED or CLOSING) * patience()
  local was_failed = run.failed
  local function goes_on() return not task.done and (was_failed or not run.failed) end
  local in_time = w.loop:run(goes_on, sys.now() + seconds)
  if not in_time and not run.failed then fail_late(run, seconds) end
end

---Turns what went wrong into what the test runner shows.
local function report(run)
  local kind = (getmetatable(run.err) or {}).__type
  if kind == "pending" then error(run.err, 0) end
  local by = run.by and run.by ~= "the test" and (" (in %s)"):format(run.by) or ""
  local details = by .. "\n\n" .. run.world:story()
  if type(run.err) == "table" and rawget(run.err, "message") and kind == "failure" then
    run.err.message = tostring(run.err.message) .. details
    error(run.err, 0)
  end
  local text = tostring(run.err) .. (failure.kind(run.err) and "" or "\n" .. (run.trace or "")) .. details
  local busted = package.loaded.busted
  if busted and busted.fail and failure.kind(run.err) then busted.fail(text, 0) end
  error(text, 0)
end

---Makes a function for the test runner's `it`.
---@param body fun(w: moongate.testing.world)
---@param opts? moongate.testing.scenario_options
---@return fun()
function scenario.new(body, opts)
  local seconds = (opts and opts.timeout or TIMEOUT) * patience()
  return function()
    local run = { world = world.new(patience()) }
    watch_errors(run)
    run_body(run, body, seconds)
    close(run)
    local ok, err = true, nil
    if run.failed then ok, err = pcall(report, run) end
    run.world:destroy()
    if not ok then error(err, 0) end
  end
end

return scenario
