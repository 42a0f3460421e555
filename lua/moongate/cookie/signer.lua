---Values that are given to a client and come back unchanged, or not at all: signed with HMAC-SHA-256, dated, bound to
---a name. They are not secret; for that there is `crypto.cipher`.
---
---     value as base64url . seconds since 1970 . signature as base64url
local arguments = require "moongate.internal.arguments"
local crypto = require "moongate.crypto"
local time = require "moongate.time"

local signer = {}

---Keys shorter than this can be guessed.
local KEY_LEAST = 16
---Clocks of several machines need not agree to the second.
local CLOCKS_APART = 60

---@class moongate.cookie.signer
---@field private keys string[]
---@field private max_age number?
local methods = {}
local Signer = { __index = methods, __metatable = "moongate.cookie.signer" }

local OPTIONS = { keys = true, max_age = true }

---Signs and checks values. The first key signs, all are tried in checking, so that keys can be changed without anybody
---being logged out.
---@param options { keys: string[], max_age?: number } keys of at least 16 bytes; seconds after which a value is too old
---@return moongate.cookie.signer
function signer.new(options)
  arguments.table(options, "cookie.signer takes a table { keys = … }")
  arguments.options(options, OPTIONS, "cookie.signer")
  local keys = options.keys
  if type(keys) ~= "table" or #keys == 0 then error("cookie.signer: keys is a list of texts", 2) end
  local own = {}
  for i = 1, #keys do
    if type(keys[i]) ~= "string" or #keys[i] < KEY_LEAST then
      error(("cookie.signer: keys[%d] is no text of at least %d bytes"):format(i, KEY_LEAST), 2)
    end
    own[i] = crypto.hkdf("sha256", keys[i], { info = "moongate.cookie" })
  end
  if options.max_age ~= nil then
    arguments.integer(options.max_age, 1, 1e10, "cookie.signer: max_age is a number of seconds")
  end
  return setmetatable({ keys = own, max_age = options.max_age }, Signer)
end

---The name's length keeps name and payload apart.
local function signature(key, name, payload)
  return crypto.hmac("sha256", key, ("%d:%s%s"):format(#name, name, payload))
end

---A value that can stand in a cookie of that name.
---@param name string
---@param value string any bytes
---@return string signed
function methods:sign(name, value)
  arguments.text(name, "signer:sign takes a name")
  arguments.text(value, "signer:sign takes a value after the name")
  local payload = ("%s.%d"):format(crypto.encode_base64url(value), time.now())
  return payload .. "." .. crypto.encode_base64url(signature(self.keys[1], name, payload))
end

local function is_signed(self, name, payload, given)
  local fits = false
  for i = 1, #self.keys do
    if crypto.equal(signature(self.keys[i], name, payload), given) then fits = true end
  end
  return fits
end

---The value that was signed for a cookie of that name.
---@param name string
---@param signed string
---@return string? value
---@return string? message
---@return string? code "signature" when it was not signed so, "expired" when that was too long ago
function methods:verify(name, signed)
  arguments.text(name, "signer:verify takes a name")
  arguments.text(signed, "signer:verify takes a text after the name")
  local payload, encoded, at, mark = signed:match "^(([%w_-]*)%.(%d+))%.([%w_-]+)$"
  local given = mark and crypto.decode_base64url(mark)
  if not given or not is_signed(self, name, payload, given) then
    return nil, "the value was not signed here for this name", "signature"
  end
  local age = time.now() - tonumber(at)
  if self.max_age and (age > self.max_age or age < -CLOCKS_APART) then
    return nil, "the value was signed too long ago", "expired"
  end
  return (crypto.decode_base64url(encoded))
end

return signer
