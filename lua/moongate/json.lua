---JSON: values to text and back. What is wrong comes back as nil and a message.
---
---     json.encode({ name = "ann", tags = json.array {}, note = json.null })
---     → {"name":"ann","note":null,"tags":[]}
---
---An empty table is an object unless it was made with `json.array`; keys are written in order.
local json = {}

local DEPTH_MOST = 100

---JSON's null, which nil cannot stand for inside tables.
json.null = require("cjson").null

local Array = {}

---Marks a table as a list, also when it is empty.
---@param list table
---@return table list the same
function json.array(list)
  return setmetatable(list, Array)
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(character)
  return ESCAPES[character] or ("\\u%04x"):format(character:byte())
end

local function encode_string(text)
  return '"' .. text:gsub('[%z\1-\31\\"\127]', escape) .. '"'
end

local function encode_number(number)
  if number ~= number or number == math.huge or number == -math.huge then
    error("JSON has no number for " .. tostring(number), 0)
  end
  if number % 1 == 0 and number > -1e15 and number < 1e15 then return ("%d"):format(number) end
  local short = ("%.14g"):format(number)
  return tonumber(short) == number and short or ("%.17g"):format(number)
end

local encode

local function encode_list(list, depth)
  local parts = {}
  for i = 1, #list do parts[i] = encode(list[i], depth) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function encode_object(object, depth)
  local names, parts = {}, {}
  for name in next, object do
    if type(name) ~= "string" then
      error(("JSON objects have names; the key %s is a %s"):format(tostring(name), type(name)), 0)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = encode_string(name) .. ":" .. encode(object[name], depth) end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function encode_table(value, depth)
  if depth >= DEPTH_MOST then error("tables are nested too deeply, or hold themselves", 0) end
  if getmetatable(value) == Array or value[1] ~= nil then return encode_list(value, depth + 1) end
  return encode_object(value, depth + 1)
end

function encode(value, depth)
  local kind = type(value)
  if kind == "string" then return encode_string(value) end
  if kind == "number" then return encode_number(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "table" then return encode_table(value, depth) end
  if value == nil or value == json.null then return "null" end
  error("JSON has no " .. kind, 0)
end

---Text for a value.
---@param value any
---@return string? text
---@return string? message
function json.encode(value)
  local ok, text = pcall(encode, value, 0)
  if ok then return text end
  return nil, text
end

---The value of a text. Lists arrive as tables, null as `json.null`.
---@param text string
---@return any value
---@return string? message
function json.decode(text)
  if type(text) ~= "string" then error("json.decode takes a text, not a " .. type(text), 2) end
  return require("cjson.safe").decode(text)
end

return json
