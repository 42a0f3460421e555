---Cryptography on OpenSSL: digests, HMAC, random bytes, comparison in constant time, encodings, authenticated
---encryption, keys and signatures.
---
---     local crypto = require "moongate.crypto"
---     local wanted = crypto.hmac("sha256", secret, req.path)
---     local given = crypto.decode_hex(req.headers["x-signature"] or "")
---     if not given or not crypto.equal(given, wanted) then return 403 end
---
---Bytes go in and come out as strings. What can be wrong with data comes back as nil, a message and a code; what is
---wrong in a script (a digest that does not exist, a key of the wrong length) is an error at the script's line.
local arguments = require "moongate.internal.arguments"
local cipher = require "moongate.crypto.cipher"
local derive = require "moongate.crypto.derive"
local digest = require "moongate.crypto.digest"
local encoding = require "moongate.crypto.encoding"
local ffi = require "ffi"
local key = require "moongate.crypto.key"
local openssl = require "moongate.crypto.openssl"

local crypto = {
  digest = digest.digest,
  sha1 = digest.sha1,
  sha256 = digest.sha256,
  sha512 = digest.sha512,
  hasher = digest.hasher,
  hmac = digest.hmac,
  hmac_hasher = digest.hmac_hasher,

  encode_base64 = encoding.encode_base64,
  decode_base64 = encoding.decode_base64,
  encode_base64url = encoding.encode_base64url,
  decode_base64url = encoding.decode_base64url,
  encode_hex = encoding.encode_hex,
  decode_hex = encoding.decode_hex,

  cipher = cipher.cipher,

  public_key = key.public_key,
  private_key = key.private_key,
  generate_key = key.generate_key,

  hkdf = derive.hkdf,
  pbkdf2 = derive.pbkdf2,
  scrypt = derive.scrypt,
}

local C = openssl.C

local RANDOM_MOST = 2 ^ 24

---Bytes that nobody can guess.
---@param n integer how many
---@return string
function crypto.random(n)
  arguments.integer(n, 0, RANDOM_MOST, "crypto.random takes a number of bytes")
  if n == 0 then return "" end
  local out = ffi.new("uint8_t[?]", n)
  openssl.must(C.RAND_bytes(out, n) == 1, "drawing random bytes")
  return ffi.string(out, n)
end

---Random bytes as hexadecimal digits.
---@param n integer how many bytes; there are twice as many digits
---@return string
function crypto.random_hex(n)
  arguments.integer(n, 0, RANDOM_MOST, "crypto.random_hex takes a number of bytes")
  return encoding.encode_hex(crypto.random(n))
end

---Whether two texts are the same, in a time that does not depend on where they differ. Their lengths are no secret.
---@param a string
---@param b string
---@return boolean
function crypto.equal(a, b)
  arguments.text(a, "crypto.equal takes two texts")
  arguments.text(b, "crypto.equal takes two texts")
  local n = #a
  return n == #b and C.CRYPTO_memcmp(a, b, n) == 0
end

return crypto
