---What compiled code may call in the program, declared once.
local ffi = require "ffi"
ffi.cdef(require("moongate.internal.api").cdef)

return ffi.C
