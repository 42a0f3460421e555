---Folders and files that tests leave nothing of.

local ffi = require "ffi"

ffi.cdef [[
char *mkdtemp(char *);
int mkdir(const char *, unsigned);
int rmdir(const char *);
int unlink(const char *);
void *opendir(const char *);
void *readdir(void *);
int closedir(void *);
char *realpath(const char *, char *);
void free(void *);
int symlink(const char *, const char *);
char *strerror(int);
]]

local C = ffi.C

local DT_DIR = 4

local dirent = ffi.typeof [[struct { uint64_t inode; int64_t offset; uint16_t length; uint8_t type;
                                     char name[256]; } *]]

local files = {}

---A new folder that nobody else has.
---@return string path
function files.temporary_folder()
  local base = os.getenv "TMPDIR" or "/tmp"
  if #base > 60 then base = "/tmp" end -- a unix socket in it must fit into 107 bytes
  local template = base .. "/moongate-XXXXXX"
  local buffer = ffi.new("char[?]", #template + 1, template)
  local made = C.mkdtemp(buffer)
  if made == nil then error(("cannot make a folder in %s: %s"):format(base, ffi.string(C.strerror(ffi.errno()))), 2) end
  return ffi.string(made)
end

---Makes a folder; that it exists already is fine.
---@param path string
function files.make_folder(path)
  C.mkdir(path, 0x1ed)
end

---Names of what is in a folder, in order.
---@param path string
---@return string[]
---@return table<string, boolean> is_folder by name
function files.list(path)
  local handle, names, is_folder = C.opendir(path), {}, {}
  if handle == nil then return names, is_folder end
  while true do
    local entry = C.readdir(handle)
    if entry == nil then break end
    local e = ffi.cast(dirent, entry)
    local name = ffi.string(e.name)
    if name ~= "." and name ~= ".." then
      names[#names + 1], is_folder[name] = name, e.type == DT_DIR
    end
  end
  C.closedir(handle)
  table.sort(names)
  return names, is_folder
end

---Removes a folder and all below it, without following links.
---@param path string
function files.remove_folder(path)
  local names, is_folder = files.list(path)
  for _, name in ipairs(names) do
    local below = path .. "/" .. name
    if is_folder[name] then files.remove_folder(below) else C.unlink(below) end
  end
  C.rmdir(path)
end

---Makes a symbolic link; that something of that name is there already is fine.
---@param target string
---@param path string
function files.link(target, path)
  C.symlink(target, path)
end

---@param path string
---@return string|nil absolute path without links, nil when there is none
function files.real_path(path)
  local found = C.realpath(path, nil)
  if found == nil then return nil end
  local text = ffi.string(found)
  C.free(found)
  return text
end

---@param path string
---@return string|nil content
function files.read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local content = file:read "*a"
  file:close()
  return content
end

---Writes a file through a rename, so that nobody reads half of it. Makes the folders that it needs below `base`.
---@param base string
---@param name string
---@param content string
function files.write_file(base, name, content)
  local folder = base
  for part in name:gmatch "([^/]+)/" do
    folder = folder .. "/" .. part
    files.make_folder(folder)
  end
  local path = base .. "/" .. name
  local file = assert(io.open(path .. ".new", "wb"))
  assert(file:write(content))
  assert(file:close())
  assert(os.rename(path .. ".new", path))
end

return files
