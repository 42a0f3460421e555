---Modules from a tree of LuaRocks, for a configuration file to begin with.
---
---     require("moongate.rocks").use "lua_modules"
---
---The proxy's own library and the folders of `script_path` are searched before the tree, so nothing that is installed
---there can take the place of either.
local files = require "moongate.config.files"

local rocks = {}

local LUA = { "%s/share/lua/5.1/?.lua", "%s/share/lua/5.1/?/init.lua" }
local NATIVE = { "%s/lib/lua/5.1/?.so" }

---A search path with patterns behind it, unless they are there already.
local function with(path, patterns, tree)
  for _, pattern in ipairs(patterns) do
    local entry = pattern:format(tree)
    if not (";" .. path .. ";"):find(";" .. entry .. ";", 1, true) then path = path .. ";" .. entry end
  end
  return path
end

---The folder of the file that called, for relative names.
local function folder_of_caller()
  local source = debug.getinfo(3, "S").source
  local file = source:match "^@(.*)"
  return file and files.folder(files.absolute(file, files.here())) or files.here()
end

---Lets `require`, and entries of `policies`, find what is installed in a tree: its Lua modules and its C modules.
---@param tree string the folder that `luarocks --tree` was given; a relative one begins at the calling file's folder
function rocks.use(tree)
  if type(tree) ~= "string" or tree == "" then
    error("rocks.use takes the folder of a tree of LuaRocks, not " .. (tree == "" and '""' or "a " .. type(tree)), 2)
  end
  if tree:find "[;?]" then error("rocks.use: a search path cannot hold the ';' or '?' of " .. tree, 2) end
  local folder = files.absolute(tree, folder_of_caller())
  local found, why = io.open(folder)
  if not found then error("rocks.use: there is no tree of LuaRocks: " .. why, 2) end
  found:close()
  package.path, package.cpath = with(package.path, LUA, folder), with(package.cpath, NATIVE, folder)
end

return rocks
