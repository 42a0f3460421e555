---From checked parts to one plan: what sites, routes and upstreams mean together, and what they inherit.
local addresses = require "moongate.config.addresses"
local routes = require "moongate.config.routes"
local spelling = require "moongate.config.spelling"

local plan = {}

---Names of upstreams, also of those with mistakes: whoever uses them made none.
local function names_of(map)
  local names = {}
  for name in pairs(type(map) == "table" and map or {}) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function check_listeners(out, at)
  local seen = {}
  for i, listener in ipairs(out.listeners or {}) do
    local bind = listener and listener.bind
    -- Every listener at port 0 gets a port of its own.
    if bind and listener.port ~= 0 then
      if seen[bind] then
        at:fail_at({ "listeners", i, "bind" }, ("\"%s\" is taken by listeners[%d] already"):format(bind, seen[bind]))
      end
      seen[bind] = seen[bind] or i
    end
  end
  for i, listener in ipairs(out.listeners or {}) do
    if listener and listener.host == "::" and listener.ipv6_only == false and listener.port ~= 0 then
      local other = seen[addresses.join("0.0.0.0", listener.port)]
      if other then
        at:fail_at({ "listeners", i }, ("with ipv6_only = false it takes the port of listeners[%d]"):format(other))
      end
    end
  end
end

---Which site took a host, or stands for all others, first.
local function check_hosts(out, at)
  local seen, default = {}, nil
  for i, site in ipairs(out.sites or {}) do
    if site and site.hosts == nil then
      if default then
        at:fail_at({ "sites", i }, ("only one site may go without 'hosts', and sites[%d] does"):format(default))
      end
      default = default or i
    end
    for j, host in ipairs(site and site.hosts or {}) do
      if host and seen[host] then
        at:fail_at({ "sites", i, "hosts", j }, seen[host] == i and ("\"%s\" stands here twice"):format(host)
          or ("\"%s\" belongs to sites[%d] already"):format(host, seen[host]))
      elseif host then
        seen[host] = i
      end
    end
  end
end

local function check_duplicates(site, i, at)
  if #site.routes < 2 then return end
  local seen = {}
  for j, route in ipairs(site.routes) do
    if route then
      local signature = routes.signature(route)
      if seen[signature] then
        at:fail_at({ "sites", i, "routes", j }, ("matches just what routes[%d] matches"):format(seen[signature]))
      end
      seen[signature] = seen[signature] or j
    end
  end
end

local function check_routes(out, at, names)
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for i, site in ipairs(out.sites or {}) do
    if site and site.routes then
      check_duplicates(site, i, at)
      for j, route in ipairs(site.routes) do
        local name = route and route.upstream
        if name and not known[name] then
          local remedy = #names > 0 and spelling.remedy(name, names) or "; there are none in 'upstreams'"
          at:fail_at({ "sites", i, "routes", j, "upstream" }, ("no upstream is named '%s'%s"):format(name, remedy))
        end
      end
    end
  end
end

---Without sites, the only upstream gets every request.
local function default_site(out, at, given, names)
  if given.sites ~= nil then return end
  if #names == 1 then
    local route = { upstream = names[1], action = "upstream", upgrade = { "websocket" }, policies = {} }
    out.sites = { { policies = {}, routes = { route } } }
  elseif #names == 0 then
    at:fail("nothing is served: give 'sites', or 'upstreams' with one upstream")
  else
    at:fail(("there are %d upstreams, but no 'sites' that say which requests go where"):format(#names))
  end
end

---What is given over what is inherited; the inherited table itself when nothing is given.
local function over(inherited, given)
  if not given or not next(given) then return inherited end
  local merged = {}
  for key, value in pairs(inherited) do merged[key] = value end
  for key, value in pairs(given) do merged[key] = value end
  return merged
end

---An upstream's own waits stand between the global ones and those that a site or a route asks for.
local function inherit(out)
  local base = {}
  for name, upstream in pairs(out.upstreams) do
    base[name] = over(out.timeouts, upstream.timeouts)
    upstream.timeouts = { connect = base[name].connect, response = base[name].response, body = base[name].body }
  end
  for _, site in ipairs(out.sites) do
    local site_given, plain = site.timeouts, over(out.timeouts, site.timeouts)
    local by_upstream = {}
    site.timeouts, site.limits = plain, over(out.limits, site.limits)
    for _, route in ipairs(site.routes) do
      local name, ground = route.upstream, plain
      if name then
        by_upstream[name] = by_upstream[name] or over(base[name], site_given)
        ground = by_upstream[name]
      end
      local explicit = over(site_given or {}, route.timeouts)
      route.explicit_timeouts = next(explicit) and explicit or nil
      route.timeouts, route.limits = over(ground, route.timeouts), over(site.limits, route.limits)
    end
  end
end

---Checks the parts against each other, then fills in what they inherit.
---@param out table what the schema's check made
---@param at moongate.config.place
---@param given table what was checked
function plan.finish(out, at, given)
  local names = names_of(given.upstreams)
  default_site(out, at, given, names)
  check_listeners(out, at)
  check_hosts(out, at)
  check_routes(out, at, names)
  if #at.errors > 0 then return end
  out.upstream_names = names
  inherit(out)
end

return plan
