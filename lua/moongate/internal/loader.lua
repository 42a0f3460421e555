---`require` written in Lua, so that a module may wait while it is loaded, and the search for policies.
local native = require "moongate.internal.native"
local waiting = require "moongate.internal.waiting"

local loader = {}

local loaded = package.loaded
local under_way = {} -- name -> { who = runner or false, waiters = {} }

local function find(name)
  local tried = {}
  for _, search in ipairs(package.loaders) do
    local ok, found = pcall(search, name)
    -- What Lua says of a file that does not compile: a line of its own, with the place first.
    if not ok then error(found:match "\n%s*(.+)$" or found, 0) end
    if type(found) == "function" then return found end
    if type(found) == "string" then tried[#tried + 1] = found end
  end
  error(("module '%s' not found:%s"):format(name, table.concat(tried)), 3)
end

local function finish(name, ok, value)
  local waiters = under_way[name].waiters
  under_way[name] = nil
  for _, runner in ipairs(waiters) do native.wake(runner) end
  if not ok then error(value, 0) end
  if value ~= nil then loaded[name] = value end
  if loaded[name] == nil then loaded[name] = true end
  return loaded[name]
end

---Loads a module once, as Lua's own `require` does. A second asker waits while the first still loads it.
---@param name string
---@return any
function loader.require(name)
  if type(name) ~= "string" then error("require takes the name of a module, not a " .. type(name), 2) end
  while true do
    local value = loaded[name]
    if value ~= nil then return value end
    local current = under_way[name]
    if not current then break end
    local me = native.current() or false
    if current.who == me then error(("module '%s' requires itself, directly or through others"):format(name), 2) end
    current.waiters[#current.waiters + 1] = me
    waiting.wait()
  end
  local load = find(name)
  under_way[name] = { who = native.current() or false, waiters = {} }
  return finish(name, pcall(load, name))
end

---Puts it in the place of Lua's own.
function loader.install()
  require = loader.require -- luacheck: globals require
end

return loader
