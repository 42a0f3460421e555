---The testing kit: whole conversations between scripted clients, a real proxy and scripted origins, as one readable
---test.
---
---    local testing = require "moongate.testing"
---    local scenario = testing.scenario
---
---    it("tries the next server when one refuses", scenario(function(w)
---      local dead, alive = w:closed_port(), w:origin(function(conn) conn:request(); conn:reply(200, "hi") end)
---      local proxy = w:proxy { upstreams = { app = { servers = { dead, alive } } } }
---      assert.equal("hi", w:client(proxy):get("/").body)
---    end))
---
---Clients, origins and the test's function are coroutines over one poll loop. A failing scenario shows the whole
---conversation; a passing one has also made sure that the proxy ended clean. And `testing.policy` runs the phases of
---one policy on a made-up request, with no proxy at all. See docs/testing.md.

local harness = require "moongate.testing.harness"
local headers = require "moongate.testing.headers"
local inline = require "moongate.testing.inline"
local made = require "moongate.testing.made"
local proxy = require "moongate.testing.proxy"
local scenario = require "moongate.testing.scenario"

-- The LuaJIT of Debian 12 sometimes compiles a loop over `pairs` so that the process dies (LuaJIT issue 829). Tests
-- wait for other processes most of the time, so for them the interpreter is as good.
jit.off()

local testing = {}

---Makes a function for the test runner's `it`. It runs the body with a new world, within 20 seconds unless
---`opts.timeout` says otherwise.
---@param body fun(w: moongate.testing.world)
---@param opts? moongate.testing.scenario_options
---@return fun()
function testing.scenario(body, opts)
  return scenario.new(body, opts)
end

---Lua source that stands in a configuration as it is: a whole file for `w:proxy(testing.lua [[ return { … } ]])`, an
---expression inside a table, or the content of a script.
---@param source string
---@return moongate.testing.verbatim
function testing.lua(source)
  return inline.verbatim(source)
end

---The same, for an expression inside a table of configuration.
testing.raw = testing.lua

---A policy to be run without a proxy: the name of a module, or the table itself, and the options of its entry.
---@param policy string|table
---@param options? table
---@param opts? moongate.testing.policy_options
---@return moongate.testing.policy
function testing.policy(policy, options, opts)
  return harness.policy(policy, options, opts)
end

---A made-up request, as a policy sees it.
---@param fields? table method, path, query, headers, client, body, …
---@return table
function testing.request(fields)
  return made.request(fields)
end

---A made-up answer, as a policy sees it.
---@param fields? table status, headers, …
---@return table
function testing.response(fields)
  return made.response(fields)
end

---Header fields, as a policy sees them.
---@param fields? table map or list of { name, value }
---@return moongate.testing.headers
function testing.headers(fields)
  return headers.new(fields)
end

---Path of the program that `w:proxy` starts.
---@return string
function testing.binary()
  return proxy.binary()
end

return testing
