---The C libraries that modules call through FFI, found by the name under which Debian installs them.
local ffi = require "ffi"

local libraries = {}

ffi.cdef "void *dlopen(const char *name, int flags);"

local NOW, NO_DELETE = 2, 0x1000

---The first of these libraries that is there. The program is linked with all that the modules use, so that inside it
---this finds what is loaded already.
---
---A library that was found stays for the life of the process: objects that it made are freed by the collector, which
---may let go of a module and its library first.
---@param ... string names for the dynamic linker, the exact one first
---@return ffi.namespace*
function libraries.load(...)
  local why
  for i = 1, select("#", ...) do
    local name = select(i, ...)
    local ok, found = pcall(ffi.load, name)
    if ok then
      ffi.C.dlopen(name, NOW + NO_DELETE)
      return found
    end
    why = why or found
  end
  error(("none of the libraries %s is there: %s"):format(table.concat({ ... }, ", "), why), 2)
end

return libraries
