---What body hooks are given: `chunks` and `write`. The row of hooks is moved by core/script/body.c.
local native = require "moongate.internal.native"

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

return body
