---Bodies: what body hooks are given, `chunks` and `write`, whose row is moved by core/script/body.c; and the wait for
---whole ones.
local native = require "moongate.internal.native"
local units = require "moongate.config.units"
local waiting = require "moongate.internal.waiting"

local body = {}

local WAIT, yield = native.WAIT, coroutine.yield
local chunk, put = native.chunk, native.put

---The next piece of the body; waits until it is there.
---@return string? piece nil behind the last
function body.chunks(...) -- luacheck: ignore 212
  local piece = chunk()
  while piece == false do
    yield(WAIT)
    piece = chunk()
  end
  return piece
end

---Sends a piece on; waits until there is room for more.
---@param text string
function body.write(text, ...) -- luacheck: ignore 212
  if not put(text) then yield(WAIT) end
end

---Waits for the whole body of a message.
---@param ask fun(message: table, bytes: integer?): string|false|nil, string?, string? false: not yet
---@param message table the request or the answer
---@param limit? integer|string
---@return string? body
---@return string? message
---@return string? code
function body.whole(ask, message, limit)
  local bytes
  if limit ~= nil then
    bytes = units.size(limit)
    if not bytes then native.raise "the limit of a body is a number of bytes, or a text such as \"16k\"" end
  end
  while true do
    local text, why, code = ask(message, bytes)
    if text ~= false then return text, why, code end
    waiting.wait()
  end
end

return body
