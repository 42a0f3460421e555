---Objects whose fields the program knows: requests, answers, clients. One maker of their metatables.
local api = require "moongate.internal.api"
local dual = require "moongate.internal.dual"
local ffi = require "ffi"
local native = require "moongate.internal.native"
local spelling = require "moongate.config.spelling"

local fields = {}

local C, text_of = ffi.C, ffi.string
local field_get, field_set = native.field_get, native.field_set
local found, number_found = ffi.new("mg_text[1]"), ffi.new("double[1]")

local REC = false
dual.attach(function(...) return REC, ... end)

---The numbers of a class's fields in the program, and which of them are numbers.
local function ids_of(class)
  local ids, numbers = {}, {}
  for name, field in pairs(api.fields[class]) do
    ids[name], numbers[name] = C[field.id], field.number or nil
  end
  return ids, numbers
end

local function names_of(ids, parts, computed)
  local names = {}
  for _, map in ipairs { ids, parts, computed } do
    for name in pairs(map) do names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

---@class moongate.internal.fields.more
---@field parts table<string, integer> objects that lie in the array part, by index
---@field computed table<string, fun(self: table): any> what is made when it is asked for
---@field methods table<string, function>

---A metatable for objects { pointer of the slot, number of the slot, … }.
---@param class string as api.h calls it
---@param called string as scripts call it: "req"
---@param more moongate.internal.fields.more
---@return table
function fields.meta(class, called, more)
  local ids, numbers = ids_of(class)
  local parts, computed, methods = more.parts, more.computed, more.methods
  local meta = { __metatable = "moongate." .. class }

  function meta.__index(t, name, ...) -- luacheck: ignore 212
    local id = ids[name]
    if id then
      if REC then
        if numbers[name] then
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
    local at = parts[name]
    if at then return t[at] end
    local method = methods[name]
    if method then return method end
    local compute = computed[name]
    if compute then
      local value = compute(t)
      return value
    end
    local known = names_of(ids, parts, computed)
    native.raise(("%s has no field '%s'%s"):format(called, tostring(name), spelling.remedy(name, known)))
  end

  function meta.__newindex(t, name, value, ...) -- luacheck: ignore 212
    local id = ids[name]
    if not id then
      local why = (parts[name] or computed[name]) and "%s.%s cannot be replaced"
        or "%s has no field '%s'; what policies share goes into req.ctx"
      native.raise(why:format(called, tostring(name)))
    end
    if REC then
      if type(value) == "string" then
        if C.mg_api_set_text(t[1], id, value, #value) == 1 then return end
      elseif type(value) == "number" then
        if C.mg_api_set_number(t[1], id, value) == 1 then return end
      end
    end
    field_set(t, id, value)
  end

  return meta
end

return fields
