---Makes a function of every node of a schema, once; the functions check values and write the plan.
---
---A checking function takes the given value and the place (`at`) and returns what goes into the plan, or
---nil after it has told the place what is wrong. It goes on after a mistake, so that all are found. The
---place is a path of keys; lines are looked up later, and only for mistakes.
local spelling = require "moongate.config.spelling"

local checker = {}

---@class moongate.config.place
---@field path any[] the keys that lead to the value being checked
---@field depth integer
---@field errors { path: any[], where: any[], text: string }[]
---@field folder string where relative paths start
local place = {}
place.__index = place

---@param folder string
---@return moongate.config.place
function checker.place(folder)
  return setmetatable({ path = {}, depth = 0, errors = {}, folder = folder }, place)
end

---Goes down to a key.
function place:enter(key)
  local depth = self.depth + 1
  self.depth = depth
  self.path[depth] = key
end

---Comes up again.
function place:leave()
  self.depth = self.depth - 1
end

---Notes a mistake here. With `key`, the line is that key's, though the mistake is this table's.
---@param text string
---@param key any?
function place:fail(text, key)
  local where, path = {}, {}
  for i = 1, self.depth do
    where[i], path[i] = self.path[i], self.path[i]
  end
  if key ~= nil then path[#path + 1] = key end
  self.errors[#self.errors + 1] = { path = path, where = where, text = text }
end

---Notes that a value is not what it must be.
---@param what string
---@param value any
---@param remedy string?
function place:refuse(what, value, remedy)
  self:fail(("must be %s, not %s%s"):format(what, spelling.show(value), remedy and "; " .. remedy or ""))
end

---Notes a mistake at a path that is not the current one.
---@param path any[]
---@param text string
function place:fail_at(path, text)
  self.errors[#self.errors + 1] = { path = path, where = path, text = text }
end

local makers = {}
local made = setmetatable({}, { __mode = "k" })

---The checking function of a node.
---@param node moongate.config.node
---@return fun(value: any, at: moongate.config.place): any
function checker.compile(node)
  local check = made[node]
  if not check then
    check = makers[node.kind](node)
    made[node] = check
  end
  return check
end

function makers.scalar(node)
  local read, what = node.read, node.what
  return function(value, at)
    local result, remedy = read(value, at)
    if result == nil then at:refuse(what, value, remedy) end
    return result
  end
end

function makers.by_type(node)
  local by_type, what = {}, node.what
  for _, name in ipairs { "string", "number", "boolean", "table", "function" } do
    if node[name] then by_type[name] = checker.compile(node[name]) end
  end
  return function(value, at)
    local check = by_type[type(value)]
    if not check then
      at:refuse(what, value)
      return nil
    end
    return check(value, at)
  end
end

---The keys of a table that a list cannot have; a gap ends a list.
local function odd_keys(value, length, at)
  for key in next, value do
    if type(key) ~= "number" or key % 1 ~= 0 or key < 1 then
      at:fail(("is a list; it has no key %s"):format(spelling.show(key)), key)
    elseif key > length then
      at:fail(("has a gap before [%d]"):format(key), key)
    end
  end
end

local function list_length(value)
  local length = 0
  while value[length + 1] ~= nil do length = length + 1 end
  return length
end

function makers.list(node)
  local check = checker.compile(node.of)
  return function(value, at)
    if type(value) ~= "table" then
      local remedy = type(value) == "string" and ("write { %s }"):format(spelling.show(value)) or nil
      at:refuse(node.what, value, remedy)
      return nil
    end
    local length, out, seen = list_length(value), {}, {}
    odd_keys(value, length, at)
    if length < node.min then at:fail(node.empty or "must not be empty") end
    for i = 1, length do
      at:enter(i)
      local result = check(value[i], at)
      if node.unique and result ~= nil then
        if seen[result] then at:fail(("%s stands here twice"):format(spelling.show(result))) end
        seen[result] = true
      end
      -- A mistake leaves false behind, so that the places of the others stay what they are.
      out[i] = result ~= nil and result or false
      at:leave()
    end
    return out
  end
end

function makers.map(node)
  local check, name, what = checker.compile(node.of), node.name, node.what
  return function(value, at)
    if type(value) ~= "table" then
      at:refuse(what, value)
      return nil
    end
    local out = {}
    for key, item in next, value do
      local right, remedy = name(key)
      if not right then
        at:fail(("%s is not %s%s"):format(spelling.show(key), node.named, remedy and "; " .. remedy or ""), key)
      elseif out[right] ~= nil then
        at:fail(("%s stands here twice"):format(spelling.show(right)), key)
      end
      at:enter(key)
      local result = check(item, at)
      at:leave()
      if right then out[right] = result end
    end
    return out
  end
end

---Says that a key is not known: why it is not for here, or which was probably meant. Returns that one.
local function unknown_key(node, names, key, at)
  local reason = node.refused and node.refused[key]
  if reason then
    at:fail(reason, key)
  elseif type(key) ~= "string" then
    at:fail(("has a value without a name at %s%s"):format(spelling.show(key), spelling.remedy(key, names)), key)
  else
    at:fail(("unknown key '%s'%s"):format(key, spelling.remedy(key, names)), key)
  end
  return spelling.nearest(key, names)
end

---Sorts the rows of a record into checks by name, constant defaults, defaults to be made anew, and duties.
local function sort_rows(node)
  local sorted = { names = {}, checks = {}, constants = {}, fresh = {}, required = {} }
  for _, row in ipairs(node.rows) do
    local name, kind, default = row[1], row[2], row[3]
    local check = checker.compile(kind)
    sorted.names[#sorted.names + 1] = name
    sorted.checks[name] = check
    if row.required then sorted.required[#sorted.required + 1] = row end
    if default ~= nil then
      local at = checker.place("/")
      local result = check(default, at)
      assert(#at.errors == 0, "the default of " .. name .. " does not pass its own check")
      if kind.kind ~= "scalar" and type(default) == "table" or kind.relative then
        sorted.fresh[name] = { check, default }
      else
        sorted.constants[name] = result
      end
    end
  end
  return sorted
end

---`meant` has the keys that misspelled ones probably are: to call those missing would be noise.
local function fill_defaults(sorted, value, out, at, meant)
  for name, default in next, sorted.constants do
    if value[name] == nil then out[name] = default end
  end
  for name, pair in next, sorted.fresh do
    if value[name] == nil then out[name] = pair[1](pair[2], at) end
  end
  for _, row in ipairs(sorted.required) do
    if value[row[1]] == nil and not meant[row[1]] then
      at:fail(("'%s' is missing: it must be %s"):format(row[1], row.missing or row[2].what))
    end
  end
end

local NONE = {}

function makers.record(node)
  local sorted = sort_rows(node)
  local checks, finish, positional = sorted.checks, node.finish, node.positional
  return function(value, at)
    if type(value) ~= "table" then
      at:refuse(node.what, value)
      return nil
    end
    local out, meant = {}, NONE
    for key, item in next, value do
      local check = checks[key]
      if check then
        at:enter(key)
        out[key] = check(item, at)
        at:leave()
      elseif key ~= positional then
        if meant == NONE then meant = {} end
        meant[unknown_key(node, sorted.names, key, at) or key] = true
      end
    end
    fill_defaults(sorted, value, out, at, meant)
    if finish then return finish(out, at, value, meant) end
    return out
  end
end

return checker
