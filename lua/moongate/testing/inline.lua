---Lua functions and tables as source text, so that a test can write the proxy's configuration as a table with handlers
---in it although the proxy is another process.

local inline = {}

---@class moongate.testing.verbatim
---@field source string
local Verbatim = {}
Verbatim.__index = Verbatim

---Source text that stands in configuration as it is.
---@param source string
---@return moongate.testing.verbatim
function inline.verbatim(source)
  return setmetatable({ source = source }, Verbatim)
end

---@param value any
---@return boolean
function inline.is_verbatim(value)
  return getmetatable(value) == Verbatim
end

-- Functions ---------------------------------------------------------------------------------------------------------

---The lines of the file in which a function stands.
local function lines_of(info)
  local path = info.source:match "^@(.+)$"
  local file = path and io.open(path, "r")
  if not file then return nil end
  local lines, number = {}, 0
  for line in file:lines() do
    number = number + 1
    if number >= info.linedefined and number <= info.lastlinedefined then lines[#lines + 1] = line end
  end
  file:close()
  return lines
end

---Every position of a word in a line.
local function positions(line, word)
  local found = {}
  for at in (" " .. line .. " "):gmatch("()%f[%w_]" .. word .. "%f[^%w_]") do found[#found + 1] = at - 1 end
  return found
end

---Every part of these lines that is a function and compiles.
local function candidates(lines)
  local found = {}
  for _, from in ipairs(positions(lines[1], "function")) do
    for _, to in ipairs(positions(lines[#lines], "end")) do
      local part = { unpack(lines) }
      part[#part] = part[#part]:sub(1, to + 2)
      part[1] = part[1]:sub(from)
      local text = table.concat(part, "\n"):gsub("^function%s+[%w_.:]+", "function")
      local chunk = loadstring("return " .. text)
      if chunk then found[#found + 1] = { text = text, fn = chunk() } end
    end
  end
  return found
end

---The source text of a function without upvalues. Which of several functions on a line it is, its bytecode decides.
---@param fn function
---@return string|nil
---@return string? message
function inline.function_text(fn)
  local upvalue = debug.getupvalue(fn, 1)
  if upvalue then
    return nil, ("the function uses the local variable '%s' from outside, but it will run in another process"):format(
      upvalue)
  end
  local info = debug.getinfo(fn, "S")
  local lines = info.what ~= "C" and lines_of(info)
  if not lines or not lines[1] then return nil, "the function has no source text" end
  local found = candidates(lines)
  local wanted = string.dump(fn, true)
  for _, candidate in ipairs(found) do
    if type(candidate.fn) == "function" and string.dump(candidate.fn, true) == wanted then return candidate.text end
  end
  if #found == 1 then return found[1].text end
  return nil, "the function's source text could not be found; write it as testing.lua [[ … ]]"
end

-- Tables ------------------------------------------------------------------------------------------------------------

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch "%a+" do
  keywords[word] = true
end

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" and not keywords[key] then return key end
  return "[" .. (type(key) == "string" and ("%q"):format(key) or tostring(key)) .. "]"
end

---Keys that are not part of the list, in an order that is always the same.
local function other_keys(value)
  local keys = {}
  for key in pairs(value) do
    if not (type(key) == "number" and key >= 1 and key <= #value) then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local text_of

local function table_text(value, path, indent)
  local inner, lines = indent .. "  ", {}
  for i = 1, #value do
    lines[#lines + 1] = inner .. text_of(value[i], ("%s[%d]"):format(path, i), inner) .. ","
  end
  for _, key in ipairs(other_keys(value)) do
    local below = path == "" and tostring(key) or path .. "." .. tostring(key)
    lines[#lines + 1] = inner .. key_text(key) .. " = " .. text_of(value[key], below, inner) .. ","
  end
  if #lines == 0 then return "{}" end
  return "{\n" .. table.concat(lines, "\n") .. "\n" .. indent .. "}"
end

function text_of(value, path, indent)
  local kind = type(value)
  if inline.is_verbatim(value) then return value.source end
  if kind == "string" then return (("%q"):format(value):gsub("\\\n", "\\n"):gsub("\r", "\\r"):gsub("%z", "\\0")) end
  if kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then return value > 0 and "math.huge" or "0/0" end
    return ("%.17g"):format(value)
  end
  if kind == "boolean" then return tostring(value) end
  if kind == "table" then
    if (getmetatable(value) or {}).__tostring then return ("%q"):format(tostring(value)) end
    return table_text(value, path, indent)
  end
  if kind == "function" then
    local text, why = inline.function_text(value)
    if text then return text end
    error(("%s: %s"):format(path, why), 0)
  end
  error(("%s: a %s cannot be written as source text"):format(path, kind), 0)
end

---A value as Lua source. Objects with a text form (origins) become that text.
---@param value any
---@return string
function inline.text(value)
  return text_of(value, "", "")
end

return inline
