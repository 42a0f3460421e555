---The answer to a request as hooks get it: `status`, `headers`, `upstream`, `timings`, `body()`. The fields are
---described in lua/moongate/types/api.lua, which is generated from core/script/api.h.
---
---     { pointer, number, class, headers }
local body = require "moongate.internal.body"
local ffi = require "ffi"
local fields = require "moongate.internal.fields"
local headers = require "moongate.headers"
local native = require "moongate.internal.native"

local response = {}

local methods = {}

---The whole body, in upstream_response and response; waits until it is there. It is still sent on afterwards.
---@param limit? integer|string bytes, or "16k"; "1m" unless given
---@return string? body
---@return string? message
---@return string? code "limit"; "gone": the origin ended half-way; "stream": a handler gives it piece by piece
function methods:body(limit, ...) -- luacheck: ignore 212
  local text, message, code = body.whole(native.answer_body, self, limit)
  if text then return text end
  return nil, message, code
end

local Response = fields.class("response", {
  called = "res",
  parts = { headers = 4 },
  computed = { timings = native.timings },
  methods = methods,
})

---@param pointer ffi.cdata*
---@param number integer
---@return moongate.response
function response.new(pointer, number)
  return fields.new { pointer, number, Response, headers.new(pointer, number, ffi.C.MG_MESSAGE_RESPONSE) }
end

return response
