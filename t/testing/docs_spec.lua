-- What docs/testing.md shows works: its project passes `moongate test`, and each of its scenarios passes here.
local testing = require "moongate.testing"

local page = assert(io.open "docs/testing.md"):read "*a"

---@return table<string, string> files of the project, by path
---@return string[] scenarios each after as many empty lines as stand before it in the page
local function blocks()
  local files, scenarios = {}, {}
  for at, block in page:gmatch "()\n```lua\n(.-)```\n" do
    local path = block:gsub("^%-%-%-@type [^\n]+\n", ""):match "^%-%- ([%w_./]+%.lua)\n"
    if path then
      files[path] = block
    elseif block:find "\nit%(" then
      local _, before = page:sub(1, at + 1):gsub("\n", "")
      scenarios[#scenarios + 1] = ("\n"):rep(before + 1) .. block
    end
  end
  return files, scenarios
end

describe("docs/testing.md", function()
  local files, scenarios = blocks()

  it("shows a project whose tests pass with `moongate test`", testing.scenario(function(w)
    local code, out, err = w:command { "test", dir = w:dir(files) }
    assert.equal(0, code, out .. err)
    assert.matches("5 successes", out)
  end))

  for _, text in ipairs(scenarios) do
    local chunk = assert(loadstring(text, "@docs/testing.md"))
    setfenv(chunk, getfenv(1))()
  end
end)
