---Lua source without what could mislead a search: comments are spaces, and string literals are one `"` and as
---many `'` as there is more of them.
---
---     x = { "a{b", [[c]] } -- }        source
---     x = { "'''', "'''' }             skeleton
---
---Every position means the same in both, so what is found in the skeleton is changed in the source. Brackets in
---the skeleton are brackets of the language, and `%b{}` finds the one that closes.
local skeleton = {}

local byte, find, match, rep, sub = string.byte, string.find, string.match, string.rep, string.sub

local BRACKET, DASH = ("[-"):byte(1, 2)

---What to put in the place of something by its length, each made once.
local function fills(first, char)
  return setmetatable({}, { __index = function(known, length)
    known[length] = first .. rep(char, length - 1)
    return known[length]
  end })
end

---The last position of the long bracket that opens at `from`; nil when none opens there.
local function long_end(source, from)
  local level = match(source, "^%[(=*)%[", from)
  if not level then return nil end
  local _, last = find(source, "]" .. level .. "]", from + #level + 2, true)
  return last or #source
end

---The last position of the quoted string that opens at `from`.
local function quoted_end(source, from)
  local last = match(source, '^"[^"\\\n]*()"', from) or match(source, "^'[^'\\\n]*()'", from)
  if last then return last end
  local stop, at = "[\\\n" .. sub(source, from, from) .. "]", from + 1
  while true do
    local found = find(source, stop, at)
    if not found then return #source end
    if byte(source, found) ~= 92 then return found end
    at = found + 2
  end
end

---The last position of the comment that opens at `from`; nil when none opens there.
local function comment_end(source, from)
  if byte(source, from + 1) ~= DASH then return nil end
  return long_end(source, from + 2) or (find(source, "\n", from, true) or #source + 1) - 1
end

---@param source string
---@return string
function skeleton.of(source)
  local strings, spaces = fills('"', "'"), fills(" ", " ")
  local pieces, count, copied, at = {}, 0, 1, 1
  while true do
    local from = find(source, "[\"'%-%[]", at)
    if not from then break end
    local char, fill = byte(source, from), strings
    local last
    if char == BRACKET then
      last = long_end(source, from)
    elseif char == DASH then
      last, fill = comment_end(source, from), spaces
    else
      last = quoted_end(source, from)
    end
    if last then
      pieces[count + 1], pieces[count + 2] = sub(source, copied, from - 1), fill[last - from + 1]
      count, copied = count + 2, last + 1
    end
    at = (last or from) + 1
  end
  pieces[count + 1] = sub(source, copied)
  return table.concat(pieces)
end

return skeleton
