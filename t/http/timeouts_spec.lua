-- Every wait has a bound, and the access log names the one that was over.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy
local function in_front_of(w, origin, more)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

---An origin that reads the head and then waits until the connection ends.
local function silent_origin(w)
  return w:origin(function(conn)
    conn:request_head()
    conn:expect_end()
  end, { quiet = true })
end

---Checks the reason in the first entry of the access log.
local function logged(proxy, reason, status)
  local entry = proxy:wait_access(1)[1]
  assert.equal(reason, entry["end"])
  assert.equal(status, entry.status)
  return entry
end

---Waits for 0.3 s and proves that nothing has come of a wait that is shorter than each of the test's pauses.
local function trickle(conn, w, n, bytes)
  for _ = 1, n do
    w:quiet(0.06)
    conn:send(bytes)
  end
end

describe("a head", function()
  it("that does not arrive within `client_header` is answered 408", scenario(function(w)
    local proxy = in_front_of(w, w:closed_port(), { timeouts = { client_header = "150ms" } })
    local client = w:client(proxy)
    client:send "GET / HTTP/1.1\r\nHost: a\r\n"
    client.outstanding = { "GET" }
    local answer = client:read_response()
    assert.equal(408, answer.status)
    assert.equal("close", answer.headers.connection)
    client:expect_end()
    logged(proxy, "client_header_timeout", 408)
  end))

  it("that comes byte by byte does not get more time by it", scenario(function(w)
    local proxy = in_front_of(w, w:closed_port(), { timeouts = { client_header = "200ms" } })
    local client = w:client(proxy)
    client.outstanding = { "GET" }
    w:spawn(function()
      for _ = 1, 100 do
        w:quiet(0.02)
        if not client:try_send "X" then break end
      end
    end)
    assert.equal(408, client:read_response().status)
  end))

  it("of a later request has the same time", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function() return "ok" end), { timeouts = { client_header = "150ms" } })
    local client = w:client(proxy)
    client:get "/"
    w:quiet(0.25, client) -- idle: that is another wait
    client:send "GET / HT"
    client.outstanding = { "GET" }
    assert.equal(408, client:read_response().status)
  end))
end)

describe("the body of a request", function()
  it("that stops coming for `client_body` is answered 408", scenario(function(w)
    local proxy = in_front_of(w, silent_origin(w), { timeouts = { client_body = "150ms" }, limits = { min_rate = 0 } })
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 10 } }
    client:send "12345"
    local answer = client:read_response()
    assert.equal(408, answer.status)
    client:expect_end()
    assert.equal(5, logged(proxy, "client_body_timeout", 408).bytes_in)
  end))

  it("that goes on coming may take longer than `client_body`", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body end)
    local client = w:client(in_front_of(w, origin, { timeouts = { client_body = "200ms" }, limits = { min_rate = 0 } }))
    client:send_head { method = "POST", headers = { ["content-length"] = 6 } }
    trickle(client, w, 6, "x")
    assert.equal("xxxxxx", client:read_response().body)
  end))

  it("that comes more slowly than `limits.min_rate` is answered 408", scenario(function(w)
    local proxy = in_front_of(w, silent_origin(w), { timeouts = { client_body = "200ms" }, limits = { min_rate = 1000 } })
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 1000 } }
    w:spawn(function()
      for _ = 1, 100 do
        w:quiet(0.02)
        if not client:try_send "x" then break end
      end
    end)
    assert.equal(408, client:read_response().status)
    logged(proxy, "client_too_slow", 408)
  end))

  it("that a script waits for is bounded by `client_body` as well", scenario(function(w)
    local proxy = w:proxy {
      timeouts = { client_body = "150ms" },
      limits = { min_rate = 0 },
      sites = { { routes = { { handler = function(req) return req:body(100) end } } } },
    }
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 10 } }
    client:send "12345"
    assert.equal(408, client:read_response().status)
    logged(proxy, "client_body_timeout", 408)
  end))

  it("that stops coming after the answer has begun ends the connection", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply(200, "early")
      conn:expect_end()
    end)
    local proxy = in_front_of(w, origin, { timeouts = { client_body = "150ms" } })
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 10 } }
    assert.equal("early", client:read_response().body)
    client:expect_end()
    logged(proxy, "client_body_timeout", 200)
  end))

  it("that the origin does not take for `body` is answered 504", scenario(function(w)
    local origin = w:origin()
    local proxy = in_front_of(w, origin, { timeouts = { body = "200ms" } })
    local client = w:client(proxy)
    client:send_request { method = "POST", body = ("x"):rep(30000000) }
    local answer = client:read_response()
    assert.equal(504, answer.status)
    logged(proxy, "origin_body_timeout", 504)
  end))
end)

describe("an origin", function()
  it("that does not answer within `response` is answered 504 for", scenario(function(w)
    local proxy = in_front_of(w, silent_origin(w), { timeouts = { response = "150ms" } })
    local answer = proxy:get "/"
    assert.equal(504, answer.status)
    assert.equal("moongate; error=http_response_timeout", answer.headers["proxy-status"])
    logged(proxy, "response_timeout", 504)
  end))

  it("has the `response` of its upstream, of the site, of the route: the last one counts", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { silent_origin(w) }, timeouts = { response = "10s" } } },
      timeouts = { response = "9s" },
      sites = { { timeouts = { response = "8s" }, routes = { { upstream = "app", timeouts = { response = "100ms" } } } } },
    }
    assert.equal(504, proxy:get("/").status)
  end))

  it("has time for its answer from the end of the upload on", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body end)
    local proxy = in_front_of(w, origin, { timeouts = { response = "200ms" }, limits = { min_rate = 0 } })
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 6 } }
    trickle(client, w, 6, "x")
    assert.equal("xxxxxx", client:read_response().body)
  end))

  it("that sends its head byte by byte does not get more time by it", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:send "HTTP/1.1 200 OK\r\n"
      for _ = 1, 100 do
        w:quiet(0.02)
        if not conn:try_send "X" then break end
      end
    end)
    local proxy = in_front_of(w, origin, { timeouts = { response = "200ms" } })
    assert.equal(504, proxy:get("/").status)
    logged(proxy, "response_timeout", 504)
  end))

  it("that stops in the middle of its body for `body` is cut off", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, { ["content-length"] = 10 })
      conn:send "12345"
      conn:expect_end()
    end)
    local proxy = in_front_of(w, origin, { timeouts = { body = "150ms" } })
    local client = w:client(proxy)
    client:send_request {}
    local head = client:read_head()
    assert.is_false((pcall(client.read_body, client, head)))
    logged(proxy, "origin_body_timeout", 200)
  end))

  it("whose body goes on coming may take longer than `body`", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, { ["content-length"] = 6 })
      trickle(conn, w, 6, "x")
    end)
    assert.equal("xxxxxx", in_front_of(w, origin, { timeouts = { body = "200ms" } }):get("/").body)
  end))

  it("at which no connection can be made within `connect` is answered 504 for", scenario(function(w)
    local origin = w:origin({ backlog = 0 })
    for _ = 1, 4 do -- these fill its queue; whoever comes later waits
      w:spawn(function() pcall(w.client, w, origin, { silent = true }) end)
    end
    w:quiet(0.05)
    local proxy = in_front_of(w, origin, { timeouts = { connect = "200ms" } })
    local answer = proxy:get "/"
    assert.equal(504, answer.status)
    assert.equal("moongate; error=connection_timeout", answer.headers["proxy-status"])
    logged(proxy, "connect_timeout", 504)
  end))
end)

describe("a client", function()
  it("that takes nothing of its answer for `client_write` is cut off", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, { ["content-length"] = 100000000 })
      while conn:try_send(("x"):rep(65536)) do end
    end, { quiet = true })
    local proxy = in_front_of(w, origin, { timeouts = { client_write = "200ms" } })
    local client = w:client(proxy, { rcvbuf = 4096 })
    client:send_request {}
    logged(proxy, "client_write_timeout", 200)
  end))

  it("that takes its answer more slowly than `limits.min_rate` is cut off", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, { ["content-length"] = 100000000 })
      while conn:try_send(("x"):rep(65536)) do end
    end, { quiet = true })
    local proxy = in_front_of(w, origin, { timeouts = { client_write = "300ms" }, limits = { min_rate = "10m" } })
    local client = w:client(proxy, { rcvbuf = 4096 })
    client:send_request {}
    w:spawn(function()
      while client:receive_some(2000) do w:quiet(0.02) end
    end)
    logged(proxy, "client_too_slow", 200)
    client:close()
  end))

  it("that has ended its direction waits for its answer for `client_gone` at most", scenario(function(w)
    local proxy = in_front_of(w, silent_origin(w), { timeouts = { client_gone = "150ms" } })
    local client = w:client(proxy)
    client:send_request {}
    client:shutdown "write"
    client:expect_end()
    logged(proxy, "client_gone", 0)
  end))

  it("that resets ends the making of a connection to the origin", scenario(function(w)
    local origin = w:origin({ backlog = 0 })
    for _ = 1, 4 do -- these fill its queue; whoever comes later waits
      w:spawn(function() pcall(w.client, w, origin, { silent = true }) end)
    end
    w:quiet(0.05)
    local proxy = in_front_of(w, origin)
    local client = w:client(proxy)
    client:send_request {}
    proxy:wait_metric("moongate_server_requests_active", nil, 1)
    client:reset()
    logged(proxy, "client_gone", 0)
  end))

  it("that has closed does not keep the origin busy longer than `client_gone`", scenario(function(w)
    local ended
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:expect_end()
      ended = true
    end)
    local proxy = in_front_of(w, origin, { timeouts = { client_gone = "100ms" } })
    local client = w:client(proxy)
    client:send_request {}
    origin:wait_requests(1)
    client:close()
    w:wait_for(function() return ended end)
    logged(proxy, "client_gone", 0)
  end))
end)

describe("a whole exchange", function()
  it("that takes longer than `request` is answered 504", scenario(function(w)
    local proxy = in_front_of(w, silent_origin(w), { timeouts = { request = "150ms" } })
    assert.equal(504, proxy:get("/").status)
    logged(proxy, "request_timeout", 504)
  end))

  it("that takes longer than `request` with its answer under way is cut off", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, { ["transfer-encoding"] = "chunked" })
      while conn:try_send "1\r\nx\r\n" do w:quiet(0.02) end
    end)
    local proxy = in_front_of(w, origin, { timeouts = { request = "200ms" } })
    local client = w:client(proxy)
    client:send_request {}
    local head = client:read_head()
    assert.is_false((pcall(client.read_body, client, head)))
    logged(proxy, "request_timeout", 200)
  end))

  it("has no bound unless `request` is set", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, { ["content-length"] = 6 })
      trickle(conn, w, 6, "x")
    end)
    local proxy = in_front_of(w, origin, { timeouts = { client_header = "100ms", client_idle = "100ms", response = "100ms" } })
    assert.equal("xxxxxx", proxy:get("/").body)
  end))

  it("whose script waits longer than `script` is answered 504", scenario(function(w)
    local proxy = w:proxy {
      timeouts = { script = "150ms" },
      sites = { { routes = { { handler = function() require("moongate.time").sleep(5) end } } } },
    }
    assert.equal(504, proxy:get("/").status)
    logged(proxy, "script_timeout", 504)
  end))
end)
