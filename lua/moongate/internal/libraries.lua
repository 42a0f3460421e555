---The C libraries that modules call through FFI, found by the name under which Debian installs them.
local ffi = require "ffi"

local libraries = {}

---The first of these libraries that is there. The program is linked with all that the modules use, so that inside it
---this finds what is loaded already.
---@param ... string names for the dynamic linker, the exact one first
---@return ffi.namespace*
function libraries.load(...)
  local why
  for i = 1, select("#", ...) do
    local ok, found = pcall(ffi.load, (select(i, ...)))
    if ok then return found end
    why = why or found
  end
  error(("none of the libraries %s is there: %s"):format(table.concat({ ... }, ", "), why), 2)
end

return libraries
