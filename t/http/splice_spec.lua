-- Bodies that the kernel moves from socket to socket (long ones of known length): everything that can happen to a body can
-- happen in their middle.
local scenario = require("moongate.testing").scenario

local LONG = 3000000
local half = ("h"):rep(LONG / 2)

---@return moongate.testing.proxy
local function in_front_of(w, origin, more)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

---An origin that answers with half of a long body and then does something else.
local function half_origin(w, ending)
  return w:origin(function(conn)
    conn:request()
    conn:reply_head(200, { ["content-length"] = LONG })
    conn:send(half)
    ending(conn)
  end, { quiet = true })
end

---Reads the half of the answer, then what comes of the rest.
local function read_half(client)
  client:send_request {}
  local head = client:read_head()
  assert.equal(tostring(LONG), head.headers["content-length"])
  assert.equal(#half, #client:receive(#half))
end

describe("a long answer", function()
  it("that its origin ends too early is not complete for the client", scenario(function(w)
    local proxy = in_front_of(w, half_origin(w, function(conn) conn:close() end))
    local client = w:client(proxy)
    read_half(client)
    client:expect_end()
    assert.equal("origin_truncated", proxy:wait_access(1)[1]["end"])
  end))

  it("whose origin stops for `body` is cut off", scenario(function(w)
    local proxy = in_front_of(w, half_origin(w, function(conn) conn:expect_end() end), { timeouts = { body = "150ms" } })
    local client = w:client(proxy)
    read_half(client)
    client:expect_end()
    assert.equal("origin_body_timeout", proxy:wait_access(1)[1]["end"])
  end))

  it("whose origin goes on now and then may take longer than `body`", scenario(function(w)
    local proxy = in_front_of(w, half_origin(w, function(conn)
      for _ = 1, 5 do
        w:quiet(0.08)
        conn:send(half:sub(1, LONG / 10))
      end
    end), { timeouts = { body = "250ms" } })
    local client = w:client(proxy)
    read_half(client)
    client:receive(#half)
    assert.equal("done", proxy:wait_access(1)[1]["end"])
  end))

  it("ends its origin's connection when the client goes away", scenario(function(w)
    local ended
    local proxy = in_front_of(w, w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { ["content-length"] = 100 * LONG })
      while conn:try_send(half) do end
      ended = true
    end))
    local client = w:client(proxy)
    client:send_request {}
    client:read_head()
    client:receive(#half)
    client:reset()
    w:wait_for(function() return ended end)
    assert.equal("client_gone", proxy:wait_access(1)[1]["end"])
  end))

  it("is followed by the answer to the next pipelined request", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request)
      return request.target == "/long" and half .. half or request.target
    end))
    local client = w:client(proxy)
    for _, path in ipairs { "/long", "/short", "/long" } do
      client:send(("GET %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(path))
      table.insert(client.outstanding, "GET")
    end
    assert.equal(LONG, #client:read_response().body)
    assert.equal("/short", client:read_response().body)
    assert.equal(LONG, #client:read_response().body)
  end))

  it("of which more comes than was told ends where it was told", scenario(function(w)
    local proxy = in_front_of(w, half_origin(w, function(conn)
      conn:send(half .. "and more")
      conn:expect_end()
    end))
    local client = w:client(proxy)
    for _ = 1, 2 do
      read_half(client)
      assert.equal(half, client:receive(#half))
    end
  end))
end)

describe("a long upload", function()
  ---An origin that reads half of the body and then does something else.
  local function half_reader(w, ending)
    return w:origin(function(conn)
      conn:request_head()
      conn:receive(#half)
      ending(conn)
    end, { quiet = true })
  end

  local function send_half(client)
    client:send_head { method = "POST", headers = { ["content-length"] = LONG } }
    client:send(half)
  end

  it("is followed by the next request in the same stream", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(function(request) return request.method .. #request.body end)))
    w:spawn(function()
      for _ = 1, 3 do
        send_half(client)
        client:send(half .. "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        table.insert(client.outstanding, "GET")
      end
    end)
    for _ = 1, 3 do
      assert.equal("POST" .. LONG, client:read_response().body)
      assert.equal("GET0", client:read_response().body)
    end
  end))

  it("that stops for `client_body` is answered 408", scenario(function(w)
    local proxy = in_front_of(w, half_reader(w, function(conn) conn:expect_end() end), { timeouts = { client_body = "150ms" } })
    local client = w:client(proxy)
    send_half(client)
    assert.equal(408, client:read_response().status)
    client:expect_end()
  end))

  it("is never complete for the origin when the client goes away", scenario(function(w)
    local complete
    local proxy = in_front_of(w, half_reader(w, function(conn) complete = pcall(conn.receive, conn, #half) end))
    local client = w:client(proxy)
    send_half(client)
    client:close()
    w:wait_for(function() return complete ~= nil end)
    assert.is_false(complete)
    local entry = proxy:wait_access(1)[1]
    assert.equal("client_gone", entry["end"])
    assert.equal(#half, entry.bytes_in)
  end))

  for _, how in ipairs { "close", "reset" } do
    it(("whose origin goes away (%s) is answered 502, and the client lives on"):format(how), scenario(function(w)
      local proxy = in_front_of(w, half_reader(w, function(conn) conn[how](conn) end))
      local client = w:client(proxy)
      send_half(client)
      local answer = client:read_response()
      assert.equal(502, answer.status)
      client:try_send(half)
      assert.equal("origin_reset", proxy:wait_access(1)[1]["end"])
    end))
  end

  it("goes on while a long answer comes back, and neither loses a byte", scenario(function(w)
    local received = 0
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      conn:reply_head(200, { ["content-length"] = 10 * LONG })
      w:all(function() conn:read_body(request, function(piece) received = received + #piece end) end,
        function() for _ = 1, 20 do conn:send(half) end end)
    end, { loop = true, quiet = true })
    local client, got = w:client(in_front_of(w, origin)), 0
    for i = 1, 2 do
      local left = 20
      client:request {
        method = "POST", headers = { ["content-length"] = 10 * LONG },
        body = function()
          left = left - 1
          return left >= 0 and half or nil
        end,
        sink = function(piece) got = got + #piece end,
      }
      assert.equal(i * 10 * LONG, got)
      w:wait_for(function() return received == i * 10 * LONG end)
    end
  end))

  it("may be over after its answer, and the connection carries the next request", scenario(function(w)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      conn:receive(#half)
      conn:reply(200, "half is enough to know")
      conn:receive(request.method == "POST" and #half or 0)
    end, { loop = true, quiet = true })
    local client = w:client(in_front_of(w, origin))
    for _ = 1, 2 do
      send_half(client)
      assert.equal("half is enough to know", client:read_response().body)
      client:send(half)
    end
  end))
end)
