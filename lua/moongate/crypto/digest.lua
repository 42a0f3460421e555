---Digests and keyed digests (HMAC, RFC 2104): of a text at once, or of one that comes in pieces.
local arguments = require "moongate.internal.arguments"
local ffi = require "ffi"
local openssl = require "moongate.crypto.openssl"

local digest = {}

local C, must = openssl.C, openssl.must
local text_of = ffi.string

---@alias moongate.crypto.digest_name "md5"|"sha1"|"sha256"|"sha384"|"sha512"|"blake2b"

---Longest digest that OpenSSL makes.
local ROOM = 64
local UTF8_STRING = 4

local out = ffi.new("uint8_t[?]", ROOM)
local out_int, out_size = ffi.new "unsigned int[1]", ffi.new "size_t[1]"

local function new_context()
  local ctx = C.EVP_MD_CTX_new()
  must(ctx ~= nil, "making a digest")
  return ffi.gc(ctx, C.EVP_MD_CTX_free)
end

local function begin(ctx, name)
  must(C.EVP_DigestInit_ex2(ctx, openssl.digest(name), nil) == 1, "beginning " .. name)
end

local function finish(ctx)
  must(C.EVP_DigestFinal_ex(ctx, out, out_int) == 1, "finishing a digest")
  return text_of(out, out_int[0])
end

---One context for each digest, for texts that are there at once: nothing waits between its beginning and its end.
local contexts = {}

local function digest_of(name, data)
  local ctx = contexts[name]
  if not ctx then
    ctx = new_context()
    contexts[name] = ctx
  end
  begin(ctx, name)
  C.EVP_DigestUpdate(ctx, data, #data)
  return finish(ctx)
end

local function check_name(name, what)
  if not openssl.digest_name(name) then
    error(("%s: there is no digest '%s'; there are md5, sha1, sha256, sha384, sha512 and blake2b"):format(what,
      tostring(name)), 3)
  end
end

---The digest of a text.
---@param name moongate.crypto.digest_name
---@param data string
---@return string bytes
function digest.digest(name, data)
  check_name(name, "crypto.digest")
  arguments.text(data, "crypto.digest takes a text after the name")
  local bytes = digest_of(name, data)
  return bytes
end

---@param data string
---@return string bytes 20 of them
function digest.sha1(data)
  arguments.text(data, "crypto.sha1 takes a text")
  local bytes = digest_of("sha1", data)
  return bytes
end

---@param data string
---@return string bytes 32 of them
function digest.sha256(data)
  arguments.text(data, "crypto.sha256 takes a text")
  local bytes = digest_of("sha256", data)
  return bytes
end

---@param data string
---@return string bytes 64 of them
function digest.sha512(data)
  arguments.text(data, "crypto.sha512 takes a text")
  local bytes = digest_of("sha512", data)
  return bytes
end

-- HMAC ----------------------------------------------------------------------------------------------------------------

local mac

local function new_mac(name)
  if not mac then
    mac = C.EVP_MAC_fetch(nil, "HMAC", nil)
    must(mac ~= nil, "fetching HMAC")
    mac = ffi.gc(mac, C.EVP_MAC_free)
  end
  local ctx = C.EVP_MAC_CTX_new(mac)
  must(ctx ~= nil, "making an HMAC")
  ctx = ffi.gc(ctx, C.EVP_MAC_CTX_free)
  local word = openssl.digest_name(name)
  local key, value = ffi.new("char[7]", "digest"), ffi.new("char[?]", #word + 1, word)
  local params = ffi.new "struct mg_ossl_param[2]"
  params[0].key, params[0].kind, params[0].data, params[0].size = key, UTF8_STRING, value, #word
  must(C.EVP_MAC_CTX_set_params(ctx, params) == 1, "choosing " .. name)
  return ctx, key, value -- alive until the call is over
end

local function begin_mac(ctx, key)
  must(C.EVP_MAC_init(ctx, key, #key, nil) == 1, "setting the key of an HMAC")
end

local function finish_mac(ctx)
  must(C.EVP_MAC_final(ctx, out, out_size, ROOM) == 1, "finishing an HMAC")
  return text_of(out, out_size[0])
end

local macs = {}

---The HMAC of a text. No check of arguments: for this module's own neighbours.
---@param name moongate.crypto.digest_name
---@param key string
---@param data string
---@return string bytes
function digest.hmac_of(name, key, data)
  local ctx = macs[name]
  if not ctx then
    ctx = new_mac(name)
    macs[name] = ctx
  end
  begin_mac(ctx, key)
  C.EVP_MAC_update(ctx, data, #data)
  return finish_mac(ctx)
end

---The HMAC of a text (RFC 2104). Compare it with `crypto.equal`, never with `==`.
---@param name moongate.crypto.digest_name
---@param key string
---@param data string
---@return string bytes
function digest.hmac(name, key, data)
  check_name(name, "crypto.hmac")
  arguments.text(key, "crypto.hmac takes a key after the name")
  arguments.text(data, "crypto.hmac takes a text after the key")
  local bytes = digest.hmac_of(name, key, data)
  return bytes
end

-- Texts that come in pieces -------------------------------------------------------------------------------------------

---A digest, or an HMAC, that is still being fed.
---@class moongate.crypto.hasher
---@field private ctx ffi.cdata*?
---@field private keyed boolean
local hasher = {}
local Hasher = { __index = hasher, __metatable = "moongate.crypto.hasher" }

local function context_of(self, what)
  if not self.ctx then error(what .. ": this hasher is finished", 3) end
  return self.ctx
end

---Feeds one more piece.
---@param data string
---@return moongate.crypto.hasher self
function hasher:update(data)
  local ctx = context_of(self, "hasher:update")
  arguments.text(data, "hasher:update takes a text")
  if self.keyed then
    must(C.EVP_MAC_update(ctx, data, #data) == 1, "updating an HMAC")
  else
    must(C.EVP_DigestUpdate(ctx, data, #data) == 1, "updating a digest")
  end
  return self
end

---The digest of all pieces; the hasher is used up.
---@return string bytes
function hasher:finish()
  local ctx = context_of(self, "hasher:finish")
  self.ctx = nil
  local bytes = self.keyed and finish_mac(ctx) or not self.keyed and finish(ctx)
  local free = self.keyed and C.EVP_MAC_CTX_free or C.EVP_MD_CTX_free
  free(ffi.gc(ctx, nil))
  return bytes
end

---Another hasher that was fed the same so far.
---@return moongate.crypto.hasher
function hasher:copy()
  local ctx = context_of(self, "hasher:copy")
  local copy
  if self.keyed then
    copy = C.EVP_MAC_CTX_dup(ctx)
    must(copy ~= nil, "copying an HMAC")
    copy = ffi.gc(copy, C.EVP_MAC_CTX_free)
  else
    copy = new_context()
    must(C.EVP_MD_CTX_copy_ex(copy, ctx) == 1, "copying a digest")
  end
  return setmetatable({ ctx = copy, keyed = self.keyed }, Hasher)
end

---A digest of a text that comes in pieces.
---@param name moongate.crypto.digest_name
---@return moongate.crypto.hasher
function digest.hasher(name)
  check_name(name, "crypto.hasher")
  local ctx = new_context()
  begin(ctx, name)
  return setmetatable({ ctx = ctx, keyed = false }, Hasher)
end

---An HMAC of a text that comes in pieces.
---@param name moongate.crypto.digest_name
---@param key string
---@return moongate.crypto.hasher
function digest.hmac_hasher(name, key)
  check_name(name, "crypto.hmac_hasher")
  arguments.text(key, "crypto.hmac_hasher takes a key after the name")
  local ctx = new_mac(name)
  begin_mac(ctx, key)
  return setmetatable({ ctx = ctx, keyed = true }, Hasher)
end

return digest
