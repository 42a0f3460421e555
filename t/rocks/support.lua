---LuaRocks as a test uses it: set up for LuaJIT in a folder of its own, asking nobody but the server that it is given.
local files = require "moongate.testing.files"
local testing = require "moongate.testing"

local rocks = {}

---What LuaRocks needs to know, in a file: that Lua is LuaJIT, and that lua-cjson came with the system.
local CONFIG = [[
lua_interpreter = "luajit"
variables = { LUA_INCDIR = "/usr/include/luajit-2.1" }
rocks_provided = { ["lua-cjson"] = "2.1.0-1" }
rocks_servers = {}
]]

---Runs a command, and fails with what it said when it fails.
---@param w moongate.testing.world
---@param words table as for w:command
---@return string standard output
function rocks.run(w, words)
  local code, out, err = w:command(words)
  if code ~= 0 then error(("%s: exit status %s\n%s%s"):format(table.concat(words, " "), tostring(code), out, err), 2) end
  return out
end

---@param w moongate.testing.world
---@return table<string, string|false> environment for LuaRocks
local function environment(w)
  local home = w:dir { ["luarocks.lua"] = CONFIG }
  return {
    LUAROCKS_CONFIG = home .. "/luarocks.lua", HOME = home, XDG_CACHE_HOME = home, XDG_CONFIG_HOME = home,
    LUA_PATH = false, LUA_CPATH = false, http_proxy = false, https_proxy = false, all_proxy = false,
    MOONGATE_BIN = testing.binary(), GIT_CONFIG_NOSYSTEM = "1",
  }
end

---A function that runs `luarocks --lua-version 5.1 …`.
---@param w moongate.testing.world
---@return fun(words: table): string
function rocks.luarocks(w)
  local env = environment(w)
  return function(words)
    local all = { program = words.program or "luarocks", dir = words.dir, env = env, "--lua-version", "5.1" }
    for _, word in ipairs(words) do all[#all + 1] = word end
    return rocks.run(w, all)
  end
end

---A copy of a folder of the project that a test may build in.
---@param w moongate.testing.world
---@param path string
---@return string
function rocks.copy(w, path)
  local to = w:dir()
  rocks.run(w, { program = "cp", "-R", path .. "/.", to })
  rocks.run(w, { program = "rm", "-rf", to .. "/lua_modules" })
  return to
end

---Names in a folder that match a pattern.
---@param folder string
---@param pattern string
---@return string[]
function rocks.matching(folder, pattern)
  local found = {}
  for _, name in ipairs((files.list(folder))) do
    if name:match(pattern) then found[#found + 1] = name end
  end
  return found
end

return rocks
