---A stretch of Lua source as a list of tokens: what the source map reads.
---
---Only sources that LuaJIT has accepted come here, so nothing is checked. Tables are passed over, and are one
---token each; who wants to know what is in them reads that stretch.
local tokens = {}

local byte, find, match, sub = string.byte, string.find, string.match, string.sub

---@class moongate.config.tokens
---@field kind string[] "name" | "string" | "number" | "table" | "sign"; keywords are signs
---@field text (string|integer)[] as written; of a table, the position behind it
---@field at integer[] where it begins
---@field count integer

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
until while]]):gmatch("%a+") do KEYWORDS[word] = "sign" end
tokens.KEYWORDS = KEYWORDS

-- Signs that no other character makes longer. Comments are gone, and so are long brackets.
local SIGNS = {}
for sign in ("}(),;#[]+*/%^:-"):gmatch(".") do SIGNS[sign:byte()] = sign end

local BRACE, QUOTE = ('{"'):byte(1, 2)

---Reads a token at `at` that is neither a word nor a sign of one character: its kind, its text, the position behind.
local function read_other(source, text, at, char)
  if char == BRACE then
    local behind = match(text, "^%b{}()", at) or #text + 1
    return "table", behind, behind
  elseif char == QUOTE then
    local behind = match(text, "^\"'*()", at)
    return "string", sub(source, at, behind - 1), behind
  elseif find(text, "^%.?%d", at) then
    local number, behind = match(text, "^([%w_.]+)()", at)
    return "number", number, behind
  end
  local behind = match(text, "^%.%.%.()", at) or match(text, "^[=~<>]=()", at) or match(text, "^%.%.()", at) or at + 1
  return "sign", sub(text, at, behind - 1), behind
end

---Splits a stretch of source into tokens.
---@param source string
---@param text string its skeleton
---@param from integer
---@param last integer
---@return moongate.config.tokens
function tokens.read(source, text, from, last)
  local kind, words, at_of, count = {}, {}, {}, 0
  while true do
    local at, word, behind = match(text, "^%s*()([%w_]*)()", from)
    if at > last then break end
    local char, what = byte(text, at), KEYWORDS[word] or "name"
    if SIGNS[char] then
      what, word, behind = "sign", SIGNS[char], at + 1
    elseif word == "" or char < 58 then
      what, word, behind = read_other(source, text, at, char)
    end
    count = count + 1
    kind[count], words[count], at_of[count] = what, word, at
    from = behind
  end
  return { kind = kind, text = words, at = at_of, count = count }
end

---What a string literal stands for.
---@param literal string
---@return string
function tokens.content(literal)
  local plain = match(literal, "^[\"']([^\\]*)[\"']$")
  if plain then return plain end
  local read = loadstring("return " .. literal)
  return read and read() or literal
end

return tokens
