---Host names as sites list them: lower case, ASCII (punycode of RFC 3492), without a port.
local addresses = require "moongate.config.addresses"

local hosts = {}

-- RFC 3492 §5, the parameters of punycode.
local BASE, TMIN, TMAX, SKEW, DAMP, INITIAL_BIAS, INITIAL_N = 36, 1, 26, 38, 700, 72, 128

---The code points of UTF-8 text, or nil when it is none.
local function code_points(text)
  local points, i = {}, 1
  while i <= #text do
    local lead = text:byte(i)
    local extra = lead < 0x80 and 0 or lead >= 0xC2 and lead < 0xE0 and 1
      or lead >= 0xE0 and lead < 0xF0 and 2 or lead >= 0xF0 and lead < 0xF5 and 3
    if not extra then return nil end
    local point = extra == 0 and lead or lead % 2 ^ (6 - extra)
    for j = i + 1, i + extra do
      local byte = text:byte(j)
      if not byte or byte < 0x80 or byte > 0xBF then return nil end
      point = point * 64 + byte % 64
    end
    points[#points + 1] = point
    i = i + extra + 1
  end
  return points
end

---Lower case for the scripts that have it and are common in names: Latin-1, Greek, Cyrillic.
local function lower_point(point)
  if point >= 0x41 and point <= 0x5A then return point + 32 end
  if point >= 0xC0 and point <= 0xDE and point ~= 0xD7 then return point + 32 end
  if point >= 0x391 and point <= 0x3A9 then return point + 32 end
  if point >= 0x410 and point <= 0x42F then return point + 32 end
  if point >= 0x400 and point <= 0x40F then return point + 80 end
  return point
end

local function adapt(delta, count, first)
  delta = first and math.floor(delta / DAMP) or math.floor(delta / 2)
  delta = delta + math.floor(delta / count)
  local k = 0
  while delta > (BASE - TMIN) * TMAX / 2 do
    delta = math.floor(delta / (BASE - TMIN))
    k = k + BASE
  end
  return k + math.floor((BASE - TMIN + 1) * delta / (delta + SKEW))
end

local function digit(value)
  return string.char(value < 26 and value + 97 or value - 26 + 48)
end

---Appends a delta as a variable-length integer (RFC 3492 §3.3).
local function put_delta(out, delta, bias)
  local k = BASE
  while true do
    local threshold = math.max(TMIN, math.min(TMAX, k - bias))
    if delta < threshold then break end
    out[#out + 1] = digit(threshold + (delta - threshold) % (BASE - threshold))
    delta = math.floor((delta - threshold) / (BASE - threshold))
    k = k + BASE
  end
  out[#out + 1] = digit(delta)
end

---The smallest code point that is not yet encoded.
local function next_point(points, at_least)
  local smallest = math.huge
  for _, point in ipairs(points) do
    if point >= at_least and point < smallest then smallest = point end
  end
  return smallest
end

---Punycode of code points (RFC 3492 §6.3).
local function encode(points)
  local out = {}
  for _, point in ipairs(points) do
    if point < 128 then out[#out + 1] = string.char(point) end
  end
  local basic = #out
  local handled, n, delta, bias = basic, INITIAL_N, 0, INITIAL_BIAS
  if basic > 0 then out[#out + 1] = "-" end
  while handled < #points do
    local smallest = next_point(points, n)
    delta = delta + (smallest - n) * (handled + 1)
    n = smallest
    for _, point in ipairs(points) do
      if point < n then delta = delta + 1 end
      if point == n then
        put_delta(out, delta, bias)
        bias = adapt(delta, handled + 1, handled == basic)
        delta, handled = 0, handled + 1
      end
    end
    delta, n = delta + 1, n + 1
  end
  return table.concat(out)
end

---The ASCII form of one label.
local function to_ascii(label)
  if not label:find("[\128-\255]") then return label end
  local points = code_points(label)
  if not points then return nil end
  for i, point in ipairs(points) do points[i] = lower_point(point) end
  return "xn--" .. encode(points)
end

---@param text string
---@return string? ascii lower case; nil when the text is no UTF-8
function hosts.ascii(text)
  if not text:find("[\128-\255]") then return text:lower() end
  local labels = {}
  for label in (text .. "."):gmatch("([^.]*)%.") do
    local ascii = to_ascii(label:lower())
    if not ascii then return nil end
    labels[#labels + 1] = ascii
  end
  return table.concat(labels, ".")
end

---One spelling for the host of a site: "example.com", "*.example.com", "10.0.0.1", "[::1]".
---@param text string
---@return string? canonical
---@return string? remedy the rest of a sentence
function hosts.canonical(text)
  if text == "*" then return nil, "leave 'hosts' away for the site that takes every other host" end
  if text:find("/", 1, true) then return nil, "it takes neither a scheme nor a path" end
  local bare, port = addresses.split(text)
  if bare and port ~= "" and bare ~= "" then
    local host = text:sub(1, -#port - 2)
    return nil, ("a site is for every port; write \"%s\""):format(host)
  end
  local v6 = addresses.ipv6(bare or text)
  if v6 then return "[" .. v6 .. "]" end
  if addresses.ipv4(text) then return text end
  local prefix, rest = text:match("^(%*%.)(.*)$")
  if rest == nil and text:find("*", 1, true) then
    return nil, "a wildcard stands for whole labels at the front: \"*.example.com\""
  end
  local ascii = hosts.ascii(rest or text)
  local name = ascii and addresses.name(ascii)
  if not name then return nil end
  return (prefix or "") .. name
end

return hosts
