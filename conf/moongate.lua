-- Moongate's default configuration: a demo that needs nothing but itself, and a start for your own.
--
-- What stands behind "$" here is printed when the proxy is ready:
--
-- $ curl -i http://127.0.0.1:8080/                       # through the proxy, to the demo origin
-- $ curl -i http://127.0.0.1:8080/hello/moon             # answered by a handler, here in this file
-- $ curl -i http://127.0.0.1:8080/private                # 401: the policy api_key stands in front
-- $ curl -i -H 'x-api-key: moon' http://127.0.0.1:8080/private
-- $ curl -N http://127.0.0.1:8080/countdown/3            # streamed, as it comes
-- $ curl -s --unix-socket conf/run/moongate.sock http://moongate/v1/status
--
-- It is a Lua file that returns one table. Every key has a default, so a configuration may be as short as
--
--     return { upstreams = { app = { servers = { "127.0.0.1:9000" } } } }
--
-- docs/configuration.md lists all keys. `moongate check` says every mistake, `moongate explain GET URL` what would
-- serve a request, `moongate reload` takes a changed file into service without dropping a connection.

local time = require "moongate.time"

-- The demo origin ---------------------------------------------------------------------------------------------------
-- An ordinary origin is another program. This one is a site of the same proxy, reached over a connection of its own.

---Shows what an origin gets to see.
local function show(req)
  local lines = { ("%s %s HTTP/%s"):format(req.method, req.target, req.version) }
  for name, value in req.headers:each() do lines[#lines + 1] = name .. ": " .. value end
  return table.concat(lines, "\n") .. "\n"
end

---Counts down, one line a second. A body that is a function is asked for piece after piece, and may wait.
local function countdown(req)
  local left = math.min(tonumber(req.params.from) or 3, 60)
  return {
    headers = { ["content-type"] = "text/event-stream", ["cache-control"] = "no-store" },
    body = function()
      if left < 0 then return nil end
      if left > 0 then time.sleep(1) end
      left = left - 1
      return ("data: %d\n\n"):format(left + 1)
    end,
  }
end

---@type moongate.config
return {
  -- Worker processes: "auto" is one per core.
  workers = "auto",

  -- Where `moongate status`, `reload`, `stop` and the others find this proxy; only its user may.
  control = "run/moongate.sock",

  -- What happens to the proxy goes to standard error, a line per request to standard output. Both take
  -- path = "logs/error.log"; `kill -USR1` opens the files again after they were rotated.
  error_log = { level = "info" },
  access_log = { format = "combined" },

  -- Waits and bounds have safe defaults; these are here to be seen.
  timeouts = { client_idle = "75s", response = "60s", drain = "30s" },
  limits = { connections = 10000, body = "1g" },

  listeners = {
    { bind = "127.0.0.1:8080" },
    { bind = "127.0.0.1:8081" }, -- only for the demo origin
  },

  upstreams = {
    demo = {
      servers = { "127.0.0.1:8081" },
      host = "origin.demo",      -- by this Host the site below is chosen
      retry = { attempts = 2, on = { "connect", "reset" } },
      keepalive = 64,            -- idle connections kept, per worker
    },
  },

  -- For every request, in this order. This one gives it an id, which the origin, the client and scripts can see.
  policies = { "request_id" },

  sites = {
    -- The demo origin.
    {
      hosts = { "origin.demo" },
      routes = {
        { path = "/countdown/:from", handler = countdown },
        { handler = show },
      },
    },

    -- Every other host: the site that clients see.
    {
      policies = {
        { "headers", response = { set = { ["x-served-by"] = "moongate" } } },
      },
      routes = {
        { path = "/healthz", reply = { status = 200, body = "ok\n" } },
        { path = "/hello/:name", handler = function(req) return "hello " .. req.params.name .. "\n" end },
        { path = "/old/*", redirect = { to = "/*", status = 308 } },

        -- A policy that ships, with its options, and one that is written in place: a function is the access phase.
        {
          path = "/private",
          upstream = "demo",
          policies = {
            { "api_key", keys = { "moon" } },
            function(req)
              if req.method ~= "GET" then return { status = 405, headers = { allow = "GET" }, body = "only GET\n" } end
            end,
          },
        },

        -- All the rest goes to the origin.
        { upstream = "demo" },
      },
    },
  },
}
