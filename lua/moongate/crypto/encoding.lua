---Bytes as text and back: base64 (RFC 4648 section 4), base64url without padding (section 5), hexadecimal (section 8).
---Decoding is strict: each text that is accepted is the one that encoding would have made, but for the letter case of
---hexadecimal digits.
local arguments = require "moongate.internal.arguments"
local ffi = require "ffi"
local openssl = require "moongate.crypto.openssl"

local encoding = {}

local C = openssl.C
local new, text_of = ffi.new, ffi.string
local bytes_type, size_type = ffi.typeof "uint8_t[?]", ffi.typeof "size_t[1]"

---OpenSSL counts in int here.
local LARGEST = 1.5e9

local TO_URL = { ["+"] = "-", ["/"] = "_", ["="] = "" }
local FROM_URL = { ["-"] = "+", ["_"] = "/" }

local function encode(bytes)
  local n = #bytes
  if n > LARGEST then error("a text this long cannot be encoded", 3) end
  local out = new(bytes_type, math.floor((n + 2) / 3) * 4 + 1)
  local length = C.EVP_EncodeBlock(out, bytes, n)
  return text_of(out, length)
end

---@param text string padded, of the standard alphabet
---@param pads integer
local function decode(text, pads)
  local n = #text
  if n == 0 then return "" end
  local out = new(bytes_type, n / 4 * 3 + 1)
  local length = C.EVP_DecodeBlock(out, text, n)
  if length < 0 then return nil end
  return text_of(out, length - pads)
end

---Bits of the last digit that stand for nothing must be zero, or one value would have several texts.
local function has_loose_bits(text, pads, last)
  if pads == 0 then return false end
  return not text:find(pads == 2 and "^[AQgw]" or "^[AEIMQUYcgkosw048]", last)
end

---@param bytes string
---@return string text
function encoding.encode_base64(bytes)
  arguments.text(bytes, "crypto.encode_base64 takes a text")
  local text = encode(bytes)
  return text
end

---@param text string
---@return string? bytes
---@return string? message
---@return string? code "encoding"
function encoding.decode_base64(text)
  arguments.text(text, "crypto.decode_base64 takes a text")
  local pads = text:find("==", -2, true) and 2 or text:find("=", -1, true) and 1 or 0
  local digits = #text - pads
  if #text % 4 ~= 0 or #text > LARGEST then return nil, "base64 comes in groups of four digits", "encoding" end
  local wrong = text:find("[^A-Za-z0-9+/]")
  if wrong and wrong <= digits then
    return nil, ("byte %d is no digit of base64"):format(wrong), "encoding"
  end
  if has_loose_bits(text, pads, digits) then return nil, "the last digit of base64 has loose bits", "encoding" end
  return decode(text, pads)
end

---@param bytes string
---@return string text without padding
function encoding.encode_base64url(bytes)
  arguments.text(bytes, "crypto.encode_base64url takes a text")
  local text = encode(bytes):gsub("[+/=]", TO_URL)
  return text
end

---@param text string without padding
---@return string? bytes
---@return string? message
---@return string? code "encoding"
function encoding.decode_base64url(text)
  arguments.text(text, "crypto.decode_base64url takes a text")
  local digits = #text
  local pads = -digits % 4
  if pads == 3 or digits > LARGEST then return nil, "base64url has no text of this length", "encoding" end
  local wrong = text:find("[^A-Za-z0-9_-]")
  if wrong then return nil, ("byte %d is no digit of base64url"):format(wrong), "encoding" end
  local standard = text:gsub("[-_]", FROM_URL)
  if has_loose_bits(standard, pads, digits) then
    return nil, "the last digit of base64url has loose bits", "encoding"
  end
  return decode(standard .. ("="):rep(pads), pads)
end

---@param bytes string
---@return string text lower case
function encoding.encode_hex(bytes)
  arguments.text(bytes, "crypto.encode_hex takes a text")
  if bytes == "" then return "" end
  local size = #bytes * 2 + 1
  local out, length = new(bytes_type, size), size_type()
  C.OPENSSL_buf2hexstr_ex(ffi.cast("char *", out), size, length, bytes, #bytes, 0)
  return text_of(out, size - 1):lower()
end

---@param text string in either letter case
---@return string? bytes
---@return string? message
---@return string? code "encoding"
function encoding.decode_hex(text)
  arguments.text(text, "crypto.decode_hex takes a text")
  local wrong = text:find("[^0-9A-Fa-f]")
  if wrong then return nil, ("byte %d is no hexadecimal digit"):format(wrong), "encoding" end
  if #text % 2 ~= 0 then return nil, "hexadecimal digits come in pairs", "encoding" end
  if text == "" then return "" end
  local size = #text / 2
  local out, length = new(bytes_type, size), size_type()
  if C.OPENSSL_hexstr2buf_ex(out, size, length, text, 0) ~= 1 then
    return nil, openssl.reason("no hexadecimal digits"), "encoding"
  end
  return text_of(out, size)
end

return encoding
