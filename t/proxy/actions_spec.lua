-- What a route does: reply, redirect, handler, upstream with a rewritten path.
local scenario = require("moongate.testing").scenario

---A proxy with one site of these routes.
local function proxy_with(w, ...) return w:proxy { sites = { { routes = { ... } } } } end

describe("reply", function()
  it("is sent as it stands", scenario(function(w)
    local proxy = proxy_with(w, {
      reply = { status = 418, headers = { ["content-type"] = "text/x-tea", ["x-list"] = { "a", "b" } }, body = "short and stout\n" },
    })
    local answer = proxy:get "/"
    assert.equal(418, answer.status)
    assert.equal("text/x-tea", answer.headers["content-type"])
    assert.same({ "a", "b" }, answer.headers:all "x-list")
    assert.equal("short and stout\n", answer.body)
    assert.equal("16", answer.headers["content-length"])
    assert.is_nil(answer.headers.via)
  end))

  it("to HEAD has the head alone", scenario(function(w)
    local client = w:client(proxy_with(w, { reply = { body = "12345" } }))
    for _ = 1, 2 do assert.equal("5", client:head("/").headers["content-length"]) end
  end))

  for _, status in ipairs { 204, 304 } do
    it(("of status %d has no body and no length"):format(status), scenario(function(w)
      local client = w:client(proxy_with(w, { reply = { status = status } }))
      for _ = 1, 2 do
        local answer = client:get "/"
        assert.equal(status, answer.status)
        assert.is_nil(answer.headers["content-length"])
        assert.is_nil(answer.headers["content-type"])
      end
    end))
  end

  it("takes the body of a request and throws it away", scenario(function(w)
    local client = w:client(proxy_with(w, { reply = { body = "ok" } }))
    for _ = 1, 3 do assert.equal("ok", client:post("/", ("x"):rep(1000)).body) end
  end))
end)

describe("redirect", function()
  local cases = {
    { "goes to a path", { redirect = { to = "/new" } }, "/old", 302, "/new" },
    { "has the configured status", { redirect = { to = "/new", status = 308 } }, "/old", 308, "/new" },
    { "takes what the path matched along", { path = "/old/*", redirect = { to = "/new/*" } }, "/old/a/b", 302, "/new/a/b" },
    { "takes parameters along", { path = "/u/:id", redirect = { to = "https://x.test/user/:id" } }, "/u/7", 302,
      "https://x.test/user/7" },
    { "takes several along, before a query of its own", { path = "/u/:id/:what", redirect = { to = "/:what/:id?from=u" } }, "/u/7/pic",
      302, "/pic/7?from=u" },
    { "leaves a port alone", { path = "/u/:id", redirect = { to = "http://x.test:8080/a:b/:id" } }, "/u/7", 302,
      "http://x.test:8080/a:b/7" },
    { "keeps the query", { redirect = { to = "/new" } }, "/old?a=b", 302, "/new?a=b" },
    { "adds the query to its own", { redirect = { to = "/new?x=1" } }, "/old?a=b", 302, "/new?x=1&a=b" },
    { "drops the query when told so", { redirect = { to = "/new", keep_query = false } }, "/old?a=b", 302, "/new" },
    { "sends no line break that hides in the path", { path = "/old/*", redirect = { to = "/new/*" } }, "/old/%0d%0aX:y", 302,
      "/new/%0D%0AX:y" },
  }
  for _, case in ipairs(cases) do
    it(case[1], scenario(function(w)
      local answer = proxy_with(w, case[2]):get(case[3])
      assert.equal(case[4], answer.status)
      assert.equal(case[5], answer.headers.location)
    end))
  end
end)

describe("handler", function()
  it("answers with what it returns", scenario(function(w)
    local proxy = proxy_with(w,
      { path = "/text", handler = function() return "just text" end },
      { path = "/table", handler = function() return { status = 201, headers = { ["x-a"] = "b" }, body = "made" } end },
      { path = "/none", handler = function() return { status = 204 } end })
    assert.equal("just text", proxy:get("/text").body)
    local made = proxy:get "/table"
    assert.equal(201, made.status)
    assert.equal("b", made.headers["x-a"])
    assert.equal(204, proxy:get("/none").status)
  end))

  it("may give its body piece by piece, which is sent as it comes", scenario(function(w)
    local proxy = proxy_with(w, { handler = function()
      local n = 0
      return { body = function()
        n = n + 1
        if n > 3 then return nil end
        if n > 1 then require("moongate.time").sleep(0.05) end
        return "piece " .. n .. "\n"
      end }
    end })
    local client = w:client(proxy)
    client:send_request {}
    client:read_head()
    for i = 1, 3 do assert.equal(("piece %d\n"):format(i), client:read_chunk()) end
    assert.is_nil(client:read_chunk())
  end))

  it("whose body is pulled is not ahead of a client that does not read", scenario(function(w)
    local proxy = proxy_with(w, { handler = function()
      return { body = function() return ("x"):rep(65536) end }
    end })
    local client = w:client(proxy, { rcvbuf = 8192 })
    client:send_request {}
    client:read_head()
    local pid = proxy:workers()[1]
    local before = proxy:resident(pid)
    w:quiet(0.3)
    assert.is_true(proxy:resident(pid) - before < 8 * 2 ^ 20)
    client:reset()
  end))

  it("that fails in the middle of its body cuts the answer off", scenario(function(w)
    local proxy = proxy_with(w, { handler = function()
      local n = 0
      return { body = function()
        n = n + 1
        if n > 1 then error "broken" end
        return "first"
      end }
    end })
    local client = w:client(proxy)
    client:send_request {}
    local complete = pcall(client.read_response, client)
    assert.is_false(complete)
    assert.equal("script_error", proxy:wait_access(1)[1]["end"])
  end))
end)

describe("rewrite", function()
  ---The target that the origin of a route with this rewrite gets.
  local function rewritten(w, route, path)
    local origin = w:http_origin(function(request) return request.target end)
    route.upstream = "app"
    return w:proxy({ upstreams = { app = { servers = { origin } } }, sites = { { routes = { route } } } }):get(path).body
  end
  local cases = {
    { "puts another prefix before what matched", { path = "/api/*", rewrite = "/v1/*" }, "/api/a/b", "/v1/a/b" },
    { "may take the prefix away", { path = "/api/*", rewrite = "/*" }, "/api/a", "/a" },
    { "puts parameters where they are named", { path = "/u/:id/p/:post", rewrite = "/posts/:post/of/:id" }, "/u/ann/p/7",
      "/posts/7/of/ann" },
    { "may be a fixed path", { path = "/x/*", rewrite = "/fixed" }, "/x/y", "/fixed" },
    { "keeps the query", { path = "/api/*", rewrite = "/v1/*" }, "/api/a?b=c", "/v1/a?b=c" },
    { "keeps escapes", { path = "/api/*", rewrite = "/v1/*" }, "/api/a%20b%2Fc", "/v1/a%20b%2Fc" },
    { "does not climb out", { path = "/api/*", rewrite = "/v1/*" }, "/api/x/../y", "/v1/y" },
  }
  for _, case in ipairs(cases) do
    it(case[1], scenario(function(w) assert.equal(case[4], rewritten(w, case[2], case[3])) end))
  end
end)
