---Durations and sizes as people write them: "30s", "16k".
---
---A reader returns the number, or nil and, where one can be guessed, the text that would be right.
local units = {}

local MILLISECONDS = { ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }
local BYTES = { [""] = 1, k = 1024, m = 1024 ^ 2, g = 1024 ^ 3 }

---What people write from habit, and what it is called here.
local LONG_DURATIONS = {
  msec = "ms", millisecond = "ms", sec = "s", second = "s", min = "m", minute = "m",
  hr = "h", hour = "h", day = "d",
}
local LONG_SIZES = {
  b = "", byte = "", kb = "k", kib = "k", mb = "m", mib = "m", gb = "g", gib = "g",
}

---The longest wait that may be configured; it fits into 31 bits of milliseconds.
units.LONGEST = 24 * MILLISECONDS.d
---The largest size: what a double still counts byte by byte.
units.LARGEST = 2 ^ 53

local function is_finite(number)
  return number == number and number < math.huge and number > -math.huge
end

---The right spelling of a number with a unit that is nearly right, or nil.
local function respell(text, known, long)
  local number, unit = text:match("^%s*(%d+%.?%d*)%s*(%a*)%s*$")
  if not number then return nil end
  unit = unit:lower()
  local right = known[unit] and unit or long[unit] or long[unit:gsub("s$", "")]
  return right and number .. right
end

---Reads a duration: a number of seconds, or text with a unit (ms, s, m, h, d).
---@param value any
---@return integer? milliseconds
---@return string? right the spelling that was probably meant
function units.duration(value)
  if type(value) == "number" then
    if not is_finite(value) or value < 0 then return nil end
    return math.floor(value * 1000 + 0.5)
  end
  if type(value) ~= "string" then return nil end
  local number, unit = value:match("^(%d+%.?%d*)(%a+)$")
  local scale = number and MILLISECONDS[unit]
  if scale then return math.floor(tonumber(number) * scale + 0.5) end
  if value:match("^%d+%.?%d*$") then return nil, value .. "s" end
  return nil, respell(value, MILLISECONDS, LONG_DURATIONS)
end

---Reads a size: a number of bytes, or text with a unit (k, m, g: powers of 1024).
---@param value any
---@return integer? bytes
---@return string? right the spelling that was probably meant
function units.size(value)
  if type(value) == "number" then
    if not is_finite(value) or value < 0 or value % 1 ~= 0 then return nil end
    return value
  end
  if type(value) ~= "string" then return nil end
  local number, unit = value:match("^(%d+)(%a?)$")
  local scale = number and BYTES[unit]
  if scale then return tonumber(number) * scale end
  return nil, respell(value, BYTES, LONG_SIZES)
end

---Writes milliseconds the way a configuration would: 90000 is "90s".
---@param milliseconds integer
---@return string
function units.show_duration(milliseconds)
  for _, unit in ipairs { "d", "h", "m", "s" } do
    local scale = MILLISECONDS[unit]
    if milliseconds >= scale and milliseconds % scale == 0 then return milliseconds / scale .. unit end
  end
  return milliseconds .. "ms"
end

---Writes bytes the way a configuration would: 16384 is "16k".
---@param bytes integer
---@return string
function units.show_size(bytes)
  for _, unit in ipairs { "g", "m", "k" } do
    local scale = BYTES[unit]
    if bytes >= scale and bytes % scale == 0 then return bytes / scale .. unit end
  end
  return ("%.0f"):format(bytes)
end

return units
