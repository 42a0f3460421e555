local scenario = require("moongate.testing").scenario

local function failing(body)
  local ok, err = pcall(scenario(body))
  assert.is_false(ok)
  return tostring(err)
end

---What a client says to an answer of exactly these bytes.
local function verdict_on(bytes, request)
  return failing(function(w)
    w:client(w:origin(function(conn)
      conn:request()
      conn:send(bytes)
    end)):request(request or {})
  end)
end

describe("a request", function()
  it("arrives with its method, target, fields and body", scenario(function(w)
    local origin = w:http_origin(function() return "seen" end)
    w:client(origin, { host = "example.com" }):post("/a?b=c", "some body", { headers = { ["X-Test"] = "yes" } })
    local seen = origin.seen[1]
    assert.equal("POST", seen.method)
    assert.equal("/a?b=c", seen.target)
    assert.equal("1.1", seen.version)
    assert.equal("example.com", seen.headers.host)
    assert.equal("yes", seen.headers["x-test"])
    assert.equal("some body", seen.body)
    assert.same({ { "Host", "example.com" }, { "X-Test", "yes" }, { "Content-Length", "9" } }, seen.header_list)
    assert.matches("^POST /a%?b=c HTTP/1.1\r\n", seen.raw_head)
  end))

  it("may be sent in chunks with trailers", scenario(function(w)
    local origin = w:http_origin(function() return "seen" end)
    local words = { "one ", "two ", "three" }
    local function next_word() return table.remove(words, 1) end
    w:client(origin):request { method = "PUT", body = next_word, trailers = { ["x-sum"] = "3" } }
    assert.equal("one two three", origin.seen[1].body)
    assert.equal("3", origin.seen[1].trailers["x-sum"])
    assert.equal("chunked", origin.seen[1].headers["transfer-encoding"])
  end))

  it("may say what is wrong, byte for byte", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:expect "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: -1\r\n\r\n"
    end)
    w:client(origin):send_request { headers = { { "Host", "a" }, { "Host", "b" }, { "Content-Length", "-1" } } }
    origin:wait_served()
  end))

  it("holds its body back until the other side says continue", scenario(function(w)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      conn:expect_quiet(0.02)
      conn:continue()
      conn:read_body(request)
      conn:reply(200, request.body)
    end)
    local answer = w:client(origin):post("/", "patient", { headers = { expect = "100-continue" } })
    assert.equal("patient", answer.body)
    assert.equal(100, answer.informational[1].status)
  end))

  it("keeps its body when the other side refuses to continue", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply(417, "no")
      conn:expect_close()
    end)
    local client = w:client(origin)
    assert.equal(417, client:post("/", "impatient", { headers = { expect = "100-continue" } }).status)
    client:close()
    origin:wait_served()
  end))

  it("may be answered early, while its body is still being sent", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request_head()
      conn:reply(413, "too much")
      conn:expect_end()
    end, { rcvbuf = 4096 })
    local client = w:client(origin, { sndbuf = 4096 })
    local answer = client:post("/", ("x"):rep(2 ^ 22))
    assert.equal(413, answer.status)
    assert.is_true(client.uploading)
  end))

  it("can stand in a row with others before the first answer", scenario(function(w)
    local origin = w:http_origin(function(request) return request.target end)
    local client = w:client(origin)
    client:send_request { path = "/1", method = "HEAD" }
    client:send_request { path = "/2" }
    assert.equal("", client:read_response().body)
    assert.equal("/2", client:read_response().body)
    assert.equal(1, origin.connections)
    assert.equal(2, origin.requests)
  end))

  it("that never comes ends an origin's function without a failure", scenario(function(w)
    local origin = w:origin(function(conn) conn:request() end)
    w:client(origin):close()
    w:wait_for(function() return origin.open[1] and origin.open[1].closed end)
  end))
end)

describe("an answer", function()
  it("has status, reason, fields in order and body", scenario(function(w)
    local origin = w:http_origin(function()
      return { status = 404, body = "gone", headers = { { "Set-Cookie", "a=1" }, { "Set-Cookie", "b=2" } } }
    end)
    local answer = w:client(origin):get "/"
    assert.equal(404, answer.status)
    assert.equal("Not Found", answer.reason)
    assert.same({ "a=1", "b=2" }, answer.headers:all "set-cookie")
    assert.equal("Content-Length", answer.header_list[3][1])
    assert.equal("gone", answer.body)
  end))

  it("has the body that until-close framing means", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { connection = "close" })
      conn:send "until the end"
    end)
    assert.equal("until the end", w:client(origin):get().body)
  end))

  it("may come in chunks with extensions and trailers", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { ["transfer-encoding"] = "chunked" })
      conn:chunk "one, "
      conn:send "3;name=value\r\ntwo\r\n"
      conn:last_chunk { ["x-end"] = "here" }
    end)
    local answer = w:client(origin):get()
    assert.equal("one, two", answer.body)
    assert.equal("here", answer.trailers["x-end"])
  end))

  it("may be preceded by any number of 1xx", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(103, { link = "</style.css>" })
      conn:reply_head(103, { link = "</script.js>" })
      conn:reply(200, "at last")
    end)
    local answer = w:client(origin):get()
    assert.equal("at last", answer.body)
    assert.equal(2, #answer.informational)
    assert.equal("</script.js>", answer.informational[2].headers.link)
  end))

  it("has no body when it answers HEAD, or is a 204 or a 304", scenario(function(w)
    local origin = w:http_origin(function(request)
      return { status = tonumber(request.target:match "%d+"), body = "never sent" }
    end)
    local client = w:client(origin)
    local head = client:head "/200"
    assert.equal("", head.body)
    assert.equal("10", head.headers["content-length"])
    assert.equal(204, client:get("/204").status)
    assert.equal(304, client:get("/304").status)
    assert.equal("never sent", client:get("/200").body)
  end))

  it("may be taken piece by piece", scenario(function(w)
    local origin = w:http_origin(function() return ("x"):rep(1000000) end)
    local got = 0
    local answer = w:client(origin):get("/", { sink = function(piece) got = got + #piece end })
    assert.equal(1000000, got)
    assert.is_nil(answer.body)
  end))

  it("is refused when it is cut off", function()
    assert.matches("cut off after 3 of 10 bytes", verdict_on "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 1, true)
    assert.matches("expected a line",
      verdict_on "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 1, true)
    assert.matches("expected 5 bytes, got 3",
      verdict_on "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", 1, true)
  end)

  it("is refused when its framing contradicts itself", function()
    assert.matches("both Transfer-Encoding and Content-Length",
      verdict_on "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 1, true)
    assert.matches("Content-Length is not one number: 3, 4",
      verdict_on "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 1, true)
    assert.matches("Transfer-Encoding is not exactly 'chunked'",
      verdict_on "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 1, true)
  end)

  it("is refused when its head is malformed", function()
    assert.matches("not a status line", verdict_on "HTTP/1.1 20 OK\r\n\r\n", 1, true)
    assert.matches("not a header field", verdict_on "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", 1, true)
    assert.matches("not a header field", verdict_on "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", 1, true)
    assert.matches("control characters", verdict_on "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", 1, true)
    assert.matches("bare LF", verdict_on "HTTP/1.1 200 OK\nA: b\n\n", 1, true)
    assert.matches("not a chunk's size",
      verdict_on "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\n", 1, true)
  end)
end)

describe("a WebSocket", function()
  it("carries messages of every length, masked one way only", scenario(function(w)
    local origin = w:origin(function(conn)
      local ws = conn:websocket_accept(conn:request())
      for _ = 1, 4 do
        local message, opcode = ws:receive()
        ws:send(message, opcode)
      end
      local nothing, close = ws:receive()
      assert.is_nil(nothing)
      assert.equal("\3\233bye", close.payload)
      assert.is_true(close.masked)
    end)
    local ws, answer = w:websocket(w:client(origin), "/live")
    assert.equal("websocket", answer.headers.upgrade)
    for _, size in ipairs { 0, 125, 126, 70000 } do
      ws:send(("x"):rep(size), "binary")
      local frame = ws:receive_frame()
      assert.equal(size, #frame.payload)
      assert.equal("binary", frame.opcode)
      assert.is_false(frame.masked)
    end
    ws:close(1001, "bye")
    origin:wait_served()
  end))

  it("puts fragments together and answers pings between them", scenario(function(w)
    local origin = w:origin(function(conn)
      local ws = conn:websocket_accept(conn:request())
      assert.equal("one two", ws:receive())
      assert.equal("are you there?", ws.controls[1].payload)
    end)
    local ws = w:websocket(w:client(origin))
    ws:send_frame { opcode = "text", payload = "one ", fin = false }
    ws:send("are you there?", "ping")
    ws:send_frame { opcode = "continuation", payload = "two" }
    assert.equal("pong", ws:receive_frame().opcode)
    origin:wait_served()
  end))

  it("is refused when the answer is not 101", function()
    assert.matches('expected 101, got 200 with "no"', failing(function(w)
      w:websocket(w:client(w:http_origin(function() return "no" end)))
    end), 1, true)
  end)
end)
