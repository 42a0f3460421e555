-- What the README shows works: its policy, its configuration and its test.
local testing = require "moongate.testing"

---@return table<string, string> files of the README's project, by path
local function project()
  local page = assert(io.open "README.md"):read "*a"
  local order = { "scripts/office_hours.lua", "moongate.lua", "spec/office_hours_spec.lua" }
  local files, at = {}, 0
  for block in page:gmatch "\n```lua\n(.-)```\n" do
    at = at + 1
    assert(order[at], "the README has a Lua block that this spec does not know")
    files[order[at]] = block
  end
  assert(at == #order, "the README has fewer Lua blocks than this spec knows")
  return files
end

describe("the README", function()
  it("shows a configuration that `moongate check` accepts", testing.scenario(function(w)
    local code, out, err = w:command { "check", "-c", "moongate.lua", dir = w:dir(project()) }
    assert.equal(0, code, out .. err)
    assert.matches("1 site, 2 routes, 1 upstream", out)
  end))

  it("shows a test that passes with `moongate test`", testing.scenario(function(w)
    local code, out, err = w:command { "test", "spec", dir = w:dir(project()) }
    assert.equal(0, code, out .. err)
    assert.matches("1 success", out)
  end))
end)
