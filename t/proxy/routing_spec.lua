-- Which route a request takes: docs/configuration.md, "Which site, which route".
local testing = require "moongate.testing"
local scenario = testing.scenario

---A proxy whose routes answer with their own names.
local function routes(w, list)
  for _, route in ipairs(list) do
    if not (route.reply or route.handler or route.redirect) then route.reply = { body = route.name } end
  end
  return w:proxy { sites = { { routes = list } } }
end

---Checks `{ path, name of the route or status }`, each with one request.
local function check(proxy, cases)
  for _, case in ipairs(cases) do
    local request = { path = case[1] }
    for key, value in pairs(case) do if type(key) == "string" then request[key] = value end end
    local answer = proxy:request(request)
    local got = answer.status == 200 and answer.body or answer.status
    assert.equal(case[2], got, (request.method or "GET") .. " " .. case[1])
  end
end

describe("a route's path", function()
  it("is exact, has parameters, is a prefix: the most specific one wins, in whatever order they stand", scenario(function(w)
    check(routes(w, {
      { name = "any" },
      { name = "prefix", path = "/a/*" },
      { name = "longer", path = "/a/b/*" },
      { name = "parameter", path = "/a/:id" },
      { name = "exact", path = "/a/b" },
      { name = "two", path = "/a/:id/c" },
    }), {
      { "/", "any" }, { "/other", "any" }, { "/ab", "any" }, { "/a/", "prefix" }, { "/a/b/c/d", "longer" }, { "/a/b/", "longer" },
      { "/a/x", "parameter" }, { "/a/b", "exact" }, { "/a/x/c", "two" }, { "/a/x/d", "prefix" }, { "/a/b?x=y", "exact" },
      { "/a/./b", "exact" }, { "/a/%62", "exact" }, { "/x/../a/b", "exact" },
    })
  end))

  it("ending in /* has everything below the folder, not what only begins like it", scenario(function(w)
    check(routes(w, { { name = "assets", path = "/assets/*" } }),
      { { "/assets/", "assets" }, { "/assets", 404 }, { "/assetsx", 404 }, { "/assets/a/b", "assets" } })
  end))

  it("with parameters gives them to scripts, decoded", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { {
      path = "/users/:user/posts/:post",
      handler = function(req) return req.params.user .. "|" .. req.params.post end,
    } } } } }
    assert.equal("ann|7", proxy:get("/users/ann/posts/7").body)
    assert.equal("a b|x", proxy:get("/users/a%20b/posts/x").body)
  end))

  it("parameter is one segment that is not empty", scenario(function(w)
    check(routes(w, { { name = "one", path = "/u/:id" } }), { { "/u/a", "one" }, { "/u/", 404 }, { "/u/a/b", 404 }, { "/u", 404 } })
  end))

  it("regex comes after the other forms, in the order written", scenario(function(w)
    check(routes(w, {
      { name = "digits", regex = "^/a/\\d+$" },
      { name = "word", regex = "^/a/\\w+$" },
      { name = "exact", path = "/a/1" },
      { name = "prefix", path = "/p/*" },
      { name = "inside", regex = "secret" },
      { name = "any" },
    }), {
      { "/a/1", "exact" }, { "/a/22", "digits" }, { "/a/xy", "word" }, { "/a/x-y", "any" }, { "/p/secret", "prefix" },
      { "/q/secret/x", "inside" },
    })
  end))

  it("regex gives its named groups to scripts", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { {
      regex = "^/(?<year>\\d{4})/(?<name>[a-z]+)$",
      handler = function(req) return req.params.year .. req.params.name end,
    } } } } }
    assert.equal("2024moon", proxy:get("/2024/moon").body)
  end))

  it("that no route has is answered 404", scenario(function(w)
    local proxy = routes(w, { { name = "a", path = "/a" } })
    check(proxy, { { "/b", 404 }, { "/a/", 404 }, { "/A", 404 } })
    assert.equal("refused", proxy:wait_access(1)[1]["end"])
  end))
end)

describe("a route is narrowed", function()
  it("by methods, and 405 says which are allowed", scenario(function(w)
    local proxy = routes(w, {
      { name = "read", path = "/x", methods = { "GET", "HEAD" } },
      { name = "write", path = "/x", methods = { "PUT" } },
      { name = "fallback", path = "/y/*" },
      { name = "post", path = "/y/z", methods = { "POST" } },
    })
    check(proxy, {
      { "/x", "read" }, { "/x", "write", method = "PUT" }, { "/x", 405, method = "DELETE" },
      { "/y/z", "post", method = "POST", body = "" }, { "/y/z", "fallback" },
    })
    local allow = {}
    for method in proxy:request({ path = "/x", method = "DELETE" }).headers.allow:gmatch "%a+" do allow[#allow + 1] = method end
    table.sort(allow)
    assert.same({ "GET", "HEAD", "PUT" }, allow)
  end))

  it("by headers: a text, presence, an expression", scenario(function(w)
    check(routes(w, {
      { name = "v2", path = "/a", headers = { ["x-version"] = "2" } },
      { name = "beta", path = "/a", headers = { ["x-beta"] = true } },
      { name = "mobile", path = "/a", headers = { ["user-agent"] = { regex = "(?i)mobile" } } },
      { name = "plain", path = "/a" },
    }), {
      { "/a", "v2", headers = { ["X-Version"] = "2" } }, { "/a", "plain", headers = { ["x-version"] = "3" } },
      { "/a", "beta", headers = { ["x-beta"] = "" } }, { "/a", "mobile", headers = { ["user-agent"] = "Some MOBILE thing" } },
      { "/a", "plain" },
    })
  end))

  it("by arguments of the query, decoded", scenario(function(w)
    check(routes(w, {
      { name = "search", path = "/a", query = { mode = "full text" } },
      { name = "debug", path = "/a", query = { debug = true } },
      { name = "page", path = "/a", query = { page = { regex = "^\\d+$" } } },
      { name = "plain", path = "/a" },
    }), {
      { "/a?mode=full%20text", "search" }, { "/a?mode=full+text", "search" }, { "/a?x=1&debug", "debug" }, { "/a?debug=0", "debug" },
      { "/a?page=12", "page" }, { "/a?page=x", "plain" }, { "/a", "plain" }, { "/a?mode=full", "plain" },
    })
  end))

  it("by a function, which may wait", scenario(function(w)
    check(routes(w, {
      { name = "lucky", path = "/a", when = function(req)
        require("moongate.time").sleep(0.01)
        return req.headers["x-lucky"] == "yes"
      end },
      { name = "plain", path = "/a" },
    }), { { "/a", "lucky", headers = { ["x-lucky"] = "yes" } }, { "/a", "plain" }, { "/a", "plain", headers = { ["x-lucky"] = "no" } } })
  end))

  it("and of two with the same path the first that fits is taken", scenario(function(w)
    check(routes(w, {
      { name = "get", path = "/a", methods = { "GET" } },
      { name = "plain", path = "/a" },
    }), { { "/a", "get" }, { "/a", "plain", method = "PUT" } })
  end))

  it("and a failing function is a 500, not another route", scenario(function(w)
    check(routes(w, {
      { name = "broken", path = "/a", when = function() error "broken" end },
      { name = "plain", path = "/a" },
    }), { { "/a", 500 } })
  end))
end)

describe("many sites and routes", function()
  it("are all found", scenario(function(w)
    local proxy = w:proxy(testing.lua [[return (function()
      local sites = {}
      for i = 1, 1000 do
        sites[i] = { hosts = { "site" .. i .. ".test", "*.wild" .. i .. ".test" }, routes = {} }
        for j = 1, 10 do
          sites[i].routes[j] = { path = "/r" .. j .. "/:x", reply = { body = i .. "/" .. j } }
        end
      end
      return { sites = sites }
    end)()]])
    local client = w:client(proxy)
    for _, i in ipairs { 1, 2, 500, 999, 1000 } do
      for _, j in ipairs { 1, 10 } do
        assert.equal(i .. "/" .. j, client:get("/r" .. j .. "/x", { host = ("site%d.test"):format(i) }).body)
        assert.equal(i .. "/" .. j, client:get("/r" .. j .. "/x", { host = ("a.b.wild%d.test"):format(i) }).body)
      end
    end
    assert.equal(404, client:get("/r11/x", { host = "site7.test" }).status)
    assert.equal(421, client:get("/r1/x", { host = "site1001.test" }).status)
  end))
end)
