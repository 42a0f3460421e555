---One policy without a proxy: its options are checked as the proxy checks them, and each phase is a method that takes
---a made-up request and returns the answer, which is data.
---
---    local key = testing.policy("api_key", { keys = { "k1" } })
---    local answer, req = key:access { headers = { ["x-api-key"] = "wrong" } }
---    assert.equal(401, answer.status)
---    assert.is_nil(key:access { headers = { ["x-api-key"] = "k1" } })
---
---To run several phases of one request, make it once: `local req = testing.request { path = "/" }`.

local made = require "moongate.testing.made"
local modules = require "moongate.testing.modules"
local options = require "moongate.options"

local harness = {}

-- The policy --------------------------------------------------------------------------------------------------------

---@class moongate.testing.policy
---@field self table what the phases see as `self`: the checked options and what `setup` made
---@field logged string[] what was written with moongate.log, "level: message"
---@field now number what moongate.time says; a sleep and `advance` move it on
---@field timers table[] that the policy has set with moongate.task
local Policy = {}
Policy.__index = Policy

---@class moongate.testing.policy_options
---@field modules? table<string, any> what `require` gives the policy instead of the module of that name

---Finds the source of a policy: in the project's scripts, then among those that ship, then where Lua looks.
local function load_module(name, env)
  local ways = {
    { "./scripts/?.lua;./?.lua", name }, { package.path, "moongate.policy." .. name }, { package.path, name },
  }
  for _, way in ipairs(ways) do
    local full = way[2]
    for pattern in way[1]:gmatch "[^;]+" do
      local path = pattern:gsub("%?", (full:gsub("%.", "/")))
      local chunk = loadfile(path)
      if chunk then return setfenv(chunk, env)(full) end
      local file = io.open(path)
      if file then
        file:close()
        error((select(2, loadfile(path))), 0)
      end
    end
  end
  error(("no policy '%s': neither in ./scripts nor on package.path, as moongate.policy.%s or as %s"):format(name, name,
    name), 3)
end

---The timer that is due first, up to a moment.
local function first_due(timers, moment)
  local first
  for _, timer in ipairs(timers) do
    if not timer.canceled and not timer.done and timer.at <= moment and (not first or timer.at < first.at) then
      first = timer
    end
  end
  return first
end

---Lets time pass for the policy; timers that come due run, each at its time.
---@param seconds number
function Policy:advance(seconds)
  local goal = self.now + seconds
  local timer = first_due(self.timers, goal)
  while timer do
    self.now = math.max(self.now, timer.at)
    if timer.again then timer.at = timer.at + timer.again else timer.done = true end
    timer.fire()
    timer = first_due(self.timers, goal)
  end
  self.now = math.max(self.now, goal)
end

---Runs a phase of the policy, if it has it, as a coroutine, for a policy may wait.
local function run(self, phase, ...)
  local hook = self.module[phase]
  if not hook then return nil end
  local co = coroutine.create(hook)
  local results = { coroutine.resume(co, self.self, ...) }
  if not results[1] then error(results[2], 0) end
  if coroutine.status(co) ~= "dead" then
    error(("the phase '%s' waits for something that does not exist without a proxy"):format(phase), 0)
  end
  return results[2]
end

---Runs a phase on a request while its assignments are guarded.
local function run_guarded(self, phase, req, ...)
  local res = ...
  made.enter(req, phase)
  made.enter(res, phase)
  local ok, answer = pcall(run, self, phase, req, ...)
  made.enter(req, nil)
  made.enter(res, nil)
  if not ok then error(answer, 0) end
  return answer
end

for _, phase in ipairs { "rewrite", "access", "upstream_request" } do
  ---Runs the phase on a request.
  ---@param req? table made-up, or the fields of one
  ---@return table|nil answer
  ---@return table req
  Policy[phase] = function(self, req)
    req = made.request(req)
    return made.answer(run_guarded(self, phase, req)), req
  end
end

for _, phase in ipairs { "upstream_response", "response", "log" } do
  ---Runs the phase on a request and an answer.
  ---@param req? table
  ---@param res? table
  ---@return table|nil answer
  ---@return table req
  ---@return table res
  Policy[phase] = function(self, req, res)
    req, res = made.request(req), made.response(res)
    return made.answer(run_guarded(self, phase, req, res)), req, res
  end
end

for _, phase in ipairs { "balance", "message" } do
  ---Runs the phase on a request and what the phase is about: an upstream, a message.
  ---@param req? table
  ---@param subject any
  ---@return any answer
  ---@return table req
  Policy[phase] = function(self, req, subject)
    req = made.request(req)
    return run_guarded(self, phase, req, subject), req
  end
end

---Runs the phase on a request and the failure that the proxy is about to answer.
---@param req? table
---@param failure table status, reason, …
---@return table|nil answer
---@return table req
function Policy:failed(req, failure)
  req = made.request(req)
  return made.answer(run_guarded(self, "failed", req, failure)), req
end

for _, phase in ipairs { "connect", "tls" } do
  ---Runs the phase on what it gets: a connection, a ClientHello.
  ---@param subject table
  ---@return any answer
  Policy[phase] = function(self, subject)
    return run(self, phase, subject)
  end
end

for _, phase in ipairs { "start", "stop" } do
  ---Runs the phase.
  Policy[phase] = function(self)
    run(self, phase)
  end
end

---An iterator over chunks, and a function that collects what is written.
local function body_pipe(chunks)
  local at, written = 0, {}
  local function next_chunk()
    at = at + 1
    return chunks[at]
  end
  return next_chunk, function(piece) written[#written + 1] = piece end, written
end

---Runs the body hook on chunks. A policy without one passes them on.
---@param req? table
---@param chunks string[]
---@return string[] written
---@return table req
function Policy:request_body(req, chunks)
  req = made.request(req)
  if not self.module.request_body then return chunks, req end
  local next_chunk, write, written = body_pipe(chunks)
  run_guarded(self, "request_body", req, next_chunk, write)
  return written, req
end

---Runs the body hook on chunks. A policy without one passes them on.
---@param req? table
---@param res? table
---@param chunks string[]
---@return string[] written
---@return table req
---@return table res
function Policy:response_body(req, res, chunks)
  req, res = made.request(req), made.response(res)
  if not self.module.response_body then return chunks, req, res end
  local next_chunk, write, written = body_pipe(chunks)
  run_guarded(self, "response_body", req, res, next_chunk, write)
  return written, req, res
end

---A policy to be run: the name of a module, the table itself, or a function (the access phase).
---
---Raises what the proxy would refuse: an unknown option, a wrong type, an error in `setup`.
---@param policy string|table|function
---@param given? table options
---@param opts? moongate.testing.policy_options
---@return moongate.testing.policy
function harness.policy(policy, given, opts)
  local self = setmetatable({ logged = {}, timers = {}, now = 1700000000 }, Policy)
  if type(policy) == "string" then policy = load_module(policy, modules.environment(self, opts and opts.modules)) end
  if type(policy) == "function" then
    local access = policy
    policy = { access = function(_, req) return access(req) end }
  end
  if type(policy) ~= "table" then error("a policy is a table, and its module must return it", 2) end
  local values, message = options.check(policy.options, given)
  if not values then error(message, 2) end
  self.module = policy
  self.self = setmetatable(values, { __index = policy })
  if policy.setup then policy.setup(self.self) end
  return self
end

return harness
