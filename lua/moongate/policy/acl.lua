---Says who may do what: a list of rules, of which the first that fits decides.
---
---     { "acl", rules = {
---         { deny  = true, addresses = { "192.0.2.0/24" } },
---         { allow = true, roles = { "admin" } },
---         { allow = true, methods = { "GET" }, paths = { "/reports/*" }, claims = { department = { "sales" } } },
---         { allow = true, users = { "ann" }, paths = { "/ann/*" } } } }
---
---A rule fits when everything that it names fits, and of each list any entry. Who somebody is, earlier policies have
---found out: `req.ctx.user` and `req.ctx.claims` (basic_auth, jwt) and `req.ctx.api_key` (api_key). When no rule fits,
---`default` decides. The answer is 403; where `challenge` is set, who has not said who they are gets 401 with it.
local claims = require "moongate.policy.shared.claims"
local ip = require "moongate.ip"
local paths = require "moongate.policy.shared.paths"

local acl = {}

acl.options = {
  rules = { type = "list", of = "map", required = true, min = 1, doc = "the first that fits decides" },
  default = { one_of = { "deny", "allow" }, default = "deny", doc = "what happens when no rule fits" },
  challenge = { type = "string", doc = "WWW-Authenticate for who has not said who they are, as \"Bearer\"" },
  roles_claim = { type = "string", default = "roles", doc = "the claim that lists roles, or a path to it" },
}

-- What a rule may name: each reads its list and returns a function that says whether a request fits. ------------------

local function set_of(list)
  local set = {}
  for _, value in ipairs(list) do set[value] = true end
  return set
end

local function any_of(set, wanted)
  for i = 1, #wanted do
    if set[wanted[i]] then return true end
  end
  return false
end

local tests = {}

function tests.addresses(list, place)
  local set, message = ip.set(list)
  if not set then error(("%s: %s"):format(place, message), 0) end
  return function(req) return set:has(req.client.ip) end
end

function tests.methods(list)
  local set = set_of(list)
  return function(req) return set[req.method] == true end
end

function tests.hosts(list)
  local set = set_of(list)
  return function(req) return set[req.host] == true end
end

function tests.paths(list, place)
  local set = paths.list(list, place)
  return function(req) return set:has(req.path) end
end

function tests.users(list)
  local set = set_of(list)
  local anybody = set["*"] == true
  return function(req)
    local user = req.ctx.user
    return user ~= nil and (anybody or set[user] == true)
  end
end

function tests.api_keys(list)
  local set = set_of(list)
  return function(req) return req.ctx.api_key ~= nil and set[req.ctx.api_key] == true end
end

function tests.roles(list, _, self)
  local name = self.roles_claim
  return function(req)
    local all = req.ctx.claims
    return type(all) == "table" and any_of(claims.values(all, name), list)
  end
end

local KNOWN = "allow, deny, addresses, api_keys, claims, hosts, methods, paths, roles, users"

local function check_list(list, place)
  if type(list) ~= "table" or #list == 0 then error(place .. ": expected a list that is not empty", 0) end
  for i, value in ipairs(list) do
    if type(value) ~= "string" then error(("%s[%d]: expected a text, got a %s"):format(place, i, type(value)), 0) end
  end
end

local function claim_test(name, wanted)
  return function(req)
    local all = req.ctx.claims
    return type(all) == "table" and any_of(claims.values(all, name), wanted)
  end
end

local function add_claims(given, place, into)
  if type(given) ~= "table" or next(given) == nil then error(place .. ": expected { claim = { values } }", 0) end
  for name, wanted in pairs(given) do
    if type(name) ~= "string" then error(place .. ": expected { claim = { values } }", 0) end
    if type(wanted) ~= "table" then wanted = { wanted } end
    local texts = {}
    for i, value in ipairs(wanted) do texts[i] = tostring(value) end
    check_list(texts, place .. "." .. name)
    into[#into + 1] = claim_test(name, texts)
  end
end

-- Rules ---------------------------------------------------------------------------------------------------------------

local function compile(self, given, place)
  if (given.allow == true) == (given.deny == true) then
    error(place .. ": a rule says allow = true or deny = true, one of them", 0)
  end
  local rule = { allows = given.allow == true, tests = {} }
  for name, value in pairs(given) do
    local where = place .. "." .. name
    if name == "claims" then
      add_claims(value, where, rule.tests)
    elseif tests[name] then
      check_list(value, where)
      rule.tests[#rule.tests + 1] = tests[name](value, where, self)
    elseif name ~= "allow" and name ~= "deny" then
      error(("%s: unknown key '%s'; there are %s"):format(place, name, KNOWN), 0)
    elseif type(value) ~= "boolean" then
      error(where .. ": expected true or false", 0)
    end
  end
  return rule
end

---Compiles the rules.
function acl:setup()
  self.compiled = {}
  for i, given in ipairs(self.rules) do self.compiled[i] = compile(self, given, ("rules[%d]"):format(i)) end
end

local function fits(rule, req)
  for i = 1, #rule.tests do
    if not rule.tests[i](req) then return false end
  end
  return true
end

local function is_nobody(req)
  return req.ctx.user == nil and req.ctx.claims == nil and req.ctx.api_key == nil
end

local function refusal(self, req)
  if self.challenge and is_nobody(req) then
    return { status = 401, headers = { ["www-authenticate"] = self.challenge }, body = "say who you are\n" }
  end
  return { status = 403, body = "this is not allowed\n" }
end

---Refuses what the rules do not allow.
function acl:access(req)
  for i = 1, #self.compiled do
    local rule = self.compiled[i]
    if fits(rule, req) then return not rule.allows and refusal(self, req) or nil end
  end
  if self.default == "deny" then return refusal(self, req) end
end

return acl
