-- Targets and hosts: what the origin is told, in which form, and which paths are the same path.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy, moongate.testing.origin
local function echo(w, upstream)
  local origin = w:http_origin(function(request) return request.target end)
  local app = { servers = { origin } }
  for key, value in pairs(upstream or {}) do app[key] = value end
  return w:proxy { upstreams = { app = app } }, origin
end

describe("a target", function()
  local same = {
    "/", "/a/b/c", "/a//b", "/a/", "/a?b=c&d=%20", "/?", "/?a?b", "/a;b=c", "/~user/", "/a%2Fb", "/a%20b", "/a:b@c",
    "/a!$&'()*+,;=b", "/?x=<>[]{}|^`\"\\", "/a%25b",
  }
  for _, target in ipairs(same) do
    it(("reaches the origin as it is: %s"):format(target), scenario(function(w)
      local proxy = echo(w)
      assert.equal(target, proxy:get(target).body)
    end))
  end

  local normal = {
    ["/a/./b"] = "/a/b", ["/a/../b"] = "/b", ["/a/b/.."] = "/a/", ["/%61bc"] = "/abc", ["/%7euser"] = "/~user",
    ["/a%2fb"] = "/a%2Fb", ["/a/%2e%2e/b"] = "/b", ["/a|b"] = "/a%7Cb", ['/a"b<c>'] = "/a%22b%3Cc%3E",
    ["/a/../b?x=/../y"] = "/b?x=/../y",
  }
  for target, expected in pairs(normal) do
    it(("reaches the origin in its normal form: %s as %s"):format(target, expected), scenario(function(w)
      local proxy = echo(w)
      assert.equal(expected, proxy:get(target).body)
    end))
  end

  it("in absolute form is sent on as a path", scenario(function(w)
    local proxy, origin = echo(w)
    local answer = proxy:request { path = "http://example.com/a/b?c", host = "example.com" }
    assert.equal("/a/b?c", answer.body)
    assert.equal("example.com", origin.seen[1].headers.host)
  end))

  it("in absolute form chooses the site", scenario(function(w)
    local proxy = w:proxy {
      sites = {
        { hosts = { "one.test" }, routes = { { reply = { body = "one" } } } },
        { routes = { { reply = { body = "other" } } } },
      },
    }
    assert.equal("one", proxy:request({ path = "http://one.test/", host = "one.test" }).body)
    assert.equal("one", proxy:request({ path = "HTTP://ONE.test", host = "one.test" }).body)
  end))

  it("in absolute form without a path is /", scenario(function(w)
    local proxy = echo(w)
    assert.equal("/", proxy:request({ path = "http://example.com", host = "example.com" }).body)
    assert.equal("/?q", proxy:request({ path = "http://example.com?q", host = "example.com" }).body)
  end))

  it("of OPTIONS may be an asterisk", scenario(function(w)
    local proxy, origin = echo(w)
    assert.equal("*", proxy:request({ method = "OPTIONS", path = "*" }).body)
    assert.equal("OPTIONS", origin.seen[1].method)
  end))

  it("of any other method must not be an asterisk", scenario(function(w)
    assert.equal(400, (echo(w)):request({ path = "*" }).status)
  end))

  it("may have 15 KB", scenario(function(w)
    local target = "/" .. ("a"):rep(15000)
    assert.equal(target, (echo(w)):get(target).body)
  end))
end)

describe("the Host that an origin is told", function()
  it("is the client's, port and all", scenario(function(w)
    local proxy, origin = echo(w)
    proxy:request { host = "shop.example.com:8080" }
    assert.equal("shop.example.com:8080", origin.seen[1].headers.host)
    assert.equal(1, #origin.seen[1].headers:all "host")
  end))

  it("is the server's with `host = \"server\"`", scenario(function(w)
    local proxy, origin = echo(w, { host = "server" })
    proxy:request { host = "shop.example.com" }
    assert.equal(origin.address, origin.seen[1].headers.host)
    assert.equal("shop.example.com", origin.seen[1].headers["x-forwarded-host"])
  end))

  it("is that of the configuration with `host = \"…\"`", scenario(function(w)
    local proxy, origin = echo(w, { host = "internal.test" })
    proxy:request { host = "shop.example.com" }
    assert.equal("internal.test", origin.seen[1].headers.host)
  end))

  it("comes first", scenario(function(w)
    local proxy, origin = echo(w)
    proxy:request { headers = { { "X-First", "1" }, { "Host", "late.test" } } }
    assert.equal("host", origin.seen[1].header_list[1][1]:lower())
    assert.equal("late.test", origin.seen[1].header_list[1][2])
  end))
end)

describe("a site", function()
  local function sites(w)
    return w:proxy {
      sites = {
        { hosts = { "example.com" }, routes = { { reply = { body = "exact" } } } },
        { hosts = { "*.example.com" }, routes = { { reply = { body = "wildcard" } } } },
        { hosts = { "*.deep.example.com" }, routes = { { reply = { body = "deep" } } } },
        { hosts = { "[::1]", "127.0.0.9" }, routes = { { reply = { body = "address" } } } },
      },
    }
  end
  local cases = {
    ["example.com"] = "exact", ["EXAMPLE.com"] = "exact", ["example.com:8080"] = "exact", ["example.com."] = "exact",
    ["www.example.com"] = "wildcard", ["a.b.example.com"] = "wildcard", ["deep.example.com"] = "wildcard",
    ["x.deep.example.com"] = "deep", ["127.0.0.9:80"] = "address", ["[::1]:80"] = "address",
  }
  for host, expected in pairs(cases) do
    it(("is chosen by Host: %s is %s"):format(host, expected), scenario(function(w)
      assert.equal(expected, sites(w):request({ host = host }).body)
    end))
  end

  for _, host in ipairs { "example.org", "notexample.com", "com" } do
    it(("that nobody serves is answered 421: %s"):format(host), scenario(function(w)
      local proxy = sites(w)
      assert.equal(421, proxy:request({ host = host }).status)
      assert.equal("refused", proxy:wait_access(1)[1]["end"])
    end))
  end

  it("without hosts gets what the others do not", scenario(function(w)
    local proxy = w:proxy {
      sites = {
        { hosts = { "example.com" }, routes = { { reply = { body = "exact" } } } },
        { routes = { { reply = { body = "default" } } } },
      },
    }
    assert.equal("default", proxy:request({ host = "other.test" }).body)
    assert.equal("default", proxy:request({ host = false, version = "1.0" }).body)
  end))
end)
