---Reads multipart/form-data (RFC 7578, RFC 2046 section 5.1) from pieces of any size, holding one piece and the
---length of a boundary.
---
---     preamble --b CRLF fields CRLF CRLF body CRLF --b CRLF fields … CRLF --b-- epilogue
---               └──────── head ────────┘
local fields = require "moongate.multipart.fields"

local reader = {}

---@class moongate.multipart.limits
---@field parts? integer how many parts there may be, 100 unless given
---@field header_bytes? integer of one part's head, 8192 unless given
---@field part_bytes? integer of one part's body
---@field total_bytes? integer of everything

local DEFAULTS = { parts = 100, header_bytes = 8192, part_bytes = math.huge, total_bytes = math.huge }

---@class moongate.multipart.reader
---@field private buffer string what was received
---@field private at integer where in it begins what was not taken yet
---@field private chunks fun(): string?, string?, string?
---@field private delimiter string CRLF, two hyphens, the boundary
---@field private stage "preamble"|"parts"|"end"
---@field private current moongate.multipart.part? whose body is being read
---@field private failure { [1]: string, [2]: string }?
local methods = {}
local Reader = { __index = methods, __metatable = "moongate.multipart.reader" }

---@class moongate.multipart.part
---@field name string
---@field filename? string as the client says; never a path to trust
---@field type? string the content-type
---@field headers table<string, string> by names in lower case
local part_methods = {}
local Part = { __index = part_methods, __metatable = "moongate.multipart.part" }

---@param boundary string
---@param chunks fun(): string?, string?, string?
---@param limits? moongate.multipart.limits
---@return moongate.multipart.reader
function reader.new(boundary, chunks, limits)
  limits = limits or {}
  local own = {}
  for name, value in pairs(DEFAULTS) do own[name] = limits[name] or value end
  -- The line break before the first boundary may be missing.
  return setmetatable({
    buffer = "\r\n", at = 1, chunks = chunks, delimiter = "\r\n--" .. boundary, limits = own, count = 0, total = 0,
    stage = "preamble",
  }, Reader)
end

---Raised inside and caught at each public function.
local Failure = {}

local function fail(self, message, code)
  self.failure = { message, code }
  error(Failure, 0)
end

local function guarded(self, fn, ...)
  if self.failure then return nil, self.failure[1], self.failure[2] end
  local ok, result = pcall(fn, self, ...)
  if ok then return result end
  if result ~= Failure then error(result, 0) end
  return nil, self.failure[1], self.failure[2]
end

---Receives one more piece.
---@param may_end? boolean whether the text may end here
---@return boolean received
local function more(self, may_end)
  local chunk, message, code = self.chunks()
  if chunk == nil then
    if message then fail(self, message, code or "source") end
    if may_end then return false end
    fail(self, "the text ends before its last boundary", "truncated")
  end
  self.total = self.total + #chunk
  if self.total > self.limits.total_bytes then
    fail(self, ("the parts have more than %d bytes"):format(self.limits.total_bytes), "limit")
  end
  self.buffer, self.at = self.buffer:sub(self.at) .. chunk, 1
  return true
end

local function take(self, n)
  local taken = self.buffer:sub(self.at, self.at + n - 1)
  self.at = self.at + n
  return taken
end

---What comes before the next boundary, piece by piece; nil when the boundary is reached, which is then taken.
local function take_piece(self)
  while true do
    local found = self.buffer:find(self.delimiter, self.at, true)
    if found == self.at then
      take(self, #self.delimiter)
      return nil
    end
    -- The last bytes may be the beginning of a boundary.
    local ready = (found or #self.buffer - #self.delimiter + 2) - self.at
    if ready > 0 then return take(self, ready) end
    more(self)
  end
end

---Behind the two hyphens that make a boundary the last one, there is nothing on their line.
local function check_end(self)
  while not self.buffer:find("^[ \t]*\r\n", self.at) do
    if not self.buffer:find("^[ \t]*\r?$", self.at) then
      fail(self, "the last boundary is followed by something else", "malformed")
    end
    if not more(self, true) then return end
  end
end

---Reads what follows a boundary: true when a part begins, false when that was the last one.
local function begins_part(self)
  while true do
    local buffer, at = self.buffer, self.at
    if buffer:sub(at, at + 1) == "--" then
      take(self, 2)
      check_end(self)
      return false
    end
    local stop = buffer:match("^[ \t]*\r\n()", at)
    if stop then
      -- The line break stays: together with an empty line it ends an empty head.
      self.at = stop - 2
      return true
    end
    local may_become = buffer:find("^%-?$", at) or buffer:find("^[ \t]*\r?$", at)
    if not may_become or #buffer - at > self.limits.header_bytes then
      fail(self, "a boundary is followed by something else", "malformed")
    end
    more(self)
  end
end

---The fields of a part, without the line breaks around them. The last line break, of the empty line, is not taken.
local function take_head(self)
  while true do
    local found = self.buffer:find("\r\n\r\n", self.at, true)
    if (found or #self.buffer) - self.at > self.limits.header_bytes + 2 then
      fail(self, ("a part's head has more than %d bytes"):format(self.limits.header_bytes), "limit")
    end
    if found then
      local head = self.buffer:sub(self.at + 2, found - 1)
      self.at = found + 2
      return head
    end
    more(self)
  end
end

---Takes the line break before the body, unless it belongs to a boundary: then there is no body (RFC 2046, body-part).
local function begin_body(self)
  while true do
    local delimiter, n = self.delimiter, math.min(#self.buffer - self.at + 1, #self.delimiter)
    if self.buffer:sub(self.at, self.at + n - 1) ~= delimiter:sub(1, n) then
      take(self, 2)
      return
    end
    if n == #delimiter then return end
    more(self)
  end
end

local ENCODINGS = { ["7bit"] = true, ["8bit"] = true, binary = true }

local function make_part(self, head)
  if head == "" then fail(self, "a part has no head", "malformed") end
  local found, message = fields.parse(head)
  if not found then fail(self, message, "malformed") end
  local disposition, parameters = fields.split(found["content-disposition"] or "")
  if disposition ~= "form-data" or not parameters.name then
    fail(self, "a part does not say which field of the form it is", "malformed")
  end
  local encoding = found["content-transfer-encoding"]
  if encoding and not ENCODINGS[encoding:lower()] then
    fail(self, "a part is encoded, which RFC 7578 does not allow", "malformed")
  end
  return setmetatable({
    name = parameters.name, filename = parameters.filename, type = found["content-type"], headers = found,
    reader = self, size = 0,
  }, Part)
end

local function skip_body(self)
  repeat local piece = take_piece(self) until piece == nil
  self.current = nil
end

local function next_part(self)
  if self.stage == "end" then return nil end
  if self.stage == "preamble" or self.current then skip_body(self) end
  self.stage = "parts"
  if not begins_part(self) then
    self.stage, self.buffer, self.at = "end", "", 1
    return nil
  end
  self.count = self.count + 1
  if self.count > self.limits.parts then
    fail(self, ("there are more than %d parts"):format(self.limits.parts), "limit")
  end
  local part = make_part(self, take_head(self))
  begin_body(self)
  self.current = part
  return part
end

---The next part; what was not read of the one before is skipped.
---@return moongate.multipart.part? part nil alone after the last one
---@return string? message
---@return string? code "malformed", "truncated", "limit", or what `chunks` said
function methods:next()
  return guarded(self, next_part)
end

local function next_piece(self, part)
  if self.current ~= part then return nil end
  local piece = take_piece(self)
  if piece == nil then
    self.current = nil -- the boundary is taken, the next part begins behind it
    return nil
  end
  part.size = part.size + #piece
  if part.size > self.limits.part_bytes then
    fail(self, ("a part has more than %d bytes"):format(self.limits.part_bytes), "limit")
  end
  return piece
end

---The next piece of the body, as it arrives.
---@return string? piece nil alone at the end of the part
---@return string? message
---@return string? code
function part_methods:piece()
  return guarded(self.reader, next_piece, self)
end

---The whole body, or what is left of it.
---@param limit? integer bytes at most, 65536 unless given
---@return string?
---@return string? message
---@return string? code "limit" when there is more
function part_methods:text(limit)
  limit = limit or 65536
  local pieces, size = {}, 0
  while true do
    local piece, message, code = self:piece()
    if message then return nil, message, code end
    if not piece then return table.concat(pieces) end
    size = size + #piece
    if size > limit then return nil, ("the field '%s' has more than %d bytes"):format(self.name, limit), "limit" end
    pieces[#pieces + 1] = piece
  end
end

return reader
