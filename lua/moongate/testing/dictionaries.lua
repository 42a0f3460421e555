---Shared dictionaries without a proxy, for policies under test: tables with the methods of `moongate.dict`, and times
---to live on the policy's clock. They never get full.
local units = require "moongate.config.units"

local dictionaries = {}

---@class moongate.testing.dictionary
---@field name string
---@field entries table<string, { value: any, list: any[]?, expires: number? }>
local methods = {}
local Dict = { __index = methods }

local ABSENT, EXISTS, CHANGED = "there is no such key", "the key is there already", "the value has changed"

local function live(self, key)
  if type(key) ~= "string" and type(key) ~= "number" then error("a key is a text, not a " .. type(key), 3) end
  local entry = self.entries[tostring(key)]
  if entry and entry.expires and entry.expires <= self.policy.now then
    self.entries[tostring(key)] = nil
    return nil
  end
  return entry
end

local function value_of(self, key)
  local entry = live(self, key)
  if entry and entry.list then error(('the value of "%s" is not a value but a list'):format(key), 3) end
  return entry and entry.value
end

local function expiry(self, options)
  local ttl = options
  if type(options) == "table" then ttl = options.ttl end
  if type(ttl) == "string" then ttl = units.duration(ttl) / 1000 end
  return ttl and ttl > 0 and self.policy.now + ttl or nil
end

local function check_value(value)
  local kind = type(value)
  if kind ~= "nil" and kind ~= "boolean" and kind ~= "number" and kind ~= "string" then
    error("a dictionary holds booleans, numbers and texts, not a " .. kind, 3)
  end
end

local function store(self, key, value, expires)
  self.entries[tostring(key)] = value ~= nil and { value = value, expires = expires } or nil
  return true
end

function methods:get(key)
  return value_of(self, key)
end

function methods:set(key, value, options)
  check_value(value)
  return store(self, key, value, expiry(self, options))
end

function methods:add(key, value, options)
  check_value(value)
  if live(self, key) then return nil, EXISTS, "exists" end
  return store(self, key, value, expiry(self, options))
end

function methods:replace(key, value, options)
  check_value(value)
  if not live(self, key) then return nil, ABSENT, "absent" end
  return store(self, key, value, expiry(self, options))
end

local function store_anew(self, key, value, options)
  local entry = live(self, key)
  local given = type(options) == "table" and options.ttl or type(options) ~= "table" and options or nil
  return store(self, key, value, given and expiry(self, given) or (entry and entry.expires))
end

function methods:cas(key, old, new, options)
  check_value(new)
  if value_of(self, key) ~= old then return nil, CHANGED, "changed" end
  return store_anew(self, key, new, options)
end

function methods:update(key, fn, options)
  local new = fn(value_of(self, key))
  check_value(new)
  store_anew(self, key, new, options)
  return new
end

function methods:incr(key, by, options)
  local value, entry = value_of(self, key), live(self, key)
  if not entry then
    if not (options and options.init) then return nil, ABSENT, "absent" end
    store(self, key, options.init, expiry(self, options))
    entry = live(self, key)
    value = entry.value
  end
  if type(value) ~= "number" then error(('the value of "%s" is not a number'):format(key), 2) end
  entry.value = value + (by or 1)
  return entry.value
end

function methods:touch(key, ttl)
  local entry = live(self, key)
  if not entry then return nil, ABSENT, "absent" end
  entry.expires = expiry(self, ttl)
  return true
end

function methods:ttl(key)
  local entry = live(self, key)
  return entry and (entry.expires and entry.expires - self.policy.now or math.huge)
end

function methods:delete(key)
  local was = live(self, key) ~= nil
  self.entries[tostring(key)] = nil
  return was
end

local function list_of(self, key)
  local entry = live(self, key)
  if entry and not entry.list then error(('the value of "%s" is not a list'):format(key), 3) end
  return entry and entry.list
end

local function push(self, key, at, value, options)
  local list = list_of(self, key)
  if not list then
    list = {}
    self.entries[tostring(key)] = { list = list }
  end
  table.insert(list, at and 1 or #list + 1, value)
  local expires = expiry(self, options)
  if expires then self.entries[tostring(key)].expires = expires end
  return #list
end

function methods:push(key, value, options)
  return push(self, key, false, value, options)
end

function methods:push_front(key, value, options)
  return push(self, key, true, value, options)
end

local function pop(self, key, at)
  local list = list_of(self, key)
  if not list then return nil end
  local value = table.remove(list, at or #list)
  if #list == 0 then self.entries[tostring(key)] = nil end
  return value
end

function methods:pop(key)
  return pop(self, key, 1)
end

function methods:pop_back(key)
  return pop(self, key)
end

function methods:length(key)
  local list = list_of(self, key)
  return list and #list or 0
end

function methods:keys()
  local keys = {}
  for key in pairs(self.entries) do
    if live(self, key) then keys[#keys + 1] = key end
  end
  local at = 0
  return function()
    at = at + 1
    return keys[at]
  end
end

function methods:stats()
  local items = 0
  for _ in self:keys() do items = items + 1 end
  return { items = items, used = 0, size = math.huge, evicted = 0, expired = 0, emptied = 0, shards = 1 }
end

function methods:clear()
  self.entries = {}
end

---What stands for `moongate.dict` in a policy under test.
---@param policy { now: number } whose clock counts
---@return { open: fun(name: string): moongate.testing.dictionary }
function dictionaries.module(policy)
  local opened = {}
  return {
    open = function(name)
      opened[name] = opened[name] or setmetatable({ entries = {}, policy = policy, name = name }, Dict)
      return opened[name]
    end,
  }
end

return dictionaries
