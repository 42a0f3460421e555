---Lists of names and values that a client gave: arguments, cookies, path parameters. Read only.
local dual = require "moongate.internal.dual"
local ffi = require "ffi"
local native = require "moongate.internal.native"

local items = {}

local C, text_of = ffi.C, ffi.string
local item_get, item_next = native.item_get, native.item_next
local found = ffi.new("mg_text[1]")

local REC = false
dual.attach(function(...) return REC, ... end)

---@alias moongate.cookies moongate.args
---@alias moongate.params moongate.args

---@class moongate.args: { [string]: string }
local methods = {}

---All values of that name, in order.
---@param name string
---@return string[]
function methods:all(name, ...) -- luacheck: ignore 212
  local list = {}
  local at, one, value = item_next(self, 0)
  while at do
    if one == name then list[#list + 1] = value end
    at, one, value = item_next(self, at)
  end
  return list
end

---The first value, also of one that bears a method's name.
---@param name string
---@return string?
function methods:get(name, ...) -- luacheck: ignore 212
  local value = item_get(self, name)
  return value
end

local function step(state, ...) -- luacheck: ignore 212
  local at, name, value = item_next(state[1], state[2])
  if not at then return nil end
  state[2] = at
  return name, value
end

---Goes through all in order, decoded.
---@return fun(state: table): string?, string?
---@return table state
function methods:each(...) -- luacheck: ignore 212
  return step, { self, 0 }
end

local meta = { __metatable = "moongate.items" }

function meta.__index(t, name, ...) -- luacheck: ignore 212
  local method = methods[name]
  if method then return method end
  if REC and type(name) == "string" then
    local rc = C.mg_api_item(t[1], t[3], name, #name, found)
    if rc == 1 then return text_of(found[0].p, found[0].n) end
    if rc == 0 then return nil end
  end
  local value = item_get(t, name)
  return value
end

function meta.__newindex(t, name, ...) -- luacheck: ignore 212
  native.raise(("'%s' was given by the client and cannot be changed"):format(tostring(name)))
end

---@param pointer ffi.cdata*
---@param number integer
---@param list integer which list
---@return moongate.args
function items.new(pointer, number, list)
  return setmetatable({ pointer, number, list }, meta)
end

return items
