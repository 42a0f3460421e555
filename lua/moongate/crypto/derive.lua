---Keys from secrets: HKDF (RFC 5869) from good ones, PBKDF2 (RFC 8018) and scrypt (RFC 7914) from passwords.
---
---The latter two are slow on purpose and hold up the whole worker while they run: 10,000 rounds of PBKDF2 take some
---milliseconds. Use them at start or where they are rare.
local arguments = require "moongate.internal.arguments"
local digest = require "moongate.crypto.digest"
local ffi = require "ffi"
local openssl = require "moongate.crypto.openssl"

local derive = {}

local C = openssl.C

local LONGEST = 65536
---Most memory that scrypt may take.
local SCRYPT_MEMORY = 256 * 1024 * 1024

local function check_digest(name, what)
  if not openssl.digest_name(name) then error(("%s: there is no digest '%s'"):format(what, tostring(name)), 3) end
end

local HKDF_OPTIONS = { salt = true, info = true, length = true }

---Expands a secret of good quality into keys for several uses, told apart by `info`.
---@param name moongate.crypto.digest_name
---@param secret string
---@param options? { salt?: string, info?: string, length?: integer } length in bytes; that of the digest unless given
---@return string key
function derive.hkdf(name, secret, options)
  check_digest(name, "crypto.hkdf")
  arguments.text(secret, "crypto.hkdf takes a secret after the name")
  arguments.options(options, HKDF_OPTIONS, "crypto.hkdf")
  local salt, info = options and options.salt, options and options.info
  arguments.optional_text(salt, "crypto.hkdf: salt is a text")
  arguments.optional_text(info, "crypto.hkdf: info is a text")
  local first = digest.hmac_of(name, salt or "", secret)
  local length = options and options.length or #first
  arguments.integer(length, 1, 255 * #first, "crypto.hkdf: length is a number of bytes")
  local blocks, block = {}, ""
  for i = 1, math.ceil(length / #first) do
    block = digest.hmac_of(name, first, block .. (info or "") .. string.char(i))
    blocks[i] = block
  end
  return table.concat(blocks):sub(1, length)
end

---A key from a password.
---@param name moongate.crypto.digest_name
---@param password string
---@param salt string
---@param iterations integer
---@param length integer in bytes
---@return string key
function derive.pbkdf2(name, password, salt, iterations, length)
  check_digest(name, "crypto.pbkdf2")
  arguments.text(password, "crypto.pbkdf2 takes a password after the name")
  arguments.text(salt, "crypto.pbkdf2 takes a salt after the password")
  arguments.integer(iterations, 1, 1e8, "crypto.pbkdf2 takes a number of iterations")
  arguments.integer(length, 1, LONGEST, "crypto.pbkdf2 takes a length")
  local out = ffi.new("uint8_t[?]", length)
  local md = openssl.digest(name)
  openssl.must(C.PKCS5_PBKDF2_HMAC(password, #password, salt, #salt, iterations, md, length, out) == 1, "PBKDF2")
  return ffi.string(out, length)
end

---A key from a password, which needs much memory: 128 · n · r bytes.
---@param password string
---@param salt string
---@param options { n: integer, r?: integer, p?: integer, length?: integer } n is a power of two; r 8, p 1, length 32
---@return string? key
---@return string? message
---@return string? code "limit" when it would take more than 256 MB, "parameters" when they do not fit each other
function derive.scrypt(password, salt, options)
  arguments.text(password, "crypto.scrypt takes a password")
  arguments.text(salt, "crypto.scrypt takes a salt after the password")
  arguments.table(options, "crypto.scrypt takes a table { n = … }")
  local n, r, p, length = options.n, options.r or 8, options.p or 1, options.length or 32
  arguments.integer(n, 2, 2 ^ 32, "crypto.scrypt: n is a number")
  arguments.integer(r, 1, 2 ^ 20, "crypto.scrypt: r is a number")
  arguments.integer(p, 1, 2 ^ 20, "crypto.scrypt: p is a number")
  arguments.integer(length, 1, LONGEST, "crypto.scrypt: length is a number of bytes")
  if 128 * r * (n + p + 2) > SCRYPT_MEMORY then return nil, "scrypt would take more than 256 MB", "limit" end
  local out = ffi.new("uint8_t[?]", length)
  if C.EVP_PBE_scrypt(password, #password, salt, #salt, n, r, p, SCRYPT_MEMORY, out, length) ~= 1 then
    return nil, openssl.reason("scrypt refuses these parameters"), "parameters"
  end
  return ffi.string(out, length)
end

return derive
