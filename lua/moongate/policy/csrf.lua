---Refuses requests that change something and that another site has made a browser send.
---
---     { "csrf" }
---     { "csrf", origins = { "https://login.example.com" }, missing = "allow", except = { "/hooks/*" } }
---
---For methods other than GET, HEAD, OPTIONS and TRACE, in this order, the first that says something decides:
---
---  1. an Origin that is listed is let in;
---  2. Sec-Fetch-Site: `same-origin` and `none` (the user typed it) are let in, `same-site` when `same_site` is set,
---     all else is refused;
---  3. Origin, and without one Referer: let in when it names the host and port that was asked for, and https if the
---     request came by it; refused otherwise, `null` too;
---  4. neither: `missing` decides. Browsers of today send Origin; programs do not.
local origins = require "moongate.policy.shared.origins"
local paths = require "moongate.policy.shared.paths"

local csrf = {}

csrf.options = {
  origins = { type = "list", of = "string", default = {}, doc = "other origins that may send such requests" },
  patterns = { type = "list", of = "string", default = {}, doc = "regular expressions for whole origins" },
  same_site = { type = "boolean", default = false, doc = "whether other hosts of the same site may" },
  missing = { one_of = { "deny", "allow" }, default = "deny", doc = "what happens when nothing says where it is from" },
  except = { type = "list", of = "string", default = {}, doc = "paths that are not looked at" },
}

local SAFE = { GET = true, HEAD = true, OPTIONS = true, TRACE = true }

---Reads the lists.
function csrf:setup()
  self.list = origins.list(self.origins, self.patterns)
  self.exceptions = paths.list(self.except, "except")
end

---Whether a URL is of the host that was asked for.
local function is_own(req, text)
  local origin, parts = origins.of(text)
  if not origin then return false end
  if parts.scheme ~= "https" and (parts.scheme ~= "http" or req.scheme == "https") then return false end
  -- The scheme may be another one when something in front of us speaks TLS; the port is judged by that scheme.
  return origin == origins.of(parts.scheme .. "://" .. (req.headers.host or req.host or ""))
end

---Nil when the request may pass, else why not.
local function objection(self, req)
  local fields = req.headers
  local origin, site = fields.origin, fields["sec-fetch-site"]
  if origin and self.list:has(origin) then return nil end
  if site then
    if site == "same-origin" or site == "none" or self.same_site and site == "same-site" then return nil end
    return "Sec-Fetch-Site says that another site has sent it"
  end
  if origin then return not is_own(req, origin) and "Origin names another site" or nil end
  local referer = fields.referer
  if referer then return not is_own(req, referer) and "Referer names another site" or nil end
  return self.missing == "deny" and "nothing says which site has sent it" or nil
end

---Answers 403 to what another site has sent.
function csrf:access(req)
  if SAFE[req.method] or self.exceptions:has(req.path) then return nil end
  local why = objection(self, req)
  if why then return { status = 403, body = "refused: " .. why .. "\n" } end
end

return csrf
