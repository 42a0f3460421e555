---Reads a configuration file, has it checked and says where each mistake stands.
local checker = require "moongate.config.checker"
local compiling = require "moongate.config.compiling"
local files = require "moongate.config.files"
local lines = require "moongate.config.lines"
local plan = require "moongate.config.plan"
local spelling = require "moongate.config.spelling"

local loading = {}

---@class moongate.config.error
---@field file string? the file as it was named
---@field line integer?
---@field where string the path of keys, such as "upstreams.app"; "" for the whole
---@field text string what is wrong and what would be right
---@field full string all of it: "conf/moongate.lua:31: upstreams.app: unknown key 'server'"

---Calls a function with the compiler switched off, and returns what it returns.
---
---The LuaJIT of Debian 12 (of 2022-03-20) sometimes compiles a loop over `pairs` or `next` so that it loses the
---upper half of a pointer and the process dies (LuaJIT issue 829). A configuration is read once, so it need
---not be compiled; this covers the loops of the file itself, too.
local function interpreted(fn, ...)
  local was_on = jit.status()
  jit.off()
  local results = { pcall(fn, ...) }
  if was_on then jit.on() end
  if not results[1] then error(results[2], 0) end
  return results[2], results[3]
end

---A path of keys as text: sites[1].routes[2].headers["x-a"].
---@param path any[]
---@return string
function loading.show_path(path)
  local parts = {}
  for i, key in ipairs(path) do
    if type(key) == "string" and key:match("^[%a_][%w_]*$") then
      parts[i] = (i > 1 and "." or "") .. key
    else
      parts[i] = "[" .. spelling.show(key) .. "]"
    end
  end
  return table.concat(parts)
end

---@return moongate.config.error
local function error_at(file, line, where, text)
  local front = file and (line and ("%s:%d: "):format(file, line) or file .. ": ") or ""
  return { file = file, line = line, where = where, text = text,
    full = front .. (where ~= "" and where .. ": " or "") .. text }
end

local function in_order(a, b)
  if a.line ~= b.line then return (a.line or math.huge) < (b.line or math.huge) end
  if a.where ~= b.where then return a.where < b.where end
  return a.text < b.text
end

---The source map, made when it is first asked for.
local function lazy_map(source)
  local map
  return function()
    if source and not map then map = lines.map(source) end
    return map
  end
end

local function with_lines(found, file, map)
  local errors = {}
  for i, mistake in ipairs(found) do
    local line = map and map:find(mistake.path)
    errors[i] = error_at(file, line, loading.show_path(mistake.where), mistake.text)
  end
  table.sort(errors, in_order)
  return errors
end

---The lines of every site, route and policy entry of a plan.
local function lines_of(made, map)
  local known, root = {}, map and map:root()
  if not root then return known end
  local function each(list, owner, key, visit)
    if not list then return end
    local node = map:step(owner, key)
    for i = 1, #list do
      local own = map:step(node, i)
      known[list[i]] = map:line(own)
      if visit then visit(list[i], own) end
    end
  end
  local function policies(thing, node) each(thing.policies, node, "policies") end
  local function site(thing, node)
    policies(thing, node)
    each(thing.routes, node, "routes", policies)
  end
  policies(made, root)
  each(made.sites, root, "sites", site)
  return known
end

local function place_of_function(entry)
  local info = entry.fn and debug.getinfo(entry.fn, "S")
  if info and info.source:sub(1, 1) == "@" then return info.source:sub(2) .. ":" .. info.linedefined end
end

---Gives a plan its `where`, also as a field of its sites, routes and policies; nothing is computed
---until somebody asks.
local function add_where(made, file, map)
  local known
  local front = file or "configuration"
  local function line_of(thing)
    known = known or lines_of(made, map())
    return known[thing] or map() and map():find(thing)
  end
  function made.where(thing)
    if type(thing) ~= "table" then return nil end
    local line = known and known[thing] or interpreted(line_of, thing)
    return line and front .. ":" .. line or front
  end
  local lazy = { __index = function(thing, key)
    if key == "where" then return place_of_function(thing) or made.where(thing) end
  end }
  local function mark(list)
    for _, entry in ipairs(list or {}) do setmetatable(entry, lazy) end
  end
  mark(made.policies)
  mark(made.sites)
  for _, site in ipairs(made.sites) do
    mark(site.policies)
    mark(site.routes)
    for _, route in ipairs(site.routes) do mark(route.policies) end
  end
end

local function check(schema, given, origin)
  local path = origin.file and files.absolute(origin.file, files.here())
  local folder = origin.folder and files.absolute(origin.folder, files.here())
    or path and files.folder(path) or files.here()
  local at = checker.place(folder)
  local map = lazy_map(origin.source)
  local made = checker.compile(schema)(given, at)
  if made then plan.finish(made, at, given) end
  if #at.errors > 0 then return nil, with_lines(at.errors, origin.file, map()) end
  made.name, made.file, made.folder = origin.file or "configuration", path, folder
  add_where(made, origin.file, map)
  return made
end

---Checks a table against a schema.
---@param schema moongate.config.node
---@param given table
---@param origin { file: string?, source: string?, folder: string? }
---@return moongate.plan?
---@return moongate.config.error[]?
function loading.check(schema, given, origin)
  return interpreted(check, schema, given, origin)
end

---The folders that the text names as script_path; they are searched while the file itself still runs.
local function script_folders(source, folder)
  local found = {}
  -- First the word alone: that is found faster in a large file.
  local list = source:find("script_path", 1, true) and source:match("script_path%s*=%s*(%b{})")
  for _, name in (list or ""):gmatch("([\"'])(.-)%1") do found[#found + 1] = files.absolute(name, folder) end
  return found
end

local function search_path(source, folder)
  local folders = script_folders(source, folder)
  folders[#folders + 1] = folder
  local parts = {}
  for _, name in ipairs(folders) do
    parts[#parts + 1] = name .. "/?.lua"
    parts[#parts + 1] = name .. "/?/init.lua"
  end
  parts[#parts + 1] = package.path
  return table.concat(parts, ";")
end

---The line of the configuration that led to an error, and the error without the place that Lua put in front.
local function locate(chunk_name, message)
  local line, text = nil, type(message) == "string" and message or ("error: " .. tostring(message))
  for level = 2, 200 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.source == chunk_name and info.currentline > 0 then
      line = info.currentline
      local front = ("%s:%d: "):format(info.short_src, line)
      if text:sub(1, #front) == front then text = text:sub(#front + 1) end
      break
    end
  end
  return { line = line, text = text }
end

local function run(chunk, chunk_name)
  return xpcall(chunk, function(message) return locate(chunk_name, message) end)
end

---The search path without the file's own folders, but with what the file itself put before or behind it.
local function without(folders_path, before)
  local first, last = package.path:find(folders_path, 1, true)
  if not first then return package.path end
  return package.path:sub(1, first - 1) .. before .. package.path:sub(last + 1)
end

---Runs the file with its folders on the search path.
local function run_in_folder(chunk, path, source, folder)
  local before = package.path
  local while_loading = search_path(source, folder)
  package.path = while_loading
  local ok, result = compiling.with_large_modules(run, chunk, "@" .. path)
  package.path = without(while_loading, before)
  return ok, result
end

local function load_file(schema, path)
  local source, problem = compiling.read_file(path)
  if not source then return nil, { error_at(path, nil, "", problem) } end
  local chunk, line, text = compiling.compile(source, path)
  if not chunk then return nil, { error_at(path, line, "", text) } end
  local folder = files.folder(files.absolute(path, files.here()))
  local ok, result = run_in_folder(chunk, path, source, folder)
  if not ok then return nil, { error_at(path, result.line, "", result.text) } end
  if type(result) ~= "table" then
    local found = type(result) == "nil" and "nothing" or "a " .. type(result)
    return nil, { error_at(path, nil, "", ("must return one table, not %s"):format(found)) }
  end
  return check(schema, result, { file = path, source = source, folder = folder })
end

---Reads and checks a file.
---@param schema moongate.config.node
---@param path string
---@return moongate.plan?
---@return moongate.config.error[]?
function loading.load(schema, path)
  return interpreted(load_file, schema, path)
end

return loading
