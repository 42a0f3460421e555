---The source map: on which line a key of the configuration was written.
---
---It reads the text, not the values: the table that the file returns, tables in local variables that
---end up in it, and assignments to them.
---
---     local sites = {}                         sites: a node
---     sites[#sites + 1] = { hosts = … }        its next element, or the one that a loop makes
---     return { upstreams = {…}, sites = sites }   root: { upstreams = node, sites = alias of sites }
---
---What was computed has no line of its own; then the nearest ancestor's line is the answer. A table is read
---when something in it is asked for: most of a large file never is.
local skeleton = require "moongate.config.skeleton"
local tokens = require "moongate.config.tokens"

local lines = {}

local byte, find, match = string.byte, string.find, string.match

---@class moongate.config.line_node
---@field at integer where in the text it begins
---@field from integer? the brace of a table that is not read yet
---@field behind integer? the position behind such a table
---@field block integer? the block, not the outermost, in which a variable got it
---@field kids table<any, moongate.config.line_node>?
---@field count integer elements without a key
---@field any moongate.config.line_node|false|nil the one place that makes elements; false when there are several
---@field alias any[]? the variable, and keys in it, that this value is taken from

---@class moongate.config.line_reader
---@field source string
---@field skeleton string
---@field t moongate.config.tokens
---@field lazy table what makes a node one that is not read yet
---@field vars table<string, moongate.config.line_node>
local reader = {}
reader.__index = reader

local OPENS = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }
local BRACKETS = { ["("] = 1, ["["] = 1, [")"] = -1, ["]"] = -1 }

local function node_at(at)
  return { at = at, count = 0 }
end

---A reader of a part of the same text.
function reader:part(t)
  local of = { source = self.source, skeleton = self.skeleton, vars = self.vars, lazy = self.lazy, t = t }
  return setmetatable(of, reader)
end

---The node of a table that is not read yet.
function reader:table_at(at, from, behind)
  return setmetatable({ at = at, from = from, behind = behind }, self.lazy)
end

---Notes a place that makes elements whose keys are not known.
local function put_any(node, kid)
  if node.any == nil then
    node.any = kid
  else
    node.any = false
  end
end

---Whether the token at i is this sign.
function reader:is(i, sign)
  return self.t.kind[i] == "sign" and self.t.text[i] == sign
end

---How far a sign changes the depth of brackets and blocks.
function reader:depth_change(i)
  if self.t.kind[i] ~= "sign" then return 0 end
  local text = self.t.text[i]
  if OPENS[text] then return 1 end
  if CLOSES[text] then return -1 end
  return BRACKETS[text] or 0
end

---The position behind the bracket that opens at i.
function reader:behind_bracket(i)
  local depth = 0
  repeat
    depth = depth + self:depth_change(i)
    i = i + 1
  until depth == 0 or i > self.t.count
  return i
end

---The position of the comma or semicolon that ends an element which begins at i, or behind the last.
function reader:end_of_element(i)
  local depth = 0
  while i <= self.t.count do
    if depth == 0 and (self:is(i, ",") or self:is(i, ";")) then return i end
    depth = depth + self:depth_change(i)
    i = i + 1
  end
  return i
end

---A chain of names, `a.b["c"][1]`, that begins at i: its keys and the position behind it. A key that is
---computed is returned as `computed`, and ends the chain.
function reader:chain(i)
  local t = self.t
  local keys = { t.text[i] }
  i = i + 1
  while true do
    if self:is(i, ".") and t.kind[i + 1] == "name" then
      keys[#keys + 1] = t.text[i + 1]
      i = i + 2
    elseif self:is(i, "[") and self:is(i + 2, "]") and t.kind[i + 1] ~= "name" then
      keys[#keys + 1] = self:constant(i + 1)
      i = i + 3
    elseif self:is(i, "[") then
      return keys, self:behind_bracket(i), true
    else
      return keys, i, false
    end
  end
end

---The key that a constant stands for.
function reader:constant(i)
  if self.t.kind[i] == "number" then return tonumber(self.t.text[i]) end
  if self.t.kind[i] == "string" then return tokens.content(self.t.text[i]) end
  if self:is(i, "true") then return true end
  return self.t.text[i]
end

---Reads the value that begins at i: a table, a variable, or a call with a table in front; `at` is where
---its statement or element begins. Returns the position behind what it understood.
function reader:value(i, at)
  local t = self.t
  if t.kind[i] == "table" then return self:table_at(at, t.at[i], t.text[i]), i + 1 end
  local node = node_at(at)
  if t.kind[i] ~= "name" then return node, i end
  local keys, behind, computed = self:chain(i)
  local given = self:is(behind, "(") and behind + 1 or behind
  if t.kind[given] == "table" then
    return self:table_at(at, t.at[given], t.text[given]), given + 1
  elseif self:is(behind, "(") and t.kind[behind + 1] == "name" and t.text[i] == "setmetatable" then
    node.alias = self:chain(behind + 1)
  elseif not computed then
    node.alias = keys
  end
  return node, behind
end

---Reads `key =` in front of an element, if there is one: the key, and where the value begins.
function reader:key(i)
  local t = self.t
  if t.kind[i] == "name" and self:is(i + 1, "=") then return t.text[i], i + 2 end
  if not self:is(i, "[") then return nil, i end
  if self:is(i + 2, "]") and t.kind[i + 1] ~= "name" then return self:constant(i + 1), i + 4 end
  local behind = self:behind_bracket(i)
  return nil, behind + 1, true
end

---Reads elements of a table as they may be written; `node` gets them.
function reader:elements(node)
  local i = 1
  while i <= self.t.count do
    local at = self.t.at[i]
    local key, from, computed = self:key(i)
    local kid, behind = self:value(from, at)
    local last = self:end_of_element(behind)
    -- An operator behind the value makes another value of it.
    if last ~= behind and not self:is(behind, ")") then kid.alias = nil end
    if computed then
      put_any(node, kid)
    elseif key ~= nil then
      node.kids[key] = kid
    else
      node.count = node.count + 1
      node.kids[node.count] = kid
    end
    i = last + 1
  end
end

local function keys_in(chain)
  local keys = {}
  for key in chain:gmatch("[^.]+") do keys[#keys + 1] = key end
  return keys
end

local BRACE, QUOTE = ('{"'):byte(1, 2)

---Reads a value as values mostly are: a table, a string, a number or a chain of names, and nothing behind it.
---Returns its node and the position of the sign behind it, or nil.
function reader:plain_value(value, at)
  local text, char = self.skeleton, byte(self.skeleton, value)
  local kid, behind, word
  if char == BRACE then
    behind = match(text, "^%b{}()", value)
    kid = self:table_at(at, value, behind)
  elseif char == QUOTE then
    kid, behind = node_at(at), match(text, "^\"'*()", value)
  else
    kid = node_at(at)
    word, behind = match(text, "^([%w_.]+)()", value)
    if not word or find(word, "..", 1, true) then return nil end
    if find(word, "^[%a_]") and not tokens.KEYWORDS[word] then kid.alias = keys_in(word) end
  end
  local sign = match(text, "^%s*()[,;}]", behind)
  return sign and kid, sign
end

---Reads a table that was put off.
function reader:read_table(node)
  local text, at, last = self.skeleton, node.from + 1, node.behind - 1
  setmetatable(node, nil)
  node.kids, node.count, node.from, node.behind = {}, 0, nil, nil
  repeat
    local from, key, value = match(text, "^%s*()([%a_][%w_]*)%s*=%s*()[^=]", at)
    if not from then
      from = match(text, "^%s*()", at)
      value = from
    end
    if from >= last then return end
    local kid, sign = self:plain_value(value, from)
    if not kid then return self:part(tokens.read(self.source, text, from, last - 1)):elements(node) end
    if not key then
      node.count = node.count + 1
      key = node.count
    end
    node.kids[key] = kid
    at = sign + 1
  until sign == last
end

---The node that a variable's keys lead to; makes what is missing.
function reader:reach(keys, at)
  local node = self.vars[keys[1]]
  if not node then
    node = node_at(at)
    self.vars[keys[1]] = node
  end
  for i = 2, #keys do
    node.kids = node.kids or {}
    local kid = node.kids[keys[i]]
    if not kid then
      kid = node_at(at)
      node.kids[keys[i]] = kid
    end
    node = kid
  end
  return node
end

---Puts a value behind the last element: by number in the main flow or in the block that began the list, as "any"
---elsewhere.
function reader:append(keys, kid, block)
  local node = self:reach(keys, kid.at)
  node.kids = node.kids or {}
  if (block == 0 or block == self.vars[keys[1]].block) and node.any == nil then
    node.count = node.count + 1
    node.kids[node.count] = kid
  else
    put_any(node, kid)
  end
end

---Takes `keys = kid` into account.
function reader:assign(keys, kid, block)
  if #keys == 1 then
    local name, known = keys[1], self.vars[keys[1]]
    if block == 0 or not known then
      self.vars[name] = kid
      kid.block = block
    elseif known.block ~= 0 then
      -- One of two, and which is not known.
      self.vars[name] = { at = known.at, count = 0, kids = {}, any = false, block = -1 }
    end
    return
  end
  local key = table.remove(keys)
  local node = self:reach(keys, kid.at)
  node.kids = node.kids or {}
  node.kids[key] = kid
end

---Reads `table.insert(list, value)` whose bracket is at i.
function reader:insertion(i, block)
  if self.t.kind[i + 1] ~= "name" then return end
  local keys, behind, computed = self:chain(i + 1)
  if computed or not self:is(behind, ",") then return end
  local kid = self:value(behind + 1, self.t.at[behind + 1])
  self:append(keys, kid, block)
end

---Reads what begins with a name: an assignment, a call. Returns the position behind what it understood.
function reader:statement(i, block)
  local t = self.t
  local keys, behind, computed = self:chain(i)
  if self:is(behind, "(") and keys[#keys] == "insert" then self:insertion(behind, block) end
  if not self:is(behind, "=") then return behind end
  local kid, after = self:value(behind + 1, t.at[i])
  -- With an operator behind it the variable is only a part of the value.
  if kid.alias and not (t.kind[after] ~= "sign" or self:begins_statement(after)) then kid.alias = nil end
  if computed then
    self:append(keys, kid, block)
  elseif not (keys[1] == kid.alias and #keys == 1) then
    self:assign(keys, kid, block)
  end
  return after
end

local STATEMENTS = {}
for word in ("break do end else elseif for function goto if local repeat return until while ;"):gmatch("%S+") do
  STATEMENTS[word] = true
end

---Whether the token at i begins a statement or ends the block.
function reader:begins_statement(i)
  return i > self.t.count or STATEMENTS[self.t.text[i]] or false
end

---Goes through the file; the last `return` of the main flow is the configuration. Blocks have numbers, the
---outermost 0.
function reader:chunk()
  local t, i, open, blocks = self.t, 1, {}, 0
  while i <= t.count do
    local text = t.text[i]
    if t.kind[i] == "name" then
      i = self:statement(i, open[#open] or 0)
    elseif t.kind[i] ~= "sign" then
      i = i + 1
    elseif text == "return" and #open == 0 then
      self.root, i = self:value(i + 1, t.at[i])
    elseif text == "(" or text == "[" then
      i = self:behind_bracket(i)
    else
      if CLOSES[text] or text == "else" or text == "elseif" then open[#open] = nil end
      if OPENS[text] or text == "else" or text == "elseif" then
        blocks = blocks + 1
        open[#open + 1] = blocks
      end
      i = i + 1
    end
  end
end

---Follows an alias to the node that it means.
function reader:resolve(node)
  for _ = 1, 10 do
    if not node.alias then return node end
    local target = self.vars[node.alias[1]]
    for i = 2, #node.alias do
      target = target and self:resolve(target)
      target = target and target.kids and target.kids[node.alias[i]]
    end
    if not target or target == node then return node end
    node = target
  end
  return node
end

---@class moongate.config.line_map
---@field reader moongate.config.line_reader
---@field breaks integer[] where each line ends
local map = {}
map.__index = map

---The node of the whole configuration, if the file returns one that was written.
---@return moongate.config.line_node?
function map:root()
  return self.reader.root
end

---The node of a key; what has none of its own stands where its table does.
---@param node moongate.config.line_node
---@param key any
---@return moongate.config.line_node
function map:step(node, key)
  local table_node = self.reader:resolve(node)
  local kids = table_node.kids
  return kids and kids[key] or table_node.any or { at = node.at, count = 0 }
end

---@param node moongate.config.line_node
---@return integer
function map:line(node)
  local breaks, at = self.breaks, node.at
  local low, high = 1, #breaks + 1
  while low < high do
    local middle = (low + high - (low + high) % 2) / 2
    if breaks[middle] < at then low = middle + 1 else high = middle end
  end
  return low
end

---The line on which a path of keys was written, or its nearest ancestor that was.
---@param path any[]
---@return integer?
function map:find(path)
  local node = self:root()
  if not node then return nil end
  for i = 1, #path do node = self:step(node, path[i]) end
  return self:line(node)
end

---The positions of all ends of lines.
local function breaks_of(source)
  local breaks, count, at = {}, 0, find(source, "\n", 1, true)
  while at do
    count = count + 1
    breaks[count] = at
    at = find(source, "\n", at + 1, true)
  end
  return breaks
end

---Reads a configuration's text.
---@param source string
---@return moongate.config.line_map
function lines.map(source)
  local text = skeleton.of((source:gsub("^#", "-")))
  local first = find(source, "^#") and (find(source, "\n", 1, true) or #source + 1) or 1
  local r = setmetatable({ source = source, skeleton = text, vars = {}, lazy = {} }, reader)
  function r.lazy.__index(node, key)
    if key ~= "kids" and key ~= "count" and key ~= "any" then return nil end
    r:read_table(node)
    return node[key]
  end
  r.t = tokens.read(source, text, first, #text)
  r:chunk()
  return setmetatable({ reader = r, breaks = breaks_of(source) }, map)
end

return lines
