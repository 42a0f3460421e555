---Which shared dictionaries the configuration names. A module may be loaded, and ask for one, before that is known:
---what was asked for early is settled as soon as it is.
local native = package.loaded["moongate.internal.native"]
local spelling = require "moongate.config.spelling"

local dicts = {}

local getinfo = debug.getinfo
local sizes          -- by name; nil: not known yet
local early = {}     -- { name, settle, place } in order

local function refusal(name)
  local known = {}
  for one in pairs(sizes) do known[#known + 1] = one end
  table.sort(known)
  if #known == 0 then
    return ("no dictionary is named '%s'; the configuration names none, as in dicts = { %s = \"10m\" }")
      :format(name, name)
  end
  return ("no dictionary is named '%s'%s"):format(name, spelling.remedy(name, known))
end

---Finds the dictionary of that name, now or as soon as the configuration has been read.
---@param name string
---@param settle fun(number: integer, address: number)
---@return string? wrong
function dicts.find(name, settle)
  if sizes then
    if not sizes[name] then return refusal(name) end
    settle(native.dict_open(name, sizes[name]))
    return nil
  end
  local at = getinfo(3, "Sl")
  early[#early + 1] = { name = name, settle = settle, place = ("%s:%d"):format(at.short_src, at.currentline) }
end

---The configuration has been read.
---@param plan table<string, integer> sizes in bytes by name
---@return string[] mistakes a line each
function dicts.configure(plan)
  sizes = plan
  local mistakes = {}
  for name, size in pairs(plan) do native.dict_open(name, size) end
  for _, one in ipairs(early) do
    local wrong = dicts.find(one.name, one.settle)
    if wrong then mistakes[#mistakes + 1] = one.place .. ": " .. wrong end
  end
  early = {}
  return mistakes
end

return dicts
