---Header fields in the order they came, found whatever their letter case: the object that a policy sees as
---`req.headers`, made without a proxy, and what the kit's clients and origins return.
---
---    headers["content-type"]           the first value, or nil
---    headers["content-type"] = "a/b"   replaces every value; nil removes
---    headers:all(name)  headers:add(name, value)  headers:get(name)
---    for name, value in headers:each() do … end

-- Keys below which the object hides what it has, so that every string stays free for a field's name.
local LIST, GUARD = {}, {}

---@class moongate.testing.headers
---@field [string] string
local methods = {}

local Headers = {}

---@param value any
local function check_value(value)
  if type(value) == "number" then value = tostring(value) end
  if type(value) ~= "string" then
    error(("a header's value is a string, not a %s"):format(type(value)), 3)
  end
  if value:find "[\r\n%z]" then error("CR, LF and NUL must not stand in a header's value", 3) end
  return value
end

---Raises what the guard says, if there is one and it objects.
local function ask_guard(self)
  local guard = rawget(self, GUARD)
  local why = guard and guard()
  if why then error(why, 3) end
end

---@param name any
local function check_name(name)
  if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+%-.^_`|~]+$" then
    error(("'%s' is not a header's name"):format(tostring(name)), 3)
  end
  return name
end

---The first value, also of a field that bears the name of a method.
---@param name string
---@return string|nil
function methods:get(name)
  local wanted = name:lower()
  for _, field in ipairs(rawget(self, LIST)) do
    if field[1]:lower() == wanted then return field[2] end
  end
end

---Every value, in order.
---@param name string
---@return string[]
function methods:all(name)
  local wanted, found = name:lower(), {}
  for _, field in ipairs(rawget(self, LIST)) do
    if field[1]:lower() == wanted then found[#found + 1] = field[2] end
  end
  return found
end

---Adds a field after the others.
---@param name string
---@param value string|number
function methods:add(name, value)
  ask_guard(self)
  name, value = check_name(name), check_value(value)
  local list = rawget(self, LIST)
  list[#list + 1] = { name, value }
end

---Walks over name and value of every field, in order.
---@return fun(): string|nil, string|nil
function methods:each()
  local list, index = rawget(self, LIST), 0
  return function()
    index = index + 1
    if list[index] then return list[index][1], list[index][2] end
  end
end

function Headers:__index(name)
  return methods[name] or methods.get(self, name)
end

---Replaces every field of that name, at the place of the first; a list makes several fields.
function Headers:__newindex(name, value)
  ask_guard(self)
  local values = type(value) == "table" and value or { value }
  local wanted, kept, placed = check_name(name):lower(), {}, false
  local checked = {}
  for i, one in ipairs(values) do checked[i] = check_value(one) end
  local function place(spelled)
    for _, one in ipairs(placed and {} or checked) do kept[#kept + 1] = { spelled, one } end
    placed = true
  end
  for _, field in ipairs(rawget(self, LIST)) do
    if field[1]:lower() == wanted then place(field[1]) else kept[#kept + 1] = field end
  end
  place(name)
  rawset(self, LIST, kept)
end

local headers = {}

---Makes an object of `{ name = value }`, `{ name = { value, value } }`, `{ { name, value }, … }` or another such
---object. Fields of a map are put in the order of their names.
---@param fields? table
---@return moongate.testing.headers
function headers.new(fields)
  local self = setmetatable({ [LIST] = {} }, Headers)
  for _, field in ipairs(headers.list(fields)) do self:add(field[1], field[2]) end
  return self
end

---From now on every change is asked for: a guard that returns a text refuses it.
---@param object moongate.testing.headers
---@param guard fun(): string|nil
function headers.guard(object, guard)
  rawset(object, GUARD, guard)
end

---@param value any
---@return boolean
function headers.is(value)
  return getmetatable(value) == Headers
end

---The same as a list of `{ name, value }`. Values are not checked, so that tests can send what is wrong.
---@param fields? table
---@return string[][]
function headers.list(fields)
  if headers.is(fields) then return rawget(fields, LIST) end
  local list, names = {}, {}
  for key, value in pairs(fields or {}) do
    if type(key) == "number" then
      list[key] = { value[1] or value.name, tostring(value[2] or value.value) }
    else
      names[#names + 1] = key
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local values = fields[name]
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      list[#list + 1] = { name, tostring(value) }
    end
  end
  return list
end

return headers
