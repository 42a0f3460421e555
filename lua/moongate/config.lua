---The configuration: one schema that checks, documents and types, and the door to it.
---
---     local plan, errors = require("moongate.config").load("conf/moongate.lua")
---
---A *plan* is the configuration with every default filled in and every value brought to one form:
---durations are integers in milliseconds, sizes are bytes, paths are absolute, endpoints are taken
---apart. It is a plain table with the same key names; what it has beyond them is in `moongate.plan`.
---
---Every row of the schema is { name, kind, default, sentence }. From it come the checks
---(config/checker.lua), the table in docs/configuration.md (config/manual.lua) and the types for
---editors (config/typing.lua).
local kinds = require "moongate.config.kinds"
local loading = require "moongate.config.loading"
local policies = require "moongate.config.policies"
local routes = require "moongate.config.routes"
local upstreams = require "moongate.config.upstreams"
local values = require "moongate.config.values"

local config = {}

local duration, size, whole, flag, list, map, record =
  kinds.duration, kinds.size, kinds.whole, kinds.flag, kinds.list, kinds.map, kinds.record

local LATER = "'%s' is not available in this version"
local PROCESS = "'%s' is for the whole proxy: it runs while no site is chosen yet"

---Maps keys to the sentence that refuses them.
local function refuse(sentence, ...)
  local refused = {}
  for _, key in ipairs { ... } do refused[key] = sentence:format(key) end
  return refused
end

---Adds sentences for single keys.
local function also(refused, more)
  for key, sentence in pairs(more) do refused[key] = sentence end
  return refused
end

local function without_defaults(rows, ...)
  local left_out, out = {}, {}
  for _, name in ipairs { ... } do left_out[name] = true end
  for _, row in ipairs(rows) do
    if not left_out[row[1]] then out[#out + 1] = { row[1], row[2], nil, row[4] } end
  end
  return out
end

-- Timeouts and limits -----------------------------------------------------------------------------

local TIMEOUTS = {
  { "client_header", duration(), "10s", "How long the head of a request may take to arrive, from its first byte." },
  { "client_body", duration(), "30s", "How long the client may send nothing while its body is awaited." },
  { "client_write", duration(), "30s", "How long the client may take nothing while an answer is sent." },
  { "client_idle", duration(), "75s", "How long a connection is kept open between two requests." },
  { "client_gone", duration(), "5s",
    "How long an unanswered request is kept for a client that has closed its sending side." },
  { "tunnel", duration(), "10m", "How long a tunnel (a WebSocket) may be silent in both directions." },
  { "drain", duration(), "30s", "How long requests may go on after the proxy was told to stop." },
  { "request", duration { off = true }, false,
    "How long a whole exchange may take; off unless set, since streams may be long." },
  { "script", duration(), "60s", "How long a hook may wait." },
  { "connect", duration(), "5s", "How long a connection to an origin may take to be made." },
  { "response", duration(), "60s", "How long an origin may take until the head of its answer has arrived." },
  { "body", duration(), "60s", "How long an origin may send nothing, or take nothing, in the middle of a body." },
}

local LIMITS = {
  { "connections", whole(1, 1000000), 10000, "Connections of clients that are open at once, per worker." },
  { "header_bytes", size { min = 1024, max = 1024 ^ 2 }, "32k",
    "Bytes of a head, request line included; more is answered 431." },
  { "headers", whole(1, 10000), 128, "Fields of a head; more are answered 431." },
  { "request_line", size { min = 512, max = 1024 ^ 2 }, "16k", "Bytes of a request line; more are answered 414." },
  { "body", size(), "1g", "Bytes of a request's body; more are answered 413." },
  { "keepalive_requests", whole(1, 1000000000), 10000, "Requests that one connection may bring." },
  { "min_rate", size { max = 1024 ^ 3 }, 100,
    "Bytes a second below which who sends or takes a body is cut off; 0: no such check." },
  { "generations", whole(2, 64), 8, "Generations alive at once; when there are more, the oldest is ended." },
  { "buffer", size { min = 16 * 1024, max = 1024 ^ 3 }, "256k",
    "Bytes of a body held at most, per direction and exchange." },
}

local timeouts = record { class = "timeouts", title = "timeouts", rows = TIMEOUTS }
local limits = record { class = "limits", title = "limits", rows = LIMITS }

local scoped_timeouts = record {
  class = "scoped_timeouts", title = "sites[].timeouts, sites[].routes[].timeouts",
  rows = without_defaults(TIMEOUTS, "client_header", "client_idle", "drain"),
  refused = refuse(PROCESS, "client_header", "client_idle", "drain"),
}

local scoped_limits = record {
  class = "scoped_limits", title = "sites[].limits, sites[].routes[].limits",
  rows = { { "body", size(), nil, "Bytes of a request's body; more are answered 413." } },
  refused = refuse("'%s' is for the whole proxy; here only 'body' may differ", "connections", "header_bytes",
    "headers", "request_line", "keepalive_requests", "min_rate", "generations", "buffer"),
}

local upstream_timeouts = record {
  class = "upstream_timeouts", title = "upstreams.<name>.timeouts",
  rows = {
    { "connect", duration(), nil, "As in `timeouts`." },
    { "response", duration(), nil, "As in `timeouts`." },
    { "body", duration(), nil, "As in `timeouts`." },
  },
}

local budgets = record {
  class = "budgets", title = "budgets",
  rows = {
    { "cpu", duration { min = 1, max = 60000 }, "50ms",
      "Processor time that a hook may take between two waits; past it, it is ended with an error." },
    { "task", duration { min = 1, max = 60000 }, "500ms", "The same for tasks and timers, `start` and `stop`." },
    { "setup", duration { min = 100, max = 600000 }, "10s",
      "Processor time of loading: `setup` of all policies together, and building what was configured." },
    { "memory", size { min = 8 * 1024 ^ 2, max = 64 * 1024 ^ 3 }, "64m",
      "Memory that all scripts of a generation may hold, per worker; who asks for more gets an error." },
  },
}

-- Logs, resolver, listeners -----------------------------------------------------------------------

local error_log = record {
  class = "error_log", title = "error_log",
  rows = {
    { "level", kinds.choice { "debug", "info", "warn", "error" }, "info", "The least that is written." },
    { "path", values.file("the path of a file"), nil, "The file; without it, standard error." },
  },
}

local access_log = record {
  class = "access_log", title = "access_log",
  rows = {
    { "format", kinds.by_type {
      what = '"json", "combined" or a function', brief = '`"json"` `"combined"` or function',
      luals = '"json"|"combined"|fun(req: moongate.request, res: moongate.response): string?',
      string = kinds.choice { "json", "combined" }, ["function"] = kinds.func("function"),
    }, "combined", "How a line is written; a function returns the line, or nothing for none." },
    { "path", values.file("the path of a file"), nil, "The file; without it, standard output." },
    { "off", flag(), false, "Writes none." },
  },
}

local resolver = record {
  class = "resolver", title = "resolver",
  rows = {
    { "nameservers", list(values.nameserver, { min = 1, unique = true }), nil,
      "Name servers, `\"ip\"` or `\"ip:port\"`; without it, the system's." },
    { "timeout", duration { max = 60000 }, "2s", "How long one try may take." },
    { "attempts", whole(1, 10), 2, "Tries per name server." },
    { "min_ttl", duration(), "1s", "An answer is kept at least so long." },
    { "max_ttl", duration(), "5m", "An answer is kept at most so long." },
    { "hosts_file", kinds.or_false(values.file("the path of a file")), "/etc/hosts",
      "Names that need no name server." },
  },
  finish = function(out, at)
    if out.min_ttl and out.max_ttl and out.min_ttl > out.max_ttl then
      at:fail("'min_ttl' is longer than 'max_ttl'", "min_ttl")
    end
    return out
  end,
}

local listener = record {
  class = "listener", title = "listeners[]",
  rows = {
    { "bind", values.bind, nil,
      "Where it listens: `\"127.0.0.1:8080\"`, `\"*:8080\"` or `\":8080\"` (every IPv4 address), `\"[::]:8080\"`, "
      .. "`\"unix:run/web.sock\"`; port 0 takes a free one.", required = true },
    { "backlog", whole(1, 65535), 4096, "Connections that may wait to be accepted." },
    { "mode", values.mode, "0660", "Permissions of a UNIX socket's file." },
    { "ipv6_only", flag(), true, "Whether a listener at `[::]` leaves IPv4 to others." },
  },
  refused = also(refuse(LATER, "proxy_protocol"), {
    tls = "TLS termination is not available in this version",
  }),
  finish = function(out, at, given)
    local bind = out.bind
    if not bind then return out end
    out.bind, out.kind, out.host, out.port, out.path = bind.address, bind.kind, bind.host, bind.port, bind.path
    if given.mode ~= nil and bind.kind ~= "unix" then at:fail("'mode' goes with a UNIX socket only", "mode") end
    return out
  end,
}

-- Upstreams ---------------------------------------------------------------------------------------

local retry = record {
  class = "retry", title = "upstreams.<name>.retry",
  rows = {
    { "attempts", whole(1, 16), 2, "Tries in all, the first included." },
    { "on", list(upstreams.condition, { unique = true }), { "connect", "reset" },
      "What leads to another try: no connection, one that broke before any answer, no answer in time, a status." },
    { "non_idempotent", flag(), false, "Whether requests that are not idempotent, such as POST, may be sent twice." },
  },
}

local failover = record {
  class = "failover", title = "upstreams.<name>.failover",
  rows = {
    { "fails", whole(0, 1000), 3, "Failures in a row after which a server is left out; 0: never." },
    { "within", duration(), "10s", "The failures count when they happen within so long." },
    { "pause", duration(), "10s", "How long it is left out." },
  },
}

local upstream = record {
  class = "upstream", title = "upstreams.<name>",
  rows = {
    { "servers", list(upstreams.server, { min = 1, empty = "must name at least one server" }), nil,
      "The servers: `\"host:port\"`, `\"unix:/path\"`, or a table with more about one.", required = true,
      missing = 'a list such as { "10.0.0.1:9000" }' },
    { "balance", upstreams.balance, "round_robin", "How a server is chosen." },
    { "retry", retry, {}, "When another server is tried." },
    { "timeouts", upstream_timeouts, nil, "Waits for this upstream; what is absent is as in `timeouts`." },
    { "keepalive", whole(0, 100000), 64, "Idle connections kept per worker." },
    { "keepalive_idle", duration(), "55s", "How long an idle connection is kept." },
    { "keepalive_requests", whole(1, 1000000000), 10000, "Requests that one connection carries." },
    { "failover", failover, {}, "When a server that fails is left out for a while." },
    { "host", upstreams.host, "client",
      "The Host that the origin is told: the client's, the server's, or this one." },
  },
  refused = refuse(LATER, "health", "tls", "sticky", "http2", "slow_start", "outliers"),
  finish = upstreams.finish,
}

-- Routes and sites --------------------------------------------------------------------------------

local reply = record {
  class = "reply", title = "sites[].routes[].reply",
  rows = {
    { "status", routes.status, 200, "The status." },
    { "headers", routes.reply_headers, nil, "Headers: a text each, or a list for several of one name." },
    { "body", kinds.text { what = "a text", read = function(text) return text end }, nil, "The body." },
  },
  finish = routes.finish_reply,
}

local redirect = record {
  class = "redirect", title = "sites[].routes[].redirect",
  rows = {
    { "to", routes.location, nil,
      "Where to: a path or a URL; `:name` and a final `/*` stand for what the route's path matched.",
      required = true },
    { "status", routes.redirect_status, 302, "The status." },
    { "keep_query", flag(), true, "Whether the request's query goes along." },
  },
}

local HANDLER = "fun(req: moongate.request): moongate.answer?"

local route = record {
  class = "route", title = "sites[].routes[]",
  rows = {
    { "name", kinds.text(), nil, "What logs and numbers call it." },
    { "path", routes.path, nil,
      "`\"/x\"` is exact, `\"/x/*\"` a prefix, `:name` one segment; without it, every path." },
    { "regex", kinds.text { what = "a regular expression" }, nil,
      "A PCRE2 expression for the path, instead of `path`." },
    { "methods", list(values.method, { min = 1, unique = true }), nil,
      "Only these methods; others are answered 405." },
    { "headers", routes.headers, nil, "Only when these headers match: a text, `true` (present) or `{ regex = }`." },
    { "query", routes.query, nil, "Only when these arguments match." },
    { "when", kinds.func("fun(req: moongate.request): boolean"), nil, "Only when it returns true." },
    { "upstream", values.name("the name of an upstream"), nil, "Action: the request goes to this upstream." },
    { "handler", kinds.func(HANDLER), nil, "Action: a function answers." },
    { "reply", reply, nil, "Action: a fixed answer." },
    { "redirect", redirect, nil, "Action: the client is sent elsewhere." },
    { "rewrite", routes.path, nil,
      "The path sent to the origin: `\"/other/*\"`, `\"/x/:id\"`; without it, the client's." },
    { "upgrade", list(routes.protocol, { unique = true }), { "websocket" },
      "Protocols that a connection may change to; an empty list for none." },
    { "policies", policies.list, {}, "Policies of this route, after those of the site." },
    { "timeouts", scoped_timeouts, nil, "Waits that differ here." },
    { "limits", scoped_limits, nil, "Limits that differ here." },
  },
  refused = refuse(LATER, "split", "files", "cache", "compress"),
  finish = routes.finish,
}

local site = record {
  class = "site", title = "sites[]",
  rows = {
    { "hosts", list(values.host, {
      min = 1, empty = "must name at least one host; without 'hosts' the site takes every other",
    }), nil, "`\"example.com\"` or `\"*.example.com\"`; without it, the site for every other host." },
    { "name", kinds.text(), nil, "What logs and numbers call it." },
    { "policies", policies.list, {}, "Policies of this site, after the global ones." },
    { "routes", list(route, { min = 1, empty = "must have at least one route" }), nil, "Its routes.", required = true,
      missing = 'a list such as { { upstream = "app" } }' },
    { "timeouts", scoped_timeouts, nil, "Waits that differ here." },
    { "limits", scoped_limits, nil, "Limits that differ here." },
  },
  refused = also(refuse(LATER, "tls"), {
    upstream = 'an upstream is given by a route: routes = { { upstream = "app" } }',
    path = 'a path is given by a route: routes = { { path = "/x", … } }',
    handler = "a handler is given by a route: routes = { { handler = … } }",
    reply = "a reply is given by a route: routes = { { reply = … } }",
    redirect = "a redirect is given by a route: routes = { { redirect = … } }",
  }),
}

-- The whole ---------------------------------------------------------------------------------------

---The schema's root.
---@type moongate.config.node
config.schema = record {
  class = "root", luals = "moongate.config", title = "",
  rows = {
    { "workers", kinds.by_type {
      what = '"auto" or a whole number from 1 to 256', brief = "`\"auto\"` or integer", luals = '"auto"|integer',
      string = kinds.scalar {
        what = '"auto" or a whole number from 1 to 256',
        read = function(value) return value == "auto" and value or nil end,
      },
      number = kinds.scalar {
        what = '"auto" or a whole number from 1 to 256',
        read = function(value) return value % 1 == 0 and value >= 1 and value <= 256 and value or nil end,
      },
    }, "auto", "Worker processes; `\"auto\"`: one per core." },
    { "user", values.name("the name of a user"), nil,
      "Workers run as this user when the proxy was started as root." },
    { "group", values.name("the name of a group"), nil, "Their group; without it, the user's." },
    { "pid_file", values.file("the path of a file"), nil, "Where the master writes its process id." },
    { "control", kinds.or_false(values.socket_file("the path of a socket")), "run/moongate.sock",
      "The socket that `moongate status`, `reload` and the others talk to; false: none." },
    { "error_log", error_log, {}, "What happens to the proxy." },
    { "access_log", access_log, {}, "A line per request." },
    { "script_path", list(values.file("the path of a folder")), {},
      "Folders that are searched for modules before `package.path`." },
    { "dicts", map(size { min = 64 * 1024 }, {
      what = "a table of names and sizes", brief = "table of sizes", named = "a name for a dictionary",
      name = values.plain_name,
    }), {}, "Dictionaries that all workers share: name and size, at least `\"64k\"`." },
    { "trusted_proxies", list(values.cidr, { unique = true }), {},
      "Whose `Forwarded` and `X-Forwarded-*` are believed; where both came, the latter, "
      .. "unless `forwarded` is `\"forwarded\"`." },
    { "forwarded", kinds.choice { "both", "forwarded", "x-forwarded", "off" }, "both",
      "Which fields tell the origin about the client." },
    { "via", kinds.or_false(kinds.text {
      what = "a name without spaces", brief = "text",
      read = function(text) return values.is_token((text:gsub(":", ""))) and text or nil end,
    }), "moongate", "The name in `Via`; false: no `Via`." },
    { "resolver", resolver, {}, "How names are looked up." },
    { "timeouts", timeouts, {}, "Every wait, by name; sites and routes may differ." },
    { "limits", limits, {}, "Bounds against too much." },
    { "budgets", budgets, {}, "What scripts may use of a worker." },
    { "listeners", list(listener, { min = 1, empty = "must have at least one listener" }),
      { { bind = "127.0.0.1:8080" } },
      "Where clients connect." },
    { "upstreams", map(upstream, {
      what = "a table of names and upstreams", brief = "table of upstreams", named = "a name for an upstream",
      name = values.plain_name,
    }), {}, "Named sets of servers." },
    { "policies", policies.list, {},
      "Policies for every request, in this order: a name, `{ name, options… }`, a function "
      .. "(the access phase) or a table of phase functions." },
    { "sites", list(site, { min = 1, empty = "must have at least one site" }), nil,
      "What is served; without it, the one upstream gets every request." },
  },
  refused = also(refuse(LATER, "caches", "tls", "metrics", "store"), {
    routes = "routes belong to a site: sites = { { routes = { … } } }",
    servers = "servers belong to an upstream: upstreams = { app = { servers = { … } } }",
    upstream = "upstreams have names: upstreams = { app = { servers = { … } } }",
  }),
}

---@class moongate.plan
---@field name string the file as it was named
---@field file string? its absolute path
---@field folder string the folder where its relative paths start
---@field upstream_names string[] sorted
---@field sites table[] each with whole `timeouts` and `limits`; a route also has `action` (the name of the key that
---answers) and `explicit_timeouts` (what it or its site asks for, before any upstream's), and like a site and a policy
---entry `where`
---@field where fun(thing: any): string? "file:line" of a site, a route, a policy entry or a path of keys

---Reads and checks a configuration file.
---@param path string
---@return moongate.plan? plan
---@return moongate.config.error[]? errors every mistake, in the order of lines
function config.load(path)
  return loading.load(config.schema, path)
end

---Checks a configuration that is a table already.
---@param given table
---@param origin { file: string?, source: string?, folder: string? }? its name, text (for lines), folder
---@return moongate.plan? plan
---@return moongate.config.error[]? errors every mistake, in the order of lines
function config.check(given, origin)
  return loading.check(config.schema, given, origin or {})
end

return config
