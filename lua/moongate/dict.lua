---Dictionaries that all workers share and that outlive reloads. The configuration names them, with their sizes:
---dicts = { limits = "10m" }.
---
---     local limits = require("moongate.dict").open "limits"
---     local hits = limits:incr(req.client.ip, 1, { init = 0, ttl = 60 })
---
---Values are booleans, numbers and texts; a key may also hold a list of them. When a dictionary is full, what was not
---used for longest makes room. Each operation is whole or not at all, in all workers; none of them waits.
---
---What may happen in life returns nil, a message and a code: "absent", "exists", "changed", "full" (larger than half
---a part of the dictionary), "key" (longer than 65535 bytes). A value of the wrong kind is an error.
local C = require "moongate.internal.program"
local dual = require "moongate.internal.dual"
local ffi = require "ffi"
local native = package.loaded["moongate.internal.native"]
local spelling = require "moongate.config.spelling"
local units = require "moongate.config.units"

local dict = {}

local SET, ADD, REPLACE, CAS = 0, 1, 2, 3 -- mg_dict_how
local BOOLEAN, NUMBER, TEXT = 1, 2, 3     -- mg_dict_type
local ROOM = 4096
local NAN = 0 / 0
local UPDATES = 1000                      -- tries of an update before it gives up

local text_of = ffi.string
local buffer, found, number_found = ffi.new("char[?]", ROOM), ffi.new "mg_dict_value[1]", ffi.new "double[1]"

local REC = false
dual.attach(function(...) return REC, ... end)

---@class moongate.dict
---@field name string
local methods = {}
local Dict = { __index = methods, __metatable = "moongate.dict" }

local POINTER, INDEX = 1, 2

---@alias moongate.dict.value boolean|number|string
---@class moongate.dict.options
---@field ttl? number|string seconds that it lives, or "5m"; for ever unless given
---@field init? number incr: what an absent key begins with; without it there is none

-- Options ------------------------------------------------------------------------------------------------------------

local function wrong_ttl(ttl)
  native.raise(('a time to live is a number of seconds or a text such as "5m", not %s'):format(spelling.show(ttl)))
end

---Seconds; 0 is for ever.
local function seconds_of(ttl, ...) -- luacheck: ignore 212
  if ttl == nil then return 0 end
  if type(ttl) ~= "number" then
    local ms = units.duration(ttl)
    if not ms then wrong_ttl(ttl) end
    ttl = ms / 1000
  end
  if ttl < 0 or ttl ~= ttl then wrong_ttl(ttl) end
  return ttl
end

---The time to live that options, a number or a text say.
local function ttl_of(options, ...) -- luacheck: ignore 212
  if type(options) == "table" then options = options.ttl end
  return seconds_of(options)
end

---Whether compiled code may take its own way: other times to live are read by the slow one.
local function is_plain(options, ...) -- luacheck: ignore 212
  if type(options) == "table" then options = options.ttl end
  if options == nil then return true end
  return type(options) == "number" and options >= 0
end

-- Values --------------------------------------------------------------------------------------------------------------

---The value of a key; nil when there is none.
---@param key string
---@return moongate.dict.value?
function methods:get(key, ...) -- luacheck: ignore 212
  if REC and type(key) == "string" then
    local rc = C.mg_api_dict_get(self[POINTER], key, #key, buffer, ROOM, found)
    if rc == 1 then
      local kind = found[0].type
      if kind == NUMBER then return found[0].number end
      if kind == TEXT then return text_of(buffer, found[0].n) end
      return found[0].number ~= 0
    end
    if rc == 0 then return nil end
  end
  local value = native.dict_get(self[INDEX], key)
  return value
end

local function put(self, how, key, value, options, ...) -- luacheck: ignore 212
  if REC and type(key) == "string" and is_plain(options) then
    local ttl = ttl_of(options)
    if type(value) == "string" then
      if C.mg_api_dict_put(self[POINTER], how, key, #key, TEXT, 0, value, #value, ttl) == 1 then return true end
    elseif type(value) == "number" then
      if C.mg_api_dict_put(self[POINTER], how, key, #key, NUMBER, value, "", 0, ttl) == 1 then return true end
    elseif type(value) == "boolean" then
      local number = value and 1 or 0
      if C.mg_api_dict_put(self[POINTER], how, key, #key, BOOLEAN, number, "", 0, ttl) == 1 then return true end
    end
  end
  local done, message, code = native.dict_put(self[INDEX], how, key, value, ttl_of(options))
  if done then return done end
  return nil, message, code
end

---Stores a value, whatever was there; nil removes the key.
---@param key string
---@param value moongate.dict.value?
---@param options? moongate.dict.options|number
---@return true? done
---@return string? message
---@return string? code
function methods:set(key, value, options, ...) -- luacheck: ignore 212
  local done, message, code = put(self, SET, key, value, options)
  if done then return done end
  return nil, message, code
end

---Stores a value if there is none.
---@param key string
---@param value moongate.dict.value
---@param options? moongate.dict.options|number
---@return true? done
---@return string? message
---@return string? code "exists"
function methods:add(key, value, options, ...) -- luacheck: ignore 212
  local done, message, code = put(self, ADD, key, value, options)
  if done then return done end
  return nil, message, code
end

---Stores a value if there is one already.
---@param key string
---@param value moongate.dict.value?
---@param options? moongate.dict.options|number
---@return true? done
---@return string? message
---@return string? code "absent"
function methods:replace(key, value, options, ...) -- luacheck: ignore 212
  local done, message, code = put(self, REPLACE, key, value, options)
  if done then return done end
  return nil, message, code
end

---Adds to a number. A key that exists keeps its time to live; an absent one begins with `init` and gets `ttl`.
---@param key string
---@param by? number 1 unless given
---@param options? moongate.dict.options
---@return number? sum
---@return string? message
---@return string? code "absent"
function methods:incr(key, by, options, ...) -- luacheck: ignore 212
  local init, ttl
  if type(options) == "table" then init, ttl = options.init, options.ttl end
  if by == nil then by = 1 end
  if REC and type(key) == "string" and type(by) == "number" and (init == nil or type(init) == "number")
    and is_plain(ttl) then
    local rc = C.mg_api_dict_incr(self[POINTER], key, #key, by, init or NAN, ttl or 0, number_found)
    if rc == 1 then return number_found[0] end
  end
  local sum, message, code = native.dict_incr(self[INDEX], key, by, init, seconds_of(ttl))
  if sum then return sum end
  return nil, message, code
end

---Removes a key.
---@param key string
---@return boolean whether it was there
function methods:delete(key, ...) -- luacheck: ignore 212
  if REC and type(key) == "string" then
    return C.mg_api_dict_delete(self[POINTER], key, #key) == 1
  end
  local was = native.dict_delete(self[INDEX], key)
  return was
end

---Gives a key another time to live.
---@param key string
---@param ttl? number|string for ever unless given
---@return true? done
---@return string? message
---@return string? code "absent"
function methods:touch(key, ttl, ...) -- luacheck: ignore 212
  local done, message, code = native.dict_touch(self[INDEX], key, seconds_of(ttl))
  if done then return done end
  return nil, message, code
end

---The seconds that a key has left; math.huge is for ever, nil when there is none.
---@param key string
---@return number?
function methods:ttl(key, ...) -- luacheck: ignore 212
  local seconds = native.dict_ttl(self[INDEX], key)
  return seconds
end

---What a value that is stored anew lives for: what it had left, unless something else is wanted.
local function kept(options, left)
  if options == nil or (type(options) == "table" and options.ttl == nil) then return left end
  return ttl_of(options)
end

---Stores a value if the one that is there is `old`; nil is none. It keeps its time to live unless one is given.
---@param key string
---@param old moongate.dict.value?
---@param new moongate.dict.value? nil removes the key
---@param options? moongate.dict.options|number
---@return true? done
---@return string? message
---@return string? code "changed"
function methods:cas(key, old, new, options)
  while true do
    local value, version, left = native.dict_read(self[INDEX], key)
    if type(version) ~= "number" then return nil, version, left end
    if value ~= old then return nil, "the value has changed", "changed" end
    local done, message, code = native.dict_put(self[INDEX], CAS, key, new, kept(options, left), version)
    if done then return true end
    if code ~= "changed" then return nil, message, code end
  end
end

---Stores what a function makes of the value; nil is none, either way. When another changes it meanwhile the function is
---called again, with what is there then. It keeps its time to live unless one is given.
---@param key string
---@param fn fun(value: moongate.dict.value?): moongate.dict.value?
---@param options? moongate.dict.options|number
---@return moongate.dict.value? new
---@return string? message
---@return string? code "changed": others were faster a thousand times
function methods:update(key, fn, options)
  if type(fn) ~= "function" then error("update takes a function, not a " .. type(fn), 2) end
  for _ = 1, UPDATES do
    local value, version, left = native.dict_read(self[INDEX], key)
    if type(version) ~= "number" then return nil, version, left end
    local new = fn(value)
    local done, message, code = native.dict_put(self[INDEX], CAS, key, new, kept(options, left), version)
    if done or (new == nil and version == 0) then return new end
    if code ~= "changed" and code ~= "absent" then return nil, message, code end
  end
  return nil, "the value has changed", "changed"
end

-- Lists ---------------------------------------------------------------------------------------------------------------

---Appends a value to the list of a key, which is made if there is none.
---@param key string
---@param value moongate.dict.value
---@param options? moongate.dict.options|number a time to live for the whole list
---@return integer? length
---@return string? message
---@return string? code
function methods:push(key, value, options)
  local length, message, code = native.dict_push(self[INDEX], key, false, value, ttl_of(options))
  if length then return length end
  return nil, message, code
end

---Puts a value before the others of a list.
---@param key string
---@param value moongate.dict.value
---@param options? moongate.dict.options|number a time to live for the whole list
---@return integer? length
---@return string? message
---@return string? code
function methods:push_front(key, value, options)
  local length, message, code = native.dict_push(self[INDEX], key, true, value, ttl_of(options))
  if length then return length end
  return nil, message, code
end

---Takes the first value out of a list: what was pushed first, as a queue does.
---@param key string
---@return moongate.dict.value? value nil when there is none
function methods:pop(key)
  local value = native.dict_pop(self[INDEX], key, true)
  return value
end

---Takes the last value out of a list: what was pushed last, as a stack does.
---@param key string
---@return moongate.dict.value? value nil when there is none
function methods:pop_back(key)
  local value = native.dict_pop(self[INDEX], key, false)
  return value
end

---How many values a list has; 0 when there is none.
---@param key string
---@return integer
function methods:length(key)
  local length = native.dict_length(self[INDEX], key)
  return length
end

-- All of it -----------------------------------------------------------------------------------------------------------

---Goes through all keys, in no order, a page at a time: others go on meanwhile. A key that is there from the beginning
---to the end comes exactly once.
---@return fun(): string?
function methods:keys()
  local index, page, at, cursor = self[INDEX], {}, 0, 0
  local begun = false
  return function()
    at = at + 1
    while page[at] == nil do
      if begun and cursor == 0 then return nil end
      begun = true
      page, cursor = native.dict_keys(index, cursor)
      at = 1
    end
    return page[at]
  end
end

---What it has come to: `items`, bytes `used` and `size`, and since it was made `evicted` (still good, but room was
---needed), `expired`, and `emptied` (parts that a worker which was killed left unfinished).
---@return table<string, integer>
function methods:stats()
  local numbers = native.dict_stats(self[INDEX])
  return numbers
end

---Removes everything.
function methods:clear()
  native.dict_clear(self[INDEX])
end

-- Opening -------------------------------------------------------------------------------------------------------------

local opened = {}

---The dictionary of that name.
---@param name string
---@return moongate.dict
function dict.open(name)
  if type(name) ~= "string" then error("dict.open takes the name of a dictionary, not a " .. type(name), 2) end
  if not native then error("moongate.dict works inside the proxy only", 2) end
  if opened[name] then return opened[name] end
  local dicts = require "moongate.internal.dicts"
  local made = setmetatable({ false, -1, name = name }, Dict)
  local wrong = dicts.find(name, function(number, address)
    made[POINTER], made[INDEX] = ffi.cast("mg_dict *", address), number
  end)
  if wrong then native.raise(wrong) end
  opened[name] = made
  return made
end

return dict
