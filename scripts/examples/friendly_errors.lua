---Makes the proxy's own errors readable: a page for browsers, JSON for programs, the request's id in both.
---
---     policies = { "friendly_errors" }
local json = require "moongate.json"

local friendly_errors = {}

local PAGE = [[
<!doctype html><title>%d</title>
<h1>Something went wrong</h1>
<p>If you ask for help, please name this number: <code>%s</code></p>
]]

function friendly_errors:failed(req, failure)
  local accept = req.headers.accept or ""
  if accept:find("text/html", 1, true) then
    return {
      status = failure.status,
      headers = { ["content-type"] = "text/html; charset=utf-8" },
      body = PAGE:format(failure.status, req.id),
    }
  end
  return {
    status = failure.status,
    headers = { ["content-type"] = "application/problem+json" },
    body = json.encode { status = failure.status, id = req.id, error = failure.error } .. "\n",
  }
end

return friendly_errors
