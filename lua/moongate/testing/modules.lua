---What `require` gives a policy that runs without a proxy: the modules of the proxy's API, as far as they make sense
---there. Time stands still except when the policy sleeps; the log is a list; dictionaries are tables.

local modules = {}

local function log_module(policy)
  local log = {}
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    log[level] = function(...)
      local words = {}
      for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
      policy.logged[#policy.logged + 1] = level .. ": " .. table.concat(words, " ")
    end
  end
  return log
end

local function time_module(policy)
  return {
    now = function() return policy.now end,
    sleep = function(seconds) policy.now = policy.now + seconds end,
  }
end

local function json_module()
  local cjson = require "cjson.safe"
  return { encode = cjson.encode, decode = cjson.decode, null = cjson.null }
end

---@param policy moongate.testing.policy
local function dict_module(policy)
  local dicts = {}
  local Dict = {}
  Dict.__index = Dict

  local function live(self, key)
    local entry = self.entries[key]
    if entry and entry.expires and entry.expires <= policy.now then
      self.entries[key] = nil
      return nil
    end
    return entry
  end

  function Dict:get(key)
    local entry = live(self, key)
    return entry and entry.value
  end

  function Dict:set(key, value, opts)
    local ttl = type(opts) == "table" and opts.ttl or opts
    self.entries[key] = { value = value, expires = ttl and policy.now + ttl }
    return true
  end

  function Dict:add(key, value, opts)
    if live(self, key) then return nil, "exists", "exists" end
    return self:set(key, value, opts)
  end

  function Dict:cas(key, old, new, opts)
    if self:get(key) ~= old then return nil, "changed", "changed" end
    return self:set(key, new, opts)
  end

  function Dict:incr(key, by, opts)
    local entry = live(self, key)
    if not entry then
      if not (opts and opts.init) then return nil, "not found", "not_found" end
      entry = { value = opts.init, expires = opts.ttl and policy.now + opts.ttl }
      self.entries[key] = entry
    end
    entry.value = entry.value + (by or 1)
    return entry.value
  end

  function Dict:touch(key, ttl)
    local entry = live(self, key)
    if not entry then return nil, "not found", "not_found" end
    entry.expires = ttl and policy.now + ttl
    return true
  end

  function Dict:ttl(key)
    local entry = live(self, key)
    return entry and entry.expires and entry.expires - policy.now
  end

  function Dict:delete(key)
    self.entries[key] = nil
    return true
  end

  return {
    open = function(name)
      dicts[name] = dicts[name] or setmetatable({ entries = {} }, Dict)
      return dicts[name]
    end,
  }
end

---Environment of a policy's module: all globals, with a `require` that knows the proxy's modules.
---@param policy moongate.testing.policy
---@param given? table<string, any> modules of the test, which win
---@return table
function modules.environment(policy, given)
  local known = {
    ["moongate.log"] = log_module(policy), ["moongate.time"] = time_module(policy),
    ["moongate.json"] = json_module(), ["moongate.dict"] = dict_module(policy),
  }
  for name, module in pairs(given or {}) do known[name] = module end
  local function find(name)
    if known[name] ~= nil then return known[name] end
    return require(name)
  end
  return setmetatable({ require = find }, { __index = _G, __newindex = _G })
end

return modules
