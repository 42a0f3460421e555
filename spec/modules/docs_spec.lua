---The examples of docs/modules.md, run as they stand there.
local function blocks()
  local found, open = {}, nil
  local number = 0
  for line in io.lines "docs/modules.md" do
    number = number + 1
    if line == "```lua" then
      open = { first = number + 1 }
    elseif line == "```" and open then
      found[#found + 1] = { first = open.first, text = table.concat(open, "\n") }
      open = nil
    elseif open then
      open[#open + 1] = line
    end
  end
  return found
end

describe("docs/modules.md", function()
  for _, block in ipairs(blocks()) do
    it(("has an example at line %d that does what it says"):format(block.first), function()
      local chunk = assert(loadstring(("\n"):rep(block.first - 1) .. block.text, "=docs/modules.md"))
      setfenv(chunk, setmetatable({ print = function() end }, { __index = _G }))()
    end)
  end

  it("names each function of the modules", function()
    local file = assert(io.open "docs/modules.md")
    local text = file:read "*a"
    file:close()
    for _, name in ipairs { "crypto", "regex", "url", "cookie", "template", "multipart" } do
      for key in pairs(require("moongate." .. name)) do
        assert.is_truthy(text:find(key .. "[%(\"` ]"), ("moongate.%s.%s is not in docs/modules.md"):format(name, key))
      end
    end
  end)
end)
