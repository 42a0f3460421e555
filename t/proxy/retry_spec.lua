-- When a request is sent a second time, and when it must not be.
local scenario = require("moongate.testing").scenario

---An origin whose connections answer a first request, and do something else with the second.
local function stale_origin(w, second)
  local origin
  origin = w:origin(function(conn)
    local is_first = origin.connections == 1
    repeat
      conn:request()
      conn:reply(200, "first")
    until is_first
    second(conn)
  end, { quiet = true })
  return origin
end

---@return moongate.testing.proxy
local function in_front_of(w, servers, app)
  app = app or {}
  app.servers = servers
  return w:proxy { upstreams = { app = app } }
end

describe("a connection that was kept and turns out to be closed", function()
  local function close_on_second(conn)
    conn:request_head()
    conn:close()
  end

  for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" } do
    it(("is replaced by a new one for %s"):format(method), scenario(function(w)
      local origin = stale_origin(w, close_on_second)
      local proxy = in_front_of(w, { origin })
      local client = w:client(proxy)
      client:get "/"
      local answer = client:request { method = method }
      assert.equal(200, answer.status)
      assert.equal(2, origin.connections)
      assert.equal(3, origin.requests)
      assert.is_nil(proxy:wait_access(2)[2].tries)
    end))
  end

  it("is not for POST that has been sent: 502", scenario(function(w)
    local origin = stale_origin(w, close_on_second)
    local proxy = in_front_of(w, { origin })
    local client = w:client(proxy)
    client:get "/"
    local answer = client:post("/", "order")
    assert.equal(502, answer.status)
    assert.equal(1, origin.connections)
    assert.equal("origin_reset", proxy:wait_access(2)[2]["end"])
  end))

  it("is not for a PUT whose body has been sent: its bytes are gone", scenario(function(w)
    local origin = stale_origin(w, function(conn)
      conn:request()
      conn:close()
    end)
    local client = w:client(in_front_of(w, { origin }))
    client:get "/"
    assert.equal(502, client:put("/", "data").status)
    assert.equal(1, origin.connections)
  end))

  it("is not for a GET of whose answer a byte has come", scenario(function(w)
    local origin = stale_origin(w, function(conn)
      conn:request_head()
      conn:send "HTTP/1.1 2"
      conn:close()
    end)
    local client = w:client(in_front_of(w, { origin }))
    client:get "/"
    assert.equal(502, client:get("/").status)
    assert.equal(1, origin.connections)
  end))

  it("is noticed before anything is sent when the close is there already, even for POST", scenario(function(w)
    local origin
    origin = w:origin(function(conn)
      local request = conn:request()
      conn:reply(200, "got " .. request.body)
    end)
    local client = w:client(in_front_of(w, { origin }))
    for i = 1, 5 do
      assert.equal("got " .. i, client:post("/", tostring(i)).body)
      origin:wait_served(i)
    end
  end))

  it("does not count against the server", scenario(function(w)
    local origin = stale_origin(w, close_on_second)
    local proxy = in_front_of(w, { origin }, { failover = { fails = 1, pause = "1h" }, retry = { attempts = 1 } })
    local client = w:client(proxy)
    client:get "/"
    assert.equal(200, client:get("/").status)
    assert.equal(200, client:get("/").status)
  end))
end)

describe("a server that refuses connections", function()
  it("is passed over for the next one", scenario(function(w)
    local alive = w:http_origin(function() return "hi" end)
    local proxy = in_front_of(w, { w:closed_port(), alive })
    for _ = 1, 4 do assert.equal("hi", proxy:get("/").body) end
    for _ = 1, 4 do assert.equal("hi", w:client(proxy):post("/", "data").body) end
  end))

  it("is answered 502 when no other is there", scenario(function(w)
    local proxy = in_front_of(w, { w:closed_port() })
    local answer = proxy:get "/"
    assert.equal(502, answer.status)
    local entry = proxy:wait_access(1)[1]
    assert.equal("connect_failed", entry["end"])
    assert.equal("connection_refused", entry.error)
  end))

  it("is answered 502 after as many tries as `retry.attempts` says", scenario(function(w)
    local proxy = in_front_of(w, { w:closed_port(), w:closed_port(), w:closed_port(), w:closed_port() }, { retry = { attempts = 3 } })
    assert.equal(502, proxy:get("/").status)
    assert.equal(3, proxy:wait_access(1)[1].tries)
  end))

  it("is not passed over when `retry.on` does not name it", scenario(function(w)
    local alive = w:http_origin(function() return "hi" end)
    local proxy = in_front_of(w, { w:closed_port(), alive }, { retry = { on = { "reset" } }, failover = { fails = 0 } })
    local seen = {}
    for _ = 1, 4 do
      local status = proxy:get("/").status
      seen[status] = (seen[status] or 0) + 1
    end
    assert.same({ [200] = 2, [502] = 2 }, seen)
  end))

  it("leaves the body for the next one, even a long one", scenario(function(w)
    local received = 0
    local alive = w:origin(function(conn)
      conn:read_body(conn:request_head(), function(piece) received = received + #piece end)
      conn:reply(200, "done")
    end, { loop = true, quiet = true })
    local proxy = in_front_of(w, { w:closed_port(), alive })
    for i = 1, 4 do
      assert.equal("done", w:client(proxy):post("/", ("x"):rep(2000000)).body)
      assert.equal(i * 2000000, received)
    end
  end))
end)

describe("a server that breaks the connection", function()
  ---An origin that reads the head and then closes.
  local function breaking(w)
    return w:origin(function(conn) conn:request_head() end, { quiet = true })
  end

  it("is passed over for the next one when the request is idempotent", scenario(function(w)
    local bad, good = breaking(w), w:http_origin(function() return "hi" end)
    local proxy = in_front_of(w, { bad, good }, { failover = { fails = 0 } })
    for _ = 1, 4 do assert.equal("hi", proxy:get("/").body) end
    assert.is_true(bad.requests >= 1)
  end))

  it("is answered 502 for when the request is not", scenario(function(w)
    local bad, good = breaking(w), w:http_origin(function() return "hi" end)
    local proxy = in_front_of(w, { bad, good }, { failover = { fails = 0 } })
    local seen = {}
    for _ = 1, 4 do
      local status = proxy:request({ method = "POST" }).status
      seen[status] = (seen[status] or 0) + 1
    end
    assert.same({ [200] = 2, [502] = 2 }, seen)
    assert.equal(4, bad.requests + good.requests)
  end))

  it("is passed over for POST, too, with `non_idempotent`", scenario(function(w)
    local bad, good = breaking(w), w:http_origin(function() return "hi" end)
    local proxy = in_front_of(w, { bad, good }, { failover = { fails = 0 }, retry = { non_idempotent = true } })
    for _ = 1, 4 do assert.equal("hi", proxy:request({ method = "POST" }).body) end
  end))
end)

describe("a status that `retry.on` names", function()
  it("leads to the next server", scenario(function(w)
    local bad = w:http_origin(function() return { status = 503, body = "busy" } end)
    local good = w:http_origin(function() return "hi" end)
    local proxy = in_front_of(w, { bad, good }, { retry = { on = { 503 } } })
    for _ = 1, 4 do assert.equal("hi", proxy:get("/").body) end
    assert.is_true(bad.requests >= 1)
  end))

  it("is passed on when no other server is left", scenario(function(w)
    local bad = w:http_origin(function() return { status = 503, body = "busy" } end)
    local proxy = in_front_of(w, { bad }, { retry = { on = { 503 } } })
    local answer = proxy:get "/"
    assert.equal(503, answer.status)
    assert.equal("busy", answer.body)
    assert.equal(1, bad.requests)
  end))

  it("does not repeat a POST", scenario(function(w)
    local bad = w:http_origin(function() return { status = 503, body = "busy" } end)
    local good = w:http_origin(function() return "hi" end)
    local proxy = in_front_of(w, { bad, good }, { retry = { on = { 503 } } })
    for _ = 1, 4 do proxy:request { method = "POST" } end
    assert.equal(2, bad.requests)
    assert.equal(2, good.requests)
  end))
end)

describe("an origin that answers late", function()
  it("is passed over when `retry.on` names timeout", scenario(function(w)
    local slow = w:origin(function(conn)
      conn:request_head()
      conn:expect_end()
    end, { quiet = true })
    local good = w:http_origin(function() return "hi" end)
    local proxy = in_front_of(w, { slow, good }, { retry = { on = { "timeout" } }, timeouts = { response = "100ms" } })
    for _ = 1, 3 do assert.equal("hi", proxy:get("/").body) end
    assert.is_true(slow.requests >= 1)
  end))
end)
