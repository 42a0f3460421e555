-- Requests with bodies: both directions go on by themselves, and what goes wrong in one is answered rightly in the other.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy
local function in_front_of(w, origin, more)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

local chunked = { ["transfer-encoding"] = "chunked" }

describe("an answer that begins while the upload goes on", function()
  it("loses nothing in either direction", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, chunked)
      for piece in conn.read_chunk, conn do conn:chunk("<" .. piece .. ">") end
      conn:last_chunk()
    end)
    local client = w:client(in_front_of(w, origin))
    client:send_head { method = "POST", headers = chunked }
    client:read_head()
    for i = 1, 50 do -- each piece is sent only after the one before it has come back
      client:chunk("piece " .. i)
      assert.equal(("<piece %d>"):format(i), client:read_chunk())
    end
    client:last_chunk()
    assert.is_nil(client:read_chunk())
  end))

  it("loses nothing when both are long", scenario(function(w)
    local received = 0
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      conn:reply_head(200, chunked)
      w:all(function() conn:read_body(request, function(piece) received = received + #piece end) end,
        function()
          for _ = 1, 100 do conn:chunk(("d"):rep(50000)) end
        end)
      conn:last_chunk()
    end)
    local got, i = 0, 0
    in_front_of(w, origin):request {
      method = "POST",
      body = function()
        i = i + 1
        return i <= 100 and ("u"):rep(50000) or nil
      end,
      sink = function(piece) got = got + #piece end,
    }
    assert.equal(5000000, got)
    assert.equal(5000000, received)
  end))

  it("and is complete lets the upload go on until its end", scenario(function(w)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      conn:reply(200, "early")
      conn:read_body(request)
      conn.took = #request.body
      conn:expect_end()
    end)
    local client = w:client(in_front_of(w, origin))
    client:send_head { method = "POST", headers = { ["content-length"] = 1000 } }
    assert.equal("early", client:read_response().body)
    client:send(("x"):rep(1000))
    w:wait_for(function() return origin.open[1].took == 1000 end)
  end))

  it("leaves the client's connection fit for the next request", scenario(function(w)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      conn:reply(200, "early " .. request.target)
      conn:read_body(request)
    end, { loop = true, quiet = true })
    local client = w:client(in_front_of(w, origin))
    for i = 1, 3 do
      client:send_head { method = "POST", path = "/" .. i, headers = { ["content-length"] = 5 } }
      assert.equal("early /" .. i, client:read_response().body)
      client:send "12345"
    end
  end))

  for _, status in ipairs { 413, 403, 500 } do
    it(("with status %d reaches the client, although the origin then closes"):format(status), scenario(function(w)
      local origin = w:origin(function(conn)
        conn:request_head()
        conn:reply(status, "enough", { connection = "close" })
        conn:shutdown "write"
        conn:expect_end()
      end)
      local client = w:client(in_front_of(w, origin))
      client:send_request { method = "POST", body = ("x"):rep(3000000) }
      local answer = client:read_response()
      assert.equal(status, answer.status)
      assert.equal("enough", answer.body)
    end))

    it(("with status %d reaches the client, although the origin resets its connection"):format(status), scenario(function(w)
      local proxy, origin
      origin = w:origin(function(conn)
        conn:request_head()
        conn:reply(status, "enough", { connection = "close" })
        w:wait_for(function() return conn.answered end)
        conn:reset()
      end)
      proxy = in_front_of(w, origin)
      local client = w:client(proxy)
      client:send_head { method = "POST", headers = { ["content-length"] = 3000000 } }
      client:send(("x"):rep(100000))
      local answer = client:read_response()
      origin.open[1].answered = true
      assert.equal(status, answer.status)
      assert.equal("enough", answer.body)
      client:try_send(("x"):rep(2900000))
    end))
  end

  it("reaches a client that sends without end and reads the answer only then", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply(413, "enough", { connection = "close" })
      conn:close()
    end)
    local client = w:client(in_front_of(w, origin))
    client:send_head { method = "POST", headers = chunked }
    for _ = 1, 20 do client:chunk(("x"):rep(5000)) end
    local answer = client:read_response()
    assert.equal(413, answer.status)
    assert.equal("enough", answer.body)
  end))

  it("reaches the client every time when the origin answers and closes without reading", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply(413, "enough", { connection = "close" })
      conn:close()
    end)
    local proxy = in_front_of(w, origin)
    for i = 1, 60 do
      local client = w:client(proxy, { silent = true })
      client:send_request { method = "POST", body = ("x"):rep(i * 20000), chunked = i % 2 == 0 }
      local answer = client:read_response()
      assert.equal(413, answer.status)
      assert.equal("enough", answer.body)
      client:close()
    end
  end))

  it("comes through in chunks although the origin stops reading the upload", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, chunked)
      for i = 1, 10 do conn:chunk("part " .. i) end
      conn:last_chunk()
      conn:expect_end()
    end)
    local client = w:client(in_front_of(w, origin))
    client:send_request { method = "POST", body = ("x"):rep(20000000) }
    local answer = client:read_response()
    assert.equal("part 10", answer.body:sub(-7))
  end))
end)

describe("an error in the framing of a body", function()
  local wrong = {
    ["a size that is no number"] = "xyz\r\n",
    ["a size that overflows"] = "fffffffffffffffff\r\n",
    ["a chunk that is longer than it says"] = "2\r\nabcd\r\n",
    ["a bare line feed"] = "2\nab\r\n",
    ["a trailer that frames"] = "0\r\nContent-Length: 5\r\n\r\n",
    ["a trailer that is no field"] = "0\r\nno field\r\n\r\n",
  }
  for what, bytes in pairs(wrong) do
    it(("is answered 400 and the end of the connection: %s"):format(what), scenario(function(w)
      local origin = w:origin(function(conn)
        conn:request_head()
        conn:expect_end()
      end)
      local proxy = in_front_of(w, origin)
      local client = w:client(proxy)
      client:send_head { method = "POST", headers = chunked }
      client:send "3\r\nabc\r\n"
      origin:wait_requests(1)
      client:send(bytes)
      local answer = client:read_response()
      assert.equal(400, answer.status)
      assert.equal("close", answer.headers.connection)
      client:expect_end()
      assert.equal("bad_request", proxy:wait_access(1)[1]["end"])
    end))
  end

  it("is answered 400 when it comes together with the head", scenario(function(w)
    local proxy = in_front_of(w, w:origin(function(conn)
      conn:request_head()
      conn:expect_end()
    end, { quiet = true }))
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = chunked }
    client:send "3\r\nabc\r\nzz\r\n"
    assert.equal(400, client:read_response().status)
    client:expect_end()
  end))

  it("is answered 400 while the connection to the origin is still being made", scenario(function(w)
    local origin = w:origin({ backlog = 0 })
    for _ = 1, 4 do -- these fill its queue; whoever comes later waits
      w:spawn(function() pcall(w.client, w, origin, { silent = true }) end)
    end
    w:quiet(0.05)
    local client = w:client(in_front_of(w, origin))
    client:send_head { method = "POST", headers = chunked }
    client:send "3\r\nabc\r\nzz\r\n"
    assert.equal(400, client:read_response().status)
  end))

  it("never makes the request look complete to the origin", scenario(function(w)
    local complete
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      complete = pcall(conn.read_body, conn, request)
    end)
    local client = w:client(in_front_of(w, origin))
    client:send_head { method = "POST", headers = chunked }
    client:send "3\r\nabc\r\n"
    origin:wait_requests(1)
    client:send "zz\r\n"
    client:read_response()
    w:wait_for(function() return complete ~= nil end)
    assert.is_false(complete)
  end))

  it("cuts off an answer that has begun", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply_head(200, chunked)
      conn:chunk "begin"
      conn:expect_end()
    end)
    local proxy = in_front_of(w, origin)
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = chunked }
    client:read_head()
    assert.equal("begin", client:read_chunk())
    client:send "zz\r\n"
    assert.is_false(client:more())
    assert.equal("bad_request", proxy:wait_access(1)[1]["end"])
  end))
end)

describe("an origin that goes away in the middle of an upload", function()
  for framing, fields in pairs { ["with a length"] = { ["content-length"] = 100000000 }, ["in chunks"] = chunked } do
    for _, how in ipairs { "close", "reset" } do
      it(("%s (%s) is answered 502 for at once"):format(framing, how), scenario(function(w)
        local origin = w:origin(function(conn)
          conn:request_head()
          conn:receive(10)
          conn[how](conn)
        end)
        local proxy = in_front_of(w, origin)
        local client = w:client(proxy)
        client:send_head { method = "POST", headers = fields }
        client:send "a\r\n1234567890\r\n"
        local answer = client:read_response()
        assert.equal(502, answer.status)
        assert.equal("close", answer.headers.connection)
        assert.equal("origin_reset", proxy:wait_access(1)[1]["end"])
      end))
    end
  end
end)

describe("a client that goes away in the middle of its upload", function()
  it("never makes the request look complete to the origin", scenario(function(w)
    local complete
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      complete = pcall(conn.read_body, conn, request)
    end)
    local proxy = in_front_of(w, origin)
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 10 } }
    client:send "12345"
    origin:wait_requests(1)
    client:close()
    w:wait_for(function() return complete ~= nil end)
    assert.is_false(complete)
    local entry = proxy:wait_access(1)[1]
    assert.equal("client_gone", entry["end"])
    assert.equal(0, entry.status)
    assert.equal(5, entry.bytes_in)
  end))
end)

describe("the limit of a body", function()
  it("is answered 413 without asking the origin when Content-Length says more", scenario(function(w)
    local origin = w:http_origin(function() return "" end)
    local proxy = in_front_of(w, origin, { limits = { body = "1k" } })
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = { ["content-length"] = 1025 } }
    client:send(("x"):rep(100))
    local answer = client:read_response()
    assert.equal(413, answer.status)
    assert.equal("close", answer.headers.connection)
    assert.equal(0, origin.connections)
    assert.equal("limit", proxy:wait_access(1)[1]["end"])
    assert.equal(200, w:client(proxy):post("/", ("x"):rep(1024)).status)
  end))

  it("is answered 413 when chunks turn out to be more", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:expect_end()
    end, { quiet = true })
    local proxy = in_front_of(w, origin, { limits = { body = "1k" } })
    local client = w:client(proxy)
    client:send_head { method = "POST", headers = chunked }
    client:chunk(("x"):rep(1000))
    origin:wait_requests(1)
    client:chunk(("x"):rep(25))
    assert.equal(413, client:read_response().status)
  end))

  it("may differ from route to route", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function(request) return tostring(#request.body) end) } } },
      limits = { body = 10 },
      sites = { { routes = {
        { path = "/big", upstream = "app", limits = { body = "1m" } },
        { upstream = "app" },
      } } },
    }
    assert.equal("100000", w:client(proxy):post("/big", ("x"):rep(100000)).body)
    assert.equal(413, w:client(proxy):post("/other", ("x"):rep(11)).status)
    assert.equal("10", w:client(proxy):post("/other", ("x"):rep(10)).body)
  end))
end)
