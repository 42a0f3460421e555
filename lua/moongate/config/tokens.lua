---Lua source as a list of tokens with their lines: what the source map reads.
---
---Only sources that LuaJIT has accepted come here, so nothing is checked; comments are left out.
local tokens = {}

---@class moongate.config.tokens
---@field kind string[] "name" | "string" | "number" | "sign"; keywords are signs
---@field text string[] as written; for strings the content where it has no escapes
---@field line integer[]
---@field count integer

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
until while]]):gmatch("%a+") do KEYWORDS[word] = true end

---Where a long bracket that opens at `from` ends, and its content; nil when none opens there.
local function long_bracket(source, from)
  local level = source:match("^%[(=*)%[", from)
  if not level then return nil end
  local first, last = source:find("]" .. level .. "]", from + #level + 2, true)
  if not first then return #source, "" end
  return last, source:sub(from + #level + 2, first - 1)
end

---Where a quoted string that opens at `from` ends.
local function quoted_end(source, from)
  local quote = source:sub(from, from)
  local at = from + 1
  while true do
    local found = source:find("[\\" .. quote .. "]", at)
    if not found then return #source end
    if source:sub(found, found) == quote then return found end
    at = found + 2
  end
end

local function unquote(literal)
  local content = literal:sub(2, -2)
  if not content:find("\\", 1, true) then return content end
  local read = loadstring("return " .. literal)
  return read and read() or content
end

local function lines_in(text)
  local _, count = text:gsub("\n", "")
  return count
end

---Skips a comment at `from` and returns where the source goes on, and the lines it took.
local function skip_comment(source, from)
  local last, content = long_bracket(source, from + 2)
  if last then return last + 1, lines_in(content) end
  return source:find("\n", from, true) or #source + 1, 0
end

---Reads one token at `at`: its kind, its text, its last position.
local function read_token(source, at)
  local first, last = source:find("^[%a_][%w_]*", at)
  if first then
    local word = source:sub(first, last)
    return KEYWORDS[word] and "sign" or "name", word, last
  end
  local char = source:sub(at, at)
  if char == '"' or char == "'" then
    last = quoted_end(source, at)
    return "string", unquote(source:sub(at, last)), last
  end
  local content
  last, content = long_bracket(source, at)
  if last then return "string", (content:gsub("^\r?\n", "")), last end
  first, last = source:find("^%.?%d[%w_.]*", at)
  if first then return "number", source:sub(first, last), last end
  last = source:match("^%.%.%.()", at) or source:match("^[=~<>]=()", at) or source:match("^%.%.()", at)
  last = last and last - 1 or at
  return "sign", source:sub(at, last), last
end

---Splits source into tokens.
---@param source string
---@return moongate.config.tokens
function tokens.read(source)
  local kind, text, line_of, count = {}, {}, {}, 0
  local at, line, size = source:find("^#") and (source:find("\n", 1, true) or #source + 1) or 1, 1, #source
  while true do
    at = source:find("[^ \t\r]", at)
    if not at or at > size then break end
    if source:byte(at) == 10 then
      line, at = line + 1, at + 1
    elseif source:find("^%-%-", at) then
      local taken
      at, taken = skip_comment(source, at)
      line = line + taken
    else
      local what, word, last = read_token(source, at)
      count = count + 1
      kind[count], text[count], line_of[count] = what, word, line
      if what == "string" and source:find("\n", at, true) then line = line + lines_in(source:sub(at, last)) end
      at = last + 1
    end
  end
  return { kind = kind, text = text, line = line_of, count = count }
end

return tokens
