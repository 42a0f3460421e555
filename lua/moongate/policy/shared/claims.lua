---What a token says of its bearer: claims found by name or by path, and written as text.
local json = require "moongate.json"

local claims = {}

---A claim by its whole name ("https://example.com/roles"), else by a path through objects ("realm_access.roles").
---@param all table
---@param name string
---@return any value nil for JSON's null, too
function claims.get(all, name)
  local value = all[name]
  if value == nil and name:find(".", 1, true) then
    value = all
    for step in name:gmatch "[^.]+" do
      if type(value) ~= "table" then return nil end
      value = value[step]
    end
  end
  if value == json.null then return nil end
  return value
end

---Claims that hold several words in one text (RFC 8693 section 4.2). Others may hold what their bearer has chosen,
---so their words count for nothing.
local OF_WORDS = { scope = true, scp = true }

---The values of a claim: the entries of a list, the words of a scope, or the one that it is.
---@param all table
---@param name string
---@return table<string, true> values
function claims.values(all, name)
  local value, set = claims.get(all, name), {}
  if type(value) == "table" then
    for _, one in ipairs(value) do set[tostring(one)] = true end
  elseif type(value) == "string" and OF_WORDS[name] then
    for word in value:gmatch "%S+" do set[word] = true end
  elseif value ~= nil then
    set[tostring(value)] = true
  end
  return set
end

local function scalar(value)
  if type(value) == "number" then return (json.encode(value)) end
  return tostring(value)
end

---A claim as the value of a header: lists with commas between, objects as JSON. Nil when there is none.
---@param value any
---@return string?
function claims.text(value)
  if value == nil then return nil end
  local text
  if type(value) == "table" and type(value[1]) ~= "table" and value[1] ~= nil then
    local parts = {}
    for i, one in ipairs(value) do parts[i] = scalar(one) end
    text = table.concat(parts, ",")
  elseif type(value) == "table" then
    text = json.encode(value)
  else
    text = scalar(value)
  end
  return text and (text:gsub("%c", " "))
end

return claims
