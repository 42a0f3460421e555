-- How messages are framed on either side: lengths, chunks, trailers, no body at all, HTTP/1.0.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy
local function in_front_of(w, origin)
  return w:proxy { upstreams = { app = { servers = { origin } } } }
end

---An origin that sends these bytes as the answer to every request, and closes then if `close` is said.
local function raw_origin(w, bytes, close)
  return w:origin(function(conn)
    conn:request()
    conn:send(bytes)
    if close then conn:close() end
  end, { loop = true, quiet = true })
end

---The body's pieces one after the other.
local function pieces(...)
  local list, i = { ... }, 0
  return function()
    i = i + 1
    return list[i]
  end
end

describe("an answer", function()
  it("keeps its Content-Length", scenario(function(w)
    local answer = in_front_of(w, w:http_origin(function() return "12345" end)):get "/"
    assert.equal("5", answer.headers["content-length"])
    assert.is_nil(answer.headers["transfer-encoding"])
    assert.equal("12345", answer.body)
  end))

  it("in chunks is sent in chunks", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply(200, pieces("one ", "two ", "three"))
    end)
    local answer = in_front_of(w, origin):get "/"
    assert.equal("chunked", answer.headers["transfer-encoding"])
    assert.equal("one two three", answer.body)
  end))

  it("brings the trailers that came behind its chunks", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { ["transfer-encoding"] = "chunked", trailer = "x-sum" })
      conn:chunk "data"
      conn:last_chunk { { "X-Sum", "abc" }, { "X-Other", "def" } }
    end)
    local answer = in_front_of(w, origin):get("/", { headers = { te = "trailers" } })
    assert.equal("abc", answer.trailers["x-sum"])
    assert.equal("def", answer.trailers["x-other"])
    assert.equal("x-sum", answer.headers.trailer)
  end))

  it("of no bytes has Content-Length 0", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(function() return "" end)))
    for _ = 1, 2 do assert.equal("0", client:get("/").headers["content-length"]) end
  end))

  it("that ends with its connection is sent in chunks to HTTP/1.1", scenario(function(w)
    local client = w:client(in_front_of(w, raw_origin(w, "HTTP/1.1 200 OK\r\n\r\nuntil the end", true)))
    for _ = 1, 2 do
      local answer = client:get "/"
      assert.equal("chunked", answer.headers["transfer-encoding"])
      assert.equal("until the end", answer.body)
    end
  end))

  it("that ends with its connection does so for HTTP/1.0, too", scenario(function(w)
    local client = w:client(in_front_of(w, raw_origin(w, "HTTP/1.1 200 OK\r\n\r\nuntil the end", true)))
    local answer = client:get("/", { version = "1.0", headers = { connection = "keep-alive" } })
    assert.is_nil(answer.headers["transfer-encoding"])
    assert.equal("close", answer.headers.connection)
    assert.equal("until the end", answer.body)
  end))

  it("in chunks ends with the connection for HTTP/1.0", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply(200, pieces("one ", "two"))
    end)
    local answer = in_front_of(w, origin):get("/", { version = "1.0" })
    assert.is_nil(answer.headers["transfer-encoding"])
    assert.equal("one two", answer.body)
  end))

  for _, status in ipairs { 204, 304 } do
    it(("with status %d has no body, and the connection goes on"):format(status), scenario(function(w)
      local bytes = ("HTTP/1.1 %d X\r\nETag: \"a\"\r\n\r\n"):format(status)
      local client = w:client(in_front_of(w, raw_origin(w, bytes)))
      for _ = 1, 3 do
        local answer = client:get "/"
        assert.equal(status, answer.status)
        assert.is_nil(answer.headers["transfer-encoding"])
        assert.equal('"a"', answer.headers.etag)
      end
    end))
  end

  it("with status 304 keeps the length that it tells about", scenario(function(w)
    local client = w:client(in_front_of(w, raw_origin(w, "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n")))
    for _ = 1, 2 do assert.equal("77", client:get("/").headers["content-length"]) end
  end))

  it("with status 204 loses a Content-Length that must not be there", scenario(function(w)
    local client = w:client(in_front_of(w, raw_origin(w, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")))
    for _ = 1, 2 do assert.is_nil(client:get("/").headers["content-length"]) end
  end))

  it("to HEAD keeps the length and has no body", scenario(function(w)
    local origin = w:http_origin(function() return "twelve bytes" end)
    local client = w:client(in_front_of(w, origin))
    for _ = 1, 3 do
      local answer = client:head "/"
      assert.equal("12", answer.headers["content-length"])
      assert.equal("", answer.body)
    end
    assert.equal("twelve bytes", client:get("/").body)
    assert.equal(1, origin.connections)
  end))

  it("to HEAD that would come in chunks has no body", scenario(function(w)
    local client = w:client(in_front_of(w, raw_origin(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")))
    for _ = 1, 3 do
      local answer = client:head "/"
      assert.equal(200, answer.status)
      assert.is_nil(answer.headers["content-length"])
    end
  end))

  it("of HTTP/1.0 is understood, and its connection not used again", scenario(function(w)
    local origin = raw_origin(w, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
    local client = w:client(in_front_of(w, origin))
    for _ = 1, 2 do
      local answer = client:get "/"
      assert.equal("1.1", answer.version)
      assert.equal("old", answer.body)
    end
    assert.equal(2, origin.connections)
  end))

  it("of HTTP/1.0 with keep-alive leaves a connection for the next", scenario(function(w)
    local origin = raw_origin(w, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold")
    local client = w:client(in_front_of(w, origin))
    for _ = 1, 2 do assert.equal("old", client:get("/").body) end
    assert.equal(1, origin.connections)
  end))

  it("that says `Connection: close` does not close the client's connection", scenario(function(w)
    local origin = raw_origin(w, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", true)
    local client = w:client(in_front_of(w, origin))
    for _ = 1, 3 do
      local answer = client:get "/"
      assert.is_nil(answer.headers.connection)
      assert.equal("ok", answer.body)
    end
    assert.equal(3, origin.connections)
  end))

  it("comes as fast as the origin writes it: server-sent events are not held back", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { ["content-type"] = "text/event-stream", ["transfer-encoding"] = "chunked" })
      for i = 1, 3 do
        conn:chunk(("data: %d\n\n"):format(i))
        w:wait_for(function() return conn.next == i end)
      end
      conn:last_chunk()
    end)
    local client = w:client(in_front_of(w, origin))
    client:send_request { headers = { accept = "text/event-stream" } }
    client:read_head()
    for i = 1, 3 do
      assert.equal(("data: %d\n\n"):format(i), client:read_chunk()) -- the origin waits until it was seen
      origin.open[1].next = i
    end
    assert.is_nil(client:read_chunk())
  end))

  it("has its head sent on before any byte of its body has come", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { ["content-length"] = 4 })
      w:wait_for(function() return conn.go end)
      conn:send "body"
    end)
    local client = w:client(in_front_of(w, origin))
    client:send_request {}
    local answer = client:read_head()
    origin.open[1].go = true
    assert.equal("body", client:read_body(answer))
  end))
end)

describe("a request", function()
  it("keeps its Content-Length", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body end)
    assert.equal("hello", in_front_of(w, origin):request({ method = "POST", body = "hello" }).body)
    assert.equal("5", origin.seen[1].headers["content-length"])
  end))

  it("in chunks is sent in chunks, with its trailers", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body end)
    local answer = in_front_of(w, origin):request {
      method = "PUT", body = pieces("one ", "two"), trailers = { ["x-sum"] = "abc" },
    }
    assert.equal("one two", answer.body)
    assert.equal("chunked", origin.seen[1].headers["transfer-encoding"])
    assert.equal("abc", origin.seen[1].trailers["x-sum"])
  end))

  it("with chunk extensions loses them", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body end)
    local client = w:client(in_front_of(w, origin))
    client:send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "4;name=value;flag\r\ndata\r\n0;x=\"y\"\r\n\r\n")
    client.outstanding = { "POST" }
    assert.equal("data", client:read_response().body)
  end))

  it("in chunks is understood byte by byte", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body .. request.trailers["x-t"] end)
    local client = w:client(in_front_of(w, origin))
    client:send_slowly("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-T: t\r\n\r\n")
    client.outstanding = { "POST" }
    assert.equal("abc0123456789t", client:read_response().body)
  end))

  it("with Content-Length 0 keeps it", scenario(function(w)
    local origin = w:http_origin(function() return "" end)
    in_front_of(w, origin):request { method = "POST", body = "" }
    assert.equal("0", origin.seen[1].headers["content-length"])
  end))

  it("without a body has no framing", scenario(function(w)
    local origin = w:http_origin(function() return "" end)
    in_front_of(w, origin):request { method = "DELETE" }
    assert.is_nil(origin.seen[1].headers["content-length"])
    assert.is_nil(origin.seen[1].headers["transfer-encoding"])
  end))

  it("of HTTP/1.0 is sent on as HTTP/1.1 with a Host", scenario(function(w)
    local origin = w:http_origin(function() return "" end)
    in_front_of(w, origin):request { version = "1.0", host = false }
    assert.equal("1.1", origin.seen[1].version)
    assert.equal(origin.address, origin.seen[1].headers.host)
  end))

  it("of a method that nobody knows is sent on", scenario(function(w)
    local origin = w:http_origin(function(request) return request.method end)
    assert.equal("M-SEARCH", in_front_of(w, origin):request({ method = "M-SEARCH" }).body)
  end))

  it("may have a head of 12 KB", scenario(function(w)
    local origin = w:http_origin(function(request) return request.headers.cookie end)
    local long = ("c"):rep(12288)
    assert.equal(long, in_front_of(w, origin):request({ headers = { cookie = long } }).body)
  end))

  it("may get an answer with a head of 12 KB", scenario(function(w)
    local origin = w:http_origin(function() return { headers = { ["set-cookie"] = ("c"):rep(12288) } } end)
    assert.equal(12288, #in_front_of(w, origin):get("/").headers["set-cookie"])
  end))
end)
