---The kinds of values that a schema is made of.
---
---A node says three things about a value: how it is checked (`kind` and, for scalars, `read`), how a
---message and a manual name it (`what`: a whole phrase; `brief`: for a column), and how an editor
---types it (`luals`). Nodes are data; `checker` makes functions of them, `manual` and `typing` text.
local spelling = require "moongate.config.spelling"
local units = require "moongate.config.units"

local kinds = {}

---@class moongate.config.node
---@field kind "scalar"|"list"|"map"|"record"|"by_type"
---@field what string the phrase after "must be"
---@field brief string the type's name in a table
---@field luals string the type's name for editors
---@field relative boolean? the checked value depends on the configuration's folder

---A single value. `read` returns what goes into the plan; or nil and perhaps the rest of a sentence.
---@param node table what, brief, luals, read
---@return moongate.config.node
function kinds.scalar(node)
  node.kind = "scalar"
  return node
end

---Text, optionally narrowed by `read`.
---@param node table? what, brief, read(text, at)
---@return moongate.config.node
function kinds.text(node)
  node = node or {}
  local read = node.read
  return kinds.scalar {
    what = node.what or "a text", brief = node.brief or "text", luals = node.luals or "string",
    relative = node.relative,
    read = function(value, at)
      if type(value) ~= "string" then return nil end
      if value:find("%z") then return nil, "it contains a NUL byte" end
      if not read then
        if value == "" then return nil end
        return value
      end
      return read(value, at)
    end,
  }
end

---true or false.
---@return moongate.config.node
function kinds.flag()
  return kinds.scalar {
    what = "true or false", brief = "boolean", luals = "boolean",
    read = function(value)
      if type(value) == "boolean" then return value end
      if value == "on" or value == "yes" or value == "true" then return nil, "did you mean true?" end
      if value == "off" or value == "no" or value == "false" then return nil, "did you mean false?" end
    end,
  }
end

---A whole number between two bounds.
---@param min integer
---@param max integer
---@return moongate.config.node
function kinds.whole(min, max)
  return kinds.scalar {
    what = ("a whole number from %d to %d"):format(min, max), brief = "integer", luals = "integer",
    read = function(value)
      if type(value) == "string" and value:match("^%d+$") then
        return nil, ("did you mean %s, without quotes?"):format(value)
      end
      if type(value) ~= "number" or value % 1 ~= 0 or value < min or value > max then return nil end
      return value
    end,
  }
end

local function respelled(right)
  return right and ("did you mean \"%s\"?"):format(right) or nil
end

---Reads a number with a unit and holds it against its bounds.
local function bounded(read, bounds, show)
  return function(value)
    local number, right = read(value)
    if not number then return nil, respelled(right) end
    if number < bounds.min then return nil, ("the least is \"%s\""):format(show(bounds.min)) end
    if number > bounds.max then return nil, ("the most is \"%s\""):format(show(bounds.max)) end
    return number
  end
end

---A duration, in the plan as milliseconds. `off = true` also takes false, for "no limit".
---@param options { min: integer?, max: integer?, off: boolean? }? bounds in milliseconds
---@return moongate.config.node
function kinds.duration(options)
  options = options or {}
  local bounds = { min = options.min or 1, max = options.max or units.LONGEST }
  local read = bounded(units.duration, bounds, units.show_duration)
  return kinds.scalar {
    what = 'a duration such as "250ms", "30s", "5m", "1h" or a number of seconds'
      .. (options.off and ", or false" or ""),
    brief = options.off and "duration or `false`" or "duration",
    luals = options.off and "moongate.duration|false" or "moongate.duration",
    read = function(value)
      if value == false and options.off then return false end
      return read(value)
    end,
  }
end

---A size, in the plan as bytes.
---@param options { min: integer?, max: integer? }? bounds in bytes
---@return moongate.config.node
function kinds.size(options)
  options = options or {}
  return kinds.scalar {
    what = 'a size such as "16k", "10m", "2g" or a number of bytes', brief = "size", luals = "moongate.size",
    read = bounded(units.size, { min = options.min or 0, max = options.max or units.LARGEST }, units.show_size),
  }
end

---One of several texts.
---@param choices string[]
---@return moongate.config.node
function kinds.choice(choices)
  local quoted, known = {}, {}
  for i, choice in ipairs(choices) do
    quoted[i] = '"' .. choice .. '"'
    known[choice] = true
  end
  return kinds.scalar {
    what = spelling.listing(quoted, "or"), brief = "`" .. table.concat(quoted, "` `") .. "`",
    luals = table.concat(quoted, "|"),
    read = function(value)
      if type(value) == "string" and known[value] then return value end
      return nil, respelled(spelling.nearest(value, choices))
    end,
  }
end

---A function.
---@param luals string its type for editors
---@return moongate.config.node
function kinds.func(luals)
  return kinds.scalar {
    what = "a function", brief = "function", luals = luals,
    read = function(value) return type(value) == "function" and value or nil end,
  }
end

---Another kind, or false.
---@param node moongate.config.node
---@return moongate.config.node
function kinds.or_false(node)
  return kinds.scalar {
    what = node.what .. ", or false", brief = node.brief .. " or `false`", luals = node.luals .. "|false",
    relative = node.relative,
    read = function(value, at)
      if value == false then return false end
      return node.read(value, at)
    end,
  }
end

---The type's name for several of it.
local function plural(node)
  local brief = node.brief
  if node.many or not brief:match("^%a+$") then return node.many or brief end
  if brief:match("y$") then return brief:sub(1, -2) .. "ies" end
  return brief .. (brief:match("s$") and "es" or "s")
end

---A list of values of one kind.
---@param of moongate.config.node
---@param options { min: integer?, empty: string?, unique: boolean? }? `empty`: what to say when there are too few
---@return moongate.config.node
function kinds.list(of, options)
  options = options or {}
  return {
    kind = "list", of = of, min = options.min or 0, empty = options.empty, unique = options.unique,
    what = "a list of " .. plural(of):gsub("`", ""), brief = "list of " .. plural(of), relative = of.relative,
    luals = (of.luals:find("[|(]") and "(" .. of.luals .. ")" or of.luals) .. "[]",
  }
end

---A table from names to values of one kind. `name` reads a key: its right spelling, or nil and a remedy.
---@param of moongate.config.node
---@param options { what: string, name: fun(key: any): string?, string? }
---@return moongate.config.node
function kinds.map(of, options)
  return {
    kind = "map", of = of, name = options.name, named = options.named,
    what = options.what, brief = options.brief or "table of " .. of.brief, relative = of.relative,
    luals = ("table<string, %s>"):format(of.luals),
  }
end

---A table with known keys. Rows are { name, node, default, sentence, required = }; `refused` maps keys
---that are not for here to the sentence that says so; `finish(out, at, given, meant)` checks what keys mean
---together and returns what goes into the plan; `positional` is the one index that `finish` reads itself.
---@param node table class, title, rows, refused, finish, positional
---@return moongate.config.node
function kinds.record(node)
  node.kind = "record"
  node.what = node.what or "a table"
  node.brief = node.brief or "table"
  node.luals = node.luals or "moongate.config." .. node.class
  return node
end

---A value whose Lua type decides how it is checked.
---@param node table what, brief, luals, and a node per Lua type
---@return moongate.config.node
function kinds.by_type(node)
  node.kind = "by_type"
  return node
end

return kinds
