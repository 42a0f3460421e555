-- What is made of header fields between client and origin: hop-by-hop fields off, Via, Date and Forwarded on.
local scenario = require("moongate.testing").scenario

---@return moongate.testing.proxy, moongate.testing.origin
local function proxy_and_origin(w, more, handle)
  local origin = w:http_origin(handle or function() return "ok" end)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config), origin
end

---What the origin sees of these fields.
local function sent_up(w, fields, more)
  local proxy, origin = proxy_and_origin(w, more)
  proxy:request { headers = fields, host = "example.com" }
  return origin.seen[1].headers
end

---What the client sees of these fields of an answer.
local function sent_down(w, fields, more)
  local proxy = proxy_and_origin(w, more, function() return { headers = fields, body = "ok" } end)
  return proxy:get("/").headers
end

describe("a field of a request", function()
  it("is sent on as it came, in order, with every value", scenario(function(w)
    local proxy, origin = proxy_and_origin(w)
    proxy:request { headers = { { "X-Custom", "One" }, { "Accept", "a/b" }, { "x-custom", "two,  three" }, { "X-Empty", "" } } }
    assert.same({ "One", "two,  three" }, origin.seen[1].headers:all "x-custom")
    assert.equal("", origin.seen[1].headers["x-empty"])
    assert.equal("a/b", origin.seen[1].headers.accept)
  end))

  it("may hold bytes beyond ASCII", scenario(function(w)
    assert.equal("gr\252n \195\164", sent_up(w, { ["x-name"] = "gr\252n \195\164" })["x-name"])
  end))

  for _, name in ipairs { "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Upgrade", "HTTP2-Settings", "Connection" } do
    it(("stays here when it is %s"):format(name), scenario(function(w)
      local seen = sent_up(w, { { name, "x" }, { "X-Other", "y" } })
      assert.is_nil(seen[name:lower()])
      assert.equal("y", seen["x-other"])
    end))
  end

  it("stays here when Connection names it", scenario(function(w)
    local seen = sent_up(w, {
      { "Connection", "x-one, keep-alive" }, { "X-One", "1" }, { "X-Two", "2" }, { "Connection", "X-TWO" }, { "X-Three", "3" },
    })
    assert.is_nil(seen["x-one"])
    assert.is_nil(seen["x-two"])
    assert.equal("3", seen["x-three"])
    assert.is_nil(seen.connection)
  end))

  for _, name in ipairs { "Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via", "Authorization",
    "Cookie", "Content-Type" } do
    it(("goes on although Connection names it: %s"):format(name), scenario(function(w)
      local seen = sent_up(w, { { "Connection", name }, { "Authorization", "a" }, { "Cookie", "c" }, { "Content-Type", "t" } })
      assert.is_not_nil(seen[name:lower()])
    end))
  end

  it("does not lose its framing when Connection names it", scenario(function(w)
    local proxy, origin = proxy_and_origin(w, nil, function(request) return request.body end)
    local client = w:client(proxy)
    local answer = client:post("/", "hello", { headers = { connection = "content-length" } })
    assert.equal("hello", answer.body)
    assert.equal("5", origin.seen[1].headers["content-length"])
  end))

  it("TE is sent on as far as it says trailers", scenario(function(w)
    local seen = sent_up(w, { te = "gzip;q=0.5, trailers" })
    assert.equal("trailers", seen.te)
    assert.equal("te", seen.connection:lower())
  end))

  it("with underscores is not taken for another", scenario(function(w)
    local seen = sent_up(w, { { "X_Forwarded_For", "1.2.3.4" } })
    assert.equal("127.0.0.1", seen["x-forwarded-for"])
  end))
end)

describe("a field of an answer", function()
  it("is sent on as it came, in order, with every value", scenario(function(w)
    local got = sent_down(w, { { "Set-Cookie", "a=1" }, { "X-A", "b" }, { "Set-Cookie", "c=2" }, { "Server", "origin" } })
    assert.same({ "a=1", "c=2" }, got:all "set-cookie")
    assert.equal("origin", got.server)
  end))

  for _, name in ipairs { "Keep-Alive", "Proxy-Connection", "Upgrade" } do
    it(("stays here when it is %s"):format(name), scenario(function(w)
      assert.is_nil(sent_down(w, { { name, "x" } })[name:lower()])
    end))
  end

  it("stays here when Connection names it", scenario(function(w)
    local got = sent_down(w, { { "Connection", "x-one" }, { "X-One", "1" }, { "X-Two", "2" } })
    assert.is_nil(got["x-one"])
    assert.is_nil(got.connection)
    assert.equal("2", got["x-two"])
  end))

  it("goes on although Connection names it, when what follows relies on it", scenario(function(w)
    local got = sent_down(w, { { "Connection", "set-cookie, content-type" }, { "Set-Cookie", "a=1" }, { "Content-Type", "x/y" } })
    assert.equal("a=1", got["set-cookie"])
    assert.equal("x/y", got["content-type"])
  end))
end)

describe("Date", function()
  it("is added when the origin sent none", scenario(function(w)
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", sent_down(w, {}).date)
  end))

  it("stays as the origin sent it", scenario(function(w)
    local date = "Tue, 15 Nov 1994 08:12:31 GMT"
    assert.same({ date }, sent_down(w, { date = date }):all "date")
  end))

  it("is in the proxy's own answers", scenario(function(w)
    assert.matches("GMT$", w:proxy({ sites = { { routes = { { reply = {} } } } } }):get("/").headers.date)
  end))
end)

describe("Via", function()
  it("is added in both directions", scenario(function(w)
    local proxy, origin = proxy_and_origin(w)
    assert.equal("1.1 moongate", proxy:get("/").headers.via)
    assert.equal("1.1 moongate", origin.seen[1].headers.via)
  end))

  it("says with which version the message came", scenario(function(w)
    local proxy, origin = proxy_and_origin(w)
    proxy:request { version = "1.0" }
    assert.equal("1.0 moongate", origin.seen[1].headers.via)
  end))

  it("is put behind those that are there", scenario(function(w)
    assert.equal("1.0 fred, 1.1 p.example.net, 1.1 moongate",
      sent_up(w, { { "Via", "1.0 fred" }, { "Via", "1.1 p.example.net" } }).via)
  end))

  it("of many neighbours goes on whole", scenario(function(w)
    local fields, names = {}, {}
    for i = 1, 120 do
        names[i] = ("1.1 %s%d"):format(("v"):rep(240), i)
        fields[i] = { "Via", names[i] }
    end
    assert.equal(table.concat(names, ", ") .. ", 1.1 moongate", sent_up(w, fields).via)
  end))

  it("has the configured name", scenario(function(w)
    assert.equal("1.1 edge-7", sent_up(w, {}, { via = "edge-7" }).via)
  end))

  it("is left out with `via = false`, and what others said stays", scenario(function(w)
    assert.is_nil(sent_up(w, {}, { via = false }).via)
    assert.equal("1.0 fred", sent_up(w, { via = "1.0 fred" }, { via = false }).via)
  end))
end)

describe("Forwarded", function()
  it("tells who asks, for which host, and how", scenario(function(w)
    local seen = sent_up(w, {})
    assert.equal("127.0.0.1", seen["x-forwarded-for"])
    assert.equal("http", seen["x-forwarded-proto"])
    assert.equal("example.com", seen["x-forwarded-host"])
    assert.equal("for=127.0.0.1;host=example.com;proto=http", seen.forwarded)
  end))

  it("tells of clients with IPv6", scenario(function(w)
    local proxy, origin = proxy_and_origin(w, { listeners = { { bind = "[::1]:0" } } })
    proxy:request { host = "example.com" }
    local seen = origin.seen[1].headers
    assert.equal("::1", seen["x-forwarded-for"])
    assert.equal('for="[::1]";host=example.com;proto=http', seen.forwarded)
    assert.equal("::1", proxy:wait_access(1)[1].client_ip)
  end))

  it("says `unknown` of clients on UNIX sockets, which have no address", scenario(function(w)
    local proxy, origin = proxy_and_origin(w, { listeners = { { bind = "unix:web.sock" } } })
    proxy:request { host = "example.com" }
    local seen = origin.seen[1].headers
    assert.equal("unknown", seen["x-forwarded-for"])
    assert.equal("for=unknown;host=example.com;proto=http", seen.forwarded)
  end))

  it("is not believed from just anybody", scenario(function(w)
    local seen = sent_up(w, {
      { "X-Forwarded-For", "6.6.6.6" }, { "X-Forwarded-For", "7.7.7.7" }, { "X-Forwarded-Proto", "https" },
      { "X-Forwarded-Host", "evil.test" }, { "X-Forwarded-Port", "1" }, { "X-Real-IP", "6.6.6.6" },
      { "Forwarded", "for=6.6.6.6;proto=https" },
    })
    assert.same({ "127.0.0.1" }, seen:all "x-forwarded-for")
    assert.same({ "http" }, seen:all "x-forwarded-proto")
    assert.same({ "example.com" }, seen:all "x-forwarded-host")
    assert.same({ "for=127.0.0.1;host=example.com;proto=http" }, seen:all "forwarded")
    assert.is_nil(seen["x-forwarded-port"])
    assert.is_nil(seen["x-real-ip"])
  end))

  it("from a trusted proxy is kept and added to", scenario(function(w)
    local seen = sent_up(w, {
      { "X-Forwarded-For", "9.9.9.9" }, { "X-Forwarded-For", "8.8.8.8, 10.0.0.1" }, { "X-Forwarded-Proto", "https" },
      { "X-Forwarded-Host", "shop.test" }, { "Forwarded", "for=9.9.9.9;proto=https" },
    }, { trusted_proxies = { "127.0.0.0/8" } })
    assert.same({ "9.9.9.9, 8.8.8.8, 10.0.0.1, 127.0.0.1" }, seen:all "x-forwarded-for")
    assert.same({ "https" }, seen:all "x-forwarded-proto")
    assert.same({ "shop.test" }, seen:all "x-forwarded-host")
    assert.equal("for=9.9.9.9;proto=https, for=127.0.0.1;host=example.com;proto=https", seen.forwarded)
  end))

  for mode, there in pairs {
    ["x-forwarded"] = { x = true }, forwarded = { standard = true }, both = { x = true, standard = true }, off = {},
  } do
    it(("is sent as `forwarded = %q` says"):format(mode), scenario(function(w)
      local seen = sent_up(w, { { "X-Forwarded-For", "6.6.6.6" }, { "Forwarded", "for=6.6.6.6" } }, { forwarded = mode })
      assert.equal(there.x and "127.0.0.1" or nil, seen["x-forwarded-for"])
      assert.equal(there.standard and "for=127.0.0.1;host=example.com;proto=http" or nil, seen.forwarded)
    end))
  end

  ---Who asks, as scripts and the access log see it.
  local function client_ip(w, fields, trusted, mode)
    local proxy = w:proxy {
      trusted_proxies = trusted, forwarded = mode,
      sites = { { routes = { { handler = function(req) return req.client.ip .. " " .. req.scheme end } } } },
    }
    local seen = proxy:request({ headers = fields }).body
    assert.equal(seen:match "^%S+", proxy:wait_access(1)[1].client_ip)
    return seen
  end

  local local_net = { "127.0.0.0/8", "10.0.0.0/8", "::1" }
  local believed = {
    { "nobody's word without trusted proxies", { { "X-Forwarded-For", "9.9.9.9" } }, {}, "127.0.0.1 http" },
    { "the word of a trusted proxy", { { "X-Forwarded-For", "9.9.9.9" } }, local_net, "9.9.9.9 http" },
    { "the nearest that is not trusted, not the first", { { "X-Forwarded-For", "6.6.6.6, 9.9.9.9, 10.0.0.3" } }, local_net,
      "9.9.9.9 http" },
    { "the last of several fields", { { "X-Forwarded-For", "6.6.6.6" }, { "X-Forwarded-For", "9.9.9.9" } }, local_net, "9.9.9.9 http" },
    { "the first when all are trusted", { { "X-Forwarded-For", "10.0.0.9, 10.0.0.3" } }, local_net, "10.0.0.9 http" },
    { "nothing beyond what is no address", { { "X-Forwarded-For", "9.9.9.9, nonsense, 10.0.0.3" } }, local_net, "10.0.0.3 http" },
    { "X-Forwarded-For before Forwarded, which many proxies let pass",
      { { "X-Forwarded-For", "9.9.9.9" }, { "Forwarded", "for=6.6.6.6;proto=https" } }, local_net, "9.9.9.9 http" },
    { "Forwarded alone with `forwarded = \"forwarded\"`",
      { { "X-Forwarded-For", "6.6.6.6" }, { "X-Forwarded-Proto", "https" }, { "Forwarded", "for=9.9.9.9" } }, local_net,
      "9.9.9.9 http", "forwarded" },
    { "an address of IPv6 in Forwarded", { { "Forwarded", 'for="[2001:db8::7]:4711"' } }, local_net, "2001:db8::7 http" },
    { "the scheme of a trusted proxy", { { "X-Forwarded-For", "9.9.9.9" }, { "X-Forwarded-Proto", "https" } }, local_net,
      "9.9.9.9 https" },
    { "the scheme in Forwarded", { { "Forwarded", "for=9.9.9.9;proto=https, for=10.0.0.3;proto=http" } }, local_net,
      "9.9.9.9 https" },
    { "no scheme from anybody else", { { "X-Forwarded-Proto", "https" } }, {}, "127.0.0.1 http" },
    { "no scheme that it does not know", { { "X-Forwarded-Proto", "gopher" } }, local_net, "127.0.0.1 http" },
  }
  for _, case in ipairs(believed) do
    it("is who asks: " .. case[1], scenario(function(w)
      assert.equal(case[4], client_ip(w, case[2], case[3], case[5]))
    end))
  end
end)
