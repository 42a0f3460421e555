local support = dofile "spec/config/support.lua"
local about, about_route, about_upstream = support.about, support.about_route, support.about_upstream

describe("a mistake in a configuration", function()
  it("is told with file, line, place and the right name", function()
    assert.same({
      "conf/moongate.lua:5: upstreams.app: unknown key 'server'; did you mean 'servers'?",
    }, support.complaints [[
---@type moongate.config
return {
  upstreams = {
    app = {
      server = { "127.0.0.1:9000" },
    },
  },
}]])
  end)

  it("does not hide the others, and they come in the order of lines", function()
    assert.same({
      'conf/moongate.lua:2: workers: must be "auto" or a whole number from 1 to 256, not 0',
      "conf/moongate.lua:3: unknown key 'listener'; did you mean 'listeners'?",
      "conf/moongate.lua:4: upstreams.app.servers: must name at least one server",
      "conf/moongate.lua:6: sites[1].routes[1].upstream: no upstream is named 'ap'; did you mean 'app'?",
      "conf/moongate.lua:7: sites[1].routes[2]: says not what to do: give one of upstream, handler, reply, redirect",
    }, support.complaints [[return {
  workers = 0,
  listener = {},
  upstreams = { app = { servers = {} } },
  sites = { { routes = {
    { path = "/a", upstream = "ap" },
    { path = "/b" },
  } } },
}]])
  end)

  it("in a value that a loop made stands at the place in the loop", function()
    assert.same({
      'conf/moongate.lua:4: sites[1].routes[1].path: must be a path such as "/x", "/x/*" or "/x/:id", not "x1"; '
        .. 'it must begin with "/"; did you mean "/x1"?',
      'conf/moongate.lua:4: sites[2].routes[1].path: must be a path such as "/x", "/x/*" or "/x/:id", not "x2"; '
        .. 'it must begin with "/"; did you mean "/x2"?',
    }, support.complaints [[local sites = {}
for i = 1, 2 do
  sites[#sites + 1] = { hosts = { i .. ".example" },
    routes = { { path = "x" .. i, reply = {} } } }
end
return { sites = sites }]])
  end)

  it("in a table without a source has no line", function()
    local plan, errors = require("moongate.config").check { workers = "two", sites = { { routes = { { reply = {} } } } } }
    assert.is_nil(plan)
    assert.same({ { where = "workers", text = 'must be "auto" or a whole number from 1 to 256, not "two"',
      full = 'workers: must be "auto" or a whole number from 1 to 256, not "two"' } }, errors)
  end)
end)

describe("the top of a configuration", function()
  it("must say what is served", function()
    assert.same({ "nothing is served: give 'sites', or 'upstreams' with one upstream" }, about "")
    assert.same({ "there are 2 upstreams, but no 'sites' that say which requests go where" },
      about "upstreams = { a = app, b = { servers = { 'x:1' } } }")
    assert.same({ "sites: must have at least one site" }, about "sites = {}")
  end)

  it("names every key when none is near", function()
    assert.matches("^unknown key 'gzip'; known here: workers, user, group, pid_file, control, ",
      about("gzip = true, upstreams = { a = app }")[1])
  end)

  it("has no values without a name", function()
    assert.matches("^has a value without a name at 1; known here: ", about("{}, upstreams = { a = app }")[1])
  end)

  it("refuses by name what this version does not have", function()
    assert.same({ "'store' is not available in this version" }, about "store = {}, upstreams = { a = app }")
    assert.same({ "'caches' is not available in this version" }, about "caches = {}, upstreams = { a = app }")
  end)

  it("sends keys to the table that they belong to", function()
    assert.same({ "routes belong to a site: sites = { { routes = { … } } }" },
      about "routes = {}, upstreams = { a = app }")
    assert.same({ "servers belong to an upstream: upstreams = { app = { servers = { … } } }" },
      about "servers = {}, upstreams = { a = app }")
  end)

  it("checks each simple key", function()
    local function one(part) return about(part .. ", upstreams = { a = app }") end
    assert.same({ 'workers: must be "auto" or a whole number from 1 to 256, not 1.5' }, one "workers = 1.5")
    assert.same({ 'user: must be the name of a user, not "a b"' }, one "user = 'a b'")
    assert.same({ "group: must be the name of a group, not 0" }, one "group = 0")
    assert.same({ "pid_file: must be the path of a file, not true" }, one "pid_file = true")
    assert.same({ "control: must be the path of a socket, or false, not true" }, one "control = true")
    assert.same({ "control: must be the path of a socket, or false, not \"" .. ("x"):rep(57) .. "...\"; a socket's whole "
      .. "path has at most 107 bytes, this has 130" }, one("control = '" .. ("x"):rep(120) .. "'"))
    assert.same({ 'forwarded: must be "both", "forwarded", "x-forwarded" or "off", not "x-forward"; '
      .. 'did you mean "x-forwarded"?' }, one "forwarded = 'x-forward'")
    assert.same({ 'via: must be a name without spaces, or false, not "a b"' }, one "via = 'a b'")
    assert.same({ "script_path: must be a list of paths, not \"scripts\"; write { \"scripts\" }" },
      one "script_path = 'scripts'")
    assert.same({ 'trusted_proxies[2]: must be an address or a block of addresses such as "10.0.0.0/8", "127.0.0.1", '
      .. '"fd00::/8", not "10.0.0.1/8"; did you mean "10.0.0.0/8"?' },
      one "trusted_proxies = { '::1', '10.0.0.1/8' }")
    assert.same({ 'trusted_proxies[2]: "::1/128" stands here twice' }, one "trusted_proxies = { '::1', '0::1' }")
  end)

  it("checks the sizes and names of dictionaries", function()
    local function one(part) return about("dicts = {" .. part .. "}, upstreams = { a = app }") end
    assert.same({ 'dicts.limits: must be a size such as "16k", "10m", "2g" or a number of bytes, not "1k"; '
      .. 'the least is "64k"' }, one "limits = '1k'")
    assert.same({ 'dicts.limits: must be a size such as "16k", "10m", "2g" or a number of bytes, not "10MB"; '
      .. 'did you mean "10m"?' }, one "limits = '10MB'")
    assert.same({ "dicts: \"a/b\" is not a name for a dictionary; a name is made of letters, digits, '_', '-' and '.', "
      .. "at most 64" }, one "['a/b'] = '1m'")
    assert.same({ "dicts: must be a table of names and sizes, not 3" }, about "dicts = 3, upstreams = { a = app }")
  end)

  it("checks the logs", function()
    local function one(part) return about(part .. ", upstreams = { a = app }") end
    assert.same({ 'error_log.level: must be "debug", "info", "warn" or "error", not "warning"; did you mean "warn"?' },
      one "error_log = { level = 'warning' }")
    assert.same({ "error_log: must be a table, not \"error.log\"" }, one "error_log = 'error.log'")
    assert.same({ 'access_log.format: must be "json" or "combined", not "common"' },
      one "access_log = { format = 'common' }")
    assert.same({ 'access_log.format: must be "json", "combined" or a function, not 1' },
      one "access_log = { format = 1 }")
    assert.same({ "access_log.off: must be true or false, not \"yes\"; did you mean true?" },
      one "access_log = { off = 'yes' }")
  end)

  it("checks the resolver", function()
    local function one(part) return about("resolver = {" .. part .. "}, upstreams = { a = app }") end
    assert.same({ 'resolver.nameservers[1]: must be the address of a name server such as "127.0.0.1:53" or "[::1]:53", '
      .. 'not "dns.example:53"; a name server is given by its address' }, one "nameservers = { 'dns.example:53' }")
    assert.same({ "resolver: 'min_ttl' is longer than 'max_ttl'" }, one "min_ttl = '10m'")
    assert.same({ "resolver.attempts: must be a whole number from 1 to 10, not 0" }, one "attempts = 0")
    assert.same({ "resolver.nameservers: must not be empty" }, one "nameservers = {}")
  end)
end)

describe("a timeout", function()
  local DURATION = 'must be a duration such as "250ms", "30s", "5m", "1h" or a number of seconds'

  local function one(part) return about("timeouts = {" .. part .. "}, upstreams = { a = app }") end

  it("is a duration", function()
    assert.same({ "timeouts.connect: " .. DURATION .. ', not "5"; did you mean "5s"?' }, one "connect = '5'")
    assert.same({ "timeouts.connect: " .. DURATION .. ', not "1 sec"; did you mean "1s"?' }, one "connect = '1 sec'")
    assert.same({ "timeouts.connect: " .. DURATION .. ", not a table" }, one "connect = {}")
    assert.same({ "timeouts.connect: " .. DURATION .. ", not -1" }, one "connect = -1")
  end)

  it("has an end and is not nothing", function()
    assert.same({ "timeouts.connect: " .. DURATION .. ', not 0; the least is "1ms"' }, one "connect = 0")
    assert.same({ "timeouts.tunnel: " .. DURATION .. ', not "365d"; the most is "24d"' }, one "tunnel = '365d'")
    assert.same({ "timeouts.tunnel: " .. DURATION .. ", not false" }, one "tunnel = false")
  end)

  it("has a name that is known", function()
    assert.same({ "timeouts: unknown key 'client_headers'; did you mean 'client_header'?" }, one "client_headers = 1")
  end)

  it("for the whole proxy is not for a site or a route", function()
    local scope = "it runs while no site is chosen yet"
    assert.same({ "sites[1].timeouts: 'drain' is for the whole proxy: " .. scope },
      about "sites = { { timeouts = { drain = 1 }, routes = { { reply = {} } } } }")
    assert.same({ "route.timeouts: 'client_idle' is for the whole proxy: " .. scope },
      about_route "reply = {}, timeouts = { client_idle = 1 }")
  end)
end)

describe("a limit", function()
  local function one(part) return about("limits = {" .. part .. "}, upstreams = { a = app }") end

  it("lies within its bounds", function()
    assert.same({ "limits.connections: must be a whole number from 1 to 1000000, not 0" }, one "connections = 0")
    assert.same({ 'limits.header_bytes: must be a size such as "16k", "10m", "2g" or a number of bytes, not "16"; '
      .. 'the least is "1k"' }, one "header_bytes = '16'")
    assert.same({ "limits.generations: must be a whole number from 2 to 64, not 1" }, one "generations = 1")
    assert.same({ "limits.headers: must be a whole number from 1 to 10000, not \"128\"; did you mean 128, without quotes?" },
      one "headers = '128'")
  end)

  it("other than the body's is not for a route", function()
    assert.same({ "route.limits: 'headers' is for the whole proxy; here only 'body' may differ" },
      about_route "reply = {}, limits = { headers = 1 }")
  end)
end)

describe("a listener", function()
  local BIND = 'must be an address such as "127.0.0.1:8080", "*:8080", ":8080", "[::]:8080" or "unix:/path"'

  local function one(part) return about("listeners = {" .. part .. "}, upstreams = { a = app }") end

  it("stands at an address with a port", function()
    assert.same({ "listeners[1].bind: " .. BIND .. ', not "127.0.0.1"; the port is missing, as in "127.0.0.1:8080"' },
      one "{ bind = '127.0.0.1' }")
    assert.same({ "listeners[1].bind: " .. BIND .. ', not ":99999"; a port is a number from 0 to 65535' },
      one "{ bind = ':99999' }")
    assert.same({ "listeners[1].bind: " .. BIND .. ", not 8080" }, one "{ bind = 8080 }")
    assert.same({ "listeners[1].bind: " .. BIND .. ', not "::1"; write "[::1]:PORT"' }, one "{ bind = '::1' }")
    assert.same({ "listeners[1].bind: " .. BIND .. ', not "web.example:80"; a listener stands at an address of this '
      .. "machine, not at a name" }, one "{ bind = 'web.example:80' }")
    assert.same({ "listeners[1].bind: " .. BIND .. ', not "http://127.0.0.1:80"; it takes no scheme; did you mean '
      .. '"127.0.0.1:80"?' }, one "{ bind = 'http://127.0.0.1:80' }")
    assert.same({ "listeners[1].bind: " .. BIND .. ', not "unix:"; a path follows "unix:"' }, one "{ bind = 'unix:' }")
    assert.same({ "listeners[1]: 'bind' is missing: it must be an address such as "
      .. '"127.0.0.1:8080", "*:8080", ":8080", "[::]:8080" or "unix:/path"' }, one "{}")
    assert.same({ "listeners[1]: must be a table, not \":80\"" }, one "':80'")
  end)

  it("does not stand where another stands", function()
    assert.same({ 'listeners[2].bind: "0.0.0.0:80" is taken by listeners[1] already' },
      one "{ bind = '*:80' }, { bind = ':80' }")
    assert.same({ 'listeners[2].bind: "[::1]:80" is taken by listeners[1] already' },
      one "{ bind = '[::1]:80' }, { bind = '[0::1]:80' }")
    assert.same({ "listeners[2]: with ipv6_only = false it takes the port of listeners[1]" },
      one "{ bind = ':80' }, { bind = '[::]:80', ipv6_only = false }")
  end)

  it("is needed", function()
    assert.same({ "listeners: must have at least one listener" }, one "")
  end)

  it("has no TLS yet", function()
    assert.same({ "listeners[1]: TLS termination is not available in this version" },
      one "{ bind = ':80', tls = { certificates = {} } }")
  end)

  it("has file permissions only at a path", function()
    assert.same({ "listeners[1]: 'mode' goes with a UNIX socket only" }, one "{ bind = ':80', mode = '0600' }")
    assert.same({ 'listeners[1].mode: must be file permissions in octal such as "0660", not 660; put it in quotes: "0660"' },
      one "{ bind = 'unix:x', mode = 660 }")
    assert.same({ 'listeners[1].mode: must be file permissions in octal such as "0660", not "rw"' },
      one "{ bind = 'unix:x', mode = 'rw' }")
  end)
end)

describe("an upstream", function()
  local SERVER = 'must be an address such as "10.0.0.1:9000", "app.internal:9000", "[::1]:9000" or "unix:/path"'

  it("names its servers", function()
    assert.same({ "app: 'servers' is missing: it must be a list such as { \"10.0.0.1:9000\" }" },
      about_upstream "")
    assert.same({ "app.servers: must name at least one server" }, about_upstream "servers = {}")
    assert.same({ "app.servers: must be a list of addresses or { address, weight =, backup = }, not \"a:1\"; write { \"a:1\" }" },
      about_upstream "servers = 'a:1'")
  end)

  it("names them with their ports", function()
    local function one(server) return about_upstream("servers = {" .. server .. "}") end
    assert.same({ "app.servers[1]: " .. SERVER .. ', not "a"; the port is missing, as in "a:8080"' }, one "'a'")
    assert.same({ "app.servers[2]: " .. SERVER .. ', not "a:0"; a port is a number from 1 to 65535' },
      one "'b:1', 'a:0'")
    assert.same({ "app.servers[1]: " .. SERVER .. ', not ":80"; the host is missing' }, one "':80'")
    assert.same({ "app.servers[1]: " .. SERVER .. ', not "http://a/"; it takes no scheme; did you mean "a:80"?' },
      one "'http://a/'")
    assert.same({ "app.servers[1]: " .. SERVER .. ', not "a b:80"' }, one "'a b:80'")
    assert.same({ 'app.servers[1]: must be "host:port", "unix:/path" or { "host:port", weight = 2 }, not 80' }, one "80")
    assert.same({ "app.servers[1][1]: " .. SERVER .. ", not nothing" }, one "{ weight = 1 }")
  end)

  it("names each of them once", function()
    assert.same({ 'app.servers[2]: "a:1" is servers[1] already' }, about_upstream "servers = { 'a:1', 'A.:1' }")
  end)

  it("gives servers known keys", function()
    assert.same({ "app.servers[1]: unknown key 'weigth'; did you mean 'weight'?" },
      about_upstream "servers = { { 'a:1', weigth = 1 } }")
    assert.same({ "app.servers[1].weight: must be a whole number from 0 to 256, not 257" },
      about_upstream "servers = { { 'a:1', weight = 257 } }")
    assert.same({ "app: every server has weight 0, so none would ever be asked" },
      about_upstream "servers = { { 'a:1', weight = 0 } }")
  end)

  it("has a name that can stand in a URL", function()
    assert.same({ "upstreams: \"a b\" is not a name for an upstream; a name is made of letters, digits, '_', '-' and '.', "
      .. "at most 64" }, about "upstreams = { ['a b'] = app }")
  end)

  it("has the one way of balancing that there is", function()
    assert.same({ 'app.balance: must be "round_robin" (the one way of balancing in this version), not "least_conn"' },
      about_upstream "servers = { 'a:1' }, balance = 'least_conn'")
  end)

  it("has no active health checks yet", function()
    assert.same({ "app: 'health' is not available in this version" },
      about_upstream "servers = { 'a:1' }, health = { path = '/' }")
  end)

  it("retries for reasons that there are", function()
    local function one(part) return about_upstream("servers = { 'a:1' }, retry = {" .. part .. "}") end
    assert.same({ 'app.retry.on[1]: must be "connect", "reset", "timeout" or a status from 500 to 599, not 404' },
      one "on = { 404 }")
    assert.same({ 'app.retry.on[1]: must be "connect", "reset", "timeout" or a status from 500 to 599, not "timeouts"; '
      .. 'did you mean "timeout"?' }, one "on = { 'timeouts' }")
    assert.same({ 'app.retry.on[2]: "reset" stands here twice' }, one "on = { 'reset', 'reset' }")
    assert.same({ "app.retry.attempts: must be a whole number from 1 to 16, not 0" }, one "attempts = 0")
  end)

  it("waits only where it can", function()
    assert.same({ "app.timeouts: unknown key 'read'; known here: connect, response, body" },
      about_upstream "servers = { 'a:1' }, timeouts = { read = 1 }")
  end)

  it("has a Host that can be sent", function()
    assert.same({ 'app.host: must be "client", "server" or a host name, not "http://x"' },
      about_upstream "servers = { 'a:1' }, host = 'http://x'")
  end)
end)

describe("a site", function()
  local HOST = 'must be a host such as "example.com" or "*.example.com"'

  local function one(part) return about("sites = {" .. part .. "}") end

  it("takes hosts that no other takes", function()
    assert.same({ 'sites[2].hosts[2]: "a.example" belongs to sites[1] already' },
      one "{ hosts = { 'A.example' }, routes = { { reply = {} } } }, { hosts = { 'b', 'a.example.' }, routes = { { reply = {} } } }")
    assert.same({ 'sites[1].hosts[2]: "a" stands here twice' }, one "{ hosts = { 'a', 'A' }, routes = { { reply = {} } } }")
    assert.same({ "sites[2]: only one site may go without 'hosts', and sites[1] does" },
      one "{ routes = { { reply = {} } } }, { routes = { { reply = {} } } }")
  end)

  it("takes hosts, not URLs or ports", function()
    assert.same({ "sites[1].hosts[1]: " .. HOST .. ', not "a:80"; a site is for every port; write "a"' },
      one "{ hosts = { 'a:80' }, routes = { { reply = {} } } }")
    assert.same({ "sites[1].hosts: must name at least one host; without 'hosts' the site takes every other" },
      one "{ hosts = {}, routes = { { reply = {} } } }")
    assert.same({ 'sites[1].hosts: must be a list of hosts, not "a"; write { "a" }' },
      one "{ hosts = 'a', routes = { { reply = {} } } }")
  end)

  it("has routes", function()
    assert.same({ "sites[1]: 'routes' is missing: it must be a list such as { { upstream = \"app\" } }" }, one "{}")
    assert.same({ "sites[1].routes: must have at least one route" }, one "{ routes = {} }")
    assert.same({ "sites[1]: 'routes' is missing: it must be a list such as { { upstream = \"app\" } }",
      "sites[1]: an upstream is given by a route: routes = { { upstream = \"app\" } }" }, one "{\nupstream = 'app' }")
  end)

  it("is an element of a list", function()
    assert.same({ 'sites: is a list; it has no key "default"' }, one "default = {}, { routes = { { reply = {} } } }")
    assert.same({ "sites: has a gap before [3]" }, one "{ routes = { { reply = {} } } }, nil, {}")
  end)
end)

describe("a route", function()
  local PATH = 'path: must be a path such as "/x", "/x/*" or "/x/:id", not '

  it("does one thing", function()
    assert.same({ "route: says not what to do: give one of upstream, handler, reply, redirect" }, about_route "path = '/'")
    assert.same({ "route: does one thing only, not 'handler' and 'reply'" },
      about_route "reply = {}, handler = function() end")
    assert.same({ "route: unknown key 'upstrem'; did you mean 'upstream'?" }, about_route "upstrem = 'app'")
  end)

  it("goes to an upstream that there is", function()
    assert.same({ "route.upstream: no upstream is named 'web'; known here: app" }, about_route "upstream = 'web'")
    assert.same({ "sites[1].routes[1].upstream: no upstream is named 'web'; there are none in 'upstreams'" },
      about "sites = { { routes = { { upstream = 'web' } } } }")
  end)

  it("does nothing that this version cannot do", function()
    assert.same({ "route: 'split' is not available in this version" }, about_route "split = {}")
    assert.same({ "route: 'files' is not available in this version" }, about_route "files = { root = 'www' }")
    assert.same({ "route: 'cache' is not available in this version" }, about_route "upstream = 'app', cache = {}")
    assert.same({ "route: 'compress' is not available in this version" }, about_route "upstream = 'app', compress = {}")
  end)

  it("has a path that could match", function()
    local function path(text) return about_route("reply = {}, path = " .. ("%q"):format(text))[1] end
    assert.equal("route." .. PATH .. '"x"; it must begin with "/"; did you mean "/x"?', path "x")
    assert.equal("route." .. PATH .. '"/x*"; "*" stands for the whole rest and only at the end, after a slash: "/files/*"',
      path "/x*")
    assert.equal("route." .. PATH .. '"/*/x"; "*" stands for the whole rest and only at the end, after a slash: "/files/*"',
      path "/*/x")
    assert.equal("route." .. PATH .. '"/:1"; ":1" is no parameter: its name is made of letters, digits and \'_\'',
      path "/:1")
    assert.equal("route." .. PATH .. "\"/:a/:a\"; parameter ':a' stands here twice", path "/:a/:a")
    assert.equal("route." .. PATH .. "\"/x?a=1\"; a path ends before \"?\"; the route's 'query' looks at arguments",
      path "/x?a=1")
    assert.equal("route." .. PATH .. '"/x#y"; a fragment is never sent to a server', path "/x#y")
    assert.equal("route." .. PATH .. '"/a b"; spaces and control characters are percent-encoded in a path', path "/a b")
    assert.equal("route." .. PATH .. '"/%zz"; "%" is followed by two hexadecimal digits', path "/%zz")
    assert.equal("route." .. PATH .. '"/a/../b"; ".." segments are resolved before a route is chosen, so this would never '
      .. "match", path "/a/../b")
    assert.equal("route." .. PATH .. '"/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q"; it has more than 16 parameters',
      path "/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q")
  end)

  it("matches by path or by regex", function()
    assert.same({ "route: matches by 'path' or by 'regex', not by both" },
      about_route "path = '/x', regex = '^/x', reply = {}")
  end)

  it("is the only one that matches what it matches", function()
    local function two(first, second)
      return about("sites = { { routes = {\n{" .. first .. ", reply = {} },\n{" .. second .. ", reply = {} } } } }")
    end
    local same = { "sites[1].routes[2]: matches just what routes[1] matches" }
    assert.same(same, two("path = '/x'", "path = '/x'"))
    assert.same(same, two("path = '/:a/x'", "path = '/:b/x'"))
    assert.same(same, two("path = '/x', methods = { 'GET', 'POST' }", "path = '/x', methods = { 'POST', 'GET' }"))
    assert.same(same, two("headers = { ['X-A'] = true }", "headers = { ['x-a'] = true }"))
    assert.same(same, two("query = { a = { regex = 'x' } }", "query = { a = { regex = 'x' } }"))
    assert.same(same, two("name = 'a'", "name = 'b'"))
  end)

  it("has methods in capitals", function()
    assert.same({ 'route.methods[1]: must be a method such as "GET", not "get"; did you mean "GET"?' },
      about_route "methods = { 'get' }, reply = {}")
    assert.same({ 'route.methods: must be a list of methods, not "GET"; write { "GET" }' },
      about_route "methods = 'GET', reply = {}")
    assert.same({ "route.methods: must not be empty" }, about_route "methods = {}, reply = {}")
    assert.same({ 'route.methods[2]: "GET" stands here twice' }, about_route "methods = { 'GET', 'GET' }, reply = {}")
  end)

  it("looks at headers and arguments in known ways", function()
    assert.same({ 'route.headers["x-a"]: must be a text, true (present) or { regex = "…" }, not false' },
      about_route "headers = { ['x-a'] = false }, reply = {}")
    assert.same({ 'route.headers["x-a"]: unknown key \'regexp\'; did you mean \'regex\'?' },
      about_route "headers = { ['x-a'] = { regexp = 'x' } }, reply = {}")
    assert.same({ 'route.headers: "x a" is not the name of a header' },
      about_route "headers = { ['x a'] = true }, reply = {}")
    assert.same({ 'route.headers: "x-a" stands here twice' },
      about_route "headers = { ['x-a'] = true, ['X-A'] = true }, reply = {}")
    assert.same({ "route.query: 1 is not the name of an argument" }, about_route "query = { true }, reply = {}")
    assert.same({ "route.when: must be a function, not true" }, about_route "when = true, reply = {}")
  end)

  it("replies with what can be sent", function()
    assert.same({ "route.reply.status: must be a status from 200 to 599, not 100" }, about_route "reply = { status = 100 }")
    assert.same({ "route.reply: an answer with status 204 has no body" },
      about_route "reply = { status = 204, body = 'x' }")
    assert.same({ 'route.reply.headers: "Content-Length" is not the name of a header; the proxy writes it itself' },
      about_route "reply = { headers = { ['Content-Length'] = '1' } }")
    assert.same({ 'route.reply.headers.a: must be a text or a number, not "x\\13\\10y"; control characters cannot be sent '
      .. "in a header" }, about_route "reply = { headers = { a = 'x\\r\\ny' } }")
    assert.same({ "route.reply.headers.a: must be a text or a list of texts, not true" },
      about_route "reply = { headers = { a = true } }")
    assert.same({ "route.reply.body: must be a text, not 1" }, about_route "reply = { body = 1 }")
  end)

  it("redirects to a place that there can be", function()
    local TO = 'must be a path such as "/new/*" or a URL such as "https://example.com/*"'
    assert.same({ "route.redirect: 'to' is missing: it " .. TO }, about_route "redirect = {}")
    assert.same({ "route.redirect.to: " .. TO .. ', not "new"; did you mean "/new"?' },
      about_route "redirect = { to = 'new' }")
    assert.same({ "route.redirect.status: must be 301, 302, 303, 307 or 308, not 300" },
      about_route "redirect = { to = '/', status = 300 }")
    assert.same({ "route.redirect.to: ends in \"/*\", but the route's path does not" },
      about_route "path = '/a', redirect = { to = '/b/*' }")
    assert.same({ "route.redirect.to: uses ':id', which the route's path does not have" },
      about_route "path = '/a/*', redirect = { to = 'https://x.example/:id/*' }")
  end)

  it("rewrites to what its path gives", function()
    assert.same({ "route.rewrite: ends in \"/*\", but the route's path does not" },
      about_route "path = '/a', upstream = 'app', rewrite = '/b/*'")
    assert.same({ "route.rewrite: uses ':id', which the route's path does not have" },
      about_route "upstream = 'app', rewrite = '/b/:id'")
    assert.same({ "route: 'rewrite' goes with 'upstream', not with 'reply'" },
      about_route "path = '/a', reply = {}, rewrite = '/b'")
  end)

  it("upgrades to protocols other than HTTP/2", function()
    assert.same({ 'route.upgrade[1]: must be the name of a protocol such as "websocket", not "h2c"; HTTP/2 is never '
      .. "reached by upgrade" }, about_route "upstream = 'app', upgrade = { 'h2c' }")
    assert.same({ "route: 'upgrade' goes with 'upstream', not with 'handler'" },
      about_route "handler = function() end, upgrade = { 'websocket' }")
  end)
end)

describe("a policy entry", function()
  local ENTRY = "must be the name of a policy, { name, options… }, a function or a table of phase functions"
  local PHASES = "setup, start, stop, rewrite, access, request_body, upstream_request, upstream_response, "
    .. "response, response_body, failed, log"

  local function one(entry) return about("upstreams = { a = app }, policies = {" .. entry .. "}") end

  it("is a name, a table or a function", function()
    assert.same({ "policies[1]: " .. ENTRY .. ", not 1" }, one "1")
    assert.same({ 'policies[1]: must be the name of a policy, not "a b"; a module is named as for require' }, one "'a b'")
    assert.same({ 'policies[1][1]: must be the name of a policy, not "../x"; a module is named as for require' },
      one "{ '../x' }")
    assert.same({ "policies[1]: names neither a policy nor a phase; phases are: " .. PHASES }, one "{}")
    assert.same({ "policies: must be a list of policies, not \"request_id\"; write { \"request_id\" }" },
      about "upstreams = { a = app }, policies = 'request_id'")
  end)

  it("names phases that there are", function()
    assert.same({ "policies[1]: unknown phase 'acces'; did you mean 'access'?" }, one "{ acces = function() end }")
    assert.same({ "policies[1]: unknown phase 'helper'; known here: " .. PHASES }, one "{ helper = function() end }")
    assert.same({ "policies[1]: phase 'message' is not available in this version" },
      one "{ message = function() end }")
    assert.same({ "policies[1].access: must be a function, not true" }, one "{ access = true }")
  end)

  it("does not mix a module with phase functions", function()
    assert.same({ "policies[1]: a table of phase functions takes no 'options'; name the module instead: "
      .. '{ "name", option = value }' }, one "{ options = {}, access = function() end }")
    assert.same({ "policies[1]: a policy entry begins with the policy's name, not with a function" },
      one "{ function() end }")
    assert.same({ 'policies[1]: options have names; "x" has none' }, one "{ 'api_key', 'x' }")
  end)

  it("fails open or closed", function()
    assert.same({ 'policies[1].on_error: must be "closed" (an error in the policy ends the request) or "open" '
      .. '(the request goes on), not "ignore"' }, one "{ 'api_key', on_error = 'ignore' }")
  end)

  it("is not promised a sandbox that there is not", function()
    assert.same({ "policies[1]: 'sandbox' is not available in this version" }, one "{ 'api_key', sandbox = true }")
  end)
end)
