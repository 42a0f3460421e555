---A request as hooks get it. Its fields are described in lua/moongate/types/api.lua, which is generated from
---core/script/api.h; what is written here is what C does not hold: `ctx`, `body()` and the parts.
---
---     { pointer, number, class, ctx, headers, args, cookies, params, client }
local api = require "moongate.internal.api"
local body = require "moongate.internal.body"
local C = require "moongate.internal.program"
local ffi = require "ffi"

local dual = require "moongate.internal.dual"
local fields = require "moongate.internal.fields"
local headers = require "moongate.headers"
local items = require "moongate.internal.items"
local native = require "moongate.internal.native"
local response = require "moongate.response"

local request = {}

local CTX = 4

local REC = false
dual.attach(function(...) return REC, ... end)

local computed = {}

---The table that the policies of this request share; C forgets it when the request ends.
function computed.ctx(t, ...) -- luacheck: ignore 212
  if not REC or C.mg_api_alive(t[1]) ~= 1 then native.alive(t) end
  local ctx = rawget(t, CTX)
  if ctx then return ctx end
  native.made_ctx(t)
  ctx = {}
  rawset(t, CTX, ctx)
  return ctx
end

local methods = {}

---The whole body; waits until it is there. It is still sent on to the origin afterwards.
---@param limit? integer|string bytes, or "16k"; the route's limit but at most "1m" unless given
---@return string? body
---@return string? message
---@return string? code "limit" or "gone"
function methods:body(limit, ...) -- luacheck: ignore 212
  local text, message, code = body.whole(native.body, self, limit)
  if text then return text end
  return nil, message, code
end

local Request = fields.class("request", {
  called = "req",
  parts = { headers = 5, args = 6, cookies = 7, params = 8, client = 9 },
  computed = computed,
  methods = methods,
})

local Client = fields.class("client", { called = "req.client", parts = {}, computed = {}, methods = {} })

---The objects of one slot; C keeps them and uses them for many requests in turn.
---@param address number
---@param number integer
---@return moongate.request
---@return moongate.response
function request.new(address, number)
  local pointer = ffi.cast("mg_request *", address)
  local made = fields.new {
    pointer, number, Request, nil,
    headers.new(pointer, number, C.MG_MESSAGE_REQUEST),
    items.new(pointer, number, C.MG_ITEM_ARG),
    items.new(pointer, number, C.MG_ITEM_COOKIE),
    items.new(pointer, number, C.MG_ITEM_PARAM),
    fields.new { pointer, number, Client },
  }
  return made, response.new(pointer, number)
end

---Looks every function up once: the compiler only takes those that have been found before.
local function find_functions()
  for _, name in ipairs(api.functions) do
    if C[name] == nil then error(name) end
  end
end

---Compiled code may use the FFI from now on, if the program lets it find its functions.
function request.start()
  if not pcall(find_functions) then return end
  dual.start()
  native.on_deep(function(deep)
    if deep then dual.stop() else dual.start() end
  end)
end

return request
