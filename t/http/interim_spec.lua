-- Informational answers (RFC 9110 section 15.2), and Expect: 100-continue in both directions.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy
local function in_front_of(w, origin, more)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

local expecting = { expect = "100-continue" }

describe("an informational answer", function()
  it("is sent on before the final one, fields and all", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(103, { link = "</style.css>; rel=preload" })
      conn:reply(200, "done")
    end)
    local answer = in_front_of(w, origin):get "/"
    assert.equal("done", answer.body)
    assert.equal(1, #answer.informational)
    assert.equal(103, answer.informational[1].status)
    assert.equal("</style.css>; rel=preload", answer.informational[1].headers.link)
  end))

  it("is sent on as often as it comes", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      for i = 1, 5000 do conn:reply_head(i % 2 == 0 and 102 or 103, { ["x-n"] = i, link = ("</style%d.css>"):format(i) }) end
      conn:reply(200, "done")
    end)
    local answer = in_front_of(w, origin):get "/"
    assert.equal(5000, #answer.informational)
    for i = 1, 5000 do assert.equal(tostring(i), answer.informational[i].headers["x-n"]) end
    assert.equal("done", answer.body)
  end))

  it("is sent on at once, not with the final one", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(103)
      w:wait_for(function() return conn.seen end)
      conn:reply(200, "done")
    end)
    local client = w:client(in_front_of(w, origin))
    client:send_request {}
    assert.equal(103, client:read_head({ informational = true }).status)
    origin.open[1].seen = true
    assert.equal("done", client:read_response().body)
  end))

  it("waits at the origin while the client reads nothing", scenario(function(w)
    local sent, stuck
    local origin = w:origin(function(conn)
      conn:request()
      local hint = "HTTP/1.1 103 Early Hints\r\nLink: " .. ("x"):rep(1000) .. "\r\n\r\n"
      sent, stuck = conn:send_until_stuck(hint, { most = 64 * 2 ^ 20, still = 0.1 })
      local rest = #hint - sent % #hint
      conn:send(hint:sub(#hint - rest + 1))
      sent = sent + rest
      conn:reply(200, "done")
    end)
    local proxy = in_front_of(w, origin)
    local client = w:client(proxy)
    client:send_request {}
    w:wait_for(function() return sent end)
    assert.is_true(stuck)
    assert.is_true(proxy:resident(proxy:workers()[1]) < 32 * 2 ^ 20)
    assert.equal("done", client:read_response().body)
  end))

  it("has neither Date nor framing", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(103, { ["content-length"] = 5 })
      conn:reply(200, "done")
    end)
    local answer = in_front_of(w, origin):get "/"
    local early = answer.informational[1].headers
    assert.is_nil(early.date)
    assert.is_nil(early["content-length"])
  end))

  it("is kept from HTTP/1.0, which does not know it", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(103)
      conn:reply(200, "done")
    end)
    local answer = in_front_of(w, origin):request { version = "1.0" }
    assert.equal(0, #answer.informational)
    assert.equal("done", answer.body)
  end))

  it("that was not asked for goes before the answer, even when it is a 100", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:continue()
      conn:continue()
      conn:reply(200, "done")
    end)
    local client = w:client(in_front_of(w, origin))
    assert.equal("done", client:get("/").body)
  end))

  it("alone is not an answer: 502 when the connection ends behind it", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(103)
    end)
    assert.equal(502, in_front_of(w, origin):request({ method = "POST", body = "x" }).status)
  end))
end)

describe("Expect: 100-continue", function()
  it("reaches the origin, and its 100 the client, before the body", scenario(function(w)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      assert.equal("100-continue", request.headers.expect)
      assert.equal(0, conn:buffered())
      conn:continue()
      conn:read_body(request)
      conn:reply(200, "got " .. request.body)
    end)
    local answer = in_front_of(w, origin):request { method = "POST", body = "hello", headers = expecting }
    assert.equal("got hello", answer.body)
    assert.equal(100, answer.informational[1].status)
    assert.equal(1, #answer.informational)
  end))

  for _, status in ipairs { 417, 413, 401, 200 } do
    it(("passes on an origin's refusal with %d, without the body"):format(status), scenario(function(w)
      local origin = w:origin(function(conn)
        conn:request_head()
        conn:reply(status, "no")
        conn:expect_end()
      end)
      local client = w:client(in_front_of(w, origin))
      local answer = client:request { method = "POST", body = "hello", headers = expecting }
      assert.equal(status, answer.status)
      assert.equal("no", answer.body)
      assert.equal(0, #answer.informational)
      assert.equal("close", answer.headers.connection)
      assert.equal(0, origin.open[1]:buffered())
    end))
  end

  it("goes on with the same connection after the body has come", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(function(request) return request.body end)))
    for _ = 1, 3 do
      assert.equal("hello", client:request({ method = "POST", body = "hello", headers = expecting }).body)
    end
  end))

  it("works with a body in chunks", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request) return request.body end))
    local answer = proxy:request { method = "POST", body = "hello", chunked = true, headers = expecting }
    assert.equal("hello", answer.body)
  end))

  it("does not stop a client that sends its body without waiting", scenario(function(w)
    local client = w:client(in_front_of(w, w:http_origin(function(request) return request.body end)))
    client:send_request { method = "POST", body = "hello", headers = expecting }
    assert.equal("hello", client:read_response().body)
    assert.equal("again", client:request({ method = "POST", body = "again" }).body)
  end))

  it("is answered 417 when it expects anything else", scenario(function(w)
    local origin = w:http_origin(function() return "" end)
    local answer = in_front_of(w, origin):request { method = "POST", body = "x", headers = { expect = "200-ok" } }
    assert.equal(417, answer.status)
    assert.equal(0, origin.requests)
  end))

  it("of HTTP/1.0 is ignored", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body end)
    local client = w:client(in_front_of(w, origin))
    client:send_request { method = "POST", version = "1.0", body = "hello", headers = expecting }
    local answer = client:read_response()
    assert.equal("hello", answer.body)
    assert.equal(0, #answer.informational)
    assert.is_nil(origin.seen[1].headers.expect)
  end))

  it("is answered 413 at once for a body over the limit", scenario(function(w)
    local origin = w:http_origin(function() return "" end)
    local proxy = in_front_of(w, origin, { limits = { body = 4 } })
    local answer = proxy:request { method = "POST", body = "hello", headers = expecting }
    assert.equal(413, answer.status)
    assert.equal(0, origin.connections)
  end))

  it("is answered at once where nobody wants the body", scenario(function(w)
    local client = w:client(w:proxy { sites = { { routes = { { reply = { status = 403, body = "no" } } } } } })
    local answer = client:request { method = "POST", body = "hello", headers = expecting }
    assert.equal(403, answer.status)
    assert.equal("no", answer.body)
    assert.equal(0, #answer.informational)
    client:expect_end()
  end))

  it("is met by the proxy when a script wants the body", scenario(function(w)
    local proxy = w:proxy {
      sites = { { routes = { { handler = function(req) return "script got " .. req:body(100) end } } } },
    }
    local answer = proxy:request { method = "POST", body = "hello", headers = expecting }
    assert.equal("script got hello", answer.body)
    assert.equal(100, answer.informational[1].status)
  end))

  it("gets no second 100 from the origin when a script has had the body already", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body end)
    local proxy = in_front_of(w, origin, { policies = { { access = function(_, req) req:body(100) end } } })
    local answer = proxy:request { method = "POST", body = "hello", headers = expecting }
    assert.equal("hello", answer.body)
    assert.equal(1, #answer.informational)
    assert.is_nil(origin.seen[1].headers.expect)
  end))
end)
