---The fields at the head of a part, and parameters of fields (RFC 9110 section 5.6.6), read strictly: what two readers
---might understand in two ways is refused.
local fields = {}

local TOKEN = "[A-Za-z0-9!#$%%&'*+.^_`|~-]+"

---A backslash stands before a quote or another backslash; before anything else it is itself, as in Windows' paths.
local function unquote(text)
  return (text:gsub("\\([\"\\])", "%1"))
end

---The end of a quoted text whose quote is at `at`, and what it holds.
local function read_quoted(text, at)
  local stop = at
  repeat
    stop = text:find('["\\]', stop + 1)
    local escape = stop and text:sub(stop, stop) == "\\"
    if escape and text:find('^["\\]', stop + 1) then stop = stop + 1 end
  until not stop or not escape
  if not stop then return nil end
  return stop + 1, unquote(text:sub(at + 1, stop - 1))
end

---The parameters behind a value, by their names in lower case.
---@param text string from the first ";" on
---@return table<string, string>? parameters nil when they are malformed or one comes twice
function fields.parameters(text)
  local found, at = {}, 1
  while not text:find("^[ \t;]*$", at) do
    local name, after = text:match("^[ \t]*;[ \t]*(" .. TOKEN .. ")=()", at)
    if not name then return nil end
    local value
    if text:find('^"', after) then
      at, value = read_quoted(text, after)
    else
      value, at = text:match("^(" .. TOKEN .. ")()", after)
    end
    name = name:lower()
    if not value or found[name] then return nil end
    found[name] = value
  end
  return found
end

---A field's value and its parameters.
---@param text string as in `form-data; name="x"`
---@return string? value lower case
---@return table<string, string>? parameters
function fields.split(text)
  local value, rest = text:match "^[ \t]*([^; \t]+)[ \t]*(.*)$"
  local parameters = value and fields.parameters(rest)
  if not parameters then return nil end
  return value:lower(), parameters
end

---The fields of a head, by their names in lower case.
---@param text string lines without the empty one at the end
---@return table<string, string>?
---@return string? message
function fields.parse(text)
  local found = {}
  for line in (text .. "\r\n"):gmatch "(.-)\r\n" do
    local name, value = line:match("^(" .. TOKEN .. "):[ \t]*(.-)[ \t]*$")
    if not name then return nil, "a part's head has a line that is no field" end
    if value:find "[%z\1-\8\10-\31\127]" then return nil, "a part's head has control characters" end
    name = name:lower()
    if found[name] then return nil, ("a part has the field %s twice"):format(name) end
    found[name] = value
  end
  return found
end

return fields
