---WebSocket on either side of a connection (RFC 6455): the handshake, and frames as the test wants them, right or
---wrong.

local bit = require "bit"
local failure = require "moongate.testing.failure"
local transcript = require "moongate.testing.transcript"

local band, bor, bxor, bnot, rol = bit.band, bit.bor, bit.bxor, bit.bnot, bit.rol
local rshift, tobit = bit.rshift, bit.tobit

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" -- RFC 6455 §1.3

local websocket = {}

---@type table<string, integer>
websocket.opcodes = { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 }

local opcode_names = {}
for name, code in pairs(websocket.opcodes) do opcode_names[code] = name end

-- SHA-1 and base64, for the handshake alone -------------------------------------------------------------------------

local function word(bytes, at)
  local a, b, c, d = bytes:byte(at, at + 3)
  return bor(bit.lshift(a, 24), bit.lshift(b, 16), bit.lshift(c, 8), d)
end

local function bytes_of(n)
  return string.char(band(rshift(n, 24), 255), band(rshift(n, 16), 255), band(rshift(n, 8), 255), band(n, 255))
end

local function mix(t, b, c, d)
  if t < 20 then return bor(band(b, c), band(bnot(b), d)), 0x5A827999 end
  if t < 40 then return bxor(b, c, d), 0x6ED9EBA1 end
  if t < 60 then return bor(band(b, c), band(b, d), band(c, d)), 0x8F1BBCDC end
  return bxor(b, c, d), 0xCA62C1D6
end

local function digest_block(h, block)
  local w = {}
  for t = 0, 15 do w[t] = word(block, t * 4 + 1) end
  for t = 16, 79 do w[t] = rol(bxor(w[t - 3], w[t - 8], w[t - 14], w[t - 16]), 1) end
  local a, b, c, d, e = h[1], h[2], h[3], h[4], h[5]
  for t = 0, 79 do
    local f, k = mix(t, b, c, d)
    a, b, c, d, e = tobit(rol(a, 5) + f + e + w[t] + k), a, rol(b, 30), c, d
  end
  for i, v in ipairs { a, b, c, d, e } do h[i] = tobit(h[i] + v) end
end

---@param text string
---@return string 20 bytes
function websocket.sha1(text)
  local padded = text .. "\128" .. ("\0"):rep((55 - #text) % 64) .. "\0\0\0\0" .. bytes_of(#text * 8)
  local h = { 0x67452301, tobit(0xEFCDAB89), tobit(0x98BADCFE), 0x10325476, tobit(0xC3D2E1F0) }
  for at = 1, #padded, 64 do digest_block(h, padded:sub(at, at + 63)) end
  return bytes_of(h[1]) .. bytes_of(h[2]) .. bytes_of(h[3]) .. bytes_of(h[4]) .. bytes_of(h[5])
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

---@param bytes string
---@return string
function websocket.base64(bytes)
  local out = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for shift = 18, 0, -6 do
      local i = band(rshift(n, shift), 63) + 1
      out[#out + 1] = ALPHABET:sub(i, i)
    end
    if not b then out[#out - 1] = "=" end
    if not c then out[#out] = "=" end
  end
  return table.concat(out)
end

---What Sec-WebSocket-Accept must say to a key.
---@param key string
---@return string
function websocket.accept_key(key)
  return websocket.base64(websocket.sha1(key .. GUID))
end

-- Frames ------------------------------------------------------------------------------------------------------------

---@class moongate.testing.frame
---@field opcode string|integer "text", "binary", "continuation", "close", "ping", "pong", or a number
---@field payload string
---@field fin? boolean true unless said
---@field mask? string|false four bytes; false sends no mask
---@field rsv? integer the three reserved bits

---Exclusive or with the mask; does and undoes it.
---@param payload string
---@param mask string
---@return string
function websocket.masked(payload, mask)
  local m = { mask:byte(1, 4) }
  local out = {}
  for at = 1, #payload, 4096 do
    local piece = { payload:byte(at, math.min(at + 4095, #payload)) }
    for i = 1, #piece do piece[i] = bxor(piece[i], m[(at + i - 2) % 4 + 1]) end
    out[#out + 1] = string.char(unpack(piece))
  end
  return table.concat(out)
end

---@param frame moongate.testing.frame
---@return string
function websocket.format(frame)
  local code = websocket.opcodes[frame.opcode] or frame.opcode --[[@as integer]]
  local first = (frame.fin == false and 0 or 128) + (frame.rsv or 0) * 16 + code
  local size, bit7 = #frame.payload, frame.mask and 128 or 0
  local length
  if size < 126 then
    length = string.char(bit7 + size)
  elseif size < 65536 then
    length = string.char(bit7 + 126, math.floor(size / 256), size % 256)
  else
    length = string.char(bit7 + 127) .. "\0\0\0\0" .. bytes_of(size)
  end
  local head = string.char(first) .. length
  if not frame.mask then return head .. frame.payload end
  return head .. frame.mask .. websocket.masked(frame.payload, frame.mask --[[@as string]])
end

---@class moongate.testing.websocket
---@field conn moongate.testing.conn
---@field mask string|false what our frames are masked with
---@field controls moongate.testing.frame[] pings, pongs and closes that `receive` met
local Socket = {}
Socket.__index = Socket

---Sends one frame.
---@param frame moongate.testing.frame
function Socket:send_frame(frame)
  if frame.mask == nil then frame.mask = self.mask end
  self.conn:send(websocket.format(frame))
end

---Sends a message in one frame.
---@param payload string
---@param opcode? string "text" unless said
function Socket:send(payload, opcode)
  self:send_frame { opcode = opcode or "text", payload = payload }
end

---Reads one frame.
---@return moongate.testing.frame with `masked` as it came
function Socket:receive_frame()
  local first, second = self.conn:receive(2):byte(1, 2)
  local size = second % 128
  if size == 126 then
    local a, b = self.conn:receive(2):byte(1, 2)
    size = a * 256 + b
  elseif size == 127 then
    size = word(self.conn:receive(8), 5) % 2 ^ 32
  end
  local mask = second >= 128 and self.conn:receive(4) or nil
  local payload = self.conn:receive(size)
  local code = first % 16
  return {
    fin = first >= 128, rsv = math.floor(first / 16) % 8, opcode = opcode_names[code] or code,
    payload = mask and websocket.masked(payload, mask) or payload, masked = mask ~= nil,
  }
end

---Reads a message, put together of its fragments. Pings are answered; all control frames are kept in `controls`.
---A close ends it: nil, and the frame.
---@return string|nil message
---@return string|moongate.testing.frame opcode_or_close
function Socket:receive()
  local parts, opcode = {}, nil
  while true do
    local frame = self:receive_frame()
    if frame.opcode == "close" or frame.opcode == "ping" or frame.opcode == "pong" then
      self.controls[#self.controls + 1] = frame
      if frame.opcode == "close" then return nil, frame end
      if frame.opcode == "ping" then self:send(frame.payload, "pong") end
    else
      opcode = opcode or frame.opcode
      parts[#parts + 1] = frame.payload
      if frame.fin then return table.concat(parts), opcode end
    end
  end
end

---Sends a close frame.
---@param code? integer 1000 unless said
---@param reason? string
function Socket:close(code, reason)
  code = code or 1000
  self:send(string.char(math.floor(code / 256), code % 256) .. (reason or ""), "close")
end

---Speaks WebSocket on a connection whose handshake is over.
---@param conn moongate.testing.conn
---@param mask string|false
---@return moongate.testing.websocket
function websocket.new(conn, mask)
  return setmetatable({ conn = conn, mask = mask, controls = {} }, Socket)
end

-- Handshake ---------------------------------------------------------------------------------------------------------

local function fields_of(opts, list)
  for name, value in pairs(opts and opts.headers or {}) do list[#list + 1] = { name, value } end
  return list
end

---The client's side of the handshake.
---@param client moongate.testing.client
---@param path? string
---@param opts? { headers?: table<string, string>, mask?: string|false }
---@return moongate.testing.websocket
---@return moongate.testing.response
function websocket.connect(client, path, opts)
  local key = websocket.base64 "moongate testing"
  local response = client:request { path = path, headers = fields_of(opts, {
    { "Connection", "Upgrade" }, { "Upgrade", "websocket" }, { "Sec-WebSocket-Version", "13" },
    { "Sec-WebSocket-Key", key },
  }) }
  if response.status ~= 101 then
    failure.raise("mismatch", "%s: expected 101, got %d with %s", client.name, response.status,
      transcript.excerpt(response.body or ""))
  end
  local accept = response.headers:get "sec-websocket-accept"
  if accept ~= websocket.accept_key(key) then
    failure.raise("mismatch", "%s: wrong Sec-WebSocket-Accept: %s", client.name, tostring(accept))
  end
  local mask = "\1\2\3\4" ---@type string|false
  if opts and opts.mask ~= nil then mask = opts.mask end
  return websocket.new(client, mask), response
end

---The origin's side of the handshake: answers 101.
---@param side moongate.testing.origin_conn
---@param request moongate.testing.request
---@param opts? { headers?: table<string, string> }
---@return moongate.testing.websocket
function websocket.accept(side, request, opts)
  local key = request.headers:get "sec-websocket-key"
  if not key then failure.raise("mismatch", "%s: the request has no Sec-WebSocket-Key", side.name) end
  side:reply_head(101, fields_of(opts, {
    { "Connection", "Upgrade" }, { "Upgrade", "websocket" }, { "Sec-WebSocket-Accept", websocket.accept_key(key) },
  }))
  return websocket.new(side, false)
end

return websocket
