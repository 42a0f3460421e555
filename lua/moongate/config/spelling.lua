---The nearest right name for one that is wrong, and how values are shown in messages.
local spelling = {}

---How many single-letter edits (insert, delete, replace, swap of neighbours) lead from one word to another.
---@param from string
---@param to string
---@return integer
function spelling.distance(from, to)
  local before, row = {}, {}
  for j = 0, #to do row[j] = j end
  for i = 1, #from do
    local older
    older, before, row = before, row, { [0] = i }
    for j = 1, #to do
      local same = from:byte(i) == to:byte(j)
      local best = math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (same and 0 or 1))
      local swapped = i > 1 and j > 1 and from:byte(i) == to:byte(j - 1) and from:byte(i - 1) == to:byte(j)
      row[j] = swapped and math.min(best, older[j - 2] + 1) or best
    end
  end
  return row[#to]
end

---Whether one word merely begins the other, as "listen" begins "listeners".
local function begins(short, long)
  return #short >= 4 and long:sub(1, #short) == short
end

---The known name that was probably meant.
---@param name any
---@param known string[]
---@return string?
function spelling.nearest(name, known)
  if type(name) ~= "string" or #name > 64 then return nil end
  local plain = name:lower():gsub("%-", "_")
  local best, best_distance
  for _, candidate in ipairs(known) do
    local distance = spelling.distance(plain, candidate:lower())
    if begins(plain, candidate) or begins(candidate, plain) then distance = math.min(distance, 1) end
    if distance <= math.max(1, math.floor(#plain / 3)) and (not best or distance < best_distance) then
      best, best_distance = candidate, distance
    end
  end
  return best
end

---The tail of a message about a wrong name: the nearest right one, or all of them.
---@param name any
---@param known string[]
---@return string
function spelling.remedy(name, known)
  local nearest = spelling.nearest(name, known)
  if nearest then return ("; did you mean '%s'?"):format(nearest) end
  if #known == 0 then return "" end
  return "; known here: " .. table.concat(known, ", ")
end

---A value as a message shows it.
---@param value any
---@return string
function spelling.show(value)
  local kind = type(value)
  if kind == "string" then
    if #value > 60 then value = value:sub(1, 57) .. "..." end
    return '"' .. value:gsub('[%c"\\]', function(char)
      if char == '"' or char == "\\" then return "\\" .. char end
      return ("\\%d"):format(char:byte())
    end) .. '"'
  end
  if kind == "number" then return ("%.14g"):format(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "nil" then return "nothing" end
  return "a " .. kind
end

---Words as a sentence lists them: "a, b or c".
---@param words string[]
---@param last string the word before the last one
---@return string
function spelling.listing(words, last)
  if #words < 2 then return words[1] or "" end
  return table.concat(words, ", ", 1, #words - 1) .. " " .. last .. " " .. words[#words]
end

return spelling
