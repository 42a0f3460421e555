-- Changes of protocol: WebSocket as a tunnel, others only where a route lists them, and what is refused.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy
local function in_front_of(w, origin, more)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

local function handshake(protocol, more)
  return table.concat({ "GET /chat HTTP/1.1", "Host: a", "Connection: keep-alive, Upgrade", "Upgrade: " .. protocol,
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13" }, "\r\n") .. "\r\n\r\n" .. (more or "")
end

local function switching(protocol)
  return ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"):format(protocol)
end

---An origin that switches to the protocol and then sends back what it gets.
local function echo_origin(w, protocol)
  return w:origin(function(conn)
    conn:request_head()
    conn:send(switching(protocol or "websocket"))
    for bytes in function() return conn:receive_some() end do conn:send(bytes) end
  end, { quiet = true })
end

---Asks for a change of protocol and reads the head of the answer.
local function ask(w, proxy, protocol, more)
  local client = w:client(proxy)
  client:send(handshake(protocol, more))
  client.outstanding = { "GET" }
  return client, client:read_head()
end

describe("a WebSocket", function()
  it("carries messages both ways", scenario(function(w)
    local origin = w:origin(function(conn)
      local socket = conn:websocket_accept(conn:request())
      for message in socket.receive, socket do socket:send("echo " .. message) end
    end)
    local socket, answer = w:websocket(w:client(in_front_of(w, origin)), "/chat?room=1")
    assert.equal("websocket", answer.headers.upgrade:lower())
    assert.equal("upgrade", answer.headers.connection:lower())
    for i = 1, 20 do
      socket:send("message " .. i)
      assert.equal("echo message " .. i, (socket:receive()))
    end
    local long = ("x"):rep(300000)
    socket:send(long)
    assert.equal("echo " .. long, (socket:receive()))
    socket:close()
    local seen = origin.seen[1]
    assert.equal("/chat?room=1", seen.target)
    assert.equal("upgrade", seen.headers.connection:lower())
    assert.equal("websocket", seen.headers.upgrade:lower())
  end))

  it("loses no byte that the client sent right behind its handshake", scenario(function(w)
    local client, answer = ask(w, in_front_of(w, echo_origin(w)), "websocket", "first bytes")
    assert.equal(101, answer.status)
    client:expect "first bytes"
  end))

  it("loses no byte that the origin sent right behind its handshake", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:send(switching "websocket" .. "first bytes")
      conn:expect_end()
    end)
    local client = ask(w, in_front_of(w, origin), "websocket")
    client:expect "first bytes"
  end))

  it("carries much data both ways at once", scenario(function(w)
    local client = ask(w, in_front_of(w, echo_origin(w)), "websocket")
    local piece = ("0123456789abcdef"):rep(4096)
    local got = 0
    w:all(function() for _ = 1, 100 do client:send(piece) end end, function()
      while got < 100 * #piece do
        local bytes = client:receive_some()
        assert.equal(piece:byte(got % #piece + 1), bytes:byte(1))
        got = got + #bytes
      end
    end)
  end))

  it("goes on in the other direction when the client has ended its own", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:send(switching "websocket")
      assert.equal("all I say", conn:receive_until_close())
      conn:send "I have heard it"
    end)
    local client = ask(w, in_front_of(w, origin), "websocket")
    client:send "all I say"
    client:shutdown "write"
    assert.equal("I have heard it", client:receive_until_close())
  end))

  it("goes on in the other direction when the origin has ended its own", scenario(function(w)
    local heard
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:send(switching "websocket" .. "all I say")
      conn:shutdown "write"
      heard = conn:receive_until_close()
    end)
    local client = ask(w, in_front_of(w, origin), "websocket")
    assert.equal("all I say", client:receive_until_close())
    client:send "I have heard it"
    client:close()
    w:wait_for(function() return heard end)
    assert.equal("I have heard it", heard)
  end))

  it("ends for the origin when the client resets", scenario(function(w)
    local ended
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:send(switching "websocket")
      ended = conn:expect_end()
    end)
    local proxy = in_front_of(w, origin)
    local client = ask(w, proxy, "websocket")
    client:reset()
    w:wait_for(function() return ended end)
    assert.equal("client_gone", proxy:wait_access(1)[1]["end"])
  end))

  it("ends for the client when the origin resets", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:send(switching "websocket")
      conn:expect "now"
      conn:reset()
    end)
    local proxy = in_front_of(w, origin)
    local client = ask(w, proxy, "websocket")
    client:send "now"
    client:expect_end()
    assert.equal("origin_reset", proxy:wait_access(1)[1]["end"])
  end))

  for _, who in ipairs { "client", "origin" } do
    it(("whose %s takes nothing for a while is ended, which the log names"):format(who), scenario(function(w)
      local origin = w:origin(function(conn)
        conn:request_head()
        conn:send(switching "websocket")
        if who == "client" then
          while conn:try_send(("x"):rep(65536)) do end
        else
          w:wait_for(function() return conn.over end)
        end
      end, { quiet = true })
      local proxy = in_front_of(w, origin, { timeouts = { client_write = "200ms", body = "200ms" } })
      local client = ask(w, proxy, "websocket")
      if who == "origin" then
        while client:try_send(("x"):rep(65536)) do end
        origin.open[1].over = true
      end
      assert.equal(who == "client" and "client_write_timeout" or "origin_body_timeout", proxy:wait_access(1)[1]["end"])
    end))
  end

  it("is logged with 101 and the bytes that went through", scenario(function(w)
    local proxy = in_front_of(w, echo_origin(w))
    local client = ask(w, proxy, "websocket")
    client:send "12345"
    client:expect "12345"
    client:close()
    local entry = proxy:wait_access(1)[1]
    assert.equal(101, entry.status)
    assert.equal(5, entry.bytes_in)
    assert.equal(5, entry.bytes_out)
    assert.equal("done", entry["end"])
  end))

  it("that is silent for `timeouts.tunnel` is ended, which the log names", scenario(function(w)
    local proxy = in_front_of(w, echo_origin(w), { timeouts = { tunnel = "150ms" } })
    local client = ask(w, proxy, "websocket")
    client:send "12345"
    client:expect "12345"
    client:expect_end()
    assert.equal("tunnel_timeout", proxy:wait_access(1)[1]["end"])
  end))

  it("lives longer than `timeouts.tunnel` as long as either side says something", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:send(switching "websocket")
      for _ = 1, 8 do
        w:quiet(0.1)
        conn:send "."
      end
    end)
    local client = ask(w, in_front_of(w, origin, { timeouts = { tunnel = "300ms", body = "100ms" } }), "websocket")
    assert.equal("........", client:receive_until_close())
  end))

  it("stops the side that sends while the other does not read", scenario(function(w)
    local origin = w:origin()
    local client = w:client(in_front_of(w, origin))
    client:send(handshake "websocket")
    client.outstanding = { "GET" }
    local conn = origin:accept()
    conn:request_head()
    conn:send(switching "websocket")
    client:read_head()
    local sent, stuck = client:send_until_stuck(("x"):rep(65536))
    assert.is_true(stuck)
    assert.is_true(sent < 20000000)
    local got = 0
    while got < sent do got = got + #conn:receive_some() end
    assert.equal(sent, got)
    conn:close()
  end))

  it("that the origin refuses is an ordinary answer", scenario(function(w)
    local origin = w:http_origin(function() return { status = 403, body = "not you" } end)
    local client = w:client(in_front_of(w, origin))
    for _ = 1, 2 do
      client:send(handshake "websocket")
      client.outstanding = { "GET" }
      local answer = client:read_response()
      assert.equal(403, answer.status)
      assert.equal("not you", answer.body)
    end
  end))

  it("is not asked for where a route's `upgrade` is empty", scenario(function(w)
    local origin = w:http_origin(function(request) return request.headers.upgrade or "plain" end)
    local proxy = in_front_of(w, origin, { sites = { { routes = { { upstream = "app", upgrade = {} } } } } })
    local client, answer = ask(w, proxy, "websocket")
    assert.equal(200, answer.status)
    assert.equal("plain", client:read_body(answer))
  end))
end)

describe("another protocol", function()
  it("is not asked for unless a route lists it", scenario(function(w)
    local origin = w:http_origin(function(request)
      return (request.headers.upgrade or "plain") .. (request.headers.connection or "")
    end)
    local client, answer = ask(w, in_front_of(w, origin), "telnet")
    assert.equal("plain", client:read_body(answer))
  end))

  it("is a tunnel where a route lists it", scenario(function(w)
    local proxy = in_front_of(w, echo_origin(w, "telnet"), {
      sites = { { routes = { { upstream = "app", upgrade = { "telnet" } } } } },
    })
    local client, answer = ask(w, proxy, "Telnet")
    assert.equal(101, answer.status)
    client:send "ls"
    client:expect "ls"
  end))

  it("is chosen from several that the client offers", scenario(function(w)
    local origin = echo_origin(w)
    local _, answer = ask(w, in_front_of(w, origin), "h2c, websocket")
    assert.equal(101, answer.status)
    assert.equal("websocket", origin.seen[1].headers.upgrade)
  end))

  it("h2c is never asked for", scenario(function(w)
    local origin = w:http_origin(function(request) return request.headers.upgrade or "plain" end)
    local client, answer = ask(w, in_front_of(w, origin), "h2c")
    assert.equal("plain", client:read_body(answer))
    assert.is_nil(origin.seen[1].headers["http2-settings"])
  end))

  it("h2c may not be listed", scenario(function(w)
    local folder = w:dir {
      ["moongate.lua"] = [[return { upstreams = { app = { servers = { "127.0.0.1:1" } } },
        sites = { { routes = { { upstream = "app", upgrade = { "h2c" } } } } } }]],
    }
    local code, _, err = w:command { "check", "-c", "moongate.lua", dir = folder }
    assert.equal(1, code)
    assert.matches("h2c", err)
  end))

  it("needs HTTP/1.1: an Upgrade of HTTP/1.0 is ignored", scenario(function(w)
    local origin = w:http_origin(function(request) return request.headers.upgrade or "plain" end)
    local answer = in_front_of(w, origin):request {
      version = "1.0", headers = { connection = "upgrade", upgrade = "websocket" },
    }
    assert.equal("plain", answer.body)
  end))

  it("needs Connection: an Upgrade that it does not name is ignored", scenario(function(w)
    local origin = w:http_origin(function(request) return request.headers.upgrade or "plain" end)
    assert.equal("plain", in_front_of(w, origin):request({ headers = { upgrade = "websocket" } }).body)
  end))
end)

describe("a switch of protocols", function()
  it("that nobody asked for is answered 502", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:send(switching "websocket")
      conn:expect_end()
    end)
    local proxy = in_front_of(w, origin)
    local answer = proxy:get "/"
    assert.equal(502, answer.status)
    assert.equal("moongate; error=http_upgrade_failed", answer.headers["proxy-status"])
    assert.equal("bad_answer", proxy:wait_access(1)[1]["end"])
  end))

  it("to another protocol than the one asked for is answered 502", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:send(switching "telnet")
      conn:expect_end()
    end)
    local _, answer = ask(w, in_front_of(w, origin), "websocket")
    assert.equal(502, answer.status)
  end))
end)
