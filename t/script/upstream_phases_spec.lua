-- The hooks on the heads that pass between the proxy and an origin.
local scenario = require("moongate.testing").scenario

describe("upstream_request", function()
  it("reads and changes the fields as they will be sent, and nothing of what the client sent", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function(request)
        local h = request.headers
        return { headers = { ["x-auth"] = h.authorization, ["x-host"] = h.host, ["x-cookie"] = tostring(h.cookie),
          ["x-signed"] = h["x-signed"], ["x-two"] = table.concat(h:all "x-two", "+") } }
      end) } } },
      policies = { {
        upstream_request = function(_, req)
          local headers = req.headers
          headers.authorization = "Bearer secret"
          headers["x-signed"] = headers["x-forwarded-for"] .. " " .. headers.via .. " " .. req.method .. " " .. req.path
          headers.host, headers.cookie = "inner.test", nil
          headers["x-two"] = { "a", "b" }
          headers:add("x-two", "c")
        end,
        response = function(_, req, res)
          res.headers["x-asked"] = req.headers.host .. " " .. req.headers.cookie .. " " .. tostring(req.headers.authorization)
        end,
      } },
    }
    local answer = proxy:get("/a/b", { host = "outer.test", headers = { cookie = "c=1" } })
    assert.equal("Bearer secret", answer.headers["x-auth"])
    assert.equal("127.0.0.1 1.1 moongate GET /a/b", answer.headers["x-signed"])
    assert.equal("inner.test", answer.headers["x-host"])
    assert.equal("nil", answer.headers["x-cookie"])
    assert.equal("a+b+c", answer.headers["x-two"])
    assert.equal("outer.test c=1 nil", answer.headers["x-asked"])
  end))

  it("runs anew for each try, on a head of its own", scenario(function(w)
    local bad = w:http_origin(function() return { status = 503 } end)
    local good = w:http_origin(function(request)
      return request.headers["x-try"] .. " " .. table.concat(request.headers:all "x-added", "+")
    end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { bad, { good.address, backup = true } }, retry = { attempts = 3, on = { 503 } } } },
      policies = { { upstream_request = function(_, req)
        req.ctx.tries = (req.ctx.tries or 0) + 1
        req.headers["x-try"] = req.ctx.tries
        req.headers:add("x-added", "once")
        require("moongate.time").sleep(0.005)
      end } },
    }
    assert.equal("2 once", proxy:get("/").body)
  end))

  it("may answer in the origin's place, and then nothing is sent to it", scenario(function(w)
    local origin = w:http_origin(function() return "never" end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { { upstream_request = function() return { status = 418, body = "no" } end } },
    }
    local answer = proxy:get "/"
    assert.equal(418, answer.status)
    assert.equal("no", answer.body)
    assert.equal(0, origin.requests)
  end))

  it("may ask for the whole body, to sign it, and sends it on", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function(request)
        return request.headers["x-length"] .. " " .. request.body
      end) } } },
      policies = { { upstream_request = function(_, req)
        local body, _, code = req:body(10)
        req.headers["x-length"] = body and #body or code
      end } },
    }
    local client = proxy:client()
    assert.equal("3 abc", client:post("/", "abc").body)
    assert.equal("0 ", client:get("/").body)
    assert.equal("limit " .. ("x"):rep(11), client:post("/", ("x"):rep(11)).body)
    client:send_head { method = "POST", headers = { ["content-length"] = 4 } }
    client:send "ab"
    client:send "cd"
    assert.equal("4 abcd", client:read_response({ method = "POST" }).body)
  end))

  it("cannot frame the message, drop the host or change what was routed by", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function(request) return request.headers["x-why"] end) } } },
      policies = { { upstream_request = function(_, req)
        local why = {}
        local function try(fn) why[#why + 1] = select(2, pcall(fn)) end
        try(function() req.headers["content-length"] = "5" end)
        try(function() req.headers.host = nil end)
        try(function() req.headers:add("host", "two") end)
        try(function() req.path = "/other" end)
        req.headers["x-why"] = table.concat(why, "; ")
      end } },
    }
    local why = proxy:get("/").body
    assert.matches("the header 'content%-length' is written by the proxy itself", why)
    assert.equal(2, select(2, why:gsub("the header 'host' is changed by", "")))
    assert.matches("req.path cannot be changed in phase 'upstream_request'; it can in: rewrite, access", why)
  end))

  it("that fails is a 500, and the origin is not asked", scenario(function(w)
    local origin = w:http_origin(function() return "never" end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { { upstream_request = function(_, req) if req.path == "/bad" then error "on purpose" end end } },
    }
    local client = proxy:client()
    assert.equal(500, client:get("/bad").status)
    assert.equal("never", client:get("/").body)
    assert.equal(1, origin.requests)
    proxy:wait_log "script error in policy [^\n]* %(upstream_request%)[^\n]*on purpose"
  end))

  it("does not run where no origin is asked", scenario(function(w)
    local proxy = w:proxy {
      policies = { { upstream_request = function() error "must not run" end,
        upstream_response = function() error "nor this" end } },
      sites = { { routes = { { reply = { body = "own" } } } } },
    }
    assert.equal("own", proxy:get("/").body)
  end))
end)

describe("upstream_response", function()
  it("changes status and fields before response sees them", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function()
        return { status = 200, headers = { server = "secret", ["x-ttl"] = "5" }, body = "x" }
      end) } } },
      policies = {
        { response = function(_, _, res) res.headers["x-seen"] = res.status .. " " .. tostring(res.headers.server) end },
        { upstream_response = function(_, req, res)
          res.headers.server = nil
          res.headers["cache-control"] = "max-age=" .. res.headers["x-ttl"]
          res.status = 201
          req.ctx.from = res.upstream
          require("moongate.time").sleep(0.005)
        end },
        { response = function(_, req, res) res.headers["x-from"] = req.ctx.from end },
      },
    }
    local answer = proxy:get "/"
    assert.equal(201, answer.status)
    assert.equal("x", answer.body)
    assert.equal("201 nil", answer.headers["x-seen"])
    assert.equal("max-age=5", answer.headers["cache-control"])
    assert.matches("^127.0.0.1:%d+$", answer.headers["x-from"])
  end))

  it("runs for the answer of the last try alone", scenario(function(w)
    local bad = w:http_origin(function() return { status = 503 } end)
    local good = w:http_origin(function() return "good" end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { bad, { good.address, backup = true } }, retry = { attempts = 2, on = { 503 } } } },
      policies = { {
        upstream_response = function(_, req, res) req.ctx.seen = (req.ctx.seen or "") .. res.status end,
        response = function(_, req, res) res.headers["x-seen"] = req.ctx.seen end,
      } },
    }
    local answer = proxy:get "/"
    assert.equal("good", answer.body)
    assert.equal("200", answer.headers["x-seen"])
  end))

  it("may answer in the place of the origin, whose body is thrown away", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function() return { status = 404, body = "not here" } end) } } },
      policies = { { upstream_response = function(_, _, res)
        if res.status == 404 then return { status = 200, body = "something else" } end
      end } },
    }
    local client = proxy:client()
    for _ = 1, 2 do
      local answer = client:get "/"
      assert.equal(200, answer.status)
      assert.equal("something else", answer.body)
    end
  end))

  it("that gives a bodiless answer a status with a body sends an empty one", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function() return { status = 304, headers = { ["x-a"] = "b" } } end) } } },
      policies = { { upstream_response = function(_, _, res) res.status = 200 end } },
    }
    local client = proxy:client()
    for _ = 1, 2 do
      local answer = client:get "/"
      assert.equal(200, answer.status)
      assert.equal("", answer.body)
    end
  end))

  it("does not hold up the upload while it waits", scenario(function(w)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      conn:reply_head(200, { ["content-length"] = "2" })
      conn:read_body(request)
      conn:send "ok"
    end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { { upstream_response = function() require("moongate.time").sleep(0.05) end } },
    }
    assert.equal("ok", proxy:client():post("/", ("x"):rep(2 ^ 20)).body)
  end))

  it("that fails is a 500", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function() return "body" end) } } },
      policies = { { upstream_response = function(_, req) if req.path == "/bad" then error "on purpose" end end } },
    }
    local client = proxy:client()
    assert.equal(500, client:get("/bad").status)
    assert.equal("body", client:get("/").body)
    proxy:wait_log "script error in policy [^\n]* %(upstream_response%)[^\n]*on purpose"
  end))
end)

describe("res:body", function()
  it("gives a hook the whole body, which is sent on all the same", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:origin(function(conn)
        local request = conn:request()
        conn:reply_head(200, { ["transfer-encoding"] = "chunked" })
        for _ = 1, tonumber(request.target:match "%d+") do conn:chunk(("x"):rep(1000)) end
        conn:last_chunk()
      end, { loop = true, quiet = true }) } } },
      policies = { {
        upstream_response = function(_, req, res) req.ctx.first = res:body("2m") end,
        response = function(_, req, res)
          local body = res:body "2m"
          res.headers["x-length"] = #body
          res.headers["x-same"] = tostring(body == req.ctx.first)
        end,
      } },
    }
    local client = proxy:client()
    for _, count in ipairs { 0, 1, 300, 1500 } do
      local answer = client:get("/" .. count)
      assert.equal(tostring(count * 1000), answer.headers["x-length"])
      assert.equal("true", answer.headers["x-same"])
      assert.equal(("x"):rep(count * 1000), answer.body)
    end
  end))

  it("lets a hook answer with what it made of it", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function() return "[1,2,3]" end) } } },
      policies = { { response = function(_, _, res)
        local json = require "moongate.json"
        return { status = 203, body = json.encode { count = #json.decode(res:body()) } }
      end } },
    }
    local client = proxy:client()
    for _ = 1, 2 do
      local answer = client:get "/"
      assert.equal(203, answer.status)
      assert.equal('{"count":3}', answer.body)
    end
  end))

  it("gives up beyond its limit, and the body passes untouched", scenario(function(w)
    local long = ("0123456789"):rep(100000)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function(request)
        local pieces = { long, long }
        return { body = request.target == "/told" and long .. long or function() return table.remove(pieces) end }
      end) } } },
      policies = { { response = function(_, _, res)
        local body, message, code = res:body(1500000)
        res.headers["x-said"] = tostring(body) .. " " .. message .. " " .. code
      end } },
    }
    for _, path in ipairs { "/told", "/chunked" } do
      local answer = proxy:get(path)
      assert.matches("^nil the body is larger than 1500000 bytes limit", answer.headers["x-said"])
      assert.equal(long .. long, answer.body)
    end
  end))

  it("says when the origin ended half-way, and when a handler gives pieces", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:origin(function(conn)
        conn:request()
        conn:reply_head(200, { ["content-length"] = "10" })
        conn:send "half"
      end) } } },
      policies = { { response = function(_, _, res)
        local _, _, code = res:body()
        if code then return { status = 502, body = code } end
      end } },
      sites = { { routes = { { path = "/gone", upstream = "app" },
        { path = "/pieces", handler = function() return { body = function() return nil end } end },
        { reply = { body = "own" } } } } },
    }
    assert.equal("gone", proxy:get("/gone").body)
    assert.equal("stream", proxy:get("/pieces").body)
    assert.equal("own", proxy:get("/").body)
  end))

  it("goes through body hooks behind it", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function() return ("ab"):rep(400000) end) } } },
      policies = { {
        response = function(_, _, res) res.headers["x-length"] = #res:body "1m" end,
        response_body = function(_, _, _, chunks, write) for chunk in chunks do write(chunk:upper()) end end,
      } },
    }
    local answer = proxy:get "/"
    assert.equal("800000", answer.headers["x-length"])
    assert.equal(("AB"):rep(400000), answer.body)
  end))

  it("does not wait for ever, nor hold up the upload on which the answer depends", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { timeouts = { body = "200ms" }, servers = { w:origin(function(conn)
        local request = conn:request_head()
        conn:reply_head(200, { ["content-length"] = "4" })
        conn:send "ha"
        if request.method == "POST" then
          conn:read_body(request)
          return conn:send "lf"
        end
        conn:expect_end()
      end, { quiet = true }) } } },
      policies = { {
        upstream_response = function(_, req, res) if req.method == "GET" then res:body() end end,
        response = function(_, req, res) if req.method == "POST" then res.headers["x-body"] = (res:body()) end end,
      } },
    }
    local answer = proxy:client():post("/", ("x"):rep(2 ^ 21))
    assert.equal("half", answer.headers["x-body"])
    assert.equal("half", answer.body)
    assert.equal(504, proxy:get("/").status)
    assert.equal("origin_body_timeout", proxy:wait_access(2)[2]["end"])
  end))

  it("belongs to the phases of the answer's head", scenario(function(w)
    local proxy = w:proxy {
      policies = { { log = function(_, _, res) res:body() end } },
      sites = { { routes = { { reply = { body = "own" } } } } },
    }
    assert.equal("own", proxy:get("/").body)
    proxy:wait_log "res:body%(%) is for the hooks upstream_response and response"
  end))
end)
