---Makes an equal program of smaller functions from one that is too large for LuaJIT.
---
---A function holds at most 65,536 constants of a kind, and a jump passes at most 32,767 instructions: a
---generated configuration with some ten thousand sites breaks both. So runs of statements, and the items
---of large tables, become functions that are called where they stand.
---
---     if x then                        if x then do local part = function()
---       sites[1] = {…}                   sites[1] = {…}
---       sites[2] = {…}                   sites[2] = {…} end part() end
---     end                              end
---
---     sites = {                        sites = (function() local list = {}
---       {…}, {…},                        do local part = function() list[1] = {…}; list[2] = {…} end part() end;
---     }                                return list end)()
---
---Local variables are shared with the parts. No line is added (the right sides above are longer than they
---are), so every error and every function keeps its line. What would mean something else in a function of its
---own stays: `local`, `return`, a `break` or `goto` that leaves, `...`, `setfenv` and `getfenv`.
---
---Where the text is not Lua the rewriting ends, and the compiler will say what is wrong there.
local skeleton = require "moongate.config.skeleton"

local splitting = {}

local byte, find, match, sub = string.byte, string.find, string.match, string.sub

-- In bytes of source. Nothing takes more instructions or constants than it has bytes, so that what is shorter
-- than WHOLE is never too large, and handlers are left as they are.
local PART, WHOLE = 16384, 32000
-- A function reaches at most 60 variables of those around it.
local MOST_VARIABLES = 50
-- LuaJIT gives up at 200.
local MOST_LEVELS = 200

local BROKEN = {}

local BRACE, QUOTE, COMMA, COLON, DOT = ('{",:.'):byte(1, 5)
local BALANCED = { [BRACE] = "^%b{}()", [("("):byte()] = "^%b()()", [("["):byte()] = "^%b[]()" }
local ENDS_LIST = {}
for i = 1, 4 do ENDS_LIST[(";)}]"):byte(i)] = true end

-- What words other than names and constants do to a list of expressions.
local GOES_ON, STOPS, FUNCTION, LEVEL = 1, 2, 3, 4
local ROLES = { ["function"] = FUNCTION, setfenv = LEVEL, getfenv = LEVEL }
for word in ("and or not in"):gmatch("%a+") do ROLES[word] = GOES_ON end
for word in ("break do else elseif end for if local repeat return then until while"):gmatch("%a+") do
  ROLES[word] = STOPS
end

---@class moongate.config.cutter
---@field text string the skeleton
---@field count integer how many places may be changed
---@field at integer[] where, in ascending order
---@field length integer[] how many bytes go there
---@field put (string|false)[] what comes instead; false when nothing changes
---@field holds integer how much was passed that must stay in its function
---@field breaks integer how many `break` were passed that leave the statement
---@field saved integer bytes that are in parts already
---@field depth integer
---@field list string a name that the source does not have
---@field borrowing boolean whether anything in the source may be held
---@field variables table<string, boolean>? names of local variables, when there are many
local cutter = {}
cutter.__index = cutter

---Notes a place that may be changed; what comes there is put[index] later.
function cutter:mark(at, length)
  local index = self.count + 1
  self.count = index
  self.at[index], self.length[index], self.put[index] = at, length, false
  return index
end

function cutter:deeper()
  self.depth = self.depth + 1
  if self.depth > MOST_LEVELS then error(BROKEN, 0) end
end

---Passes a word that must come next.
function cutter:word(at, wanted)
  local word, behind = match(self.text, "^%s*([%w_]*)()", at)
  if word ~= wanted then error(BROKEN, 0) end
  return behind
end

---Whether a stretch of balanced brackets has `...` or a call by level that means the function around it.
local function borrows(text)
  if not find(text, "...", 1, true) and not find(text, "etfenv", 1, true) then return false end
  local open, count, functions = {}, 0, 0
  for word in text:gsub("%.%.%.", " setfenv "):gmatch("[%a_][%w_]*") do
    local role = ROLES[word]
    if role == FUNCTION or word == "if" or word == "do" or word == "repeat" then
      count = count + 1
      open[count] = role == FUNCTION and 1 or 0
      functions = functions + open[count]
    elseif word == "end" or word == "until" then
      functions = functions - (open[count] or 0)
      count = count - 1
    elseif role == LEVEL and functions == 0 then
      return true
    end
  end
  return false
end

---Counts the local variables in a stretch that are not yet in `seen`.
function cutter:count_variables(from, behind, seen)
  local variables, count = self.variables, 0
  if not variables then return 0 end
  for word in sub(self.text, from, behind - 1):gmatch("[%a_][%w_]*") do
    if variables[word] and not seen[word] then
      seen[word] = true
      count = count + 1
    end
  end
  return count
end

---Passes what is in brackets. `called_at` is the end of what is called when this is a call without parentheses.
function cutter:bracket(from, opener, called_at)
  local behind = match(self.text, BALANCED[opener], from)
  if not behind then error(BROKEN, 0) end
  if behind - from < WHOLE then
    if self.borrowing and borrows(sub(self.text, from, behind - 1)) then self.holds = self.holds + 1 end
    return behind
  end
  self:deeper()
  if opener == BRACE then
    self:constructor(from, behind, called_at)
  elseif match(self.text, "^%s*()", self:expressions(from + 1)) ~= behind - 1 then
    error(BROKEN, 0)
  end
  self.depth = self.depth - 1
  return behind
end

---Passes a function behind its keyword; what it holds is its own.
function cutter:body(at)
  local behind = match(self.text, "^[%w_.:%s]*%b()()", at)
  if not behind then error(BROKEN, 0) end
  local holds, breaks = self.holds, self.breaks
  behind = self:word(self:block(behind), "end")
  self.holds, self.breaks = holds, breaks
  return behind
end

---Passes a sign. Returns where to go on, or nil where the expressions end, and whether an operand ended there.
function cutter:sign(from, at, ended, single)
  local char, text = byte(self.text, from), self.text
  if BALANCED[char] then return self:bracket(from, char, ended and at), true end
  if char == QUOTE then return match(text, "^\"'*()", from), true end
  if char == nil or ENDS_LIST[char] or char == COMMA and single then return nil end
  if char == COLON and byte(text, from + 1) == COLON then return nil end
  if char == DOT and find(text, "^%.%.%.", from) then
    self.holds = self.holds + 1
    return from + 3, true
  end
  return from + 1, false
end

---Passes expressions, also with `=` between them, to where a statement begins or ends; with `single`, to a
---comma. Returns the position behind the last token.
function cutter:expressions(at, single)
  local text, ended = self.text, false
  while true do
    local from, word, behind = match(text, "^%s*()([%w_]*)()", at)
    local role = ROLES[word]
    if word == "" then
      behind, ended = self:sign(from, at, ended, single)
      if not behind then return at end
    elseif role == GOES_ON then
      ended = false
    elseif role == STOPS or ended then
      return at
    else
      if role == FUNCTION then behind = self:body(behind) end
      if role == LEVEL then self.holds = self.holds + 1 end
      ended = true
    end
    at = behind
  end
end

---How an item begins: what makes an assignment of it, and where the value is. `place` is its place in the list.
local function item_key(text, at, list, place)
  local value = match(text, "^[%a_][%w_]*%s*=()[^=]", at)
  if value then return list .. ".", value end
  value = match(text, "^%[%s*\"'*%s*%]%s*=()[^=]", at)
  if value then return list, value end
  value = match(text, "^%b[]%s*=()[^=]", at)
  if value then return list, value, true end
  return ("%s[%d] = "):format(list, place), at
end

---Passes an item's value. Returns the position behind it, and whether it is a constructor and nothing else.
function cutter:item_value(at)
  local from = match(self.text, "^%s*()", at)
  if find(self.text, "^%b{}%s*[,;}]", from) then return self:bracket(from, BRACE), true end
  return self:expressions(from, true), false
end

---@class moongate.config.cut_table
---@field count integer items
---@field places integer items without a key
---@field computed boolean whether a key is computed
---@field starts integer[] the mark in front of each item
---@field stops integer[] the mark at the sign behind each
---@field fronts string[] what makes an assignment of each
---@field weights integer[]
---@field open_end boolean whether the last item may be many values

---Reads the items of the constructor whose brace is before `at`.
function cutter:items(at, last)
  local text = self.text
  local t = { count = 0, places = 0, computed = false, starts = {}, stops = {}, fronts = {}, weights = {} }
  while true do
    local from = match(text, "^%s*()", at)
    if from == last then return t end
    local n, saved, start = t.count + 1, self.saved, self:mark(from, 0)
    local front, value, computed = item_key(text, from, self.list, t.places + 1)
    if computed then
      -- A key may be long, too.
      self:bracket(from, byte(text, from))
      t.computed = true
    end
    local behind, plain = self:item_value(value)
    local sign = match(text, "^%s*()[,;}]", behind)
    if not sign then error(BROKEN, 0) end
    if value == from then t.places = t.places + 1 end
    t.open_end = value == from and not plain
    t.count, t.starts[n], t.fronts[n] = n, start, front
    t.weights[n] = behind - from - (self.saved - saved)
    if sign == last then return t end
    t.stops[n] = self:mark(sign, 1)
    at = sign + 1
  end
end

local OPEN, CLOSE = " do local part = function() ", " end part() end "

---Writes the items as assignments, in parts. Returns what belongs in front of the closing brace.
function cutter:write_items(t)
  local put, weight = self.put, nil
  for i = 1, t.count do
    local front, back = t.fronts[i], ""
    if i == t.count and t.open_end then
      front = "local rest = { "
      back = (" } for at = 1, #rest do %s[%d + at] = rest[at] end"):format(self.list, t.places - 1)
    end
    put[t.starts[i]] = weight and front or OPEN .. front
    weight = (weight or 0) + t.weights[i]
    if weight >= PART or i == t.count then
      back, weight = back .. CLOSE, nil
    end
    if not t.stops[i] then return back end
    put[t.stops[i]] = back .. ";"
  end
  return ""
end

---Passes a large constructor.
function cutter:constructor(from, behind, called_at)
  local holds, saved = self.holds, self.saved
  local call = called_at and self:mark(called_at, 0)
  local open = self:mark(from, 1)
  local t = self:items(from + 1, behind - 1)
  local close = self:mark(behind - 1, 1)
  local weight = behind - from - (self.saved - saved)
  if weight < WHOLE or self.holds > holds or t.computed and t.places > 0
    or self:count_variables(from, behind, {}) > MOST_VARIABLES then return end
  self.saved = self.saved + weight
  -- The parenthesis of a call must be on the line of what is called.
  if call then self.put[call] = "(" end
  self.put[open] = ("(function() local %s = {} "):format(self.list)
  self.put[close] = ("%s return %s end)()%s"):format(self:write_items(t), self.list, call and ")" or "")
end

---Passes expressions that a keyword ends.
function cutter:until_word(at, word)
  return self:word(self:expressions(at), word)
end

---Passes the body of a loop; a `break` in it is its own.
function cutter:loop(at, word)
  local breaks = self.breaks
  at = self:word(self:block(at), word)
  self.breaks = breaks
  return at
end

local STATEMENTS = {}

STATEMENTS["if"] = function(self, at)
  local word
  repeat
    at = self:block(self:until_word(at, "then"))
    word, at = match(self.text, "^%s*([%w_]*)()", at)
  until word ~= "elseif"
  if word == "else" then return self:word(self:block(at), "end") end
  if word ~= "end" then error(BROKEN, 0) end
  return at
end

STATEMENTS["while"] = function(self, at)
  return self:loop(self:until_word(at, "do"), "end")
end

STATEMENTS["for"] = STATEMENTS["while"]

STATEMENTS["repeat"] = function(self, at)
  return self:expressions(self:loop(at, "until"))
end

STATEMENTS["do"] = function(self, at)
  return self:word(self:block(at), "end")
end

STATEMENTS["function"] = cutter.body

STATEMENTS["local"] = function(self, at)
  local behind = match(self.text, "^%s*function()%f[^%w_]", at)
  if behind then return self:body(behind) end
  return self:expressions(at)
end

STATEMENTS["return"] = function(self, at)
  self.holds = self.holds + 1
  return self:expressions(at)
end

STATEMENTS["break"] = function(self, at)
  self.breaks = self.breaks + 1
  return at
end

---Passes a `goto` or a label; both must stay in their function. `goto` is a name, too.
function cutter:jump_or_label(from, word)
  if word ~= "" and word ~= "goto" then return nil end
  local behind = match(self.text, "^goto%s+()[%a_]", from) or match(self.text, "^::%s*()[%a_]", from)
  if not behind then return nil end
  self.holds = self.holds + 1
  return match(self.text, word == "" and "^[%w_]+%s*::()" or "^[%w_]+()", behind)
end

---Passes one statement. Returns the position behind it and its semicolon.
function cutter:statement(from, word, at)
  local read = STATEMENTS[word]
  local behind = read and read(self, at) or self:jump_or_label(from, word) or self:expressions(from)
  if behind <= from then error(BROKEN, 0) end
  return match(self.text, "^%s*;()", behind) or behind
end

local ENDS_BLOCK = { ["end"] = true, ["else"] = true, ["elseif"] = true, ["until"] = true }

---Passes statements to the end of their block. Returns the position behind the last.
function cutter:block(at)
  local start, saved_before = at, self.saved
  local runs, run = {}, nil
  self:deeper()
  while true do
    local from, word, behind = match(self.text, "^%s*()([%w_]*)()", at)
    if ENDS_BLOCK[word] or from > #self.text then break end
    local mark, holds, breaks, saved = self:mark(at, 0), self.holds, self.breaks, self.saved
    behind = self:statement(from, word, behind)
    local weight, names = behind - from - (self.saved - saved), {}
    local variables = self:count_variables(from, behind, names)
    local stays = word == "local" or self.holds > holds or self.breaks > breaks or variables > MOST_VARIABLES
    if run and not stays and self.variables then variables = self:count_variables(from, behind, run.names) end
    if run and (stays or run.weight >= PART or run.variables + variables > MOST_VARIABLES) then
      run.close, run = mark, nil
    end
    if not stays then
      if not run then
        run = { open = mark, weight = 0, names = names, variables = 0 }
        runs[#runs + 1] = run
      end
      run.weight, run.variables = run.weight + weight, run.variables + variables
    end
    at = behind
  end
  if run then run.close = self:mark(at, 0) end
  self.depth = self.depth - 1
  if at - start - (self.saved - saved_before) >= WHOLE then self:write_runs(runs) end
  return at
end

---Writes runs of statements as parts.
function cutter:write_runs(runs)
  local put = self.put
  for i = 1, #runs do
    local run = runs[i]
    -- One run may begin where another ends.
    put[run.open] = (put[run.open] or "") .. OPEN
    put[run.close] = CLOSE
    self.saved = self.saved + run.weight
  end
end

---The source with everything that was put in.
function cutter:join(source)
  local pieces, count, copied = {}, 0, 1
  local at, length, put = self.at, self.length, self.put
  for i = 1, self.count do
    if put[i] then
      pieces[count + 1], pieces[count + 2] = sub(source, copied, at[i] - 1), put[i]
      count, copied = count + 2, at[i] + length[i]
    end
  end
  pieces[count + 1] = sub(source, copied)
  return table.concat(pieces)
end

---The names that may be local variables, or nil when they are few enough for any function.
local function variables_of(text)
  local found, count = { self = true }, 1
  for keyword, pattern in ("local ^%s+([%a_][%w_%s,]*) for ^%s+([%a_][%w_%s,]*) function ^%s*[%w_.:]*%s*%(([^)]*)%)")
    :gmatch("(%S+) (%S+)") do
    local _, last = find(text, keyword, 1, true)
    while last do
      -- Not further than names go, or a text of nothing but this word would take for ever.
      for name in (match(sub(text, last + 1, last + 4000), pattern) or ""):gmatch("[%a_][%w_]*") do
        if not found[name] then
          found[name] = true
          count = count + 1
        end
      end
      _, last = find(text, keyword, last + 1, true)
    end
  end
  return count > MOST_VARIABLES and found or nil
end

---A name that does not occur in the text.
local function unused_name(text)
  local name, number = "list", 0
  while find(text, name, 1, true) do
    number = number + 1
    name = "list" .. number
  end
  return name
end

---Rewrites a source so that its functions are smaller.
---@param source string
---@return string
function splitting.parts(source)
  local text = skeleton.of(source)
  local self = setmetatable({ text = text, count = 0, at = {}, length = {}, put = {}, holds = 0, breaks = 0, saved = 0,
    depth = 0, list = unused_name(text), variables = variables_of(text),
    borrowing = (find(text, "...", 1, true) or find(text, "etfenv", 1, true)) ~= nil }, cutter)
  local ok, problem = pcall(self.block, self, 1)
  if not ok and problem ~= BROKEN then error(problem, 0) end
  return self:join(source)
end

---Whether what the compiler said is that a function is too large.
---@param message string
---@return boolean
function splitting.may_help(message)
  return message:find("control structure too long", 1, true) ~= nil
    or message:find("has more than %d+ constants") ~= nil
    or message:find("function too long for return fixup", 1, true) ~= nil
end

return splitting
