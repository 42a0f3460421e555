---Lets in only those who bring a known key.
---
---     { "api_key", keys = { "k1", "k2" } }
---     { "api_key", header = "authorization-key", arg = "key", keys = …, forward = false }
---
---The key is looked up as a whole, by hash, so that how long the look-up takes does not tell how much of a
---guessed key was right. Later policies find it in `req.ctx.api_key`.
local api_key = {}

api_key.options = {
  header = { type = "string", default = "x-api-key", doc = "the field that holds the key" },
  arg = { type = "string", doc = "an argument of the query that may hold it instead" },
  keys = { type = "list", of = "string", required = true, min = 1, doc = "those that are let in" },
  forward = { type = "boolean", default = true, doc = "whether the origin gets to see the field" },
}

---Runs once per worker and generation; an error() here would refuse the generation.
function api_key:setup()
  self.known = {}
  for _, key in ipairs(self.keys) do
    if key == "" then error("keys: an empty key would let everybody in who sends an empty field", 0) end
    self.known[key] = true
  end
end

---Answers 401 unless a known key came.
function api_key:access(req)
  local key = req.headers[self.header]
  if key == nil and self.arg then key = req.args[self.arg] end
  if key == nil or not self.known[key] then
    return {
      status = 401,
      headers = { ["www-authenticate"] = "ApiKey" },
      body = key == nil and "a key is needed\n" or "unknown key\n",
    }
  end
  req.ctx.api_key = key
  if not self.forward then req.headers[self.header] = nil end
end

return api_key
