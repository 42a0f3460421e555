---Paths of files: joined, made absolute, tidied. Nothing here touches the disk but `here`.
local ffi = require "ffi"

ffi.cdef [[ char *getcwd(char *buffer, size_t size); ]]

local files = {}

---The folder in which the process stands.
---@return string
function files.here()
  local size = 4096
  local buffer = ffi.new("char[?]", size)
  if ffi.C.getcwd(buffer, size) == nil then return "/" end
  return ffi.string(buffer)
end

---Takes "." and ".." and doubled slashes out of an absolute path.
---@param path string
---@return string
function files.tidy(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

---The absolute path of a file that was named from within a folder.
---@param path string
---@param folder string absolute
---@return string
function files.absolute(path, folder)
  if path:sub(1, 1) ~= "/" then path = folder .. "/" .. path end
  return files.tidy(path)
end

---The folder that holds a file.
---@param path string absolute
---@return string
function files.folder(path)
  local folder = path:match("^(.*)/[^/]*$")
  if not folder or folder == "" then return "/" end
  return folder
end

return files
