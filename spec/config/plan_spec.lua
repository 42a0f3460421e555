local support = dofile "spec/config/support.lua"
local plan_of, route_of = support.plan, support.route

local SMALLEST = "return { upstreams = { app = { servers = { '127.0.0.1:9000' } } } }"

describe("a plan", function()
  it("has every default filled in", function()
    local plan = plan_of(SMALLEST)
    assert.same({ "auto", "/srv/conf/run/moongate.sock", "both", "moongate" },
      { plan.workers, plan.control, plan.forwarded, plan.via })
    assert.same({ level = "info" }, plan.error_log)
    assert.same({ format = "combined", off = false }, plan.access_log)
    assert.same({}, plan.dicts)
    assert.same({}, plan.policies)
    assert.same({}, plan.script_path)
    assert.same({}, plan.trusted_proxies)
    assert.same({ timeout = 2000, attempts = 2, min_ttl = 1000, max_ttl = 300000, hosts_file = "/etc/hosts" },
      plan.resolver)
    assert.same({ { bind = "127.0.0.1:8080", kind = "tcp", host = "127.0.0.1", port = 8080, backlog = 4096,
      mode = 432, ipv6_only = true } }, plan.listeners)
  end)

  it("has its timeouts in milliseconds", function()
    assert.same({
      client_header = 10000, client_body = 30000, client_write = 30000, client_idle = 75000, client_gone = 5000,
      tunnel = 600000, drain = 30000, request = false, script = 60000, connect = 5000, response = 60000, body = 60000,
    }, plan_of(SMALLEST).timeouts)
  end)

  it("has its limits in bytes and counts", function()
    assert.same({
      connections = 10000, header_bytes = 32768, headers = 128, request_line = 16384, body = 1073741824,
      keepalive_requests = 10000, min_rate = 100, generations = 8, buffer = 262144,
    }, plan_of(SMALLEST).limits)
  end)

  it("has an upstream whole", function()
    local plan = plan_of(SMALLEST)
    assert.same({ "app" }, plan.upstream_names)
    assert.same({
      servers = { { address = "127.0.0.1:9000", kind = "tcp", host = "127.0.0.1", port = 9000, weight = 1,
        backup = false } },
      balance = "round_robin", host = "client",
      retry = { attempts = 2, on = { "connect", "reset" }, non_idempotent = false },
      timeouts = { connect = 5000, response = 60000, body = 60000 },
      keepalive = 64, keepalive_idle = 55000, keepalive_requests = 10000,
      failover = { fails = 3, within = 10000, pause = 10000 },
    }, plan.upstreams.app)
  end)

  it("sends everything to the one upstream when there are no sites", function()
    local plan = plan_of(SMALLEST)
    assert.equal(1, #plan.sites)
    assert.is_nil(plan.sites[1].hosts)
    local route = plan.sites[1].routes[1]
    assert.same({ "upstream", "app", { "websocket" } }, { route.action, route.upstream, route.upgrade })
  end)

  it("names upstreams in the order of the alphabet", function()
    local plan = plan_of [[return { upstreams = { c = { servers = { "x:1" } }, a = { servers = { "x:1" } },
      b = { servers = { "x:1" } } }, sites = { { routes = { { upstream = "a" } } } } }]]
    assert.same({ "a", "b", "c" }, plan.upstream_names)
  end)

  it("knows its file and folder", function()
    local plan = plan_of(SMALLEST)
    assert.equal("conf/moongate.lua", plan.name)
    assert.equal("/srv/conf", plan.folder)
  end)

  it("shares no table with another plan of the same text", function()
    local first, second = plan_of(SMALLEST), plan_of(SMALLEST)
    first.upstreams.app.retry.on[1] = "changed"
    first.listeners[1].bind = "changed"
    assert.equal("connect", second.upstreams.app.retry.on[1])
    assert.equal("127.0.0.1:8080", second.listeners[1].bind)
  end)
end)

describe("in a plan, paths", function()
  it("are absolute, from the configuration's folder", function()
    local plan = plan_of [[return { pid_file = "../run/m.pid", control = "m.sock", script_path = { "scripts", "/opt/lua/" },
      error_log = { path = "./logs/error.log" }, resolver = { hosts_file = false },
      listeners = { { bind = "unix:run/web.sock", mode = "0600" } },
      upstreams = { app = { servers = { "unix:app.sock" } } } }]]
    assert.equal("/srv/run/m.pid", plan.pid_file)
    assert.equal("/srv/conf/m.sock", plan.control)
    assert.same({ "/srv/conf/scripts", "/opt/lua" }, plan.script_path)
    assert.equal("/srv/conf/logs/error.log", plan.error_log.path)
    assert.is_false(plan.resolver.hosts_file)
    assert.same({ bind = "unix:/srv/conf/run/web.sock", kind = "unix", path = "/srv/conf/run/web.sock", mode = 384,
      backlog = 4096, ipv6_only = true }, plan.listeners[1])
    assert.same({ address = "unix:/srv/conf/app.sock", kind = "unix", path = "/srv/conf/app.sock", weight = 1,
      backup = false }, plan.upstreams.app.servers[1])
  end)

  it("may be switched off", function()
    assert.is_false(plan_of(
      "return { control = false, via = false, upstreams = { a = { servers = { 'x:1' } } } }").control)
  end)
end)

describe("in a plan, addresses", function()
  local function listener(bind)
    return plan_of("return { listeners = { { bind = '" .. bind .. "' } }, upstreams = { a = { servers = { 'x:1' } } } }")
      .listeners[1]
  end

  local function server(text)
    return plan_of("return { upstreams = { a = { servers = { '" .. text .. "' } } } }").upstreams.a.servers[1]
  end

  it("of listeners are brought to one form", function()
    assert.equal("0.0.0.0:80", listener("*:80").bind)
    assert.equal("0.0.0.0:80", listener(":80").bind)
    assert.equal("127.0.0.1:0", listener("localhost:0").bind)
    assert.equal("[::1]:80", listener("[0:0::1]:80").bind)
    assert.same({ "::", 80 }, { listener("[::]:80").host, listener("[::]:80").port })
  end)

  it("of listeners with port 0 may stand there more than once", function()
    assert.equal(2, #plan_of([[return { listeners = { { bind = ":0" }, { bind = ":0" } },
      upstreams = { a = { servers = { "x:1" } } } }]]).listeners)
  end)

  it("of servers are brought to one form", function()
    assert.equal("app.internal:9000", server("App.Internal.:9000").address)
    assert.equal("[::1]:9000", server("[0::1]:9000").address)
    assert.equal("xn--bcher-kva.de:80", server("bücher.de:80").address)
    assert.equal("::1", server("[0::1]:9000").host)
  end)

  it("of servers may be objects that print themselves", function()
    local plan = plan_of [[
      local origin = setmetatable({}, { __tostring = function() return "127.0.0.1:9000" end })
      local other = setmetatable({}, { __tostring = function() return "127.0.0.1:9001" end })
      return { upstreams = { app = { servers = { origin, { other, weight = 2, backup = true } } } } }]]
    local servers = plan.upstreams.app.servers
    assert.equal("127.0.0.1:9000", servers[1].address)
    assert.same({ "127.0.0.1:9001", 2, true }, { servers[2].address, servers[2].weight, servers[2].backup })
  end)

  it("of name servers have their port", function()
    local plan = plan_of [[return { resolver = { nameservers = { "127.0.0.1", "[::1]:5353", "9.9.9.9:53" } },
      upstreams = { a = { servers = { "x:1" } } } }]]
    assert.same({ "127.0.0.1:53", "[::1]:5353", "9.9.9.9:53" }, plan.resolver.nameservers)
  end)

  it("of trusted proxies are blocks", function()
    local plan = plan_of [[return { trusted_proxies = { "127.0.0.0/8", "::1" },
      upstreams = { a = { servers = { "x:1" } } } }]]
    assert.same({ "127.0.0.0/8", "::1/128" }, plan.trusted_proxies)
  end)
end)

describe("in a plan, waits and limits", function()
  local plan = plan_of [[
    local app = { servers = { "x:1" }, timeouts = { connect = "1s", response = "2s" } }
    return {
      timeouts = { response = "9s", body = "8s", request = "5m" },
      limits = { body = "10m" },
      upstreams = { app = app, plain = { servers = { "x:1" } } },
      sites = {
        { hosts = { "a" }, timeouts = { response = "3s" }, limits = { body = "1m" }, routes = {
          { path = "/1", upstream = "app" },
          { path = "/2", upstream = "app", timeouts = { response = "4s", request = false }, limits = { body = "1k" } },
          { path = "/3", upstream = "plain" },
          { path = "/4", reply = {} },
        } },
        { routes = { { path = "/1", upstream = "app" }, { path = "/2", reply = {} } } },
      },
    }]]
  local given, default = plan.sites[1], plan.sites[2]

  it("of a route come before those of its site", function()
    assert.equal(4000, given.routes[2].timeouts.response)
    assert.equal(1024, given.routes[2].limits.body)
  end)

  it("of a site come before those of an upstream", function()
    assert.equal(3000, given.routes[1].timeouts.response)
    assert.equal(3000, given.routes[3].timeouts.response)
    assert.equal(1048576, given.routes[1].limits.body)
  end)

  it("of an upstream come before the global ones", function()
    assert.equal(1000, given.routes[1].timeouts.connect)
    assert.equal(2000, default.routes[1].timeouts.response)
    assert.equal(8000, default.routes[1].timeouts.body)
    assert.same({ connect = 1000, response = 2000, body = 8000 }, plan.upstreams.app.timeouts)
  end)

  it("are whole in every route", function()
    assert.equal(300000, given.routes[1].timeouts.request)
    assert.equal(30000, given.routes[4].timeouts.client_body)
    assert.equal(10485760, default.routes[2].limits.body)
    assert.equal(128, given.routes[2].limits.headers)
  end)

  it("may be switched off for a route", function()
    assert.is_false(given.routes[2].timeouts.request)
  end)

  it("that a route or its site asks for are told apart from inherited ones", function()
    assert.same({ response = 4000, request = false }, given.routes[2].explicit_timeouts)
    assert.same({ response = 3000 }, given.routes[1].explicit_timeouts)
    assert.is_nil(default.routes[1].explicit_timeouts)
  end)

  it("are one table for all that inherit the same", function()
    assert.equal(plan.timeouts, default.routes[2].timeouts)
    assert.equal(plan.limits, default.routes[1].limits)
  end)
end)

describe("in a plan, a route", function()
  it("has the name of its action", function()
    assert.equal("upstream", route_of("upstream = 'app'").action)
    assert.equal("handler", route_of("handler = function() end").action)
    assert.equal("reply", route_of("reply = {}").action)
    assert.equal("redirect", route_of("redirect = { to = '/' }").action)
  end)

  it("lets WebSocket through to an upstream unless it says otherwise", function()
    assert.same({ "websocket" }, route_of("upstream = 'app'").upgrade)
    assert.same({ "smtp/1.0", "websocket" }, route_of("upstream = 'app', upgrade = { 'SMTP/1.0', 'WebSocket' }").upgrade)
    assert.same({}, route_of("upstream = 'app', upgrade = {}").upgrade)
    assert.is_nil(route_of("reply = {}").upgrade)
  end)

  it("has its headers in lower case and its arguments as they are", function()
    local route = route_of [[headers = { ["X-A"] = "1", ["x-b"] = true, ["X-C"] = { regex = "^a" } },
      query = { A = "" }, reply = {}]]
    assert.same({ ["x-a"] = "1", ["x-b"] = true, ["x-c"] = { regex = "^a" } }, route.headers)
    assert.same({ A = "" }, route.query)
  end)

  it("has its reply and its redirect whole", function()
    assert.same({ status = 200 }, route_of("reply = {}").reply)
    assert.same({ status = 404, body = "", headers = { ["X-A"] = { "1", "2" }, age = "7" } },
      route_of("reply = { status = 404, body = '', headers = { ['X-A'] = { 1, '2' }, age = 7 } }").reply)
    assert.same({ to = "/b/*", status = 302, keep_query = true },
      route_of("path = '/a/*', redirect = { to = '/b/*' }").redirect)
  end)

  it("may be rewritten with what its path or the groups of its regex are named", function()
    assert.equal("/b/:id/*", route_of("path = '/a/:id/*', upstream = 'app', rewrite = '/b/:id/*'").rewrite)
    assert.equal("/b/:id", route_of("regex = '^/a/(?<id>\\\\d+)$', upstream = 'app', rewrite = '/b/:id'").rewrite)
  end)

  it("may differ from another by a condition alone", function()
    assert.equal(6, #plan_of([[return { sites = { { routes = {
      { path = "/x", reply = {} },
      { path = "/x", methods = { "GET" }, reply = {} },
      { path = "/x", headers = { a = true }, reply = {} },
      { path = "/x", headers = { a = "1" }, reply = {} },
      { path = "/x", when = function() return true end, reply = {} },
      { path = "/x", when = function() return false end, reply = {} },
    } } } }]]).sites[1].routes)
  end)
end)

describe("in a plan, a policy entry", function()
  local plan = plan_of [[return {
  policies = { "request_id", { "rate_limit", rate = 100, on_error = "open" },
    function() return "here" end,
    { access = function() end, log = function() end, on_error = "open" } },
  sites = { { policies = { "api_key" }, routes = {
    { reply = {}, policies = {
      "my.own-policy",
    } } } } },
}]]

  it("of a module has its name and options", function()
    assert.same({ kind = "module", name = "request_id", options = {}, on_error = "closed" }, plan.policies[1])
    assert.same({ kind = "module", name = "rate_limit", options = { rate = 100 }, on_error = "open" }, plan.policies[2])
  end)

  it("of a function has the function", function()
    assert.equal("function", plan.policies[3].kind)
    assert.equal("here", plan.policies[3].fn())
  end)

  it("of phase functions has them by phase", function()
    local entry = plan.policies[4]
    assert.same({ "table", "open" }, { entry.kind, entry.on_error })
    assert.is_function(entry.phases.access)
    assert.is_function(entry.phases.log)
    assert.is_nil(entry.phases.on_error)
  end)

  it("knows where it stands", function()
    assert.equal("conf/moongate.lua:2", plan.policies[1].where)
    assert.equal("conf/moongate.lua:3", plan.policies[3].where)
    assert.equal("conf/moongate.lua:4", plan.policies[4].where)
    assert.equal("conf/moongate.lua:5", plan.sites[1].policies[1].where)
    assert.equal("conf/moongate.lua:7", plan.sites[1].routes[1].policies[1].where)
    assert.equal("conf/moongate.lua:6", plan.sites[1].routes[1].where)
    assert.equal("conf/moongate.lua:5", plan.sites[1].where)
    assert.equal("conf/moongate.lua:5", plan.where { "sites" })
  end)
end)

describe("10,000 sites", function()
  it("are checked within 300 ms of CPU time", function()
    local source = [[local sites = {}
for i = 1, 10000 do
  sites[i] = { hosts = { "s" .. i .. ".example.com" }, routes = { { path = "/p" .. i .. "/*", upstream = "app" } } }
end
return { upstreams = { app = { servers = { "127.0.0.1:9000" } } }, sites = sites }]]
    local best = math.huge
    for _ = 1, 5 do
      collectgarbage()
      local before = os.clock()
      assert.equal(10000, #plan_of(source).sites)
      best = math.min(best, os.clock() - before)
    end
    assert.is_true(best < 0.3, ("%.0f ms"):format(best * 1000))
  end)
end)
