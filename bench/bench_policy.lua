---What a small access policy does: look a key up among 1,000, tell the origin who asks, tidy the answer.
local bench = {}

function bench:setup()
  self.tenants = {}
  for i = 1, 1000 do self.tenants[("key-%04d-%08x"):format(i, i * 2654435761 % 2 ^ 32)] = ("tenant%04d"):format(i) end
end

function bench:access(req)
  local headers = req.headers
  local tenant = self.tenants[headers["x-api-key"]]
  if not tenant then return { status = 403 } end
  headers["x-tenant"] = tenant
  headers["x-user-tag"] = (headers["x-user"] or "anonymous") .. "@" .. tenant
end

function bench:response(_, res)
  res.headers["x-powered-by"] = nil
  res.headers["x-policy"] = "v1"
end

return bench
