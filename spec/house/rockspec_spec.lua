---What the rocks of this tree say of themselves is true of its files.
local tree = dofile "spec/house/tree.lua"

local LIBRARY = "rockspec/moongate-scm-1.rockspec"
local EXTENSION = "rockspec/moongate-policy-shout"

---A rockspec is Lua that assigns globals.
local function load_rockspec(path)
  local found = {}
  setfenv(assert(loadfile(path)), found)()
  return found
end

---The name under which `require` would find a file below lua/.
local function module_name(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

describe("the rock of the library", function()
  it("names every module below lua/moongate, and nothing else (tools/gen-rockspec)", function()
    local named, found = load_rockspec(LIBRARY).build.modules, {}
    for _, path in ipairs(tree.files("lua/moongate", "*.lua")) do
      local name = module_name(path)
      if named[name] ~= path then found[#found + 1] = ("%s is not there as %s"):format(path, name) end
      named[name] = nil
    end
    for name, path in pairs(named) do found[#found + 1] = ("%s (%s) is not in the tree"):format(name, path) end
    tree.assert_none(found, "run tools/gen-rockspec")
  end)

  it("is written as tools/gen-rockspec writes it", function()
    local pipe = assert(io.popen "tools/gen-rockspec --print")
    local text = pipe:read "*a"
    pipe:close()
    assert.equal(text, tree.read(LIBRARY))
  end)
end)

describe("the rock of the sample extension", function()
  local rockspec = load_rockspec(EXTENSION .. "/moongate-policy-shout-scm-1.rockspec")

  it("is named as its folder and its file", function()
    assert.equal(EXTENSION:match "[^/]+$", rockspec.package)
    assert.equal("scm-1", rockspec.version)
  end)

  it("names every source of its folder, and only what is there", function()
    local named = {}
    for _, source in pairs(rockspec.build.modules) do
      for _, path in ipairs(type(source) == "table" and source.sources or { source }) do named[path] = true end
    end
    local wanted = {}
    for _, path in ipairs(tree.files(EXTENSION .. "/scripts " .. EXTENSION .. "/src", "*.lua|*.c")) do
      wanted[path:sub(#EXTENSION + 2)] = true
    end
    assert.same(wanted, named)
  end)
end)
