-- The access log: a line for each exchange, what stands in it, and where it goes.
local testing = require "moongate.testing"
local scenario = testing.scenario

---@return moongate.testing.proxy
local function in_front_of(w, origin, more)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read "*a" or ""
  if file then file:close() end
  return text
end

describe("an entry in JSON", function()
  it("says who asked for what, and what came of it", scenario(function(w)
    local origin = w:http_origin(function() return { status = 201, body = "created" } end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      sites = { { name = "shop", hosts = { "shop.test" }, routes = { { name = "orders", path = "/orders/*", upstream = "app" } } } },
    }
    proxy:request {
      method = "POST", path = "/orders/7?x=y", host = "shop.test", body = "order",
      headers = { ["user-agent"] = "kit/1", referer = "http://shop.test/" },
    }
    local entry = proxy:wait_access(1)[1]
    assert.equal("127.0.0.1", entry.client_ip)
    assert.equal("POST", entry.method)
    assert.equal("shop.test", entry.host)
    assert.equal("/orders/7?x=y", entry.target)
    assert.equal(201, entry.status)
    assert.equal(5, entry.bytes_in)
    assert.equal(7, entry.bytes_out)
    assert.equal("done", entry["end"])
    assert.equal("shop", entry.site)
    assert.equal("orders", entry.route)
    assert.equal("app", entry.upstream)
    assert.equal(origin.address, entry.server)
    assert.equal("kit/1", entry.user_agent)
    assert.equal("http://shop.test/", entry.referer)
    assert.equal(1, entry.generation)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", entry.time)
  end))

  it("says how long it took, and its parts", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      w:quiet(0.05)
      conn:reply(200, "ok")
    end)
    local proxy = in_front_of(w, origin)
    proxy:get "/"
    local entry = proxy:wait_access(1)[1]
    assert.is_true(entry.response_us >= 50000)
    assert.is_true(entry.duration_us >= entry.response_us)
    assert.is_true(entry.connect_us >= 0 and entry.connect_us < entry.duration_us)
  end))

  it("counts bytes of the body, not of framing, that went to the client", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      local left = 3
      conn:reply(200, function()
        left = left - 1
        return left >= 0 and "12345" or nil
      end)
    end)
    local proxy = in_front_of(w, origin)
    proxy:get "/"
    assert.equal(15, proxy:wait_access(1)[1].bytes_out)
  end))

  it("counts a spliced body, too", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function() return ("x"):rep(3000000) end))
    proxy:get "/"
    assert.equal(3000000, proxy:wait_access(1)[1].bytes_out)
  end))

  it("counts no body for HEAD", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function() return "twelve bytes" end))
    w:client(proxy):head "/"
    assert.equal(0, proxy:wait_access(1)[1].bytes_out)
  end))

  it("says how often a server was tried", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:closed_port(), w:http_origin(function() return "ok" end) } } },
    }
    for _ = 1, 4 do proxy:get "/" end
    local seen = {}
    for _, entry in ipairs(proxy:wait_access(4)) do seen[entry.tries or 1] = true end
    assert.is_true(seen[1] and seen[2])
  end))

  it("stays JSON whatever the client sends", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function() return "ok" end))
    local odd = 'quote " backslash \\ tab \t high \200\255 </script>'
    proxy:request { path = '/?a="b\\', headers = { ["user-agent"] = odd } }
    local entry = proxy:wait_access(1)[1]
    assert.equal('/?a="b\\', entry.target)
    assert.matches("quote \" backslash \\ tab \t high ", entry.user_agent, 1, true)
  end))

  it("has the request id that the policy gave", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request) return request.headers["x-request-id"] or "none" end),
      { policies = { "request_id" } })
    local answer = proxy:get "/"
    assert.equal(answer.body, proxy:wait_access(1)[1].id)
  end))

  it("is written for each of many, in any worker", scenario(function(w)
    local proxy = w:proxy { workers = 2, sites = { { routes = { { reply = {} } } } } }
    for _ = 1, 20 do
      local client = w:client(proxy)
      for _ = 1, 10 do client:get "/" end
      client:close()
    end
    assert.equal(200, #proxy:wait_access(200))
  end))
end)

describe("the other forms of the log", function()
  it("`combined` is what everybody can read", scenario(function(w)
    local proxy = w:proxy {
      access_log = { format = "combined", path = "combined.log" },
      sites = { { routes = { { reply = { status = 404, body = "nothing\n" } } } } },
    }
    proxy:request { path = "/a?b", headers = { ["user-agent"] = 'a "quoted" name' } }
    local line = w:wait_for(function() return read(proxy.dir .. "/combined.log"):match "^[^\n]+" end)
    assert.matches('^127%.0%.0%.1 %- %- %[%d%d/%a%a%a/%d%d%d%d:%d%d:%d%d:%d%d %+0000%] "GET /a%?b HTTP/1%.1" 404 8 "%-" ', line)
    assert.matches('"a \\"quoted\\" name"', line, 1, true)
  end))

  it("a function writes what it likes, a line each", scenario(function(w)
    local proxy = w:proxy {
      access_log = {
        path = "own.log",
        format = function(req, res)
          if req.path == "/quiet" then return nil end
          return req.method .. " " .. req.path .. " -> " .. res.status
        end,
      },
      sites = { { routes = { { reply = {} } } } },
    }
    for _, path in ipairs { "/one", "/quiet", "/two" } do proxy:get(path) end
    w:wait_for(function() return read(proxy.dir .. "/own.log") == "GET /one -> 200\nGET /two -> 200\n" end)
  end))

  it("goes to standard output without a path", scenario(function(w)
    local proxy = w:proxy {
      access_log = { format = "combined" },
      sites = { { routes = { { reply = {} } } } },
    }
    proxy:get "/to-stdout"
    w:wait_for(function() return proxy.child.out and proxy.child.out:find("GET /to-stdout", 1, true) end)
  end))

  it("is not written with `off = true`", scenario(function(w)
    local proxy = w:proxy { access_log = { off = true, path = "access.log" }, sites = { { routes = { { reply = {} } } } } }
    proxy:get "/"
    proxy:stop()
    assert.equal("", read(proxy.dir .. "/access.log"))
  end))

  it("is begun anew in its file after SIGUSR1", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = {} } } } } }
    proxy:get "/before"
    proxy:wait_access(1)
    os.rename(proxy.dir .. "/access.log", proxy.dir .. "/access.log.1")
    proxy:signal "USR1"
    w:wait_for(function()
      proxy:get "/after"
      return #proxy:access_log() > 0
    end)
    assert.matches("/before", read(proxy.dir .. "/access.log.1"), 1, true)
    assert.is_nil(read(proxy.dir .. "/access.log"):find("/before", 1, true))
  end))

  it("loses no entry when the proxy ends", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = {} } } } } }
    local client = w:client(proxy)
    for _ = 1, 100 do client:get "/" end
    proxy:stop()
    assert.equal(100, #proxy:access_log())
  end))
end)
