-- Extensions as rocks: what is built, packed, served and installed by LuaRocks works in a running proxy.
local testing = require "moongate.testing"
local files = require "moongate.testing.files"
local rocks = dofile "t/rocks/support.lua"
local scenario = testing.scenario

local SAMPLE = "rockspec/moongate-policy-shout"
local NAME = "moongate-policy-shout"

---A folder that LuaRocks can install from: the sample as a rock of the given kind, with a manifest.
local function server_of_binary(w, luarocks)
  local folder, tree, server = rocks.copy(w, SAMPLE), w:dir(), w:dir()
  luarocks { "--tree", tree, "make", dir = folder }
  luarocks { "--tree", tree, "pack", NAME, "scm-1", dir = server }
  luarocks { program = "luarocks-admin", "make_manifest", server }
  return server
end

---The same with its source, which LuaRocks fetches from a repository.
local function server_of_source(w, luarocks)
  local folder, server = rocks.copy(w, SAMPLE), w:dir()
  local rockspec = NAME .. "-scm-1.rockspec"
  local text = assert(files.read_file(folder .. "/" .. rockspec))
  files.write_file(folder, rockspec, (text:gsub('url = "[^"]*"', ('url = "git+file://%s"'):format(folder))))
  for _, words in ipairs {
    { "init", "-q" }, { "add", "." },
    { "-c", "commit.gpgsign=false", "-c", "user.name=test", "-c", "user.email=test@moongate.example", "commit", "-q", "-m", "a rock" },
  } do
    words.program, words.dir = "git", folder
    rocks.run(w, words)
  end
  luarocks { "pack", folder .. "/" .. rockspec, dir = server }
  luarocks { program = "luarocks-admin", "make_manifest", server }
  return server
end

---A proxy whose configuration stands beside the tree, as a project has it.
local function proxy_with(w, tree)
  return w:proxy {
    source = ([[
      require("moongate.rocks").use %q
      return {
        policies = { { "shout", word = "at ${host}", marks = 2 } },
        sites = { { routes = { { path = "/native", handler = function()
          return require("shout.native").shout "from a handler"
        end }, { reply = { body = "hi" } } } } },
      }
    ]]):format(tree),
  }
end

describe("a rock with a part in C", function()
  it("is installed from a folder and works in a running proxy, before and after a reload", scenario(function(w)
    local luarocks, tree = rocks.luarocks(w), w:dir()
    local server = server_of_binary(w, luarocks)
    assert.equal(1, #rocks.matching(server, "^moongate%-policy%-shout%-scm%-1%.linux%-.*%.rock$"))
    luarocks { "--tree", tree, "install", NAME, "--only-server", server }
    assert.truthy(luarocks({ "--tree", tree, "list", "--porcelain" }):find(NAME .. "\tscm-1\tinstalled", 1, true))

    local proxy = proxy_with(w, tree)
    local client = w:client(proxy, { host = "moon.test" })
    assert.equal("AT MOON.TEST!!", client:get("/").headers["x-shout"])
    assert.equal("FROM A HANDLER!", client:get("/native").body)
    proxy:reload()
    assert.equal("AT MOON.TEST!!", client:get("/").headers["x-shout"])
  end))

  it("is built from source where it is installed, through a proxy in front of the rocks", scenario(function(w)
    local luarocks, tree = rocks.luarocks(w), w:dir()
    local server = server_of_source(w, luarocks)
    assert.same({ NAME .. "-scm-1.src.rock" }, rocks.matching(server, "%.rock$"))
    local origin = w:http_origin(function(request)
      local content = not request.target:find("..", 1, true) and files.read_file(server .. request.target)
      return content and { status = 200, body = content } or { status = 404, body = "no such rock\n" }
    end)
    local front = w:proxy { upstreams = { rocks = { servers = { origin } } } }
    luarocks { "--tree", tree, "install", NAME, "--only-server", "http://" .. front.address }
    assert.truthy(files.read_file(tree .. "/lib/lua/5.1/shout/native.so"))
    assert.equal("AT MOON.TEST!!", w:client(proxy_with(w, tree), { host = "moon.test" }):get("/").headers["x-shout"])
  end))

  it("passes its own tests, luacheck and LuaRocks' lint", scenario(function(w)
    local luarocks, folder = rocks.luarocks(w), rocks.copy(w, SAMPLE)
    luarocks { "--tree", "lua_modules", "make", dir = folder }
    assert.truthy(rocks.run(w, { "test", "-o", "TAP", dir = folder }):find("ok 1 - shout.native", 1, true))
    assert.equal("moongate.lua: ok (1 site, 1 route, 1 upstream)\n",
      rocks.run(w, { "check", "-c", "moongate.lua", dir = folder }))
    luarocks { "lint", folder .. "/" .. NAME .. "-scm-1.rockspec" }
    rocks.run(w, { program = "luacheck", "--no-color", "-q", "scripts", "spec", "moongate.lua", dir = folder })
  end))
end)

describe("the rock of the library", function()
  it("brings every module and the types into a tree, and the proxy still takes its own", scenario(function(w)
    local luarocks, tree = rocks.luarocks(w), w:dir()
    luarocks { "lint", "rockspec/moongate-scm-1.rockspec" }
    luarocks { "--tree", tree, "make", "rockspec/moongate-scm-1.rockspec" }
    local listing = rocks.run(w, { program = "sh", "-c", "cd lua && find moongate -name '*.lua' | LC_ALL=C sort" })
    local installed = rocks.run(w, { program = "sh", "-c", "find moongate -name '*.lua' | LC_ALL=C sort",
      dir = tree .. "/share/lua/5.1" })
    assert.equal(listing, installed)

    files.write_file(tree, "share/lua/5.1/moongate/json.lua", "error 'not the proxy\\'s own'\n")
    local proxy = w:proxy {
      source = ([[
        require("moongate.rocks").use %q
        return { sites = { { routes = { { handler = function()
          return require("moongate.json").encode { 1 }
        end } } } } }
      ]]):format(tree),
    }
    assert.equal("[1]", proxy:get("/").body)
  end))
end)

describe("a configuration that names a tree which is not there", function()
  it("is refused with the line that names it", scenario(function(w)
    local dir = w:dir { ["moongate.lua"] = 'local rocks = require "moongate.rocks"\nrocks.use "lua_modules"\nreturn {}\n' }
    local code, _, err = w:command { "check", "-c", "moongate.lua", dir = dir }
    assert.equal(1, code)
    assert.truthy(err:find("moongate.lua:2: rocks.use: there is no tree of LuaRocks: " .. dir .. "/lua_modules", 1, true), err)
  end))
end)
