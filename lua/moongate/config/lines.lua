---The source map: on which line a key of the configuration was written.
---
---It reads the text, not the values: the table that the file returns, tables in local variables that
---end up in it, and assignments to them.
---
---     local sites = {}                         sites: a node
---     sites[#sites + 1] = { hosts = … }        its next element, or the one that a loop makes
---     return { upstreams = {…}, sites = sites }   root: { upstreams = node, sites = alias of sites }
---
---What was computed has no line of its own; then the nearest ancestor's line is the answer.
local tokens = require "moongate.config.tokens"

local lines = {}

---@class moongate.config.line_node
---@field line integer
---@field kids table<any, moongate.config.line_node>?
---@field count integer elements without a key
---@field any moongate.config.line_node|false|nil the one place that makes elements; false when there are several
---@field alias any[]? the variable, and keys in it, that this value is taken from

---@class moongate.config.line_reader
---@field t moongate.config.tokens
---@field vars table<string, moongate.config.line_node>
local reader = {}
reader.__index = reader

local OPENS = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }
local BRACKETS = { ["("] = 1, ["{"] = 1, ["["] = 1, [")"] = -1, ["}"] = -1, ["]"] = -1 }

local function node_at(line)
  return { line = line, count = 0 }
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

---The position of the comma, semicolon or brace that ends an element which begins at i.
function reader:end_of_element(i)
  local depth = 0
  while i <= self.t.count do
    if depth == 0 and (self:is(i, ",") or self:is(i, ";") or self:is(i, "}")) then return i end
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
  if self:is(i, "true") then return true end
  return self.t.text[i]
end

---Reads the value that begins at i: a constructor, a variable, or a call with a constructor in front.
---Returns the position behind what it understood.
function reader:value(i, line)
  local t = self.t
  if self:is(i, "{") then return self:constructor(i, line) end
  local node = node_at(line)
  if t.kind[i] ~= "name" then return node, i end
  local keys, behind, computed = self:chain(i)
  if self:is(behind, "(") and self:is(behind + 1, "{") then
    return self:constructor(behind + 1, line)
  elseif self:is(behind, "{") then
    return self:constructor(behind, line)
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

---Reads the table constructor at i; returns its node and the position behind it.
function reader:constructor(i, line)
  local node = node_at(line)
  node.kids = {}
  i = i + 1
  while i <= self.t.count and not self:is(i, "}") do
    local key_line = self.t.line[i]
    local key, from, computed = self:key(i)
    local kid, behind = self:value(from, key_line)
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
    i = last
    if self:is(i, ",") or self:is(i, ";") then i = i + 1 end
  end
  return node, i + 1
end

---The node that a variable's keys lead to; makes what is missing.
function reader:reach(keys, line)
  local node = self.vars[keys[1]]
  if not node then
    node = node_at(line)
    self.vars[keys[1]] = node
  end
  for i = 2, #keys do
    node.kids = node.kids or {}
    local kid = node.kids[keys[i]]
    if not kid then
      kid = node_at(line)
      node.kids[keys[i]] = kid
    end
    node = kid
  end
  return node
end

---Puts a value behind the last element: by number in the main flow, as "any" within loops and functions.
function reader:append(keys, kid, depth)
  local node = self:reach(keys, kid.line)
  node.kids = node.kids or {}
  if depth == 0 and node.any == nil then
    node.count = node.count + 1
    node.kids[node.count] = kid
  else
    put_any(node, kid)
  end
end

---Takes `keys = kid` into account.
function reader:assign(keys, kid, depth)
  if #keys == 1 then
    if depth == 0 or not self.vars[keys[1]] then self.vars[keys[1]] = kid end
    return
  end
  local key = table.remove(keys)
  local node = self:reach(keys, kid.line)
  node.kids = node.kids or {}
  node.kids[key] = kid
end

---Reads `table.insert(list, value)` whose bracket is at i.
function reader:insertion(i, depth)
  if self.t.kind[i + 1] ~= "name" then return end
  local keys, behind, computed = self:chain(i + 1)
  if computed or not self:is(behind, ",") then return end
  local kid = self:value(behind + 1, self.t.line[behind + 1])
  self:append(keys, kid, depth)
end

---Reads what begins with a name: an assignment, a call. Returns the position behind what it understood.
function reader:statement(i, depth)
  local t = self.t
  local keys, behind, computed = self:chain(i)
  if self:is(behind, "(") and keys[#keys] == "insert" then self:insertion(behind, depth) end
  if not self:is(behind, "=") then return behind end
  local kid, after = self:value(behind + 1, t.line[i])
  -- With an operator behind it the variable is only a part of the value.
  if kid.alias and not (t.kind[after] ~= "sign" or self:begins_statement(after)) then kid.alias = nil end
  if computed then
    self:append(keys, kid, depth)
  elseif not (keys[1] == kid.alias and #keys == 1) then
    self:assign(keys, kid, depth)
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

---Goes through the file; the last `return` of the main flow is the configuration.
function reader:chunk()
  local t, i, depth = self.t, 1, 0
  while i <= t.count do
    if t.kind[i] == "name" then
      i = self:statement(i, depth)
    elseif self:is(i, "return") and depth == 0 then
      self.root, i = self:value(i + 1, t.line[i])
    elseif self:is(i, "(") or self:is(i, "{") or self:is(i, "[") then
      i = self:behind_bracket(i)
    else
      depth = depth + self:depth_change(i)
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
---@field find fun(self: moongate.config.line_map, path: any[]): integer? the line of a path of keys
local map = {}
map.__index = map

---The line on which a path of keys was written, or its nearest ancestor that was.
---@param path any[]
---@return integer?
function map:find(path)
  local node = self.reader.root
  if not node then return nil end
  local line = node.line
  for _, key in ipairs(path) do
    local table_node = self.reader:resolve(node)
    local kid = table_node.kids and table_node.kids[key] or table_node.any
    if not kid then break end
    node, line = kid, kid.line
  end
  return line
end

---Reads a configuration's text.
---@param source string
---@return moongate.config.line_map
function lines.map(source)
  local r = setmetatable({ t = tokens.read(source), vars = {} }, reader)
  r:chunk()
  return setmetatable({ reader = r }, map)
end

return lines
