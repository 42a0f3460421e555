---The answer to a request as hooks get it: `status`, `headers`, `upstream`, `timings`. The fields are described
---in lua/moongate/types/api.lua, which is generated from core/script/api.h.
---
---     { pointer, number, headers }
local ffi = require "ffi"
local fields = require "moongate.internal.fields"
local headers = require "moongate.headers"
local native = require "moongate.internal.native"

local response = {}

local meta = fields.meta("response", "res", {
  parts = { headers = 3 },
  computed = { timings = function(t, ...) return (native.timings(t, ...)) end },
  methods = {},
})

---@param pointer ffi.cdata*
---@param number integer
---@return moongate.response
function response.new(pointer, number)
  return setmetatable({ pointer, number, headers.new(pointer, number, ffi.C.MG_MESSAGE_RESPONSE) }, meta)
end

return response
