---Cross-origin resource sharing (the Fetch standard): tells browsers which other sites may read the answers.
---
---     { "cors", origins = { "https://app.example.com", "https://*.example.org" }, credentials = true,
---               methods = { "GET", "POST", "DELETE" }, headers = { "content-type", "x-token" }, max_age = "1h" }
---     { "cors", origins = { "*" } }
---
---A preflight is answered here and does not reach the origin; other answers get the fields, and those that the origin
---wrote are replaced. Put it before policies that ask who somebody is: preflights never say.
local origins = require "moongate.policy.shared.origins"

local cors = {}

cors.options = {
  origins = { type = "list", of = "string", default = {}, doc = "exact, https://*.example.com, or * for all" },
  patterns = { type = "list", of = "string", default = {}, doc = "regular expressions for whole origins" },
  methods = { type = "list", of = "string", default = { "GET", "HEAD", "POST" }, doc = "or * for all" },
  headers = { type = "list", of = "string", default = {}, doc = "fields that requests may bear; * for all" },
  expose = { type = "list", of = "string", default = {}, doc = "fields of the answer that scripts may read" },
  credentials = { type = "boolean", default = false, doc = "whether cookies and the like may be sent along" },
  max_age = { type = "duration", default = "10m", doc = "how long a browser may keep a preflight's answer" },
}

local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$"
local PREFLIGHT_VARY = "origin, access-control-request-method, access-control-request-headers"
local WRITTEN = {
  "access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers",
}

---The list as a field's value, or "*".
local function joined(list, place)
  for i, name in ipairs(list) do
    if name == "*" and #list == 1 then return "*" end
    if name == "*" or not name:find(TOKEN) then error(("%s[%d]: '%s' cannot stand here"):format(place, i, name), 0) end
  end
  return table.concat(list, ", ")
end

---Checks the lists. What would let every site act in the name of a user is refused.
function cors:setup()
  if #self.origins == 0 and #self.patterns == 0 then error("neither origins nor patterns names anybody", 0) end
  self.any = #self.origins == 1 and self.origins[1] == "*"
  if self.any and #self.patterns > 0 then error("patterns: origins lets in everybody already", 0) end
  if self.credentials and self.any then
    error("credentials: with origins = { \"*\" } every site could act in the name of a user", 0)
  end
  self.list = origins.list(self.any and {} or self.origins, self.patterns)
  if self.credentials and self.list.exact.null then
    error("credentials: every site can call itself 'null'", 0)
  end
  self.method_list = joined(self.methods, "methods")
  self.header_list = joined(self.headers, "headers")
  self.expose_list = joined(self.expose, "expose")
  if self.credentials and self.expose_list == "*" then
    error("expose: with credentials, browsers take * for a name; list the fields", 0)
  end
end

---What Access-Control-Allow-Origin says to this origin; nil when it is not let in.
local function allowed_origin(self, origin)
  if self.any then return "*" end
  return origin and self.list:has(origin) and origin or nil
end

---A list that the browser has sent, if it is one.
local function echoed(list)
  return list and list:find "^[%w!#$%%&'*+%-.^_`|~, \t]+$" and list or nil
end

local function preflight_answer(self, req)
  local origin = allowed_origin(self, req.headers.origin)
  if not origin then
    return { status = 403, headers = { vary = PREFLIGHT_VARY }, body = "not for this origin\n" }
  end
  local headers = {
    vary = PREFLIGHT_VARY, ["access-control-allow-origin"] = origin,
    ["access-control-max-age"] = math.floor(self.max_age),
  }
  local methods, names = self.method_list, self.header_list
  if methods == "*" then methods = echoed(req.headers["access-control-request-method"]) or "" end
  if names == "*" then names = echoed(req.headers["access-control-request-headers"]) or "" end
  if methods ~= "" then headers["access-control-allow-methods"] = methods end
  if names ~= "" then headers["access-control-allow-headers"] = names end
  if self.credentials then headers["access-control-allow-credentials"] = "true" end
  return { status = 204, headers = headers }
end

---Answers preflights.
function cors:access(req)
  local fields = req.headers
  if req.method == "OPTIONS" and fields.origin and fields["access-control-request-method"] then
    req.ctx.cors_preflight = true
    return preflight_answer(self, req)
  end
end

---Whether Vary names Origin already.
local function varies(fields)
  for _, value in ipairs(fields:all "vary") do
    for name in value:gmatch "[^,%s]+" do
      if name == "*" or name:lower() == "origin" then return true end
    end
  end
  return false
end

---Tells the browser who may read the answer.
function cors:response(req, res)
  if req.ctx.cors_preflight then return end
  local fields = res.headers
  for i = 1, #WRITTEN do fields[WRITTEN[i]] = nil end
  if not self.any and not varies(fields) then fields:add("vary", "origin") end
  local from = req.headers.origin
  local origin = from and allowed_origin(self, from)
  if not origin then return end
  fields["access-control-allow-origin"] = origin
  if self.credentials then fields["access-control-allow-credentials"] = "true" end
  if self.expose_list ~= "" then fields["access-control-expose-headers"] = self.expose_list end
end

return cors
