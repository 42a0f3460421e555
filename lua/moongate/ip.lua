---Addresses and blocks of addresses, IPv4 and IPv6: which block does this client belong to?
---
---     local blocks = ip.blocks()
---     blocks:add("10.0.0.0/8", "inside")
---     blocks:add("10.9.0.0/16", "guests")
---     blocks:find "10.9.1.1"                      → "guests": the most specific block decides
---     ip.set { "127.0.0.1", "2001:db8::/32" }:has "2001:db8::7"   → true
---
---A look-up asks one table for each length of prefix that occurs, however many blocks there are; what was found for
---the last few thousand addresses is kept. IPv4 addresses that are written as IPv6 (`::ffff:10.0.0.1`) are taken for
---what they are.
local addresses = require "moongate.config.addresses"

local ip = {}

---Answers that are kept; when there are more, all are forgotten.
local KEPT = 4096
---What stands for "no block" among them.
local NOWHERE = {}

-- Numbers -------------------------------------------------------------------------------------------------------------

---An address as three numbers that a double holds exactly: 48, 48 and 32 bits. IPv4 is the last one alone.
local function numbers_of(bits, units)
  if bits == 32 then
    return 32, ((units[1] * 256 + units[2]) * 256 + units[3]) * 256 + units[4], 0, 0
  end
  local high = (units[1] * 65536 + units[2]) * 65536 + units[3]
  local middle = (units[4] * 65536 + units[5]) * 65536 + units[6]
  local low = units[7] * 65536 + units[8]
  if high == 0 and middle == 65535 then return 32, low, 0, 0 end -- ::ffff:0:0/96, RFC 4291 section 2.5.5.2
  return 128, high, middle, low
end

---Clears the bits of a number behind the first `keep` of `width`.
local function mask(number, width, keep)
  if keep >= width then return number end
  if keep <= 0 then return 0 end
  local step = 2 ^ (width - keep)
  return number - number % step
end

---Where the block of that length in which an address lies is kept: two tables deep and a key.
local function place_of(length, bits, high, middle, low)
  if bits == 32 then return mask(high, 32, length), 0, 0 end
  return mask(high, 48, length), mask(middle, 48, length - 48), mask(low, 32, length - 96)
end

-- Blocks --------------------------------------------------------------------------------------------------------------

---@class moongate.ip.blocks
---@field count integer
---@field private lengths table<integer, integer[]> by bits of an address: the lengths that occur, longest first
---@field private tables table<integer, table> by bits, then by length
---@field private known table<string, any>
---@field private kept integer
local methods = {}
local Blocks = { __index = methods, __metatable = "moongate.ip.blocks" }

---An empty collection of blocks.
---@return moongate.ip.blocks
function ip.blocks()
  return setmetatable({
    count = 0, lengths = { [32] = {}, [128] = {} }, tables = { [32] = {}, [128] = {} }, known = {}, kept = 0,
  }, Blocks)
end

local function table_for(self, bits, length)
  local by_length = self.tables[bits]
  if not by_length[length] then
    by_length[length] = {}
    local lengths = self.lengths[bits]
    lengths[#lengths + 1] = length
    table.sort(lengths, function(a, b) return a > b end)
  end
  return by_length[length]
end

local function below(parent, key)
  if not parent[key] then parent[key] = {} end
  return parent[key]
end

---Says what belongs to a block. A block that is there already keeps what it has.
---@param text string "10.0.0.1", "10.0.0.0/8", "2001:db8::/32"
---@param value any not nil
---@return true? added
---@return string? message
---@return string? code "address" when it is none, "exists" when the block is there already
---@return any? existing what belongs to it then
function methods:add(text, value)
  if type(text) ~= "string" then error("blocks:add takes an address or a block as text", 2) end
  if value == nil then error("blocks:add takes what belongs to the block after it", 2) end
  local canonical, right = addresses.cidr(text)
  if not canonical then
    local remedy = right and ("; did you mean %s?"):format(right) or ""
    return nil, ("'%s' is no address and no block of addresses%s"):format(text, remedy), "address"
  end
  local address, length = canonical:match "^(.+)/(%d+)$"
  local _, written, units = addresses.ip(address)
  local bits, high, middle, low = numbers_of(written, units)
  length = math.max(0, tonumber(length) - (written - bits)) -- ::ffff:10.0.0.0/104 is 10.0.0.0/8
  local a, b, c = place_of(length, bits, high, middle, low)
  local last = below(below(table_for(self, bits, length), a), b)
  if last[c] ~= nil then return nil, ("'%s' is there already"):format(text), "exists", last[c] end
  last[c] = value
  self.count, self.known, self.kept = self.count + 1, {}, 0
  return true
end

local function look(self, text)
  local _, written, units = addresses.ip(text)
  if not written then return nil end
  local bits, high, middle, low = numbers_of(written, units)
  local lengths, tables = self.lengths[bits], self.tables[bits]
  for i = 1, #lengths do
    local length = lengths[i]
    local a, b, c = place_of(length, bits, high, middle, low)
    local first = tables[length][a]
    local second = first and first[b]
    local value = second and second[c]
    if value ~= nil then return value end
  end
  return nil
end

---What belongs to the most specific block in which an address lies.
---@param text string? an address; nil and what is none lie in no block
---@return any? value
function methods:find(text)
  if type(text) ~= "string" then return nil end
  local value = self.known[text]
  if value == nil then
    value = look(self, text)
    if self.kept >= KEPT then self.known, self.kept = {}, 0 end
    self.known[text], self.kept = value == nil and NOWHERE or value, self.kept + 1
  end
  if value == NOWHERE then return nil end
  return value
end

---Whether an address lies in any of the blocks.
---@param text string?
---@return boolean
function methods:has(text)
  return self:find(text) ~= nil
end

---A collection of blocks that are all alike. Blocks that come twice do no harm.
---@param list string[]
---@return moongate.ip.blocks? set
---@return string? message
---@return string? code "address"
function ip.set(list)
  if type(list) ~= "table" then error("ip.set takes a list of addresses and blocks", 2) end
  local set = ip.blocks()
  for i, text in ipairs(list) do
    if type(text) ~= "string" then error(("ip.set: entry %d is a %s, not a text"):format(i, type(text)), 2) end
    local added, message, code = set:add(text, true)
    if not added and code ~= "exists" then return nil, message, code end
  end
  return set
end

return ip
