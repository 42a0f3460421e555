---Gives each request an id, tells it to the origin and to the client, and puts it into `req.id` for logs.
---
---     policies = { "request_id" }
---     policies = { { "request_id", header = "x-correlation-id", trust = true } }
local request_id = {}

request_id.options = {
  header = { type = "string", default = "x-request-id", doc = "the field that carries the id" },
  trust = { type = "boolean", default = false, doc = "whether an id that the request brings is kept" },
}

---An id that may be kept: short, and nothing in it that a log or a shell would stumble over.
local function is_valid(id)
  return #id <= 128 and id:find("^[%w%-._~+/=:@]+$") ~= nil
end

---Chooses the id and tells it to the origin.
function request_id:access(req)
  local brought = self.trust and req.headers[self.header]
  if brought and is_valid(brought) then req.id = brought end
  req.headers[self.header] = req.id
end

---Tells it to the client.
function request_id:response(req, res)
  res.headers[self.header] = req.id
end

return request_id
