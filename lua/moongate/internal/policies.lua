---From entries of `policies` to the functions that run in each phase of each route.
---
---Entries come from the plan (lua/moongate/config/policies.lua). Each becomes an instance: the module's
---methods, with the checked options as fields. Sites and routes then get the number of a set: the hooks of
---every phase in the order global, site, route. Those with the same policies share one.
local native = require "moongate.internal.native"
local options = require "moongate.options"
local phases = require "moongate.config.phases"
local spelling = require "moongate.config.spelling"

local policies = {}

local LIFE = { setup = true, start = true, stop = true }
local NOW, LATER = {}, {}
for _, phase in ipairs(phases.now) do NOW[phase.name] = true end
for _, name in ipairs(phases.later) do LATER[name] = true end

---The policies that ship, for suggestions.
local SHIPPED = {
  "acl", "api_key", "basic_auth", "bot_filter", "cors", "csrf", "headers", "ip_filter", "jwt", "maintenance",
  "redirect_https", "request_id",
}

---@class moongate.internal.policies
---@field library string the folder of the Lua library
---@field own_path string where the user's own scripts are searched
---@field mistakes string[] what was found wrong, a line each
---@field instances table[] in order
---@field sets table[] what C reads: { [phase] = { hook, … } }

---@param library string
---@param own_path string
---@return moongate.internal.policies
function policies.new(library, own_path)
  return { library = library, own_path = own_path, mistakes = {}, instances = {}, sets = {}, by_entry = {} }
end

local function tell(all, where, text)
  all.mistakes[#all.mistakes + 1] = where .. ": " .. text
end

-- Modules -----------------------------------------------------------------------------------------

---The user's own script of that name, else the policy that ships, else a module that is installed.
local function module_of(all, name)
  if package.searchpath(name, all.own_path) then return require(name) end
  local shipped = "moongate.policy." .. name
  if not name:find(".", 1, true) and package.searchpath(shipped, all.library .. "/?.lua") then
    return require(shipped)
  end
  if not package.searchpath(name, package.path) and not package.searchpath(name, package.cpath)
    and package.loaded[name] == nil and package.preload[name] == nil then
    error(("no policy is named '%s'%s"):format(name, spelling.remedy(name, SHIPPED)), 0)
  end
  return require(name)
end

local function check_methods(all, where, name, module)
  local any = false
  for key, value in pairs(module) do
    if LATER[key] and type(value) == "function" then
      tell(all, where, ("policy '%s': phase '%s' is not available in this version"):format(name, key))
    elseif NOW[key] and type(value) ~= "function" then
      tell(all, where, ("policy '%s': '%s' must be a function, not a %s"):format(name, key, type(value)))
    end
    any = any or NOW[key]
  end
  if not any then tell(all, where, ("policy '%s' has no phase"):format(name)) end
end

local function check_options(all, where, name, module, given)
  local checked, message = options.check(module.options, given)
  if checked then return checked end
  for line in (message .. "\n"):gmatch "(.-)\n" do tell(all, where, ("policy '%s': %s"):format(name, line)) end
end

local function module_instance(all, entry, where)
  local ok, module = xpcall(function() return module_of(all, entry.name) end, native.describe)
  if not ok then
    tell(all, where, module)
    return nil
  end
  if type(module) ~= "table" then
    tell(all, where, ("policy '%s' must return a table with its phases, not a %s"):format(entry.name, type(module)))
    return nil
  end
  check_methods(all, where, entry.name, module)
  local self = check_options(all, where, entry.name, module, entry.options)
  return self and { name = entry.name, self = setmetatable(self, { __index = module }), methods = module }
end

local function instance_of(all, entry)
  if all.by_entry[entry] ~= nil then return all.by_entry[entry] or nil end
  local where = entry.where
  local instance
  if entry.kind == "module" then
    instance = module_instance(all, entry, where)
  elseif entry.kind == "function" then
    instance = { name = where, methods = { access = entry.fn } }
  else
    instance = { name = where, self = setmetatable({}, { __index = entry.phases }), methods = entry.phases }
  end
  all.by_entry[entry] = instance or false
  if instance then
    instance.open, instance.where = entry.on_error == "open", where
    all.instances[#all.instances + 1] = instance
  end
  return instance
end

-- Sets --------------------------------------------------------------------------------------------

local function add_hooks(set, instance)
  for phase in pairs(NOW) do
    local fn = not LIFE[phase] and instance.methods[phase]
    if fn then
      local hooks = set[phase] or {}
      hooks[#hooks + 1] = { fn = fn, self = instance.self, policy = instance.name, open = instance.open }
      set[phase] = hooks
    end
  end
end

local function set_of(instances, more)
  local set = {}
  for _, instance in ipairs(instances) do add_hooks(set, instance) end
  for phase, hook in pairs(more or {}) do
    set[phase] = set[phase] or {}
    table.insert(set[phase], hook)
  end
  return set
end

---The number of a set; an empty one is 0.
local function number_of(all, set)
  if next(set) == nil then return 0 end
  all.sets[#all.sets + 1] = set
  return #all.sets
end

local function instances_of(all, list, into)
  for _, entry in ipairs(list or {}) do
    local instance = instance_of(all, entry)
    if instance then into[#into + 1] = instance end
  end
  return into
end

local function append(first, second)
  local joined = {}
  for _, value in ipairs(first) do joined[#joined + 1] = value end
  for _, value in ipairs(second) do joined[#joined + 1] = value end
  return joined
end

local function refuse_rewrite(all, instances)
  for _, instance in ipairs(instances) do
    if instance.methods.rewrite then
      tell(all, instance.where, ("policy '%s' has a 'rewrite' phase, which is over when a route is chosen; "
        .. "put it among the policies of the site or of the whole proxy"):format(instance.name))
    end
  end
end

local function route_set(all, route, above, site_set, line)
  if #(route.policies or {}) == 0 and not route.handler and not route.when then return site_set end
  local own = instances_of(all, route.policies, {})
  refuse_rewrite(all, own)
  local where = route.where
  local more = { log = line }
  if route.handler then more.handler = { fn = route.handler, policy = "handler of " .. where } end
  if route.when then more.when = { fn = route.when, policy = "when of " .. where } end
  return number_of(all, set_of(append(above, own), more))
end

---Resolves the policies of a plan: writes the number of a set into the plan itself, each site and each route.
---@param all moongate.internal.policies
---@param plan table
function policies.resolve(all, plan)
  local format = not plan.access_log.off and plan.access_log.format
  local line = type(format) == "function"
    and { fn = format, policy = "access_log", writes_line = true, open = true } or nil
  local global = instances_of(all, plan.policies, {})
  plan.set = number_of(all, set_of(global, { log = line }))
  for _, site in ipairs(plan.sites) do
    local above = append(global, instances_of(all, site.policies, {}))
    site.set = #above == #global and plan.set or number_of(all, set_of(above, { log = line }))
    for _, route in ipairs(site.routes) do route.set = route_set(all, route, above, site.set, line) end
  end
end

---Runs setup() of every instance; an error is a mistake.
---@param all moongate.internal.policies
function policies.setup(all)
  for _, instance in ipairs(all.instances) do
    local setup = instance.methods.setup
    if setup then
      local ok, message = xpcall(function() setup(instance.self) end, native.describe)
      if not ok then tell(all, instance.where, ("policy '%s': setup: %s"):format(instance.name, message)) end
    end
  end
end

---The methods of that name of all instances, each with the object it belongs to.
---@param all moongate.internal.policies
---@param name string
---@return { method: function, self: table }[]
function policies.methods(all, name)
  local found = {}
  for _, instance in ipairs(all.instances) do
    local method = instance.methods[name]
    if method then found[#found + 1] = { method = method, self = instance.self } end
  end
  return found
end

return policies
