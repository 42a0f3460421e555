-- The commands as one types them: what they print, where, and with which status they end.
local testing = require "moongate.testing"
local files = require "moongate.testing.files"
local scenario = testing.scenario

local CONFIG = [[
return {
  listeners = { { bind = "127.0.0.1:8080" }, { bind = "[::1]:8080" } },
  upstreams = { app = { servers = { "127.0.0.1:9000", { "127.0.0.1:9001", weight = 2 }, { "127.0.0.1:9002", backup = true } } } },
  policies = { "request_id" },
  sites = {
    { hosts = { "example.com" }, routes = {
      { path = "/hello/:name", reply = { body = "hi" } },
      { path = "/api/*", methods = { "GET" }, upstream = "app", policies = { { "api_key", keys = { "k" } } } },
      { path = "/api/*", methods = { "POST" }, headers = { ["x-v"] = "2" }, upstream = "app" },
      { path = "/old/*", redirect = { to = "/new/*" } },
      { path = "/when", when = function() return true end, handler = function() return "" end },
    } },
    { hosts = { "other.com" }, routes = { { upstream = "app" } } },
  },
}
]]

---Runs a command in a folder with moongate.lua.
local function run(w, ...)
  local dir = w:dir { ["moongate.lua"] = CONFIG }
  local words = { ... }
  words.dir = dir
  return w:command(words)
end

describe("moongate", function()
  it("without a command says how to use it, with status 2", scenario(function(w)
    local code, out, err = w:command {}
    assert.equal(2, code)
    assert.equal("", out)
    assert.truthy(err:find "usage: moongate COMMAND")
  end))

  it("says so when there is no such command, option or word", scenario(function(w)
    for words, said in pairs {
      [{ "rum" }] = "there is no command 'rum'",
      [{ "run", "--colour" }] = "there is no option '--colour'",
      [{ "check", "-c" }] = "'-c' needs a value: FILE",
      [{ "check", "word" }] = "too many words",
      [{ "explain", "GET" }] = "something is missing",
      [{ "run", "--workers", "many" }] = "'many' is not a number from 1 to",
      [{ "run", "--workers=0" }] = "'0' is not a number from 1 to",
      [{ "status", "--json=1" }] = "'--json=1' takes no value",
      [{ "help", "rum" }] = "there is no command 'rum'",
    } do
      local code, out, err = w:command(words)
      assert.equal(2, code, err)
      assert.equal("", out)
      assert.truthy(err:find(said, 1, true), err)
    end
  end))

  it("helps with every command", scenario(function(w)
    local code, out = w:command { "help" }
    assert.equal(0, code)
    local count = 0
    for name in out:gmatch "\n  (%l+) " do
      if name ~= "help" then
        count = count + 1
        local status, said = w:command { name, "--help" }
        assert.equal(0, status)
        assert.truthy(said:find("usage: moongate " .. name, 1, true))
        local _, again = w:command { "help", name }
        assert.equal(said, again)
      end
    end
    assert.equal(11, count)
  end))
end)

describe("moongate version", function()
  it("names version, build and libraries", scenario(function(w)
    local code, out = w:command { "version" }
    assert.equal(0, code)
    assert.truthy(out:match "^moongate %d+%.%d+%.%d+ %(%w+, %l+%)\n")
    for _, library in ipairs { "LuaJIT 2", "libev 4", "c-ares 1", "PCRE2 10" } do
      assert.truthy(out:find("\n" .. library, 1, true), out)
    end
  end))
end)

describe("moongate check", function()
  it("counts what it found good", scenario(function(w)
    local code, out, err = run(w, "check", "-c", "moongate.lua")
    assert.equal("", err)
    assert.equal("moongate.lua: ok (2 sites, 6 routes, 1 upstream)\n", out)
    assert.equal(0, code)
  end))

  it("says every mistake on standard error, with status 1", scenario(function(w)
    local dir = w:dir { ["bad.lua"] = "return {\n  workers = -1,\n  site = {},\n}\n" }
    local code, out, err = w:command { "check", "-cbad.lua", dir = dir }
    assert.equal(1, code)
    assert.equal("", out)
    assert.truthy(err:find('bad.lua:2: workers: must be "auto"', 1, true), err)
    assert.truthy(err:find("bad.lua:3: unknown key 'site'; did you mean 'sites'?", 1, true), err)
  end))

  it("runs setup() of policies", scenario(function(w)
    local dir = w:dir {
      ["moongate.lua"] = 'return { script_path = { "." }, policies = { "picky" }, sites = { { routes = { { reply = {} } } } } }',
      ["picky.lua"] = "local picky = {}\nfunction picky:setup()\n  error 'not today'\nend\nreturn picky\n",
    }
    local code, _, err = w:command { "check", "-c", "moongate.lua", dir = dir }
    assert.equal(1, code)
    assert.truthy(err:find("picky.lua:3: not today", 1, true), err)
  end))

  it("says so when there is no such file", scenario(function(w)
    local code, _, err = run(w, "check", "-c", "nowhere.lua")
    assert.equal(1, code)
    assert.truthy(err:find "nowhere.lua: No such file or directory", err)
  end))

  it("takes conf/moongate.lua of the folder, and else the built-in demo", scenario(function(w)
    local dir = w:dir { ["conf/moongate.lua"] = CONFIG }
    local code, out = w:command { "check", dir = dir }
    assert.equal(0, code)
    assert.equal("conf/moongate.lua: ok (2 sites, 6 routes, 1 upstream)\n", out)
    code, out = w:command { "check", dir = w:dir() }
    assert.equal(0, code)
    assert.truthy(out:find "/conf/moongate.lua: ok", out)
  end))
end)

describe("moongate explain", function()
  it("names listener, site, route, parameters and action", scenario(function(w)
    local code, out = run(w, "explain", "-c", "moongate.lua", "GET", "http://example.com:8080/hello/moon?x=1")
    assert.equal(0, code)
    assert.truthy(out:find("listener   127.0.0.1:8080\n", 1, true), out)
    assert.truthy(out:find("site       example.com  (moongate.lua:6)\n", 1, true), out)
    assert.truthy(out:find("(moongate.lua:7)\n", 1, true), out)
    assert.truthy(out:find(":name      moon\n", 1, true), out)
    assert.truthy(out:find("action     reply 200\n", 1, true), out)
  end))

  it("names upstream, servers and policies by phase, and why others did not match", scenario(function(w)
    local code, out = run(w, "explain", "-c", "moongate.lua", "GET", "/api/x", "-H", "Host: example.com")
    assert.equal(0, code)
    assert.truthy(out:find("upstream app: 127.0.0.1:9000, 127.0.0.1:9001 (weight 2), 127.0.0.1:9002 (weight 1, backup)", 1, true), out)
    assert.truthy(out:find("access: request_id, api_key\n", 1, true), out)
    assert.truthy(out:find("response: request_id\n", 1, true), out)
    assert.truthy(out:find('(moongate.lua:9): header x-v is not "2"', 1, true), out)
  end))

  it("heeds headers", scenario(function(w)
    local _, out = run(w, "explain", "-c", "moongate.lua", "POST", "http://example.com/api/x", "-H", "x-v: 2")
    assert.truthy(out:find "route [^\n]*moongate.lua:9", out)
    _, out = run(w, "explain", "-c", "moongate.lua", "POST", "http://example.com/api/x", "-H", "x-v: 1")
    assert.truthy(out:find "route      none", out)
  end))

  it("says 404, 405 with what is allowed, and 421", scenario(function(w)
    local _, out = run(w, "explain", "-c", "moongate.lua", "GET", "http://example.com/nothing")
    assert.truthy(out:find("route      none: 404\n", 1, true), out)
    _, out = run(w, "explain", "-c", "moongate.lua", "PUT", "http://example.com/api/x")
    assert.truthy(out:find("405 with Allow: ", 1, true), out)
    _, out = run(w, "explain", "-c", "moongate.lua", "GET", "http://nobody.com/")
    assert.truthy(out:find("none takes the host 'nobody.com': 421", 1, true), out)
  end))

  it("says what depends on a `when`", scenario(function(w)
    local _, out = run(w, "explain", "-c", "moongate.lua", "GET", "http://example.com/when")
    assert.truthy(out:find("if its `when` agrees", 1, true), out)
    assert.truthy(out:find("action     handler", 1, true), out)
  end))

  it("refuses what is no request", scenario(function(w)
    for words, said in pairs {
      [{ "GET", "example.com/x" }] = "is not a URL to ask for",
      [{ "GET", "http://example.com/../x" }] = "is not a URL to ask for",
      [{ "G T", "/x" }] = "is not a method",
      [{ "GET", "/x", "-H", "no colon" }] = "is not a header",
    } do
      local code, _, err = run(w, "explain", "-c", "moongate.lua", unpack(words))
      assert.equal(2, code, err)
      assert.truthy(err:find(said, 1, true), err)
    end
  end))
end)

describe("moongate status", function()
  it("prints tables for people, and JSON for programs", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { (w:http_origin(function() return "hi" end)) } } },
    }
    proxy:get "/"
    local code, out = proxy:run "status"
    assert.equal(0, code)
    for _, text in ipairs { "generation 1 of", "listening on: " .. proxy.address, "WORKER", "GENERATION", "UPSTREAM", "up\n" } do
      assert.truthy(out:find(text, 1, true), out)
    end
    code, out = proxy:run("status", "--json")
    assert.equal(0, code)
    assert.equal(proxy.pid, require("cjson").decode(out).pid)
  end))

  it("says so when nobody runs there", scenario(function(w)
    local code, out, err = w:command { "status", "--control", w:dir() .. "/nothing.sock" }
    assert.equal(1, code)
    assert.equal("", out)
    assert.truthy(err:find("nothing.sock: no moongate runs here", 1, true), err)
  end))

  it("finds the control socket by the configuration, even by one with mistakes", scenario(function(w)
    local dir = w:dir { ["moongate.lua"] = CONFIG }
    local _, _, err = w:command { "status", "-c", "moongate.lua", dir = dir }
    assert.truthy(err:find("run/moongate.sock: no moongate runs here", 1, true), err)
    files.write_file(dir, "moongate.lua", "return { nonsense = 1 }")
    _, _, err = w:command { "status", "-c", "moongate.lua", dir = dir }
    assert.truthy(err:find("run/moongate.sock: no moongate runs here", 1, true), err)
  end))
end)

describe("moongate reload", function()
  it("says that it was done, or every mistake with status 1", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = { body = "hi" } } } } } }
    local code, out, err = proxy:run "reload"
    assert.equal(0, code, err)
    assert.equal("generation 2 is in service\n", out)
    proxy:write("moongate.lua", "return {\n  nonsense = 1,\n  more = 2,\n}\n")
    code, out, err = proxy:run "reload"
    assert.equal(1, code)
    assert.equal("", out)
    assert.truthy(err:find "moongate.lua:2: unknown key 'nonsense'", err)
    assert.truthy(err:find "moongate.lua:3: unknown key 'more'", err)
  end))
end)

describe("moongate test", function()
  local SPEC = [[
local scenario = require("moongate.testing").scenario
describe("my configuration", function()
  it("%s", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = { body = "hi" } } } } } }
    assert.equal("%s", w:client(proxy):get("/").body)
  end))
end)
]]

  it("runs specs with the kit on the path, and ends as busted does", scenario(function(w)
    local dir = w:dir { ["good_spec.lua"] = SPEC:format("says hi", "hi"), ["bad_spec.lua"] = SPEC:format("says ho", "ho") }
    local code, out, err = w:command { "test", "good_spec.lua", "-o", "TAP", dir = dir }
    assert.equal(0, code, out .. err)
    assert.truthy(out:find("ok 1 - my configuration says hi", 1, true), out)
    code = w:command { "test", "bad_spec.lua", dir = dir }
    assert.are_not.equal(0, code)
  end))
end)
