---Lists of names and values in order, in which names may come more than once: queries, cookies.
---
---     list[1]          → { "a", "1" }
---     list:get "a"     → "1"
local pair_list = {}

---@class moongate.pair_list
---@field [integer] { [1]: string, [2]: string? } name and value; the value is missing where a query has no `=`
local methods = {}
local PairList = { __index = methods, __metatable = "moongate.pair_list" }

---@param list? { [1]: string, [2]: string? }[]
---@return moongate.pair_list
function pair_list.new(list)
  return setmetatable(list or {}, PairList)
end

---The first value of that name; "" when it has none.
---@param name string
---@return string?
function methods:get(name)
  for i = 1, #self do
    if self[i][1] == name then return self[i][2] or "" end
  end
  return nil
end

---All values of that name, in order.
---@param name string
---@return string[]
function methods:all(name)
  local values = {}
  for i = 1, #self do
    if self[i][1] == name then values[#values + 1] = self[i][2] or "" end
  end
  return values
end

local function step(state)
  local pair = state.list[state.at]
  if not pair then return nil end
  state.at = state.at + 1
  return pair[1], pair[2] or ""
end

---Goes through all names and values, in order.
---@return fun(state: table): string?, string?
---@return table state
function methods:each()
  return step, { list = self, at = 1 }
end

---Puts one more at the end.
---@param name string
---@param value string|number
function methods:add(name, value)
  self[#self + 1] = { name, tostring(value) }
end

---Takes all of that name away.
---@param name string
function methods:remove(name)
  local kept = 0
  for i = 1, #self do
    local pair = self[i]
    self[i] = nil
    if pair[1] ~= name then
      kept = kept + 1
      self[kept] = pair
    end
  end
end

---Gives that name one value, at the place of the first; nil takes it away.
---@param name string
---@param value string|number|nil
function methods:set(name, value)
  if value == nil then return self:remove(name) end
  local found, kept = false, 0
  for i = 1, #self do
    local pair = self[i]
    self[i] = nil
    if pair[1] ~= name or not found then
      kept = kept + 1
      self[kept] = pair[1] == name and { name, tostring(value) } or pair
      found = found or pair[1] == name
    end
  end
  if not found then self:add(name, value) end
end

return pair_list
