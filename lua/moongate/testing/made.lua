---Made-up requests and answers: what a policy sees as `req` and `res`, without a proxy.
---
---They follow core/script/api.h: the same fields, writable in the same phases, refused in the same words.

local headers = require "moongate.testing.headers"
local spelling = require "moongate.config.spelling"
local units = require "moongate.config.units"

local made = {}

local EARLY = { "rewrite", "access" }

---The fields of a request and the phases in which each may be assigned; an empty list means in none.
---@type table<string, string[]>
made.request_fields = {
  method = EARLY, path = EARLY, query = EARLY, host = EARLY, id = EARLY, upstream = EARLY,
  target = {}, scheme = {}, version = {}, route = {}, site = {}, time = {}, deadline = {},
  headers = {}, args = {}, cookies = {}, params = {}, client = {}, ctx = {},
}

---@type table<string, string[]>
made.response_fields = { status = { "upstream_response", "response" }, upstream = {}, headers = {}, timings = {} }

---The phases in which header fields may be changed.
made.header_phases = {
  req = { "rewrite", "access", "upstream_request" },
  res = { "upstream_response", "response" },
}

local FIELDS, PHASE, RULES, NAME = {}, {}, {}, {} -- keys that no script can write

local function is_in(phases, phase)
  for _, one in ipairs(phases) do
    if one == phase then return true end
  end
  return false
end

---Why something cannot be changed now; nil when it can, as it can outside of phases.
local function refusal(what, phases, phase)
  if not phase or is_in(phases, phase) then return nil end
  if #phases == 0 then return what .. " cannot be changed" end
  return ("%s cannot be changed in phase '%s'; it can in: %s"):format(what, phase, table.concat(phases, ", "))
end

-- Objects with known fields -----------------------------------------------------------------------------------------

local methods = {}

---The whole body.
---@param limit? integer|string bytes, or "16k"; "1m" unless given
---@return string|nil body
---@return string? message
---@return string? code "limit"
function methods:body(limit)
  local bytes = limit == nil and 2 ^ 20 or units.size(limit)
  if not bytes then error('the limit of a body is a number of bytes, or a text such as "16k"', 2) end
  local body = rawget(self, FIELDS).body or ""
  if #body > bytes then return nil, "the body is larger than its limit", "limit" end
  return body
end

local Object = {}

function Object:__index(name)
  local rules = rawget(self, RULES)
  if methods[name] then return methods[name] end
  if rules[name] then return rawget(self, FIELDS)[name] end
  local known = {}
  for field in pairs(rules) do known[#known + 1] = field end
  table.sort(known)
  error(("%s has no field '%s'%s"):format(rawget(self, NAME), tostring(name), spelling.remedy(name, known)), 2)
end

function Object:__newindex(name, value)
  local called, phases = rawget(self, NAME), rawget(self, RULES)[name]
  if not phases then
    error(("%s has no field '%s'; what policies share goes into req.ctx"):format(called, tostring(name)), 2)
  end
  local why = refusal(called .. "." .. name, phases, rawget(self, PHASE))
  if why then error(why, 2) end
  rawget(self, FIELDS)[name] = value
end

local function object(name, rules, fields)
  local self = setmetatable({ [FIELDS] = fields, [RULES] = rules, [NAME] = name }, Object)
  headers.guard(fields.headers, function()
    return refusal(name .. ".headers", made.header_phases[name], rawget(self, PHASE))
  end)
  return self
end

local function is_object(value, rules)
  return getmetatable(value) == Object and rawget(value, RULES) == rules
end

---Says which phase runs; nil when none does, and everything may be changed.
---@param thing table
---@param phase string|nil
function made.enter(thing, phase)
  if getmetatable(thing) == Object then rawset(thing, PHASE, phase) end
end

-- Lists that a client gave ------------------------------------------------------------------------------------------

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

---@param query string|nil
---@return string[][]
local function parse_args(query)
  local list = {}
  for name, value in (query or ""):gmatch "([^&=]+)=?([^&]*)" do list[#list + 1] = { decode(name), decode(value) } end
  return list
end

local function parse_cookies(line)
  local list = {}
  for name, value in (line or ""):gmatch "([^=;%s]+)=([^;]*)" do list[#list + 1] = { name, value } end
  return list
end

local item_methods = {}

function item_methods:all(name)
  local found = {}
  for _, item in ipairs(rawget(self, FIELDS)) do
    if item[1] == name then found[#found + 1] = item[2] end
  end
  return found
end

function item_methods:get(name)
  return item_methods.all(self, name)[1]
end

function item_methods:each()
  local at = 0
  return function()
    at = at + 1
    local item = rawget(self, FIELDS)[at]
    if item then return item[1], item[2] end
  end
end

local Items = {}

function Items:__index(name)
  return item_methods[name] or item_methods.get(self, name)
end

function Items.__newindex(_, name)
  error(("'%s' was given by the client and cannot be changed"):format(tostring(name)), 2)
end

---@param list table map or list of { name, value }
local function items(list)
  return setmetatable({ [FIELDS] = headers.list(list) }, Items)
end

-- The two objects ---------------------------------------------------------------------------------------------------

---Splits what the test gave into path and query.
local function target_of(given)
  local path, query = (given.target or given.path or "/"):match "^([^?]*)%??(.*)$"
  query = given.query or (query ~= "" and query or nil)
  return path, query, given.target or (query and path .. "?" .. query or path)
end

---A made-up request. Fields that are not given have sensible values; `path` may hold a query.
---@param given? table fields of a request, and `body`
---@return table req
function made.request(given)
  if is_object(given, made.request_fields) then return given --[[@as table]] end
  given = given or {}
  for name in pairs(given) do
    if name ~= "body" and not made.request_fields[name] then
      error(("a request has no field '%s'"):format(tostring(name)), 3)
    end
  end
  local path, query, target = target_of(given)
  local fields = headers.new(given.headers)
  local client = given.client or {}
  return object("req", made.request_fields, {
    method = given.method or "GET", path = path, query = query, target = target, scheme = given.scheme or "http",
    host = given.host or "localhost", version = given.version or "1.1", id = given.id or ("0"):rep(32),
    route = given.route, site = given.site, upstream = given.upstream, time = given.time or 1700000000,
    deadline = given.deadline, headers = fields, args = items(given.args or parse_args(query)),
    cookies = items(given.cookies or parse_cookies(fields:get "cookie")), params = items(given.params or {}),
    client = { ip = client.ip or "127.0.0.1", port = client.port or 40000, tls = client.tls },
    ctx = given.ctx or {}, body = given.body,
  })
end

---A made-up answer.
---@param given? table status, headers, upstream, timings, and `body`
---@return table res
function made.response(given)
  if is_object(given, made.response_fields) then return given --[[@as table]] end
  given = given or {}
  return object("res", made.response_fields, {
    status = given.status or 200, headers = headers.new(given.headers), upstream = given.upstream,
    timings = given.timings or { total = 0 }, body = given.body,
  })
end

-- Answers of policies -----------------------------------------------------------------------------------------------

---Checks what a phase returned and makes a table of it: a text is a body, a number a status.
---@param answer any
---@return table|nil
function made.answer(answer)
  if answer == nil then return nil end
  if type(answer) == "string" then return { status = 200, body = answer } end
  if type(answer) == "number" then return { status = answer } end
  if type(answer) ~= "table" then
    error(("an answer is a table, a text or a status, not a %s"):format(type(answer)), 0)
  end
  for key in pairs(answer) do
    if key ~= "status" and key ~= "headers" and key ~= "body" then
      error(("an answer has status, headers and body, not '%s'"):format(tostring(key)), 0)
    end
  end
  local status = answer.status
  if status ~= nil and not (type(status) == "number" and status % 1 == 0 and status >= 200 and status < 600) then
    error(("the answer's status must be a whole number from 200 to 599, not %s"):format(tostring(status)), 0)
  end
  return answer
end

return made
