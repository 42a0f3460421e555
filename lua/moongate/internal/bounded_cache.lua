---A bounded memory of what was made from two texts: what was not asked for longest goes first.
local cache = {}

---@class moongate.internal.bounded_cache
---@field count integer
---@field limit integer
local methods = {}
local Cache = { __index = methods }

---@param limit integer
---@return moongate.internal.bounded_cache
function cache.new(limit)
  local ends = {}
  ends.newer, ends.older = ends, ends
  return setmetatable({ limit = limit, count = 0, rooms = {}, ends = ends }, Cache)
end

local function unlink(node)
  node.newer.older, node.older.newer = node.older, node.newer
end

local function put_first(ends, node)
  node.newer, node.older = ends, ends.older
  ends.older.newer = node
  ends.older = node
end

---@param room string
---@param name string
---@return any?
function methods:get(room, name)
  local nodes = self.rooms[room]
  local node = nodes and nodes[name]
  if not node then return nil end
  local ends = self.ends
  if ends.older ~= node then
    unlink(node)
    put_first(ends, node)
  end
  return node.value
end

local function drop_oldest(self)
  local node = self.ends.newer
  unlink(node)
  local nodes = self.rooms[node.room]
  nodes[node.name] = nil
  if next(nodes) == nil then self.rooms[node.room] = nil end
  self.count = self.count - 1
end

---Keeps something that is not in it yet.
---@param room string
---@param name string
---@param value any
function methods:put(room, name, value)
  local node = { room = room, name = name, value = value }
  self.rooms[room] = self.rooms[room] or {}
  self.rooms[room][name] = node
  put_first(self.ends, node)
  self.count = self.count + 1
  self:bound(self.limit)
end

---@param limit integer
function methods:bound(limit)
  self.limit = limit
  while self.count > limit do drop_oldest(self) end
end

return cache
