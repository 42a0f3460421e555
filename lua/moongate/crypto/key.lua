---Key pairs: RSA, elliptic curves (ECDSA) and Ed25519. Read from PEM, DER or JWK; sign and verify.
local arguments = require "moongate.internal.arguments"
local der = require "moongate.crypto.der"
local encoding = require "moongate.crypto.encoding"
local ffi = require "ffi"
local jwk = require "moongate.crypto.jwk"
local keys = require "moongate.crypto.key_native"
local openssl = require "moongate.crypto.openssl"

local key = {}

---A public key, or a private key with its public half.
---@class moongate.crypto.key
---@field kind "rsa"|"ec"|"ed25519"
---@field bits integer
---@field curve? string "P-256", "P-384", "P-521", or OpenSSL's name of another
---@field private boolean
---@field private handle ffi.cdata*
local methods = {}
local Key = { __index = methods, __metatable = "moongate.crypto.key" }

local CURVE_OF = {}
for name, curve in pairs(jwk.CURVES) do CURVE_OF[curve.openssl] = name end

local function wrap(handle, private)
  local kind, bits, group = keys.describe(handle)
  if not kind then return nil, "keys of this kind cannot be used here", "key" end
  return setmetatable({
    handle = handle, kind = kind, bits = bits, curve = group and (CURVE_OF[group] or group), private = private,
  }, Key)
end

-- Reading -------------------------------------------------------------------------------------------------------------

---RFC 8017 keys without the algorithm around them.
local function unwrap_pkcs1(text)
  local body = text:match "%-%-%-%-%-BEGIN RSA PUBLIC KEY%-%-%-%-%-%s*(.-)%s*%-%-%-%-%-END"
  local bytes = body and encoding.decode_base64((body:gsub("%s", "")))
  return bytes and keys.from_der(der.public(der.RSA, bytes), false)
end

local function read_text(text, private, password)
  local label = text:match "%-%-%-%-%-BEGIN ([%u%d ]+)%-%-%-%-%-"
  if not label then return keys.from_der(text, private) end
  if private then return keys.from_pem(text, "private", password or "") end
  if label == "RSA PUBLIC KEY" then return unwrap_pkcs1(text) end
  if label:find("CERTIFICATE", 1, true) then return keys.from_pem(text, "certificate", "") end
  return keys.from_pem(text, "public", "")
end

local function read(source, private, password)
  if type(source) == "string" and source:find("^%s*{") then
    source = require("moongate.json").decode(source)
    if type(source) ~= "table" then return nil, "the JWK is no JSON", "key" end
  end
  local handle, reason
  if type(source) == "table" then
    local bytes
    bytes, reason = jwk.to_der(source, private)
    handle = bytes and keys.from_der(bytes, private)
    if handle and private and not keys.fits(handle, source.x and encoding.decode_base64url(source.x)) then
      return nil, "the halves of the JWK do not belong together", "key"
    end
  else
    handle = read_text(source, private, password)
  end
  if not handle then
    reason = reason or openssl.reason("neither PEM nor DER of such a key")
    return nil, ("no %s key: %s"):format(private and "private" or "public", reason), "key"
  end
  openssl.C.ERR_clear_error()
  return wrap(handle, private)
end

local function check_source(source, what)
  if type(source) ~= "string" and type(source) ~= "table" then
    error(("%s takes a text (PEM, DER, JSON) or a JWK, not a %s"):format(what, type(source)), 3)
  end
end

---Reads a public key: PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`), DER of the first or the last, or a JWK as
---a table or JSON. Of a private JWK it takes the public half.
---@param source string|table
---@return moongate.crypto.key? key
---@return string? message
---@return string? code "key"
function key.public_key(source)
  check_source(source, "crypto.public_key")
  return read(source, false)
end

---Reads a private key: PEM (PKCS #8, PKCS #1, SEC 1; encrypted ones with their password), DER of the same, or a JWK.
---@param source string|table
---@param password? string
---@return moongate.crypto.key? key
---@return string? message
---@return string? code "key"
function key.private_key(source, password)
  check_source(source, "crypto.private_key")
  arguments.optional_text(password, "crypto.private_key takes a password as text")
  return read(source, true, password)
end

---Makes a key pair. RSA takes its time: some hundred milliseconds for 3072 bits, in which the worker does nothing else.
---@param kind "rsa"|"ec"|"ed25519"
---@param choice? integer|string bits of RSA (2048 unless given), curve of ec ("P-256" unless given)
---@return moongate.crypto.key
function key.generate_key(kind, choice)
  local handle
  if kind == "rsa" then
    arguments.integer(choice or 2048, 1024, 8192, "crypto.generate_key: RSA takes a number of bits")
    handle = keys.generate("RSA", ffi.cast("size_t", choice or 2048))
  elseif kind == "ec" then
    local curve = jwk.CURVES[choice or "P-256"]
    if not curve then error("crypto.generate_key: there is no curve '" .. tostring(choice) .. "'", 2) end
    handle = keys.generate("EC", curve.openssl)
  elseif kind == "ed25519" then
    handle = keys.generate("ED25519")
  else
    error("crypto.generate_key makes rsa, ec and ed25519, not " .. tostring(kind), 2)
  end
  return (wrap(handle, true))
end

-- Signatures ----------------------------------------------------------------------------------------------------------

local OPTIONS = { digest = true, padding = true, format = true }
local BY_CURVE = { ["P-384"] = "sha384", ["P-521"] = "sha512" }

local function misuse(what, text)
  error(what .. ": " .. text, 4)
end

---What a signature is made of; raises misuse at the caller of the caller.
local function scheme_of(self, options, what)
  local digest, padding, format
  if options then digest, padding, format = options.digest, options.padding, options.format end
  if self.kind == "ed25519" then
    if digest or padding or format then misuse(what, "Ed25519 has no digest, padding or format to choose") end
    return nil
  end
  digest = digest or BY_CURVE[self.curve] or "sha256"
  if not openssl.digest_name(digest) then misuse(what, "there is no digest '" .. tostring(digest) .. "'") end
  if self.kind == "rsa" then
    if format then misuse(what, "signatures of RSA have no format to choose") end
    if padding and padding ~= "pkcs1" and padding ~= "pss" then misuse(what, "padding is pkcs1 or pss") end
    return digest, padding or "pkcs1"
  end
  if padding then misuse(what, "signatures of ECDSA have no padding") end
  if format and format ~= "der" and format ~= "raw" then misuse(what, "format is der or raw") end
  return digest, nil, format or "der"
end

---@class moongate.crypto.signature_options
---@field digest? moongate.crypto.digest_name RSA and P-256: sha256, P-384: sha384, P-521: sha512; Ed25519 has none
---@field padding? "pkcs1"|"pss" of RSA; pkcs1 unless given. The salt of pss is as long as the digest
---@field format? "der"|"raw" of ECDSA: der unless given; raw is r and s side by side, as in JWTs

---Signs a text.
---@param data string
---@param options? moongate.crypto.signature_options
---@return string? signature
---@return string? message
---@return string? code "key" when the key is too small for this
function methods:sign(data, options)
  arguments.text(data, "key:sign takes a text")
  arguments.options(options, OPTIONS, "key:sign")
  if not self.private then error("key:sign: this is a public key", 2) end
  local digest, padding, format = scheme_of(self, options, "key:sign")
  local signature = keys.sign(self.handle, data, digest and openssl.digest_name(digest), padding)
  if not signature then return nil, openssl.reason("this key cannot sign so"), "key" end
  if format == "raw" then
    signature = keys.to_raw(signature, math.ceil(self.bits / 8))
    if not signature then return nil, openssl.reason("no signature"), "key" end
  end
  return signature
end

---Whether a signature is that of the text under this key. What it was signed with must be said, never read from
---what is to be verified.
---@param signature string
---@param data string
---@param options? moongate.crypto.signature_options
---@return true? valid
---@return string? message
---@return string? code "signature"
function methods:verify(signature, data, options)
  arguments.text(signature, "key:verify takes a signature")
  arguments.text(data, "key:verify takes a text after the signature")
  arguments.options(options, OPTIONS, "key:verify")
  local digest, padding, format = scheme_of(self, options, "key:verify")
  local bytes = signature
  if format == "raw" then bytes = keys.from_raw(signature, math.ceil(self.bits / 8)) end
  if bytes and keys.verify(self.handle, bytes, data, digest and openssl.digest_name(digest), padding) then
    return true
  end
  return nil, "the signature does not fit", "signature"
end

-- Writing -------------------------------------------------------------------------------------------------------------

---The public half.
---@return moongate.crypto.key
function methods:public()
  return (wrap(keys.from_der(keys.public_der(self.handle), false), false))
end

---The public half as DER (SubjectPublicKeyInfo).
---@return string
function methods:to_der()
  return keys.public_der(self.handle)
end

---The key as PEM: `PRIVATE KEY`, not encrypted, for a private one, else `PUBLIC KEY`.
---@return string
function methods:to_pem()
  return keys.to_pem(self.handle, self.private)
end

---The public half as a JWK.
---@return table? jwk
---@return string? message
---@return string? code "key" when JOSE has no name for its curve
function methods:to_jwk()
  local encode = encoding.encode_base64url
  if self.kind == "rsa" then
    return { kty = "RSA", n = encode(keys.number(self.handle, "n")), e = encode(keys.number(self.handle, "e")) }
  end
  local bytes = keys.public_der(self.handle)
  if self.kind == "ed25519" then return { kty = "OKP", crv = "Ed25519", x = encode(bytes:sub(-32)) } end
  local curve = jwk.CURVES[self.curve]
  if not curve then return nil, "JOSE has no name for the curve " .. self.curve, "key" end
  local size = curve.size
  return {
    kty = "EC", crv = self.curve, x = encode(bytes:sub(-2 * size, -size - 1)), y = encode(bytes:sub(-size)),
  }
end

return key
