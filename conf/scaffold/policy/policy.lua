---Says in every answer that the request came through here.
---
---     policies = { { "@name@", word = "hello" } }     -- x-@rock@: hello moon.test

---@class @name@
---@field header string
---@field word string
local @name@ = {}

@name@.options = {
  word   = { type = "string", required = true, doc = "what is said" },
  header = { type = "string", default = "x-@rock@", doc = "the field of the answer that says it" },
}

---@param req moongate.request
---@param res moongate.response
function @name@:response(req, res)
  res.headers[self.header] = self.word .. " " .. req.host
end

return @name@
