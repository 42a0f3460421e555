---Lets in only those who bring a signed token (JWT, RFC 7519, 8725).
---
---     { "jwt", algorithms = { "ES256" }, key_files = { "tls/issuer.pem" }, issuer = { "https://id.example.com" },
---              audience = { "shop" }, claim_headers = { ["x-user"] = "sub" } }
---     { "jwt", algorithms = { "HS256" }, secret_file = "run/token.secret", cookie = "session" }
---
---Only algorithms that are listed count, each with keys of its own kind, so that a public key is never taken for a
---secret. Later policies find the claims in `req.ctx.claims`, and `sub` in `req.ctx.user`. Header fields that tell the
---origin about claims are never passed on from a client.
local claims = require "moongate.policy.shared.claims"
local jws = require "moongate.policy.shared.jws"
local names = require "moongate.policy.shared.names"
local time = require "moongate.time"

local jwt = {}

jwt.options = {
  algorithms = { type = "list", of = "string", required = true, min = 1, doc = "the only ones that count" },
  secret = { type = "string", doc = "of HS256, HS384, HS512" },
  secret_file = { type = "string", doc = "a file that holds it; an end of line at its end does not count" },
  keys = { type = "list", default = {}, doc = "public keys: PEM or JSON as text, or a JWK as a table" },
  key_files = { type = "list", of = "string", default = {}, doc = "files with PEM, a JWK or a JWKS" },
  jwks_url = { type = "string", doc = "not available in this version" },
  header = { type = "string", default = "authorization", doc = "the field that holds the token, after Bearer" },
  cookie = { type = "string", doc = "a cookie that may hold it instead" },
  issuer = { type = "list", of = "string", default = {}, doc = "one of them must have issued it" },
  audience = { type = "list", of = "string", default = {}, doc = "it must be for one of them" },
  required = { type = "list", of = "string", default = { "exp" }, doc = "claims that must be there" },
  leeway = { type = "duration", default = "30s", max = 600, doc = "how far clocks may be apart" },
  max_age = { type = "duration", doc = "how long ago it may have been issued; then it must say so" },
  claim_headers = { type = "map", of = "string", default = {}, doc = "field of the request to the claim it holds" },
  optional = { type = "boolean", default = false, doc = "whether who brings no token is let in, too" },
  forward = { type = "boolean", default = true, doc = "whether the origin gets to see the token" },
  realm = { type = "string", default = "restricted", doc = "what the answer says it is for" },
  max_size = { type = "size", default = "8k", doc = "the longest token" },
}

-- Setting up ----------------------------------------------------------------------------------------------------------

local function read(path, place)
  local file, message = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  if not text then error(("%s: cannot read %s"):format(place, message or path), 0) end
  return text
end

local function set_of(list)
  local set = {}
  for _, value in ipairs(list) do set[value] = true end
  return #list > 0 and set or nil
end

local function keys_of(self)
  local keys = {}
  if self.secret then keys[1] = jws.secret(self.secret, "secret") end
  if self.secret_file then
    local text = read(self.secret_file, "secret_file"):gsub("\r?\n$", "")
    keys[#keys + 1] = jws.secret(text, "secret_file")
  end
  for i, source in ipairs(self.keys) do jws.add_keys(keys, source, ("keys[%d]"):format(i)) end
  for i, path in ipairs(self.key_files) do
    local place = ("key_files[%d]"):format(i)
    jws.add_keys(keys, read(path, place), place)
  end
  return keys
end

---Reads the keys and finds out which algorithm goes with which.
function jwt:setup()
  if self.jwks_url then
    error("jwks_url: fetching keys is not available in this version; put the JWKS into a file and name it in "
      .. "key_files", 0)
  end
  if self.realm:find '[%c"\\]' then error("realm: no quotes, backslashes and control characters", 0) end
  self.plan = jws.plan(self.algorithms, keys_of(self))
  self.issuers, self.audiences = set_of(self.issuer), set_of(self.audience)
  self.told = {}
  names.check(self.header, "header")
  for field, claim in pairs(self.claim_headers) do
    names.check(field, "claim_headers")
    self.told[#self.told + 1] = { field = field, claim = claim }
  end
  table.sort(self.told, function(a, b) return a.field < b.field end)
end

-- Tokens --------------------------------------------------------------------------------------------------------------

---The token of a request.
local function token_of(self, req)
  local field = req.headers[self.header]
  if field then
    local scheme, token = field:match "^(%a+) +(%S+) *$"
    if scheme and scheme:lower() == "bearer" then return token end
    if self.header:lower() ~= "authorization" then return field end
  end
  return self.cookie and req.cookies:get(self.cookie) or nil
end

---What is wrong with its times (RFC 7519 section 4.1), or nil.
local function wrong_time(self, all)
  local now, leeway = time.now(), self.leeway
  for _, name in ipairs { "exp", "nbf", "iat" } do
    local value = all[name]
    if value ~= nil and (type(value) ~= "number" or value ~= value) then return name .. " is no number" end
  end
  if all.exp and now >= all.exp + leeway then return "it has expired" end
  if all.nbf and now < all.nbf - leeway then return "it is not valid yet" end
  if all.iat and now < all.iat - leeway then return "it was issued in the future" end
  if self.max_age and not all.iat then return "it does not say when it was issued" end
  if self.max_age and now > all.iat + self.max_age + leeway then return "it is too old" end
end

local function is_for(audiences, aud)
  if type(aud) == "string" then return audiences[aud] end
  for _, one in ipairs(type(aud) == "table" and aud or {}) do
    if audiences[one] then return true end
  end
  return false
end

local function wrong_claims(self, all)
  for _, name in ipairs(self.required) do
    if claims.get(all, name) == nil then return "a claim is missing: " .. name end
  end
  if self.issuers and not (type(all.iss) == "string" and self.issuers[all.iss]) then
    return "its issuer is not accepted"
  end
  if self.audiences and not is_for(self.audiences, all.aud) then return "it is for somebody else" end
  return wrong_time(self, all)
end

---The claims of a token that is valid now.
local function open(self, token)
  if #token > self.max_size then return nil, "it is too long" end
  local all, message = jws.open(self.plan, token)
  if not all then return nil, message end
  message = wrong_claims(self, all)
  return not message and all or nil, message
end

-- Requests ------------------------------------------------------------------------------------------------------------

local function refusal(self, why)
  local challenge = ('Bearer realm="%s"'):format(self.realm)
  if why then
    local said = why:gsub('[\\"%c]', " ")
    challenge = ('%s, error="invalid_token", error_description="%s"'):format(challenge, said)
  end
  return {
    status = 401, headers = { ["www-authenticate"] = challenge, ["cache-control"] = "no-store" },
    body = why and "the token is refused: " .. why .. "\n" or "a token is needed\n",
  }
end

---Takes the token out of what the origin gets.
local function hide(self, req)
  req.headers[self.header] = nil
  if not self.cookie then return end
  local kept = {}
  for name, value in req.cookies:each() do
    if name ~= self.cookie then kept[#kept + 1] = name .. "=" .. value end
  end
  req.headers.cookie = kept[1] and table.concat(kept, "; ") or nil
end

---Answers 401 unless a valid token came.
function jwt:access(req)
  local token = token_of(self, req)
  for i = 1, #self.told do req.headers[self.told[i].field] = nil end
  if not token then
    if self.optional then return nil end
    return refusal(self)
  end
  local all, why = open(self, token)
  if not all then return refusal(self, why) end
  req.ctx.claims = all
  if type(all.sub) == "string" then req.ctx.user = all.sub end
  if not self.forward then hide(self, req) end
  for i = 1, #self.told do
    req.headers[self.told[i].field] = claims.text(claims.get(all, self.told[i].claim))
  end
end

return jwt
