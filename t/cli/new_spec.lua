-- `moongate new policy NAME`: what it makes is a project that passes everything, before a word of it is changed.
local testing = require "moongate.testing"
local files = require "moongate.testing.files"
local rocks = dofile "t/rocks/support.lua"
local scenario = testing.scenario

---A new project in a folder of its own.
local function project(w, name)
  local dir = w:dir()
  local code, out, err = w:command { "new", "policy", name, dir = dir }
  assert.equal("", err)
  assert.equal(0, code)
  return dir .. "/" .. name, out
end

describe("moongate new policy", function()
  it("says which files it has made, and they are there", scenario(function(w)
    local dir, out = project(w, "office_hours")
    local count = 0
    for path in out:gmatch "\n?  office_hours/(%S+)\n" do
      count = count + 1
      assert.truthy(files.read_file(dir .. "/" .. path), path)
    end
    assert.equal(8, count)
    assert.truthy(out:find("now:  cd office_hours && moongate test", 1, true))
  end))

  it("leaves no mark of a template in any file", scenario(function(w)
    local dir, out = project(w, "office_hours")
    for path in out:gmatch "  office_hours/(%S+)\n" do
      assert.falsy(path:find("@", 1, true), path)
      assert.falsy(files.read_file(dir .. "/" .. path):find "@%l+@", path)
    end
  end))

  it("makes a project that passes moongate test, moongate check, luacheck and luarocks lint", scenario(function(w)
    local dir = project(w, "office_hours2")
    assert.truthy(rocks.run(w, { "test", "-o", "TAP", dir = dir }):find("ok 4 - the policy office_hours2", 1, true))
    local said = rocks.run(w, { "check", "-c", "moongate.lua", dir = dir })
    assert.equal("moongate.lua: ok (1 site, 1 route, 0 upstreams)\n", said)
    rocks.run(w, { program = "luacheck", "--no-color", "-q", ".", dir = dir })
    rocks.luarocks(w) { "lint", "moongate-policy-office-hours2-scm-1.rockspec", dir = dir }
  end))

  it("makes a rock that LuaRocks builds and a proxy finds by its name", scenario(function(w)
    local dir = project(w, "office_hours")
    rocks.luarocks(w) { "--tree", "lua_modules", "make", dir = dir }
    files.remove_folder(dir .. "/scripts")
    local proxy = w:proxy { source = ([[
      require("moongate.rocks").use %q
      return {
        policies = { { "office_hours", word = "from a rock at" } },
        sites = { { routes = { { reply = { body = "hi" } } } } },
      }
    ]]):format(dir .. "/lua_modules") }
    local answer = w:client(proxy, { host = "moon.test" }):get "/"
    assert.equal("from a rock at moon.test", answer.headers["x-office-hours"])
  end))

  it("points editors to the library that the program itself uses", scenario(function(w)
    local settings = require("cjson").decode(files.read_file(project(w, "shy") .. "/.luarc.json"))
    assert.equal("LuaJIT", settings["runtime.version"])
    local library = settings["workspace.library"][1]
    assert.truthy(files.read_file(library .. "/moongate/types/config.lua"):find("---@class moongate.config", 1, true))
  end))

  it("quotes a library's folder as JSON wants it", scenario(function(w)
    local dir = w:dir()
    local odd = dir .. '/a"b\\c'
    files.make_folder(odd)
    rocks.run(w, { program = "cp", "-R", "lua", "conf", odd })
    rocks.run(w, { "new", "policy", "shy", dir = dir, env = { MOONGATE_LUA = odd .. "/lua" } })
    local settings = require("cjson").decode(files.read_file(dir .. "/shy/.luarc.json"))
    assert.equal(odd .. "/lua", settings["workspace.library"][1])
  end))

  it("never touches what is there already", scenario(function(w)
    local dir = w:dir { ["shy/README.md"] = "mine\n" }
    local code, out, err = w:command { "new", "policy", "shy", dir = dir }
    assert.equal(1, code)
    assert.equal("", out)
    assert.equal("moongate new: shy is there already\n", err)
    assert.same({ "README.md" }, (files.list(dir .. "/shy")))
    assert.equal("mine\n", files.read_file(dir .. "/shy/README.md"))
  end))

  it("refuses a name that a policy could not bear, and what is no policy", scenario(function(w)
    local dir = w:dir()
    for name, said in pairs {
      ["Office"] = "is no name for a policy", ["../up"] = "is no name for a policy", ["a-b"] = "is no name for a policy",
      ["_a"] = "is no name for a policy", ["1a"] = "is no name for a policy", [""] = "is no name for a policy",
      [("a"):rep(41)] = "is no name for a policy", ["end"] = "is a name of Lua's own", ["string"] = "is a name of Lua's own",
    } do
      local code, _, err = w:command { "new", "policy", name, dir = dir }
      assert.equal(2, code, name)
      assert.truthy(err:find(said, 1, true), err)
    end
    local code, _, err = w:command { "new", "poem", "shy", dir = dir }
    assert.equal(2, code)
    assert.truthy(err:find("nothing new of the kind 'poem'; there is: policy", 1, true), err)
    code, _, err = w:command { "new", "policy", "api_key", dir = dir }
    assert.equal(1, code)
    assert.equal("moongate new: a policy named api_key ships with moongate\n", err)
    assert.same({}, (files.list(dir)))
  end))

  it("says so when the templates are not where they should be", scenario(function(w)
    local dir = w:dir { ["lua/moongate/boot.lua"] = "" }
    local code, _, err = w:command { "new", "policy", "shy", dir = dir, env = { MOONGATE_LUA = dir .. "/lua" } }
    assert.equal(1, code)
    assert.truthy(err:find("conf/scaffold/policy/policy.lua: No such file", 1, true), err)
  end))
end)
