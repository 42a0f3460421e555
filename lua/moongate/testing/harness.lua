---One policy without a proxy: its options are checked as the proxy checks them, and each phase is a method that takes a
---made-up request and returns the answer, which is data.
---
---    local key = testing.policy("api_key", { keys = { "k1" } })
---    local answer, req = key:access { headers = { ["x-api-key"] = "wrong" } }
---    assert.equal(401, answer.status)
---    assert.is_nil(key:access { headers = { ["x-api-key"] = "k1" } })
---
---To run several phases of one request, make it once: `local req = testing.request { path = "/" }`.

local headers = require "moongate.testing.headers"
local modules = require "moongate.testing.modules"
local options = require "moongate.options"

local harness = {}

-- Requests and answers ----------------------------------------------------------------------------------------------

---Which fields a phase may assign; all others raise an error at the script's line.
local everything = {
  method = true, path = true, query = true, target = true, scheme = true, host = true, upstream = true, deadline = true,
}
local assignable = {
  rewrite = everything,
  access = { path = true, query = true, upstream = true, deadline = true },
  upstream_request = { method = true, path = true, query = true, target = true, host = true },
}

local FIXED = {} -- the key below which a made-up object keeps its fields
local PHASE = {} -- and the phase that runs

---@class moongate.testing.made_request
local request_methods = {}

---The body, at most `limit` bytes of it; nil, a message and 413 when it is longer.
---@param limit? integer
---@return string|nil
---@return string? message
---@return integer? status
function request_methods:body(limit)
  local body = rawget(self, FIXED).body or ""
  if limit and #body > limit then return nil, ("the body is longer than %d bytes"):format(limit), 413 end
  return body
end

local Request = {}

function Request:__index(name)
  return request_methods[name] or rawget(self, FIXED)[name]
end

function Request:__newindex(name, value)
  local phase, fixed = rawget(self, PHASE), rawget(self, FIXED)
  if phase and not (assignable[phase] or {})[name] then
    local known = everything[name] or fixed[name] ~= nil
    error(known and ("req.%s cannot be assigned in the phase '%s'"):format(name, phase)
      or ("req has no field '%s'; a policy's own data belongs into req.ctx"):format(tostring(name)), 2)
  end
  fixed[name] = value
end

---Query arguments, decoded; the first of a name wins.
local function parse_args(query)
  local args = {}
  local function decode(text)
    return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
  end
  for name, value in (query or ""):gmatch "([^&=]+)=?([^&]*)" do
    name = decode(name)
    if args[name] == nil then args[name] = decode(value) end
  end
  return args
end

local function parse_cookies(line)
  local cookies = {}
  for name, value in (line or ""):gmatch "([^=;%s]+)=([^;]*)" do
    if cookies[name] == nil then cookies[name] = value end
  end
  return cookies
end

---A made-up request. Fields that are not given have sensible values; `path` may hold a query.
---@param given? table
---@return table req
function harness.request(given)
  if getmetatable(given) == Request then return given --[[@as table]] end
  given = given or {}
  local fields = {}
  for name, value in pairs(given) do fields[name] = value end
  local path, query = (given.target or given.path or "/"):match "^([^?]*)%??(.*)$"
  fields.path, fields.query = path, given.query or (query ~= "" and query or nil)
  fields.target = given.target or (fields.query and path .. "?" .. fields.query or path)
  fields.method, fields.scheme = given.method or "GET", given.scheme or "http"
  fields.host, fields.version = given.host or "localhost", given.version or "1.1"
  fields.id, fields.time = given.id or "test-request", given.time or 1700000000
  fields.client = given.client or {}
  fields.client.ip, fields.client.port = fields.client.ip or "127.0.0.1", fields.client.port or 40000
  fields.headers = headers.new(given.headers)
  fields.args = given.args or parse_args(fields.query)
  fields.cookies = given.cookies or parse_cookies(fields.headers:get "cookie")
  fields.params, fields.ctx = given.params or {}, given.ctx or {}
  return setmetatable({ [FIXED] = fields }, Request)
end

---A made-up answer of an origin.
---@param given? table
---@return table res
function harness.response(given)
  given = given or {}
  if headers.is(given.headers) and given.status then return given end
  local res = {}
  for name, value in pairs(given) do res[name] = value end
  res.status, res.headers, res.timings = given.status or 200, headers.new(given.headers), given.timings or {}
  return res
end

-- The policy --------------------------------------------------------------------------------------------------------

---@class moongate.testing.policy
---@field self table what the phases see as `self`: the checked options and what `setup` made
---@field logged string[] what was written with moongate.log, "level: message"
---@field now number what moongate.time says; a sleep moves it on
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
  rawset(req, PHASE, phase)
  local ok, answer = pcall(run, self, phase, req, ...)
  rawset(req, PHASE, nil)
  if not ok then error(answer, 0) end
  return answer
end

for _, phase in ipairs { "rewrite", "access", "upstream_request" } do
  ---Runs the phase on a request.
  ---@param req? table made-up, or the fields of one
  ---@return table|nil answer
  ---@return table req
  Policy[phase] = function(self, req)
    req = harness.request(req)
    return run_guarded(self, phase, req), req
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
    req, res = harness.request(req), harness.response(res)
    return run_guarded(self, phase, req, res), req, res
  end
end

for _, phase in ipairs { "failed", "balance", "message" } do
  ---Runs the phase on a request and what the phase is about: a failure, an upstream, a message.
  ---@param req? table
  ---@param subject any
  ---@return any answer
  ---@return table req
  Policy[phase] = function(self, req, subject)
    req = harness.request(req)
    return run_guarded(self, phase, req, subject), req
  end
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
  req = harness.request(req)
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
  req, res = harness.request(req), harness.response(res)
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
  local self = setmetatable({ logged = {}, now = 1700000000 }, Policy)
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
