local support = dofile "spec/config/support.lua"
local config = require "moongate.config"

describe("loading a file", function()
  local remove

  after_each(function()
    if remove then remove() end
    remove = nil
  end)

  ---Loads moongate.lua of a folder with these files; the folder is "DIR" in complaints.
  local function load_in(files)
    local folder, undo = support.folder(files)
    remove = undo
    local plan, errors = config.load(folder .. "/moongate.lua")
    if plan then return plan, folder end
    local full = {}
    for i, mistake in ipairs(errors) do
      full[i] = mistake.full:gsub(folder:gsub("%p", "%%%0"), "DIR")
    end
    return nil, full
  end

  local function complaints(files)
    local plan, full = load_in(files)
    assert.is_nil(plan)
    return full
  end

  local APP = "{ upstreams = { app = { servers = { '127.0.0.1:1' } } } }"

  it("makes a plan that knows the file and its folder", function()
    local plan, folder = load_in { ["moongate.lua"] = "return " .. APP }
    assert.equal(folder .. "/moongate.lua", plan.file)
    assert.equal(folder, plan.folder)
    assert.equal(folder .. "/run/moongate.sock", plan.control)
    assert.equal(folder .. "/moongate.lua:1", plan.where { "upstreams", "app" })
  end)

  it("says when there is none", function()
    local plan, errors = config.load("no/such/file.lua")
    assert.is_nil(plan)
    assert.same({ { file = "no/such/file.lua", where = "", text = "No such file or directory",
      full = "no/such/file.lua: No such file or directory" } }, errors)
  end)

  it("says when it is a folder", function()
    local plan, errors = config.load("spec")
    assert.is_nil(plan)
    assert.equal("spec: cannot be read as a file", errors[1].full)
  end)

  it("tells a mistake of syntax with its line", function()
    assert.same({ "DIR/moongate.lua:3: '}' expected (to close '{' at line 1) near 'b'" },
      complaints { ["moongate.lua"] = "return {\n  a = 1\n  b = 2\n}" })
  end)

  it("tells an error at run time with its line", function()
    assert.same({ "DIR/moongate.lua:2: no domain" }, complaints { ["moongate.lua"] = "local x = 1\nerror('no domain')" })
    assert.same({ "DIR/moongate.lua:2: attempt to index local 'x' (a nil value)" },
      complaints { ["moongate.lua"] = "local x\nreturn x.y" })
    assert.same({ "DIR/moongate.lua:1: error: 7" }, complaints { ["moongate.lua"] = "error(setmetatable({},"
      .. "{ __tostring = function() return 7 .. '' end }))" })
  end)

  it("tells an error in a file that it requires, with both places", function()
    local full = complaints { ["moongate.lua"] = "\nlocal s = require 'cfg_broken'\nreturn s", ["cfg_broken.lua"] = "\n\nerror 'x'" }
    assert.equal(1, #full)
    assert.matches("^DIR/moongate%.lua:2: .*cfg_broken%.lua:3: x", full[1])
  end)

  it("wants a table", function()
    assert.same({ "DIR/moongate.lua: must return one table, not nothing" }, complaints { ["moongate.lua"] = "local a = 1" })
    assert.same({ "DIR/moongate.lua: must return one table, not a function" },
      complaints { ["moongate.lua"] = "return print" })
  end)

  it("refuses compiled code", function()
    local full = complaints { ["moongate.lua"] = string.dump(loadstring("return " .. APP)) }
    assert.matches("^DIR/moongate%.lua: .*wrong mode", full[1])
  end)

  it("passes over a first line for the shell", function()
    local plan = load_in { ["moongate.lua"] = "#!/usr/bin/env moongate\nreturn " .. APP }
    assert.matches(":2$", plan.where { "upstreams" })
  end)

  it("finds modules in its folder and in the script_path that it names", function()
    local before = package.path
    local plan = load_in {
      ["moongate.lua"] = [[return { script_path = { "lib" }, workers = require("cfg_spec_one").workers,
        upstreams = require "cfg_spec_two" }]],
      ["cfg_spec_one.lua"] = "return { workers = 3 }",
      ["lib/cfg_spec_two.lua"] = "return { app = { servers = { 'x:1' } } }",
    }
    assert.equal(3, plan.workers)
    assert.equal("x:1", plan.upstreams.app.servers[1].address)
    assert.equal(before, package.path)
  end)

  it("leaves package.path as it was when the file fails", function()
    local before = package.path
    complaints { ["moongate.lua"] = "error 'x'" }
    assert.equal(before, package.path)
  end)

  it("runs and checks the file without the compiler, and leaves that as it was", function()
    local text = "workers = (jit.status()) and 1 or 2, upstreams = { app = { servers = { 'x:1' } } } }"
    local was_on = jit.status()
    finally(function() if not was_on then jit.off() else jit.on() end end)
    jit.on()
    assert.equal(2, load_in({ ["moongate.lua"] = "return { " .. text }).workers)
    assert.is_true((jit.status()))
    complaints { ["moongate.lua"] = "error 'x'" }
    assert.is_true((jit.status()))
    jit.off()
    assert.is_table((load_in { ["moongate.lua"] = "return { " .. text }))
    assert.is_false((jit.status()))
  end)

  it("gives the line of the nearest table for what another file wrote", function()
    assert.same({ "DIR/moongate.lua:2: upstreams.app: unknown key 'server'; did you mean 'servers'?" }, complaints {
      ["moongate.lua"] = "return {\n  upstreams = require 'cfg_spec_three',\n}",
      ["cfg_spec_three.lua"] = "return { app = { server = {} } }",
    })
  end)

  it("shows paths of keys so that they could be typed", function()
    local show = require("moongate.config.loading").show_path
    assert.equal('sites[1].routes[2].headers["x-a"]', show { "sites", 1, "routes", 2, "headers", "x-a" })
    assert.equal("", show {})
  end)
end)
