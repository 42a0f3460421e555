---The header fields of a request or an answer.
---
---     req.headers["x-key"]                 the first value, whatever the letter case; nil when there is none
---     req.headers["x-key"] = "v"           replaces all fields of that name; a list makes several fields
---     req.headers["x-key"] = nil           removes them
---     headers:all("accept")                every value, as a list
---     headers:add("vary", "accept")        one more field
---     headers:get("all")                   the way to a field that bears a method's name
---     for name, value in headers:each() do … end
local dual = require "moongate.internal.dual"
local ffi = require "ffi"
local native = require "moongate.internal.native"

local headers = {}

local C, text_of = ffi.C, ffi.string
local header_get, header_set, header_add = native.header_get, native.header_set, native.header_add
local header_all, header_at = native.header_all, native.header_at
local found = ffi.new("mg_text[1]")

local REC = false
dual.attach(function(...) return REC, ... end)

---@class moongate.headers: { [string]: string|number|string[]|nil }
local methods = {}

---All values of that name, in order.
---@param name string
---@return string[]
function methods:all(name, ...) -- luacheck: ignore 212
  local list = header_all(self, name)
  return list
end

---Adds a field and leaves those of the same name.
---@param name string
---@param value string|number
function methods:add(name, value, ...) -- luacheck: ignore 212
  if REC and type(name) == "string" and type(value) == "string" then
    if C.mg_api_add_header(self[1], self[3], name, #name, value, #value) == 1 then return end
  end
  header_add(self, name, value)
end

---The first value, also of a field that bears a method's name.
---@param name string
---@return string?
function methods:get(name, ...) -- luacheck: ignore 212
  local value = header_get(self, name)
  return value
end

local function step(state, ...) -- luacheck: ignore 212
  local at, name, value = header_at(state[1], state[2])
  if not at then return nil end
  state[2] = at
  return name, value
end

---Goes through all fields in order: names as they came.
---@return fun(state: table): string?, string?
---@return table state
function methods:each(...) -- luacheck: ignore 212
  return step, { self, 0 }
end

local meta = { __metatable = "moongate.headers" }

function meta.__index(t, name, ...) -- luacheck: ignore 212
  local method = methods[name]
  if method then return method end
  if REC and type(name) == "string" then
    local rc = C.mg_api_header(t[1], t[3], name, #name, found)
    if rc == 1 then return text_of(found[0].p, found[0].n) end
    if rc == 0 then return nil end
  end
  local value = header_get(t, name)
  return value
end

function meta.__newindex(t, name, value, ...) -- luacheck: ignore 212
  if REC and type(name) == "string" then
    if type(value) == "string" then
      if C.mg_api_set_header(t[1], t[3], name, #name, value, #value) == 1 then return end
    elseif value == nil then
      if C.mg_api_remove_header(t[1], t[3], name, #name) >= 0 then return end
    end
  end
  header_set(t, name, value)
end

---The fields of one message of a slot.
---@param pointer ffi.cdata* the slot, for compiled code
---@param number integer the slot, for interpreted code
---@param message integer whose fields
---@return moongate.headers
function headers.new(pointer, number, message)
  return setmetatable({ pointer, number, message }, meta)
end

return headers
