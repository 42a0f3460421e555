---Objects whose fields the program knows: requests, answers, clients.
---
---     { pointer of the slot, number of the slot, class, parts… }
---
---They share one metatable on purpose: the compiler takes an upvalue for a constant only in a function of
---which there are not several closures.
local api = require "moongate.internal.api"
local dual = require "moongate.internal.dual"
local ffi = require "ffi"
local native = require "moongate.internal.native"
local spelling = require "moongate.config.spelling"

local fields = {}

local C, text_of = ffi.C, ffi.string
local field_get, field_set = native.field_get, native.field_set
local found, number_found = ffi.new("mg_text[1]"), ffi.new("double[1]")
local CLASS = 3

local REC = false
dual.attach(function(...) return REC, ... end)

---@class moongate.internal.class
---@field called string as scripts call it: "req"
---@field parts table<string, integer> objects that lie in the array part, by index
---@field computed table<string, fun(self: table): any> what is made when it is asked for
---@field methods table<string, function>
---@field ids table<string, integer>? the numbers of its fields in the program
---@field numbers table<string, true>? which of them are numbers

---Completes a class with the fields that api.h describes.
---@param name string as api.h calls it
---@param class moongate.internal.class
---@return moongate.internal.class
function fields.class(name, class)
  class.ids, class.numbers = {}, {}
  for field, about in pairs(api.fields[name]) do
    class.ids[field], class.numbers[field] = C[about.id], about.number or nil
  end
  return class
end

local function refuse_read(class, name)
  local known = {}
  for _, map in ipairs { class.ids, class.parts, class.computed } do
    for field in pairs(map) do known[#known + 1] = field end
  end
  table.sort(known)
  native.raise(("%s has no field '%s'%s"):format(class.called, tostring(name), spelling.remedy(name, known)))
end

local function refuse_write(class, name)
  local why = (class.parts[name] or class.computed[name]) and "%s.%s cannot be replaced"
    or "%s has no field '%s'; what policies share goes into req.ctx"
  native.raise(why:format(class.called, tostring(name)))
end

local meta = { __metatable = "moongate.object" }

function meta.__index(t, name, ...) -- luacheck: ignore 212
  local class = t[CLASS]
  local id = class.ids[name]
  if id then
    if REC then
      if class.numbers[name] then
        if C.mg_api_number(t[1], id, number_found) == 1 then return number_found[0] end
      else
        local rc = C.mg_api_text(t[1], id, found)
        if rc == 1 then return text_of(found[0].p, found[0].n) end
        if rc == 0 then return nil end
      end
    end
    local value = field_get(t, id)
    return value
  end
  local at = class.parts[name]
  if at then return t[at] end
  local method = class.methods[name]
  if method then return method end
  local compute = class.computed[name]
  if compute then
    local value = compute(t)
    return value
  end
  refuse_read(class, name)
end

function meta.__newindex(t, name, value, ...) -- luacheck: ignore 212
  local class = t[CLASS]
  local id = class.ids[name]
  if not id then refuse_write(class, name) end
  if REC then
    if type(value) == "string" then
      if C.mg_api_set_text(t[1], id, value, #value) == 1 then return end
    elseif type(value) == "number" then
      if C.mg_api_set_number(t[1], id, value) == 1 then return end
    end
  end
  field_set(t, id, value)
end

---Makes an object of what lies in its array part.
---@param object table
---@return table
function fields.new(object)
  return setmetatable(object, meta)
end

return fields
