---Encryption that also proves that nobody changed the text: AES-GCM (NIST SP 800-38D), ChaCha20-Poly1305 (RFC 8439).
---
---A nonce must never be used twice with one key. `seal` draws one at random and puts it before the sealed text, which
---is safe for four thousand million texts a key; `seal_with` is for protocols that say what the nonce is.
local arguments = require "moongate.internal.arguments"
local ffi = require "ffi"
local openssl = require "moongate.crypto.openssl"

local cipher = {}

local C, must = openssl.C, openssl.must

local NONCE, TAG = 12, 16
local SET_TAG = 0x11
---OpenSSL counts in int.
local LARGEST = 2 ^ 31 - 64
---Beyond this, two random nonces may be the same (NIST SP 800-38D section 8.3).
local SEALS_MOST = 2 ^ 32

local CIPHERS = {
  ["aes-128-gcm"] = { name = "AES-128-GCM", key = 16 },
  ["aes-256-gcm"] = { name = "AES-256-GCM", key = 32 },
  ["chacha20-poly1305"] = { name = "ChaCha20-Poly1305", key = 32 },
}

local written, tag = ffi.new "int[1]", ffi.new("uint8_t[?]", TAG)

---One key, ready for use. It belongs to the worker that made it.
---@class moongate.crypto.cipher
---@field name string
---@field private sealer ffi.cdata*
---@field private opener ffi.cdata*
---@field private seals integer
local methods = {}
local Cipher = { __index = methods, __metatable = "moongate.crypto.cipher" }

local function context(algorithm, key, encrypt)
  local ctx = C.EVP_CIPHER_CTX_new()
  must(ctx ~= nil, "making a cipher")
  ctx = ffi.gc(ctx, C.EVP_CIPHER_CTX_free)
  must(C.EVP_CipherInit_ex2(ctx, algorithm, key, nil, encrypt, nil) == 1, "setting the key of a cipher")
  return ctx
end

---@alias moongate.crypto.cipher_name "aes-128-gcm"|"aes-256-gcm"|"chacha20-poly1305"

---A cipher with its key: 16 bytes for aes-128-gcm, else 32.
---@param name moongate.crypto.cipher_name
---@param key string
---@return moongate.crypto.cipher
function cipher.cipher(name, key)
  local kind = CIPHERS[name]
  if not kind then
    error(("crypto.cipher: there is no cipher '%s'; there are aes-128-gcm, aes-256-gcm and chacha20-poly1305"):format(
      tostring(name)), 2)
  end
  arguments.text(key, "crypto.cipher takes a key after the name")
  if #key ~= kind.key then
    error(("crypto.cipher: the key of %s has %d bytes, not %d"):format(name, kind.key, #key), 2)
  end
  local algorithm = kind.algorithm
  if not algorithm then
    algorithm = C.EVP_CIPHER_fetch(nil, kind.name, nil)
    must(algorithm ~= nil, "fetching " .. name)
    algorithm = ffi.gc(algorithm, C.EVP_CIPHER_free)
    kind.algorithm = algorithm
  end
  return setmetatable({
    name = name, seals = 0, sealer = context(algorithm, key, 1), opener = context(algorithm, key, 0),
  }, Cipher)
end

local function begin(ctx, nonce, aad, encrypt)
  must(C.EVP_CipherInit_ex2(ctx, nil, nil, nonce, encrypt, nil) == 1, "setting a nonce")
  if aad ~= "" then must(C.EVP_CipherUpdate(ctx, nil, written, aad, #aad) == 1, "reading additional data") end
end

---@param room integer bytes that are free before the sealed text
local function seal(ctx, nonce, plain, aad, room)
  local out = ffi.new("uint8_t[?]", room + #plain + TAG)
  begin(ctx, nonce, aad, 1)
  must(C.EVP_CipherUpdate(ctx, out + room, written, plain, #plain) == 1, "sealing")
  must(C.EVP_CipherFinal_ex(ctx, out + room + #plain, written) == 1, "sealing")
  must(C.EVP_CIPHER_CTX_ctrl(ctx, SET_TAG - 1, TAG, out + room + #plain) == 1, "reading the tag")
  return out, room + #plain + TAG
end

---@param from integer offset of the sealed text
local function open(ctx, nonce, sealed, from, aad)
  local n = #sealed - from - TAG
  local bytes = ffi.cast("const uint8_t *", sealed)
  local out = ffi.new("uint8_t[?]", n + 1)
  begin(ctx, nonce, aad, 0)
  must(C.EVP_CipherUpdate(ctx, out, written, bytes + from, n) == 1, "opening")
  ffi.copy(tag, bytes + from + n, TAG)
  must(C.EVP_CIPHER_CTX_ctrl(ctx, SET_TAG, TAG, tag) == 1, "setting the tag")
  if C.EVP_CipherFinal_ex(ctx, out + n, written) ~= 1 then
    C.ERR_clear_error()
    return nil
  end
  return ffi.string(out, n)
end

local function check_nonce(nonce, what)
  if type(nonce) == "string" and #nonce == NONCE then return end
  error(("%s takes a nonce of %d bytes first, not %s"):format(what, NONCE,
    type(nonce) == "string" and #nonce or "a " .. type(nonce)), 3)
end

---Seals a text under a random nonce.
---@param plain string
---@param aad? string further data that must be the same when it is opened, but is not in the sealed text
---@return string? sealed nonce, encrypted text and tag: 28 bytes longer than the text
---@return string? message
---@return string? code "exhausted" when the key has sealed too many texts, "limit" when the text is too long
function methods:seal(plain, aad)
  arguments.text(plain, "cipher:seal takes a text")
  arguments.optional_text(aad, "cipher:seal takes a text as additional data")
  if #plain > LARGEST then return nil, "a text this long cannot be sealed", "limit" end
  if self.seals >= SEALS_MOST then return nil, "this key has sealed as many texts as it may", "exhausted" end
  self.seals = self.seals + 1
  local nonce = ffi.new("uint8_t[?]", NONCE)
  must(C.RAND_bytes(nonce, NONCE) == 1, "drawing a nonce")
  local out, n = seal(self.sealer, nonce, plain, aad or "", NONCE)
  ffi.copy(out, nonce, NONCE)
  return ffi.string(out, n)
end

---Opens what `seal` made.
---@param sealed string
---@param aad? string
---@return string? plain
---@return string? message
---@return string? code "forged" when text, key or additional data are not those that were sealed
function methods:open(sealed, aad)
  arguments.text(sealed, "cipher:open takes a text")
  arguments.optional_text(aad, "cipher:open takes a text as additional data")
  if #sealed < NONCE + TAG or #sealed > LARGEST then return nil, "the text was not sealed with this key", "forged" end
  local plain = open(self.opener, sealed, sealed, NONCE, aad or "")
  if not plain then return nil, "the text was not sealed with this key", "forged" end
  return plain
end

---Seals a text under a nonce that you promise never to use again with this key.
---@param nonce string 12 bytes
---@param plain string
---@param aad? string
---@return string? sealed encrypted text and tag: 16 bytes longer than the text
---@return string? message
---@return string? code "limit" when the text is too long
function methods:seal_with(nonce, plain, aad)
  check_nonce(nonce, "cipher:seal_with")
  arguments.text(plain, "cipher:seal_with takes a text after the nonce")
  arguments.optional_text(aad, "cipher:seal_with takes a text as additional data")
  if #plain > LARGEST then return nil, "a text this long cannot be sealed", "limit" end
  local out, n = seal(self.sealer, nonce, plain, aad or "", 0)
  return ffi.string(out, n)
end

---Opens what `seal_with` made.
---@param nonce string 12 bytes
---@param sealed string
---@param aad? string
---@return string? plain
---@return string? message
---@return string? code "forged"
function methods:open_with(nonce, sealed, aad)
  check_nonce(nonce, "cipher:open_with")
  arguments.text(sealed, "cipher:open_with takes a text after the nonce")
  arguments.optional_text(aad, "cipher:open_with takes a text as additional data")
  if #sealed < TAG or #sealed > LARGEST then return nil, "the text was not sealed with this key", "forged" end
  local plain = open(self.opener, nonce, sealed, 0, aad or "")
  if not plain then return nil, "the text was not sealed with this key", "forged" end
  return plain
end

return cipher
