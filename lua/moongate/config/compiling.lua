---Compiles a configuration file and what it requires, also when they are too large for one function.
local splitting = require "moongate.config.splitting"

local compiling = {}

---What the compiler says of a text, without a place in front: the line and the words.
local function complaint(source)
  -- Under a short name, since long ones are cut in the message.
  local _, message = load(source, "=c", "t")
  local line, text = message:match("^c:(%d+): (.*)$")
  return tonumber(line), text or message
end

---The limit that a complaint is about, and where, when it knows better than its own line does.
local function limit_in(text)
  local what = text:match("has more than %d+ [%a ]+$") or text:match("control structure too long")
    or text:match("function too long") or text:match("too many syntax levels") or text:match("too complex")
  return what, tonumber(text:match("^function at line (%d+)"))
end

---Compiles text in parts when as a whole it is too large.
---@param source string
---@param name string of the chunk
---@param message string what the compiler said of the whole
---@return function?
---@return integer? line
---@return string? text what is wrong
local function compile_parts(source, name, message)
  if not splitting.may_help(message) then return nil, complaint(source) end
  local parts = splitting.parts(source)
  local chunk = load(parts, name, "t")
  if chunk then return chunk end
  local line, text = complaint(parts)
  local limit, begins = limit_in(text)
  if not limit then return nil, line, text end
  return nil, begins or line, ("too large to compile, and what it is made of cannot be taken apart (%s); move pieces"
    .. " of it to files of their own that return them, and require those files"):format(limit)
end

---Compiles the text of a file.
---@param source string
---@param path string
---@return function?
---@return integer? line of a mistake
---@return string? text what is wrong
function compiling.compile(source, path)
  -- A first line that begins with "#" is for the shell.
  source = source:gsub("^#", "--#", 1)
  -- "t": text only; bytecode is not checked and could do anything to the process.
  local chunk, message = load(source, "@" .. path, "t")
  if chunk then return chunk end
  return compile_parts(source, "@" .. path, message)
end

---@return string? source
---@return string? problem
function compiling.read_file(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, (message:gsub("^.*: ", "")) end
  local source = file:read("*a")
  file:close()
  if not source then return nil, "cannot be read as a file" end
  return source
end

---A loader for `require` that takes what is too large for the usual one, and nothing else.
local function load_large(name)
  local path = package.searchpath(name, package.path)
  local source = path and compiling.read_file(path)
  if not source then return nil end
  source = source:gsub("^#", "--#", 1)
  local chunk, message = load(source, "@" .. path)
  if chunk or not splitting.may_help(message) then return nil end
  local line, text
  chunk, line, text = compile_parts(source, "@" .. path, message)
  if chunk then return chunk end
  error(("error loading module '%s' from file '%s':\n\t%s:%d: %s"):format(name, path, path, line or 0, text), 0)
end

---Calls a function; while it runs, `require` takes files of any size.
function compiling.with_large_modules(fn, ...)
  local loaders = package.loaders
  table.insert(loaders, 2, load_large)
  local results = { pcall(fn, ...) }
  for i = #loaders, 1, -1 do
    if loaders[i] == load_large then table.remove(loaders, i) end
  end
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2)
end

return compiling
