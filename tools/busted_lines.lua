---How busted speaks to tools/run-tests: one line as soon as a test has ended, so that a run that dies half-way has
---said what it had done, and the counts on the last line; the C unit tests write the same.
---
---    ok - a proxy answers 502 when nobody listens at the origin
---    not ok - …             then the reason, indented
---    skipped - …            then why
---    12 passed, 1 failed

local busted = require "busted"
local pretty = require "pl.pretty"

local function indent(text)
  return "    " .. tostring(text):gsub("%s+$", ""):gsub("\n", "\n    ")
end

local function reason(failure)
  local message = failure.message
  if type(message) ~= "string" then message = message == nil and "nil error" or pretty.write(message) end
  local place = failure.element.trace or failure.trace
  local lines = { indent(message) }
  if place and place.short_src then lines[2] = indent(("at %s:%d"):format(place.short_src, place.currentline)) end
  local stack = failure.isError and failure.trace and failure.trace.traceback
  if stack then lines[#lines + 1] = indent(stack:gsub("^\n", "")) end
  return table.concat(lines, "\n")
end

return function()
  local handler = require "busted.outputHandlers.base"()
  local passed, failed, skipped = 0, 0, 0

  local function say(...)
    io.write(table.concat({ ... }), "\n")
    io.flush()
  end

  local function say_failure(failure)
    failed = failed + 1
    local name = failure.name ~= "" and failure.name or failure.element.descriptor
    say("not ok - ", name, "\n", reason(failure))
  end

  function handler.testEnd(_, _, status)
    if status == "success" then
      passed = passed + 1
      say("ok - ", handler.successes[#handler.successes].name)
    elseif status == "pending" then
      skipped = skipped + 1
      local pending = handler.pendings[#handler.pendings]
      say("skipped - ", pending.name, "\n", indent(pending.message or ""))
    elseif status == "failure" then
      say_failure(handler.failures[#handler.failures])
    elseif status == "error" then
      say_failure(handler.errors[#handler.errors])
    end
    return nil, true
  end

  ---What goes wrong outside of a test: a file that does not load, a setup or teardown that fails.
  function handler.error(element)
    if element.descriptor ~= "it" then say_failure(handler.errors[#handler.errors]) end
    return nil, true
  end

  function handler.suiteEnd()
    say(passed, " passed, ", failed, " failed", skipped > 0 and (", " .. skipped .. " skipped") or "")
    return nil, true
  end

  busted.subscribe({ "test", "end" }, handler.testEnd, { predicate = handler.cancelOnPending })
  busted.subscribe({ "error" }, handler.error)
  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  return handler
end
