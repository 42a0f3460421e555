-- The project that docs/testing.md shows is a project: its files are written out and its tests run.
local testing = require "moongate.testing"
local scenario = testing.scenario

---The files of the page: blocks of Lua that begin with a comment with a path, after the type of the file if it has one.
---@return table<string, string>
local function project()
  local page = assert(io.open "docs/testing.md"):read "*a"
  local files = {}
  for block in page:gmatch "\n```lua\n(.-)```\n" do
    local path = block:gsub("^%-%-%-@type [^\n]+\n", ""):match "^%-%- ([%w_./]+%.lua)\n"
    if path then files[path] = block end
  end
  return files
end

describe("the project of docs/testing.md", function()
  it("has the files that the page lists", function()
    local names = {}
    for name in pairs(project()) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "moongate.lua", "scripts/maintenance.lua", "spec/maintenance_spec.lua", "spec/shop_spec.lua" }, names)
  end)

  local root = require("moongate.testing.files").real_path "."

  it("has a policy whose unit tests pass", scenario(function(w)
    local code, out = w:command {
      program = "busted", "--lua=luajit", "--output=plainTerminal", ("--lpath=%s/lua/?.lua"):format(root),
      "spec/maintenance_spec.lua", dir = w:dir(project()),
    }
    assert.equal(0, code, out)
    assert.matches("3 successes", out)
  end))

  it("shows every phase method that the harness has", function()
    local page = assert(io.open "docs/testing.md"):read "*a"
    local policy = testing.policy { access = function() end }
    for name, value in pairs(getmetatable(policy)) do
      if type(value) == "function" and not name:find "^__" then
        assert.is_truthy(page:find("p:" .. name, 1, true), "docs/testing.md does not name p:" .. name)
      end
    end
  end)

  it("shows every method of a world, a proxy, an origin and a connection", function()
    local page = assert(io.open "docs/testing.md"):read "*a"
    local internal = { -- for the kit's own modules
      name_for = true, folder = true, story = true, destroy = true, wind_up = true, watch = true, ask_to_end = true,
      judge = true, fill = true, buffered = true, unread = true,
    }
    for _, module in ipairs { "world", "proxy", "origin", "conn", "client" } do
      local path = ("lua/moongate/testing/%s.lua"):format(module)
      for line in io.lines(path) do
        local name = line:match "^function %u%w+:([%w_]+)"
        if name and not internal[name] and not name:find "^__" then
          assert.is_truthy(page:find("%f[%w_]" .. name .. "%f[^%w_]"), ("docs/testing.md does not name %s of %s"):format(
            name, module))
        end
      end
    end
  end)
end)
