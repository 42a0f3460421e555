---What was said in a scenario, kept to be shown when it fails: when, who, which way, and the bytes, escaped and
---shortened. Bytes that one side sends in a row are one entry, however many writes they took.

local sys = require "moongate.testing.sys"

local HEAD, TAIL = 1200, 200 -- of a long run of bytes, so much is shown of its start and its end
local ENTRIES = 400          -- of a long conversation, so many entries are shown

---@class moongate.testing.transcript
---@field entries table[]
---@field dropped integer
local Transcript = {}
Transcript.__index = Transcript

local transcript = {}

---@return moongate.testing.transcript
function transcript.new()
  return setmetatable({ started = sys.now(), entries = {}, dropped = 0 }, Transcript)
end

local names = { ["\r"] = "\\r", ["\n"] = "\\n", ["\t"] = "\\t", ["\\"] = "\\\\" }

---Bytes as people can read them: control characters and what is not ASCII escaped as in Lua source.
---@param bytes string
---@return string
function transcript.escape(bytes)
  return (bytes:gsub('[%c\\\127-\255]', function(c) return names[c] or ("\\x%02x"):format(c:byte()) end))
end

---The same, at most `most` bytes of it.
---@param bytes string
---@param most? integer
---@return string
function transcript.excerpt(bytes, most)
  most = most or 80
  if #bytes <= most then return '"' .. transcript.escape(bytes) .. '"' end
  return ('"%s" and %d bytes more'):format(transcript.escape(bytes:sub(1, most)), #bytes - most)
end

function Transcript:push(entry)
  local entries = self.entries
  entries[#entries + 1] = entry
  if #entries > ENTRIES then
    table.remove(entries, 1)
    self.dropped = self.dropped + 1
  end
end

---Remembers a sentence: that something was opened, closed, started.
---@param who string
---@param text string
function Transcript:note(who, text)
  self:push { at = sys.now() - self.started, who = who, text = text }
end

---Keeps the first HEAD and the last TAIL bytes.
local function keep(entry, bytes)
  entry.total, entry.pieces = entry.total + #bytes, entry.pieces + 1
  if #entry.head < HEAD then
    local room = HEAD - #entry.head
    entry.head, bytes = entry.head .. bytes:sub(1, room), bytes:sub(room + 1)
  end
  if #bytes > 0 then entry.tail = (entry.tail .. bytes:sub(-TAIL)):sub(-TAIL) end
end

---Remembers bytes.
---@param who string
---@param way "sent"|"received"
---@param bytes string
function Transcript:bytes(who, way, bytes)
  local last = self.entries[#self.entries]
  if not last or last.who ~= who or last.way ~= way then
    last = { at = sys.now() - self.started, who = who, way = way, head = "", tail = "", total = 0, pieces = 0 }
    self:push(last)
  end
  keep(last, bytes)
end

---One line of output for each line of the bytes.
local function show_bytes(lines, bytes)
  for line in bytes:gmatch "[^\n]*\n?" do
    if line ~= "" then lines[#lines + 1] = "             | " .. transcript.escape(line) end
  end
end

local function show(lines, entry)
  if entry.text then
    lines[#lines + 1] = ("  %8.3f  %s: %s"):format(entry.at, entry.who, entry.text)
    return
  end
  local pieces = entry.pieces > 1 and (" in %d pieces"):format(entry.pieces) or ""
  lines[#lines + 1] = ("  %8.3f  %s %s %d bytes%s"):format(entry.at, entry.who, entry.way, entry.total, pieces)
  show_bytes(lines, entry.head)
  local left_out = entry.total - #entry.head - #entry.tail
  if left_out > 0 then lines[#lines + 1] = ("             … %d bytes …"):format(left_out) end
  show_bytes(lines, entry.tail)
end

---The whole conversation.
---@return string
function Transcript:text()
  local lines = {}
  if self.dropped > 0 then lines[1] = ("  … %d earlier entries …"):format(self.dropped) end
  for _, entry in ipairs(self.entries) do show(lines, entry) end
  return table.concat(lines, "\n")
end

---One that forgets everything.
transcript.none = { note = function() end, bytes = function() end, text = function() return "" end }

return transcript
