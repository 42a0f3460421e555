---Writes the few structures of ASN.1 DER (X.690) that public keys and private keys are made of.
local der = {}

local function length(n)
  if n < 128 then return string.char(n) end
  local digits = ""
  while n > 0 do
    digits = string.char(n % 256) .. digits
    n = math.floor(n / 256)
  end
  return string.char(128 + #digits) .. digits
end

---One value with its tag.
---@param tag integer
---@param content string
---@return string
function der.value(tag, content)
  return string.char(tag) .. length(#content) .. content
end

---@param ... string values
---@return string
function der.sequence(...)
  return der.value(0x30, table.concat({ ... }))
end

---A number that is not negative.
---@param bytes string big end first
---@return string
function der.integer(bytes)
  bytes = bytes:gsub("^%z+", "")
  if bytes == "" or bytes:byte() >= 128 then bytes = "\0" .. bytes end
  return der.value(2, bytes)
end

---@param bytes string
---@return string
function der.octets(bytes)
  return der.value(4, bytes)
end

---@param bytes string
---@return string
function der.bits(bytes)
  return der.value(3, "\0" .. bytes)
end

---What may be said of the kinds of keys: an AlgorithmIdentifier each (RFC 3279, 5480, 8410).
der.RSA = der.sequence(der.value(6, "\42\134\72\134\247\13\1\1\1"), der.value(5, ""))
der.ED25519 = der.sequence(der.value(6, "\43\101\112"))

local EC_PUBLIC_KEY = der.value(6, "\42\134\72\206\61\2\1")

---@param curve string the curve's object identifier, encoded
---@return string
function der.ec(curve)
  return der.sequence(EC_PUBLIC_KEY, der.value(6, curve))
end

---A SubjectPublicKeyInfo (RFC 5280 section 4.1).
---@param algorithm string
---@param key string
---@return string
function der.public(algorithm, key)
  return der.sequence(algorithm, der.bits(key))
end

---A PrivateKeyInfo (RFC 5208 section 5).
---@param algorithm string
---@param key string
---@return string
function der.private(algorithm, key)
  return der.sequence(der.integer "", algorithm, der.octets(key))
end

return der
