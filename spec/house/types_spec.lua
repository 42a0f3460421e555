---What editors are told: types that exist, and that say what the code says.
local tree = dofile "spec/house/tree.lua"

local TYPES = "lua/moongate/types/policies.lua"

---Every type of ours that the library defines, and the first place that uses each.
---@return table<string, true> defined
---@return table<string, string> used
local function types_of()
  local defined, used = {}, {}
  for _, path in ipairs(tree.files("lua", "*.lua")) do
    for number, line in ipairs(tree.lines(tree.read(path))) do
      local name = line:match "^%s*%-%-%-@class ([%w_.]+)" or line:match "^%s*%-%-%-@alias ([%w_.]+)"
      if name then defined[name] = true end
      local types = line:match "^%s*%-%-%-@%l+ (.*)$" or ""
      for word in types:gmatch "%f[%w_.]moongate%.[%w_.]*[%w_]" do
        used[word] = used[word] or ("%s:%d"):format(path, number)
      end
    end
  end
  return defined, used
end

describe("the types for editors", function()
  it("use no type of ours that nothing defines", function()
    local defined, used = types_of()
    local found = {}
    for name, place in pairs(used) do
      local is_module = tree.exists("lua/" .. name:gsub("%.", "/") .. ".lua") -- named in a sentence, as a file is
      if not defined[name] and not is_module and name ~= "moongate.lua" then found[#found + 1] = place .. ": " .. name end
    end
    table.sort(found)
    tree.assert_none(found, "types that nothing defines")
  end)

  it("say of the policies that ship what their options say (tools/gen-policy-types)", function()
    local pipe = assert(io.popen "tools/gen-policy-types --print")
    local text = pipe:read "*a"
    pipe:close()
    assert.equal(text, tree.read(TYPES))
  end)

  it("have an entry for every policy that ships", function()
    local text, found = tree.read(TYPES), {}
    for _, path in ipairs(tree.files("lua/moongate/policy", "*.lua")) do
      local name = path:match "^lua/moongate/policy/([%w_]+)%.lua$"
      if name and not text:find("\n---@class moongate.policy." .. name .. "\n", 1, true) then found[#found + 1] = name end
    end
    tree.assert_none(found, "policies without a type")
  end)

  it("lie where .luarc.json lets an editor find them", function()
    local settings = require("cjson").decode(tree.read ".luarc.json")
    assert.equal("LuaJIT", settings["runtime.version"])
    assert.same({ "lua" }, settings["workspace.library"])
    for _, path in ipairs(tree.files("lua/moongate/types", "*.lua")) do
      assert.equal("---@meta", tree.lines(tree.read(path))[1], path)
      assert(loadfile(path))
    end
  end)
end)
