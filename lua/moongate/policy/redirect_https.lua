---Sends everybody who comes without TLS to the same place with it.
---
---     { "redirect_https" }
---     { "redirect_https", port = 8443, status = 301, except = { "/.well-known/acme-challenge/*", "/healthz" } }
---
---How the client came is `req.scheme`, so what `trusted_proxies` say of it counts. The challenge of ACME (RFC 8555
---section 8.3) is asked without TLS, so it is let through unless `except` says otherwise.
local paths = require "moongate.policy.shared.paths"

local redirect_https = {}

redirect_https.options = {
  status = { type = "integer", one_of = { 301, 302, 307, 308 }, default = 308,
    doc = "308 keeps method and body; clients older than that need 301" },
  port = { type = "integer", default = 443, min = 1, max = 65535, doc = "where TLS is spoken" },
  host = { type = "string", doc = "the host to go to; the one that was asked for unless given" },
  except = { type = "list", of = "string", default = { "/.well-known/acme-challenge/*" },
    doc = "paths that stay without TLS" },
}

---Reads the list of paths.
function redirect_https:setup()
  if self.host and not self.host:find "^[%w.:%[%]-]+$" then error("host: this is no host", 0) end
  self.exceptions = paths.list(self.except, "except")
  self.authority_end = self.port == 443 and "" or ":" .. self.port
end

---What was asked for, without scheme and host (RFC 9112 section 3.2.2), as it came.
local function target_of(req)
  local target = req.target
  if target:sub(1, 1) ~= "/" then
    target = req.path:sub(1, 1) == "/" and req.path or "/"
    if req.query then target = target .. "?" .. req.query end
  end
  return (target:gsub("[^!-~]", ""))
end

---Redirects requests that came without TLS.
function redirect_https:access(req)
  if req.scheme == "https" or self.exceptions:has(req.path) then return nil end
  local host = self.host or req.host
  if not host or host == "" then return { status = 400, body = "the request names no host\n" } end
  if host:find(":", 1, true) and host:sub(1, 1) ~= "[" then host = "[" .. host .. "]" end
  return { status = self.status, headers = { location = "https://" .. host .. self.authority_end .. target_of(req) } }
end

return redirect_https
