-- Connections of clients: how long they live, in which order requests on them are answered, how they end.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy
local function in_front_of(w, origin, more)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

local function echo_target(request) return request.target end

describe("a connection of a client", function()
  it("carries one request after the other", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    for i = 1, 5 do assert.equal("/" .. i, client:get("/" .. i).body) end
  end))

  it("shares one connection to the origin with the next request", scenario(function(w)
    local origin = w:http_origin(echo_target)
    local client = w:client(in_front_of(w, origin))
    for i = 1, 5 do client:get("/" .. i) end
    assert.equal(1, origin.connections)
  end))

  it("does not say `Connection: keep-alive` to a client of HTTP/1.1", scenario(function(w)
    local answer = in_front_of(w, w:http_origin(echo_target)):get "/"
    assert.is_nil(answer.headers.connection)
  end))

  it("is closed after an answer to `Connection: close`, which says so, too", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    local answer = client:get("/", { headers = { connection = "close" } })
    assert.equal("close", answer.headers.connection)
    client:expect_close()
  end))

  it("is closed after an answer to HTTP/1.0", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    local answer = client:get("/old", { version = "1.0" })
    assert.equal("/old", answer.body)
    assert.equal("1.1", answer.version)
    client:expect_close()
  end))

  it("is kept for HTTP/1.0 that asks for keep-alive, and says so", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    for _ = 1, 2 do
      local answer = client:get("/", { version = "1.0", headers = { connection = "keep-alive" } })
      assert.equal("keep-alive", answer.headers.connection)
    end
  end))

  it("is closed after `limits.keepalive_requests` requests", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target), { limits = { keepalive_requests = 2 } }))
    assert.is_nil(client:get("/").headers.connection)
    assert.equal("close", client:get("/").headers.connection)
    client:expect_close()
  end))

  it("is closed when it has been idle for `timeouts.client_idle`", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target), { timeouts = { client_idle = "100ms" } }))
    client:get "/"
    client:expect_close()
  end))

  it("is closed without an answer when no head comes within `timeouts.client_header`", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target), { timeouts = { client_header = "100ms" } }))
    client:expect_close()
  end))

  it("takes blank lines before a request for nothing", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    client:send "\r\n\r\n"
    assert.equal("/after", client:get("/after").body)
  end))

  it("is closed by a client without leaving anything at the origin", scenario(function(w)
    local origin = w:http_origin(echo_target)
    local proxy = in_front_of(w, origin)
    local client = w:client(proxy)
    client:get "/"
    client:close()
    assert.equal("/next", proxy:get("/next").body)
    assert.equal(1, origin.connections)
  end))

  it("understands a head that comes byte by byte", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    client:send_slowly "GET /slow?a=b HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\n\r\n"
    table.insert(client.outstanding, "GET")
    assert.equal("/slow?a=b", client:read_response().body)
  end))
end)

describe("pipelined requests", function()
  it("are answered in order, even when a later answer is ready first", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(echo_target) } } },
      sites = { { routes = { { path = "/fast", reply = { body = "/fast" } }, { upstream = "app" } } } },
    }
    local client = w:client(proxy)
    local bytes = {}
    for i, path in ipairs { "/slow", "/fast", "/slow2", "/fast" } do
      bytes[i] = ("GET %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(path)
      client.outstanding[i] = "GET"
    end
    client:send(table.concat(bytes))
    for _, path in ipairs { "/slow", "/fast", "/slow2", "/fast" } do assert.equal(path, client:read_response().body) end
  end))

  it("are answered one by one when there are hundreds of them", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    local bytes = {}
    for i = 1, 300 do
      bytes[i] = ("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"):format(i)
      client.outstanding[i] = "GET"
    end
    w:spawn(function() client:send(table.concat(bytes)) end)
    for i = 1, 300 do assert.equal("/" .. i, client:read_response().body) end
  end))

  it("are kept apart from the bodies before them", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(function(r) return r.method .. r.target .. r.body end)))
    client:send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" ..
      "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n" ..
      "GET /c HTTP/1.1\r\nHost: a\r\n\r\n")
    client.outstanding = { "POST", "POST", "GET" }
    assert.equal("POST/aabc", client:read_response().body)
    assert.equal("POST/bdef", client:read_response().body)
    assert.equal("GET/c", client:read_response().body)
  end))

  it("behind one that closes the connection are not answered", scenario(function(w)
    local origin = w:http_origin(echo_target)
    local client = w:client(in_front_of(w, origin))
    client:send("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n")
    client.outstanding = { "GET" }
    assert.equal("/last", client:read_response().body)
    client:expect_end()
    assert.equal(1, origin.requests)
  end))

  it("are all answered when the client ends its direction behind them", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    client:send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    client:shutdown "write"
    client.outstanding = { "GET", "GET" }
    assert.equal("/1", client:read_response().body)
    assert.equal("/2", client:read_response().body)
    client:expect_close()
  end))
end)

describe("the end of a connection", function()
  it("does not destroy an answer that came before the upload was over", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = { status = 403, body = "no" } } } } } }
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 1000000 } }
    client:send(("x"):rep(100000))
    local answer = client:read_response()
    assert.equal(403, answer.status)
    assert.equal("no", answer.body)
    assert.equal("close", answer.headers.connection)
  end))

  it("comes when a client goes on sending long after its answer", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = { status = 403 } } } } } }
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 100000000 } }
    client:read_response()
    local ok = true
    while ok do ok = client:try_send(("x"):rep(65536)) end
    assert.is_true(client.sent_bytes < 20000000)
  end))

  it("does not destroy the last answer when requests come behind it", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target), { limits = { keepalive_requests = 1 } }))
    assert.equal("close", client:get("/").headers.connection)
    for _ = 1, 3 do client:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n" end
    client:expect_close()
  end))

  it("waits for the answer when the client has ended its direction", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(echo_target)))
    client:send "GET /half HTTP/1.1\r\nHost: a\r\n\r\n"
    client:shutdown "write"
    client.outstanding = { "GET" }
    assert.equal("/half", client:read_response().body)
    client:expect_close()
  end))

  it("comes to the origin's connection when a client resets in the middle of an answer", scenario(function(w)
    local saw_end = false
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { ["content-length"] = 100000000 })
      conn:send "begin"
      conn:expect_end()
      saw_end = true
    end)
    local proxy = in_front_of(w, origin)
    local client = w:client(proxy)
    client:send_head {}
    client:expect "HTTP/1.1 200 OK\r\n"
    client:reset()
    w:wait_for(function() return saw_end end)
    assert.equal("client_gone", proxy:wait_access(1)[1]["end"])
  end))
end)
