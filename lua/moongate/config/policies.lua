---Entries of `policies`: a module name, { name, options… }, a function, or a table of phase functions.
---
---In the plan each is a table: { kind = "module", name, options } or { kind = "function", fn } or
---{ kind = "table", phases }, each with `on_error`. Modules are loaded, and their options checked,
---by whoever builds the generation.
local kinds = require "moongate.config.kinds"
local phases = require "moongate.config.phases"
local spelling = require "moongate.config.spelling"

local policies = {}

local NOW, LATER, NAMES = {}, {}, phases.names()
for _, name in ipairs(NAMES) do NOW[name] = true end
for _, name in ipairs(phases.later) do LATER[name] = true end

local function on_error(given, at)
  if given == nil or given == "closed" or given == "open" then return given or "closed" end
  at:enter("on_error")
  at:refuse('"closed" (an error in the policy ends the request) or "open" (the request goes on)', given)
  at:leave()
end

local function module_name(name)
  if name:match("^[%w_%-]+$") or name:match("^[%w_][%w_%-%.]*[%w_]$") then return name end
  return nil, "a module is named as for require"
end

local function from_name(name, at)
  local right, remedy = module_name(name)
  if not right then
    at:refuse("the name of a policy", name, remedy)
    return nil
  end
  return { kind = "module", name = right, options = {}, on_error = "closed" }
end

local function from_module(given, at)
  at:enter(1)
  local entry = from_name(given[1], at)
  at:leave()
  local options = {}
  for key, value in next, given do
    if key == "sandbox" then
      at:fail("'sandbox' is not available in this version", key)
    elseif type(key) == "number" and key ~= 1 then
      at:fail(("options have names; %s has none"):format(spelling.show(value)), key)
    elseif key ~= 1 and key ~= "on_error" then
      options[key] = value
    end
  end
  local mode = on_error(given.on_error, at)
  if not entry then return nil end
  entry.options, entry.on_error = options, mode
  return entry
end

local function check_phase(key, value, at)
  if LATER[key] then
    at:fail(("phase '%s' is not available in this version"):format(key), key)
  elseif key == "options" then
    at:fail("a table of phase functions takes no 'options'; name the module instead: { \"name\", option = value }", key)
  elseif type(key) ~= "string" then
    at:fail(("a policy entry begins with the policy's name, not with %s"):format(spelling.show(value)), key)
  elseif not NOW[key] then
    at:fail(("unknown phase '%s'%s"):format(key, spelling.remedy(key, NAMES)), key)
  elseif type(value) ~= "function" then
    at:enter(key)
    at:refuse("a function", value)
    at:leave()
  else
    return value
  end
end

local function from_phases(given, at)
  local found, count = {}, 0
  for key, value in next, given do
    if key == "sandbox" then
      at:fail("'sandbox' is not available in this version", key)
    elseif key ~= "on_error" then
      count = count + 1
      found[key] = check_phase(key, value, at)
    end
  end
  if count == 0 then
    at:fail("names neither a policy nor a phase; phases are: " .. table.concat(NAMES, ", "))
  end
  return { kind = "table", phases = found, on_error = on_error(given.on_error, at) }
end

local WHAT = "the name of a policy, { name, options… }, a function or a table of phase functions"

---The node of one entry.
policies.entry = kinds.scalar {
  what = WHAT, brief = "policy", luals = "moongate.config.policy",
  read = function(value, at)
    local kind = type(value)
    if kind == "function" then return { kind = "function", fn = value, on_error = "closed" } end
    -- False, not nil: what is wrong was said already, at a better place.
    if kind == "string" then return from_name(value, at) or false end
    if kind ~= "table" then return nil end
    if type(value[1]) == "string" then return from_module(value, at) or false end
    return from_phases(value, at)
  end,
}

---The node of a list of entries.
policies.list = kinds.list(policies.entry)

return policies
