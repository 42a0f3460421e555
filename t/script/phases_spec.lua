-- What hooks can do in each phase, seen from outside.
local testing = require "moongate.testing"
local scenario = testing.scenario

describe("a hook", function()
  it("in rewrite chooses another path, host and query before a route is chosen", scenario(function(w)
    local origin = w:http_origin(function(request) return request.headers.host .. request.target end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { { rewrite = function(_, req)
        req.path, req.query, req.host = "/new" .. req.path, "from=" .. req.path, "other.test"
      end } },
      sites = { { hosts = { "other.test" }, routes = { { path = "/new/*", upstream = "app" } } } },
    }
    assert.equal("other.test/new/x?from=/x", proxy:get("/x", { host = "first.test" }).body)
  end))

  it("in access answers without the origin being asked", scenario(function(w)
    local origin = w:http_origin(function() return "never" end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { function(req)
        if req.headers["x-api-key"] ~= "k1" then return { status = 401, body = "no\n", headers = { ["x-why"] = "key" } } end
      end },
    }
    local answer = proxy:get "/"
    assert.equal(401, answer.status)
    assert.equal("no\n", answer.body)
    assert.equal("key", answer.headers["x-why"])
    assert.equal(0, origin.requests)
    assert.equal("never", proxy:get("/", { headers = { ["x-api-key"] = "k1" } }).body)
  end))

  it("in access changes what the origin gets, and which origin it is", scenario(function(w)
    local one = w:http_origin(function() return "one" end)
    local two = w:http_origin(function(request)
      return request.method .. " " .. request.headers["x-user"] .. " " .. tostring(request.headers["x-secret"])
    end)
    local proxy = w:proxy {
      upstreams = { one = { servers = { one } }, two = { servers = { two } } },
      sites = { { routes = { { upstream = "one", policies = { function(req)
        req.headers["x-user"], req.headers["x-secret"], req.upstream = "ann", nil, "two"
      end } } } } },
    }
    assert.equal("GET ann nil", proxy:get("/", { headers = { ["x-secret"] = "s", ["X-User"] = "forged" } }).body)
  end))

  it("in response changes status and fields of origins' answers and of the proxy's own", scenario(function(w)
    local origin = w:http_origin(function() return { status = 200, headers = { server = "secret/1.0" }, body = "x" } end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { { response = function(_, req, res)
        res.headers.server = nil
        res.headers:add("x-seen", res.status .. " " .. req.path)
        if req.path == "/teapot" then res.status = 418 end
      end } },
      sites = { { routes = { { path = "/own", reply = { body = "own" } }, { path = "/o/*", upstream = "app" },
        { path = "/teapot", upstream = "app" } } } },
    }
    local answer = proxy:get "/o/a"
    assert.is_nil(answer.headers.server)
    assert.equal("200 /o/a", answer.headers["x-seen"])
    assert.equal("200 /own", proxy:get("/own").headers["x-seen"])
    assert.equal(418, proxy:get("/teapot").status)
    assert.equal("404 /none", proxy:get("/none").headers["x-seen"])
  end))

  it("in failed makes the proxy's error pages", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:closed_port() } } },
      policies = { { failed = function(_, req, failure)
        if req.path == "/own" then
          return { status = 503, body = failure.status .. " " .. failure.error .. "\n", headers = { ["x-own"] = "1" } }
        end
      end } },
    }
    local answer = proxy:get "/own"
    assert.equal(503, answer.status)
    assert.matches("^502 %l[%l_]+\n$", answer.body) -- a name of RFC 9209
    assert.equal("1", answer.headers["x-own"])
    assert.equal(502, proxy:get("/other").status)
  end))

  it("in log sees how it ended, and a function writes the access log", scenario(function(w)
    local origin = w:http_origin(function() return "hi" end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { { log = function(_, req, res)
        require("moongate.log").info("seen", {
          path = req.path, status = res.status, upstream = res.upstream, timed = res.timings.total > 0,
        })
      end } },
    }
    proxy:get "/a"
    local line = proxy:wait_log "seen[^\n]*"
    local log = proxy:log()
    assert.truthy(line)
    assert.truthy(log:find("seen path=/a status=200 timed=true upstream=" .. origin.address, 1, true), log)
  end))

  it("that is the access log's format writes the lines it returns, and none for nothing", scenario(function(w)
    local proxy = w:proxy {
      access_log = { path = "own.log", format = function(req, res)
        if req.path ~= "/quiet" then return req.method .. " " .. req.path .. " " .. res.status end
      end },
      sites = { { routes = { { path = "/own", handler = function() return 201 end }, { reply = { body = "ok" } } } } },
    }
    for _, path in ipairs { "/own", "/quiet", "/other" } do proxy:get(path) end
    proxy:stop()
    local file = assert(io.open(proxy.dir .. "/own.log"))
    local text = file:read "*a"
    file:close()
    assert.equal("GET /own 201\nGET /other 200\n", text)
  end))

  it("shares req.ctx with the other hooks of its request and with nobody else's", scenario(function(w)
    local proxy = w:proxy {
      policies = { { rewrite = function(_, req) req.ctx.n = (req.ctx.n or 0) + 1 end,
        response = function(_, req, res) res.headers["x-n"] = req.ctx.n end } },
      sites = { { routes = { { handler = function(req)
        req.ctx.n = req.ctx.n + 1
        return "ok"
      end } } } },
    }
    local client = proxy:client()
    for _ = 1, 3 do assert.equal("2", client:get("/").headers["x-n"]) end
  end))
end)

describe("a route's when", function()
  it("decides whether the route is taken", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = {
      { path = "/", when = function(req) return req.args.beta == "1" end, reply = { body = "beta" } },
      { path = "/", reply = { body = "usual" } },
    } } } }
    assert.equal("beta", proxy:get("/?beta=1").body)
    assert.equal("usual", proxy:get("/").body)
  end))
end)
