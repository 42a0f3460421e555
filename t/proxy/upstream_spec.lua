-- Upstreams: who is asked, who is left out for a while, how connections are kept, how names become addresses.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy
local function in_front_of(w, servers, app)
  app = app or {}
  app.servers = servers
  return w:proxy { upstreams = { app = app } }
end

---Origins that answer with their own names.
local function named(w, ...)
  local origins = {}
  for i, name in ipairs { ... } do origins[i] = w:http_origin(function() return name end, { name = name }) end
  return unpack(origins)
end

---How many of n requests each server got.
local function spread(proxy, n)
  local seen = {}
  for _ = 1, n do
    local body = proxy:get("/").body
    seen[body] = (seen[body] or 0) + 1
  end
  return seen
end

describe("servers", function()
  it("are asked in turn", scenario(function(w)
    local a, b, c = named(w, "a", "b", "c")
    assert.same({ a = 10, b = 10, c = 10 }, spread(in_front_of(w, { a, b, c }), 30))
  end))

  it("are asked as often as their weight says", scenario(function(w)
    local a, b, c = named(w, "a", "b", "c")
    assert.same({ a = 5, b = 15 }, spread(in_front_of(w, { a, { b.address, weight = 3 }, { c.address, weight = 0 } }), 20))
  end))

  it("that are backups are asked only when no other is up", scenario(function(w)
    local a, b = named(w, "a", "b")
    local proxy = in_front_of(w, { a, { b.address, backup = true } }, { failover = { fails = 1, pause = "1h" } })
    assert.same({ a = 6 }, spread(proxy, 6))
    a:close_connections()
    a:stop()
    assert.same({ b = 6 }, spread(proxy, 6))
  end))

  it("may listen on UNIX sockets and IPv6", scenario(function(w)
    local a = w:http_origin(function(request) return request.headers.host end, { unix = true })
    local b = w:http_origin(function(request) return request.headers.host end, { ipv6 = true })
    local proxy = in_front_of(w, { a, b })
    for _ = 1, 4 do assert.equal("shop.test", proxy:request({ host = "shop.test" }).body) end
    assert.equal(2, a.requests)
    assert.equal(2, b.requests)
  end))

  it("may have names", scenario(function(w)
    local a = named(w, "a")
    local proxy = w:proxy {
      resolver = { nameservers = { w:nameserver { ["app.test"] = "127.0.0.1" } } },
      upstreams = { app = { servers = { "app.test:" .. a.port } } },
    }
    for _ = 1, 3 do assert.equal("a", proxy:get("/").body) end
  end))
end)

describe("a server that fails", function()
  it("is left out after `fails` failures, and asked again after `pause`", scenario(function(w)
    local a, b = named(w, "a", "b")
    local proxy = in_front_of(w, { a, b }, { failover = { fails = 2, pause = "300ms" } })
    spread(proxy, 4)
    a:close_connections()
    a:stop()
    assert.same({ b = 10 }, spread(proxy, 10)) -- the failing tries are not seen by clients
    local tries = 0
    for _, entry in ipairs(proxy:wait_access(14)) do tries = tries + (entry.tries or 1) end
    assert.equal(14 + 2, tries)
    a:start()
    w:wait_for(function() return proxy:get("/").body == "a" end)
  end))

  it("is asked all the same when all are left out", scenario(function(w)
    local a = named(w, "a")
    local proxy = in_front_of(w, { a }, { failover = { fails = 1, pause = "1h" } })
    a:stop()
    assert.equal(502, proxy:get("/").status)
    assert.equal(502, proxy:get("/").status)
    a:start()
    assert.equal("a", proxy:get("/").body)
  end))

  it("by answering with an error status is not left out", scenario(function(w)
    local bad = w:http_origin(function() return { status = 500, body = "bad" } end)
    local proxy = in_front_of(w, { bad, (named(w, "good")) }, { failover = { fails = 1, pause = "1h" } })
    assert.same({ bad = 5, good = 5 }, spread(proxy, 10))
  end))
end)

describe("connections to a server", function()
  it("are kept and shared by all clients", scenario(function(w)
    local a = named(w, "a")
    local proxy = in_front_of(w, { a })
    spread(proxy, 10)
    assert.equal(1, a.connections)
  end))

  it("are as many as requests at the same time, of which `keepalive` stay", scenario(function(w)
    local waiting, go = 0, false
    local a = w:http_origin(function()
      waiting = waiting + 1
      w:wait_for(function() return go end)
      return "a"
    end)
    local proxy = in_front_of(w, { a }, { keepalive = 2 })
    local clients = {}
    for i = 1, 6 do
      clients[i] = w:client(proxy)
      clients[i]:send_request {}
    end
    w:wait_for(function() return waiting == 6 end)
    assert.equal(6, a.connections)
    go = true
    for i = 1, 6 do clients[i]:read_response() end
    w:wait_for(function() return a.served == 4 end)
    assert.equal("a", proxy:get("/").body)
    assert.equal(6, a.connections)
  end))

  it("are not kept with `keepalive = 0`", scenario(function(w)
    local a = named(w, "a")
    spread(in_front_of(w, { a }, { keepalive = 0 }), 3)
    assert.equal(3, a.connections)
  end))

  it("carry `keepalive_requests` requests at most", scenario(function(w)
    local a = named(w, "a")
    spread(in_front_of(w, { a }, { keepalive_requests = 2 }), 6)
    assert.equal(3, a.connections)
  end))

  it("are closed in good order when they have been idle for `keepalive_idle`", scenario(function(w)
    local ended
    local a = w:origin(function(conn)
      conn:request()
      conn:reply(200, "a")
      ended = conn:expect_end()
    end)
    in_front_of(w, { a }, { keepalive_idle = "100ms" }):get "/"
    w:wait_for(function() return ended end)
    assert.equal("close", ended)
  end))

  it("are not kept when the client went away in the middle of the answer", scenario(function(w)
    local a = w:origin(function(conn)
      if conn.origin.connections > 1 then
        conn:request()
        return conn:reply(200, "second")
      end
      conn:request()
      conn:reply_head(200, { ["content-length"] = 50000000 })
      while conn:try_send(("x"):rep(65536)) do end
    end, { quiet = true })
    local proxy = in_front_of(w, { a })
    local client = w:client(proxy)
    client:send_request {}
    client:read_head()
    client:reset()
    assert.equal("second", proxy:get("/").body)
  end))
end)
