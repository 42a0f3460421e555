---One connection, down to single bytes: what clients and origins of the kit share.
---
---Reading waits for bytes, writing waits for room, and both return when it is done or fail with what happened instead.
---Not reading is simply not calling: the kernel's buffers fill (make them small with `rcvbuf`), and the other side has
---to stop.

local failure = require "moongate.testing.failure"
local sys = require "moongate.testing.sys"
local transcript = require "moongate.testing.transcript"

---@class moongate.testing.conn
---@field name string as the transcript calls it
---@field peer string the other side's address
---@field closed boolean we have closed it
---@field ended? "close"|"reset" how the other side ended its bytes, once that was read
---@field sent_bytes integer
---@field received_bytes integer
local Conn = {}
Conn.__index = Conn

local conn = { methods = Conn }

---Fills in what every connection has.
---@param self table a table whose metatable finds the methods of this module
---@param world moongate.testing.world
---@param fd integer
---@param name string
---@param peer string
---@param silent? boolean leave no trace in the transcript
function conn.init(self, world, fd, name, peer, silent)
  self.world, self.loop = world, world.loop
  self.transcript = silent and transcript.none or world.transcript
  self.fd, self.name, self.peer = fd, name, peer
  self.buffer, self.at = "", 1
  self.closed, self.sent_bytes, self.received_bytes = false, 0, 0
  world.open_conns[self] = true
  return self
end

-- Reading -----------------------------------------------------------------------------------------------------------

---Puts what arrives next into the buffer; false when nothing more will come.
---@param doing string
---@return boolean
function Conn:fill(doing)
  while not self.ended and not self.closed do
    local bytes, why, errno = sys.receive(self.fd)
    if bytes == "" then
      self.ended = "close"
      self.transcript:note(self.name, "the other side closed")
    elseif bytes then
      self.transcript:bytes(self.name, "received", bytes)
      self.received_bytes = self.received_bytes + #bytes
      self.buffer, self.at = self.buffer:sub(self.at) .. bytes, 1
      return true
    elseif why == "again" then
      self.loop:readable(self.fd, doing)
    elseif errno == sys.ECONNRESET then
      self.ended = "reset"
      self.transcript:note(self.name, "the other side reset the connection")
    else
      failure.raise("unexpected", "%s: receive: %s", self.name, why)
    end
  end
  return false
end

---How many bytes have been read from the socket and not yet taken.
---@return integer
function Conn:buffered()
  return #self.buffer - self.at + 1
end

---Takes at most n bytes out of the buffer.
local function take(self, n)
  local piece = self.buffer:sub(self.at, self.at + math.min(n, self:buffered()) - 1)
  self.at = self.at + #piece
  return piece
end

---Waits until there is a byte to be taken; false when the other side has ended the connection instead.
---@return boolean
function Conn:more()
  return self:buffered() > 0 or self:fill "waiting for anything"
end

---Puts bytes back that were taken too early.
---@param bytes string
function Conn:unread(bytes)
  self.buffer, self.at = bytes .. self.buffer:sub(self.at), 1
end

---What to say when bytes were wanted and none came.
local function ended_early(self, form, ...)
  local what = form:format(...)
  if self.closed then failure.raise("misuse", "%s: %s: we have closed this connection", self.name, what) end
  local how = self.ended == "reset" and "reset the connection" or "closed"
  failure.raise(self.ended == "reset" and "reset" or "closed", "%s: %s, but the other side %s", self.name, what, how)
end

---Exactly n bytes.
---@param n integer
---@return string
function Conn:receive(n)
  local parts, have = {}, 0
  while have < n do
    local piece = take(self, n - have)
    have = have + #piece
    parts[#parts + 1] = piece
    if piece == "" and not self:fill(("receiving %d bytes, %d so far"):format(n, have)) then
      ended_early(self, "expected %d bytes, got %d", n, have)
    end
  end
  return table.concat(parts)
end

---A line that ends in CRLF, without it. A bare LF is a failure.
---@return string
function Conn:receive_line()
  local stop = self.buffer:find("\n", self.at, true)
  while not stop do
    if not self:fill "receiving a line" then
      ended_early(self, "expected a line, got %s", transcript.excerpt(self.buffer:sub(self.at)))
    end
    stop = self.buffer:find("\n", self.at, true)
  end
  local line = take(self, stop - self.at + 1)
  if line:sub(-2) ~= "\r\n" then
    failure.raise("mismatch", "%s: the line %s ends in a bare LF", self.name, transcript.excerpt(line))
  end
  return line:sub(1, -3)
end

---Whatever comes next, at least one byte; nil when the other side has closed.
---@param most? integer
---@return string|nil
function Conn:receive_some(most)
  if self:buffered() == 0 and not self:fill "receiving anything" then
    if self.ended == "reset" then ended_early(self, "expected bytes") end
    return nil
  end
  return take(self, most or math.huge)
end

---Everything up to the other side's close. A reset is a failure.
---@return string
function Conn:receive_until_close()
  local parts = {}
  while true do
    parts[#parts + 1] = take(self, math.huge)
    if not self:fill "receiving until the other side closes" then break end
  end
  if self.ended ~= "close" then ended_early(self, "expected an orderly close") end
  return table.concat(parts)
end

---Fails, with the first difference, unless exactly these bytes come next.
---@param bytes string
function Conn:expect(bytes)
  local got = ""
  while #got < #bytes do
    got = got .. take(self, #bytes - #got)
    if got ~= bytes:sub(1, #got) then break end
    if #got < #bytes and not self:fill(("expecting %s"):format(transcript.excerpt(bytes:sub(#got + 1)))) then
      ended_early(self, "expected %s after %d bytes", transcript.excerpt(bytes:sub(#got + 1)), #got)
    end
  end
  if got == bytes then return end
  local at = 1
  while got:byte(at) == bytes:byte(at) do at = at + 1 end
  failure.raise("mismatch", "%s: byte %d differs\n  expected %s\n  got      %s", self.name, at,
    transcript.excerpt(bytes:sub(math.max(1, at - 20)), 160), transcript.excerpt(got:sub(math.max(1, at - 20)), 160))
end

---Fails unless the other side closes in good order, with no byte before.
function Conn:expect_close()
  if self:buffered() > 0 or self:fill "expecting the other side to close" then
    failure.raise("mismatch", "%s: expected a close, got %s", self.name, transcript.excerpt(take(self, math.huge)))
  end
  if self.ended ~= "close" then ended_early(self, "expected an orderly close") end
end

---Fails unless the other side resets the connection. Bytes that came before do not matter: a reset may destroy them.
function Conn:expect_reset()
  repeat take(self, math.huge) until not self:fill "expecting a reset"
  if self.ended ~= "reset" then
    failure.raise("mismatch", "%s: expected a reset, but the other side closed in good order", self.name)
  end
end

---Fails when the other side ends the connection in any other way than by closing or resetting it.
---@return "close"|"reset"
function Conn:expect_end()
  repeat take(self, math.huge) until not self:fill "expecting the connection to end"
  return self.ended
end

---Fails when anything arrives, or the other side closes, within that time.
---@param seconds number
function Conn:expect_quiet(seconds)
  local deadline = sys.now() + seconds
  if self:buffered() == 0 and not self.ended then
    local bytes, why = sys.receive(self.fd)
    while why == "again" do
      if self.loop:readable(self.fd, "expecting silence", deadline) == "late" then return end
      bytes, why = sys.receive(self.fd)
    end
    if bytes and bytes ~= "" then self:unread(bytes) end
  end
  local what = self:buffered() > 0 and "got " .. transcript.excerpt(self.buffer:sub(self.at)) or "the connection ended"
  failure.raise("mismatch", "%s: expected %g s of silence, but %s", self.name, seconds, what)
end

-- Writing -----------------------------------------------------------------------------------------------------------

---Sends bytes, waiting for room. Returns nil and how the connection ended when the other side does not take them.
---@param bytes string
---@return true|nil
---@return "reset"|"closed"|nil how
---@return integer sent bytes that the kernel took
function Conn:try_send(bytes)
  local at = 1
  while at <= #bytes do
    if self.closed then return nil, "closed", at - 1 end
    local sent, why, errno = sys.send(self.fd, bytes, at, #bytes)
    if sent then
      self.transcript:bytes(self.name, "sent", bytes:sub(at, at + sent - 1))
      self.sent_bytes = self.sent_bytes + sent
      at = at + sent
    elseif why == "again" then
      self.loop:writable(self.fd, ("sending %d bytes, %d so far"):format(#bytes, at - 1))
    elseif errno == sys.ECONNRESET or errno == sys.EPIPE then
      self.transcript:note(self.name, ("the other side takes no more bytes (%s)"):format(why))
      return nil, "reset", at - 1
    else
      failure.raise("unexpected", "%s: send: %s", self.name, why)
    end
  end
  return true, nil, #bytes
end

---Sends bytes, waiting for room; fails when the other side does not take them.
---@param bytes string
function Conn:send(bytes)
  local ok, how, sent = self:try_send(bytes)
  if ok then return end
  if how == "closed" then failure.raise("misuse", "%s: we have closed this connection", self.name) end
  failure.raise("reset", "%s: sent %d of %d bytes, then the other side ended the connection", self.name, sent, #bytes)
end

---Sends n bytes a write (1 unless said), each a segment of its own, with a pause after each for the other side to read.
---@param bytes string
---@param n? integer
function Conn:send_slowly(bytes, n)
  n = n or 1
  for at = 1, #bytes, n do
    self:send(bytes:sub(at, at + n - 1))
    self.loop:sleep_until(sys.now() + 0.001, "sending slowly")
  end
end

---Sends bytes until the other side, and the kernel between, takes no more for a while.
---@param piece string sent again and again
---@param opts? { most?: integer, still?: number } bytes after which to give up (256 MB); seconds that mean stuck (0.2)
---@return integer sent bytes
---@return boolean stuck false when `most` was reached
function Conn:send_until_stuck(piece, opts)
  local most, still = opts and opts.most or 2 ^ 28, opts and opts.still or 0.2
  local total = 0
  while total < most do
    local sent, why, errno = sys.send(self.fd, piece, 1, #piece)
    if sent then
      self.transcript:bytes(self.name, "sent", piece:sub(1, sent))
      total, self.sent_bytes = total + sent, self.sent_bytes + sent
      piece = sent < #piece and piece:sub(sent + 1) .. piece:sub(1, sent) or piece
    elseif why ~= "again" then
      failure.raise(errno == sys.ECONNRESET and "reset" or "closed", "%s: send: %s", self.name, why)
    elseif self.loop:writable(self.fd, "sending until stuck", sys.now() + still) == "late" then
      return total, true
    end
  end
  return total, false
end

-- Ending ------------------------------------------------------------------------------------------------------------

---Lets go of the descriptor in the given way.
local function let_go(self, how, way)
  if self.closed then return end
  self.closed = true
  self.world.open_conns[self] = nil
  self.loop:forget(self.fd)
  self.transcript:note(self.name, how)
  way(self.fd)
end

---Closes.
function Conn:close()
  let_go(self, "we close", sys.close)
end

---Closes so that the other side sees a reset.
function Conn:reset()
  let_go(self, "we reset the connection", sys.reset)
end

---Says that we send nothing more; reading goes on.
---@param what? "write"
function Conn:shutdown(what)
  if what and what ~= "write" then failure.raise("misuse", 'shutdown knows "write" only') end
  self.transcript:note(self.name, "we shut down our direction")
  sys.shutdown_write(self.fd)
end

return conn
