---Keys as JSON Web Keys say them (RFC 7517, 7518 section 6, 8037), turned into DER.
local der = require "moongate.crypto.der"
local encoding = require "moongate.crypto.encoding"

local jwk = {}

---Curves by the name that JOSE uses: object identifier, bytes of a coordinate, OpenSSL's name.
---@type table<string, { oid: string, size: integer, openssl: string }>
jwk.CURVES = {
  ["P-256"] = { oid = "\42\134\72\206\61\3\1\7", size = 32, openssl = "prime256v1" },
  ["P-384"] = { oid = "\43\129\4\0\34", size = 48, openssl = "secp384r1" },
  ["P-521"] = { oid = "\43\129\4\0\35", size = 66, openssl = "secp521r1" },
}

---Raised inside and caught at the door, so that each member can be read in one expression.
local Refusal = {}

local function refuse(message)
  error(setmetatable({ message = message }, Refusal), 0)
end

local function member(key, name, size)
  local text = key[name]
  if type(text) ~= "string" then refuse(("the JWK has no '%s'"):format(name)) end
  local bytes = encoding.decode_base64url(text)
  if not bytes or bytes == "" then refuse(("'%s' of the JWK is no base64url"):format(name)) end
  if size and #bytes ~= size then refuse(("'%s' of the JWK has %d bytes, not %d"):format(name, #bytes, size)) end
  return bytes
end

local function number(key, name)
  return der.integer(member(key, name))
end

local makers = {}

function makers.RSA(key, private)
  local n, e = number(key, "n"), number(key, "e")
  if not private then return der.public(der.RSA, der.sequence(n, e)) end
  return der.private(der.RSA, der.sequence(der.integer "", n, e, number(key, "d"), number(key, "p"), number(key, "q"),
    number(key, "dp"), number(key, "dq"), number(key, "qi")))
end

function makers.EC(key, private)
  local curve = jwk.CURVES[key.crv]
  if not curve then refuse(("the curve '%s' is not supported"):format(tostring(key.crv))) end
  local point = "\4" .. member(key, "x", curve.size) .. member(key, "y", curve.size)
  if not private then return der.public(der.ec(curve.oid), point) end
  -- ECPrivateKey, RFC 5915 section 3.
  return der.private(der.ec(curve.oid), der.sequence(der.integer "\1", der.octets(member(key, "d", curve.size)),
    der.value(0xa1, der.bits(point))))
end

function makers.OKP(key, private)
  if key.crv ~= "Ed25519" then refuse(("the curve '%s' is not supported"):format(tostring(key.crv))) end
  local point = member(key, "x", 32)
  if not private then return der.public(der.ED25519, point) end
  return der.private(der.ED25519, der.octets(member(key, "d", 32)))
end

---A JWK as DER: a SubjectPublicKeyInfo, or a PrivateKeyInfo.
---@param key table
---@param private boolean
---@return string? der
---@return string? message
function jwk.to_der(key, private)
  local make = makers[key.kty]
  if not make then return nil, ("JWKs of the kind '%s' are no key pairs"):format(tostring(key.kty)) end
  local ok, made = pcall(make, key, private)
  if ok then return made end
  if getmetatable(made) ~= Refusal then error(made, 0) end
  return nil, made.message
end

return jwk
