---Signed tokens (RFC 7515, 7518, 8037): which key and which way of signing may have made one.
---
---What keeps a public key from ever being taken for the secret of an HMAC: a key has a kind when it is read, an
---algorithm has a kind, and only those of the same kind meet. What a token says of itself chooses among the algorithms
---that are listed and among our keys, nothing else; keys that it brings along (`jwk`, `jku`, `x5c`) are not looked at.
local crypto = require "moongate.crypto"
local json = require "moongate.json"

local jws = {}

---@class moongate.policy.jws.algorithm
---@field kind "secret"|"rsa"|"ec"|"ed25519"
---@field curve? string
---@field digest? string
---@field least? integer bytes of a secret (RFC 7518 section 3.2), bits of RSA (section 3.3)
---@field options? table what the signature is made of

---@type table<string, moongate.policy.jws.algorithm>
local ALGORITHMS = { EdDSA = { kind = "ed25519" } }
for bits, curve in pairs { [256] = "P-256", [384] = "P-384", [512] = "P-521" } do
  local digest = "sha" .. bits
  ALGORITHMS["HS" .. bits] = { kind = "secret", digest = digest, least = bits / 8 }
  ALGORITHMS["RS" .. bits] = { kind = "rsa", least = 2048, options = { digest = digest, padding = "pkcs1" } }
  ALGORITHMS["PS" .. bits] = { kind = "rsa", least = 2048, options = { digest = digest, padding = "pss" } }
  ALGORITHMS["ES" .. bits] = { kind = "ec", curve = curve, options = { digest = digest, format = "raw" } }
end

---@class moongate.policy.jws.key
---@field kind string
---@field curve? string
---@field id? string its `kid`
---@field only? string the one algorithm that it is for
---@field secret? string
---@field public? moongate.crypto.key
---@field place string what messages call it
---@field among_others? boolean it came in a set, so it need not be of use

-- Keys ----------------------------------------------------------------------------------------------------------------

---@param text string
---@param place string
---@return moongate.policy.jws.key
function jws.secret(text, place)
  if text:find("-----BEGIN", 1, true) then error(place .. ": this is a key pair's half, no secret; see keys", 0) end
  return { kind = "secret", secret = text, place = place }
end

local function is_for_signatures(jwk)
  if jwk.use ~= nil and jwk.use ~= "sig" then return false end
  if type(jwk.key_ops) ~= "table" then return true end
  for _, use in ipairs(jwk.key_ops) do
    if use == "verify" then return true end
  end
  return false
end

local function key_of_jwk(jwk, place)
  local id, only = jwk.kid, jwk.alg
  if jwk.kty == "oct" then
    local secret = type(jwk.k) == "string" and crypto.decode_base64url(jwk.k)
    if not secret then error(place .. ": 'k' of the JWK is no base64url", 0) end
    return { kind = "secret", secret = secret, id = id, only = only, place = place }
  end
  local public, message = crypto.public_key(jwk)
  if not public then error(("%s: %s"):format(place, message), 0) end
  return { kind = public.kind, curve = public.curve, public = public, id = id, only = only, place = place }
end

---Of a set, keys that are not for signatures, or of kinds that we do not know, are left out (RFC 7517 section 5).
local function add_jwks(keys, set, place)
  for i, jwk in ipairs(set.keys) do
    if type(jwk) == "table" and is_for_signatures(jwk) then
      local ok, key = pcall(key_of_jwk, jwk, ("%s: key %d"):format(place, i))
      if ok then
        key.among_others = true
        keys[#keys + 1] = key
      end
    end
  end
end

---Adds the keys of a PEM text, a JWK or a JWKS; raises what is wrong with them.
---@param keys moongate.policy.jws.key[]
---@param source string|table
---@param place string
function jws.add_keys(keys, source, place)
  local before = #keys
  if type(source) == "string" and source:find "^%s*{" then
    source = json.decode(source)
    if type(source) ~= "table" then error(place .. ": this is no JSON", 0) end
  end
  if type(source) == "table" and type(source.keys) == "table" then
    add_jwks(keys, source, place)
  elseif type(source) == "table" then
    keys[before + 1] = key_of_jwk(source, place)
  elseif type(source) == "string" then
    local public, message = crypto.public_key(source)
    if not public then error(("%s: %s"):format(place, message), 0) end
    keys[before + 1] = { kind = public.kind, curve = public.curve, public = public, place = place }
  else
    error(("%s: a key is PEM or JSON as text, or a JWK, not a %s"):format(place, type(source)), 0)
  end
  if #keys == before then error(place .. ": has no key that could verify anything", 0) end
end

-- Which key goes with which algorithm ---------------------------------------------------------------------------------

local function fits(algorithm, name, key)
  return key.kind == algorithm.kind and key.curve == algorithm.curve and (key.only == nil or key.only == name)
end

local function check_size(algorithm, name, key)
  local size = key.secret and #key.secret or key.public.bits
  if algorithm.least and size < algorithm.least then
    error(("%s: %s needs at least %d %s, this has %d"):format(key.place, name, algorithm.least,
      key.secret and "bytes" or "bits", size), 0)
  end
end

---Gives each algorithm that is listed its keys; raises when one has none, or a key is for nothing.
---@param names string[]
---@param keys moongate.policy.jws.key[]
---@return table<string, { algorithm: moongate.policy.jws.algorithm, keys: moongate.policy.jws.key[] }>
function jws.plan(names, keys)
  local plan, used = {}, {}
  for i, name in ipairs(names) do
    local algorithm = ALGORITHMS[name]
    if not algorithm then
      error(("algorithms[%d]: '%s' is none; there are HS, RS, PS and ES with 256, 384 and 512, and EdDSA"):format(i,
        name), 0)
    end
    local own = {}
    for _, key in ipairs(keys) do
      if fits(algorithm, name, key) then
        check_size(algorithm, name, key)
        own[#own + 1], used[key] = key, true
      end
    end
    if #own == 0 then error(("algorithms[%d]: there is no key for %s"):format(i, name), 0) end
    plan[name] = { algorithm = algorithm, keys = own }
  end
  for _, key in ipairs(keys) do
    if not used[key] and not key.among_others then
      error(key.place .. ": none of the algorithms listed can use this key", 0)
    end
  end
  return plan
end

-- Tokens --------------------------------------------------------------------------------------------------------------

local function object_of(part)
  local text = crypto.decode_base64url(part)
  local value = text and text:find "^%s*{" and json.decode(text)
  return type(value) == "table" and value or nil
end

local function is_signed_by(key, algorithm, signature, signed)
  if key.secret then return crypto.equal(crypto.hmac(algorithm.digest, key.secret, signed), signature) end
  return key.public:verify(signature, signed, algorithm.options) == true
end

---Whether the key may be the one that the token names. One without a name may be any.
local function may_be(key, id)
  return id == nil or key.id == nil or key.id == id
end

---The claims of a token that one of our keys has signed.
---@param plan table as `plan` made it
---@param token string
---@return table? claims
---@return string? message
function jws.open(plan, token)
  local head, body, mark = token:match "^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$"
  local header = head and object_of(head)
  if not header then return nil, "this is no signed token" end
  local entry = type(header.alg) == "string" and plan[header.alg]
  if not entry then return nil, "its algorithm is not accepted" end
  -- Extensions that must be understood; there are none that we do (RFC 7515 section 4.1.11).
  if header.crit ~= nil then return nil, "it demands an extension" end
  local signature = crypto.decode_base64url(mark)
  if not signature then return nil, "this is no signed token" end
  local signed, tried = head .. "." .. body, false
  for _, key in ipairs(entry.keys) do
    if may_be(key, header.kid) then
      tried = true
      if is_signed_by(key, entry.algorithm, signature, signed) then
        local claims = object_of(body)
        return claims, not claims and "its claims are no object" or nil
      end
    end
  end
  return nil, tried and "its signature does not fit" or "its key is not known"
end

return jws
