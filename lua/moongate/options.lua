---The options of a policy: what an entry in the configuration may say, checked once, when the policy is built.
---
---    api_key.options = {
---      header = { type = "string", default = "x-api-key", doc = "the field that holds the key" },
---      keys   = { type = "list", of = "string", required = true },
---      mode   = { one_of = { "refuse", "report" }, default = "refuse" },
---      window = { type = "duration", default = "1m" },             -- arrives as seconds: 60
---    }
---
---Types: string, number, integer, boolean, list (`of` what), map (string to `of` what), function, duration (seconds, or
---"250ms", "5m"), size (bytes, or "16k") and any. `one_of` lists the values that are allowed; `min` and `max` bound
---numbers, durations and sizes, and the number of entries of lists.

local spelling = require "moongate.config.spelling"
local units = require "moongate.config.units"

local options = {}

---@class moongate.option
---@field type? string "any" unless said
---@field of? string|moongate.option what lists and maps hold
---@field one_of? any[] the values that are allowed
---@field required? boolean
---@field default? any given as in configuration, so "1m" for a duration
---@field min? number
---@field max? number
---@field doc? string what it means

local KNOWN_FIELDS = { "type", "of", "one_of", "required", "default", "min", "max", "doc" }

local check_value

-- Each type reads a value as it was written and returns what the policy gets, or nil and a message. ------------------

local function plain(kind, what)
  return function(value, _, path)
    if type(value) == kind then return value end
    return nil, ("%s: expected %s, got %s"):format(path, what, spelling.show(value))
  end
end

local function with_unit(read, scale, what)
  return function(value, _, path)
    local number, right = read(value)
    if number then return number / scale end
    local remedy = right and ("; did you mean \"%s\"?"):format(right) or ""
    return nil, ("%s: expected %s, got %s%s"):format(path, what, spelling.show(value), remedy)
  end
end

local function is_list(value)
  local count = 0
  for _ in next, value do count = count + 1 end
  return count == #value
end

local function read_list(value, option, path)
  if type(value) ~= "table" or not is_list(value) then
    local remedy = type(value) == "string" and (" (write { %s })"):format(spelling.show(value)) or ""
    return nil, ("%s: expected a list, got %s%s"):format(path, spelling.show(value), remedy)
  end
  local read = {}
  for i, entry in ipairs(value) do
    local one, message = check_value(entry, option.of or "any", ("%s[%d]"):format(path, i))
    if one == nil then return nil, message end
    read[i] = one
  end
  return read
end

local function read_map(value, option, path)
  if type(value) ~= "table" then
    return nil, ("%s: expected a map { name = value }, got %s"):format(path, spelling.show(value))
  end
  local read = {}
  for name, entry in next, value do
    if type(name) ~= "string" then
      return nil, ("%s: expected names, got the key %s"):format(path, spelling.show(name))
    end
    local one, message = check_value(entry, option.of or "any", path .. "." .. name)
    if one == nil then return nil, message end
    read[name] = one
  end
  return read
end

local function read_integer(value, _, path)
  if type(value) == "number" and value % 1 == 0 then return value end
  return nil, ("%s: expected a whole number, got %s"):format(path, spelling.show(value))
end

---@type table<string, fun(value: any, option: moongate.option, path: string): any, string?>
local readers = {
  any = function(value) return value end,
  string = plain("string", "a string"),
  number = plain("number", "a number"),
  integer = read_integer,
  boolean = plain("boolean", "true or false"),
  ["function"] = plain("function", "a function"),
  list = read_list,
  map = read_map,
  duration = with_unit(units.duration, 1000, 'a duration (seconds, or "250ms", "30s", "5m", "1h", "7d")'),
  size = with_unit(units.size, 1, 'a size (bytes, or "16k", "10m", "2g")'),
}
readers.enum = readers.any -- `one_of` says the rest

local type_names = {}
for name in pairs(readers) do type_names[#type_names + 1] = name end
table.sort(type_names)

-- One value ---------------------------------------------------------------------------------------------------------

local function check_choice(value, choices, path)
  local shown, words = {}, {}
  for i, choice in ipairs(choices) do
    if value == choice then return value end
    shown[i] = spelling.show(choice)
    if type(choice) == "string" then words[#words + 1] = choice end
  end
  local nearest = spelling.nearest(value, words)
  local remedy = nearest and ("; did you mean %s?"):format(spelling.show(nearest)) or ""
  return nil, ("%s: expected %s, got %s%s"):format(path, spelling.listing(shown, "or"), spelling.show(value), remedy)
end

local function check_bounds(value, option, path)
  local size, what = value, ""
  if type(value) == "table" then size, what = #value, " entries" end
  if type(size) ~= "number" then return value end
  if option.min and size < option.min then
    return nil, ("%s: expected at least %g%s, got %g"):format(path, option.min, what, size)
  end
  if option.max and size > option.max then
    return nil, ("%s: expected at most %g%s, got %g"):format(path, option.max, what, size)
  end
  return value
end

---@param value any not nil
---@param option string|moongate.option
---@param path string as messages call it
---@return any
---@return string? message
function check_value(value, option, path)
  if type(option) == "string" then option = { type = option } end
  local read, message = readers[option.type or "any"](value, option, path)
  if read == nil then return nil, message end
  if option.one_of then return check_choice(read, option.one_of, path) end
  return check_bounds(read, option, path)
end

-- The declaration itself --------------------------------------------------------------------------------------------

---What is wrong with one declared option; nil when nothing is.
local function check_declared(name, option)
  if type(option) == "string" then option = { type = option } end
  if type(option) ~= "table" then
    return ("options.%s: expected a table or a type's name, got %s"):format(name, spelling.show(option))
  end
  for key in pairs(option) do
    local known = false
    for _, field in ipairs(KNOWN_FIELDS) do known = known or field == key end
    if not known then
      return ("options.%s: unknown key '%s'%s"):format(name, tostring(key), spelling.remedy(key, KNOWN_FIELDS))
    end
  end
  if option.type ~= nil and not readers[option.type] then
    return ("options.%s: unknown type '%s'%s"):format(name, tostring(option.type),
      spelling.remedy(option.type, type_names))
  end
  return option.of and check_declared(name .. ".of", option.of) or nil
end

---Names in an order that is always the same, so that messages are.
local function sorted_names(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function value_or_default(option, given)
  if given ~= nil then return given end
  return option.default
end

---Checks the options of a policy's entry against those that the policy declares.
---@param declared table<string, string|moongate.option>|nil
---@param given table<string, any>|nil
---@return table<string, any>|nil values with defaults filled in, durations in seconds and sizes in bytes
---@return string? message every mistake, a line each, beginning with the option's name
function options.check(declared, given)
  declared, given = declared or {}, given or {}
  local values, mistakes, known = {}, {}, sorted_names(declared)
  local function note(message) mistakes[#mistakes + 1] = message end
  for _, name in ipairs(sorted_names(given)) do
    if declared[name] == nil then
      note(("unknown option '%s'%s"):format(tostring(name), spelling.remedy(name, known)))
    end
  end
  for _, name in ipairs(known) do
    local option = declared[name]
    local wrong = check_declared(name, option)
    if type(option) == "string" then option = { type = option } end
    local value = not wrong and value_or_default(option, given[name])
    if wrong then
      note(wrong)
    elseif value ~= nil then
      local read, message = check_value(value, option, name)
      if read == nil then note(message) else values[name] = read end
    elseif option.required then
      note(("%s: is required%s"):format(name, option.doc and (" (%s)"):format(option.doc) or ""))
    end
  end
  if #mistakes > 0 then return nil, table.concat(mistakes, "\n") end
  return values
end

return options
