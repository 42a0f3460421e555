---What docs/policies.md shows is what the policies take.
local testing = require "moongate.testing"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local PAGE = read "docs/policies.md"

---The entries of policies anywhere in a configuration.
local function entries_of(value, found)
  for key, inner in pairs(value) do
    if key == "policies" then
      for _, entry in ipairs(inner) do found[#found + 1] = type(entry) == "string" and { entry } or entry end
    elseif type(inner) == "table" then
      entries_of(inner, found)
    end
  end
  return found
end

local function options_of(entry)
  local options = {}
  for name, value in pairs(entry) do
    if name ~= 1 and name ~= "on_error" then options[name] = value end
  end
  return options
end

---The part of the page under a policy's heading.
local function section_of(name)
  return (PAGE .. "\n## "):match("\n## " .. name .. "\n(.-)\n## ")
end

describe("the page of policies", function()
  it("shows entries that the policies take", function()
    local count = 0
    for block in PAGE:gmatch "\n```lua\n(%-%-%-@type moongate%.config\n.-)\n```" do
      for _, entry in ipairs(entries_of(assert(loadstring(block))(), {})) do
        local ok, message = pcall(testing.policy, entry[1], options_of(entry))
        if not ok then error(("%s: %s"):format(entry[1], tostring(message))) end
        count = count + 1
      end
    end
    assert.is_true(count >= 5)
  end)

  it("has a section for each policy, with each option", function()
    for path in io.popen("ls lua/moongate/policy/*.lua"):lines() do
      local name = path:match "([^/]+)%.lua$"
      local section = section_of(name)
      if not PAGE:find("`" .. name .. "`[^\n]* described in %[scripts%]") then
        assert.is_not_nil(section, "no section of " .. name)
        for option in pairs(require("moongate.policy." .. name).options) do
          assert.is_not_nil(section:find("`" .. option .. "`", 1, true), name .. ": nothing about " .. option)
        end
      end
    end
  end)
end)
