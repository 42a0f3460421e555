---Network addresses as text: IPv4, IPv6, ports, CIDR blocks, host names.
---
---Everything is brought to one spelling (lower case, shortest IPv6 of RFC 5952), so that equal
---addresses are equal strings and duplicates can be seen.
local addresses = {}

---The longest path of a UNIX socket: sun_path of Linux holds 108 bytes, one of them the final NUL.
addresses.LONGEST_SOCKET_PATH = 107

---@param text string
---@return string? canonical dotted quad
---@return integer[]? octets
function addresses.ipv4(text)
  local octets = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
  if #octets ~= 4 then return nil end
  for i, octet in ipairs(octets) do
    -- A leading zero means octal to some readers and decimal to others.
    if #octet > 3 or (#octet > 1 and octet:sub(1, 1) == "0") then return nil end
    octets[i] = tonumber(octet)
    if octets[i] > 255 then return nil end
  end
  return text, octets
end

---The 16-bit groups of a colon-separated half of an IPv6 address, or nil.
local function groups_of(half)
  local groups = {}
  if half == "" then return groups end
  local pieces = {}
  for piece in (half .. ":"):gmatch("([^:]*):") do pieces[#pieces + 1] = piece end
  for i, piece in ipairs(pieces) do
    local _, octets = addresses.ipv4(piece)
    if octets and i == #pieces then
      groups[#groups + 1] = octets[1] * 256 + octets[2]
      groups[#groups + 1] = octets[3] * 256 + octets[4]
    elseif piece:match("^%x%x?%x?%x?$") then
      groups[#groups + 1] = tonumber(piece, 16)
    else
      return nil
    end
  end
  return groups
end

---The longest run of zero groups (at least two), as RFC 5952 §4.2 shortens it.
local function longest_zeros(groups)
  local first, length = nil, 1
  local i = 1
  while i <= 8 do
    local j = i
    while j <= 8 and groups[j] == 0 do j = j + 1 end
    if j - i > length then first, length = i, j - i end
    i = math.max(j, i + 1)
  end
  return first, length
end

local function write_ipv6(groups)
  local hex = {}
  for i = 1, 8 do hex[i] = ("%x"):format(groups[i]) end
  local first, length = longest_zeros(groups)
  if not first then return table.concat(hex, ":") end
  return table.concat(hex, ":", 1, first - 1) .. "::" .. table.concat(hex, ":", first + length, 8)
end

---@param text string without brackets
---@return string? canonical
---@return integer[]? groups eight of 16 bits
function addresses.ipv6(text)
  -- Most of what is asked about is a name.
  if not text:find(":", 1, true) then return nil end
  local left, right = text:match("^(.-)::(.*)$")
  if left and right:find("::", 1, true) then return nil end
  local head = groups_of(left or text)
  local tail = groups_of(right or "")
  if not head or not tail then return nil end
  if left and left:find(".", 1, true) then return nil end
  local missing = 8 - #head - #tail
  if left and missing < 1 or not left and missing ~= 0 then return nil end
  for _ = 1, missing do head[#head + 1] = 0 end
  for _, group in ipairs(tail) do head[#head + 1] = group end
  return write_ipv6(head), head
end

---Either kind of address.
---@param text string
---@return string? canonical
---@return integer? bits 32 or 128
---@return integer[]? units octets or 16-bit groups
function addresses.ip(text)
  local canonical, units = addresses.ipv4(text)
  if canonical then return canonical, 32, units end
  canonical, units = addresses.ipv6(text)
  if canonical then return canonical, 128, units end
end

---Clears what lies behind the first `length` bits.
local function masked(units, width, length)
  local out = {}
  for i, unit in ipairs(units) do
    local keep = math.max(0, math.min(width, length - (i - 1) * width))
    local step = 2 ^ (width - keep)
    out[i] = unit - unit % step
  end
  return out
end

---A block of addresses: "10.0.0.0/8", "::1", "fd00::/8".
---@param text string
---@return string? canonical always with the length of its prefix
---@return string? right the block that was probably meant
function addresses.cidr(text)
  local address, length = text:match("^([^/]+)/(%d%d?%d?)$")
  local canonical, bits, units = addresses.ip(address or text)
  if not canonical then return nil end
  length = length and tonumber(length) or bits
  if length > bits then return nil end
  local block
  if bits == 32 then
    block = table.concat(masked(units, 8, length), ".")
  else
    block = write_ipv6(masked(units, 16, length))
  end
  block = block .. "/" .. length
  if block ~= canonical .. "/" .. length then return nil, block end
  return block
end

---A name as DNS knows it; underscores are let through since service discovery uses them.
---@param text string
---@return string? canonical lower case, without the final dot
function addresses.name(text)
  local name = text:lower():gsub("%.$", "")
  if name == "" or #name > 253 then return nil end
  for label in (name .. "."):gmatch("([^.]*)%.") do
    if #label > 63 or not label:match("^[%w_][%w_-]*$") or label:sub(-1) == "-" then return nil end
  end
  -- Digits alone in the last label would be an address, and a broken one (WHATWG URL does the same).
  if name:match("%.?%d+$") and name:match("([^.]+)$"):match("^%d+$") then return nil end
  return name
end

---@param text string
---@return integer?
function addresses.port(text)
  if not text:match("^%d%d?%d?%d?%d?$") then return nil end
  local port = tonumber(text)
  if port > 65535 then return nil end
  return port
end

---Splits "host:port" and "[v6]:port"; the port may be absent.
---@param text string
---@return string? host without brackets
---@return string? port
---@return boolean? bracketed
function addresses.split(text)
  local host, port = text:match("^%[([^%[%]]*)%]:?(%d*)$")
  if host then return host, port, true end
  host, port = text:match("^([^:]*):(%d*)$")
  if host then return host, port, false end
  if not text:find(":", 1, true) then return text, "", false end
end

---Joins what `split` took apart.
---@param host string
---@param port integer
---@return string
function addresses.join(host, port)
  if host:find(":", 1, true) then host = "[" .. host .. "]" end
  return host .. ":" .. port
end

return addresses
