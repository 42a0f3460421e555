---The answer to a request as hooks get it: `status`, `headers`, `upstream`, `timings`. The fields are described
---in lua/moongate/types/api.lua, which is generated from core/script/api.h.
---
---     { pointer, number, class, headers }
local ffi = require "ffi"
local fields = require "moongate.internal.fields"
local headers = require "moongate.headers"
local native = require "moongate.internal.native"

local response = {}

local Response = fields.class("response", {
  called = "res",
  parts = { headers = 4 },
  computed = { timings = native.timings },
  methods = {},
})

---@param pointer ffi.cdata*
---@param number integer
---@return moongate.response
function response.new(pointer, number)
  return fields.new { pointer, number, Response, headers.new(pointer, number, ffi.C.MG_MESSAGE_RESPONSE) }
end

return response
