---The twelve floors: a file includes its own floor and those below it, and nothing else.
---(What the include lines cannot show, tools/check-floors asks the objects.)
local tree = dofile "spec/house/tree.lua"

local names, heights = tree.floors()

---The height from which on a system header may be used; everywhere else it is refused.
local LUA_FROM = heights.script
local LUA_HEADERS = { ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true, ["luajit.h"] = true }

---@return fun(): string, string, integer, string, string over file, floor, line number, opening mark, header
local function includes(floor)
  return coroutine.wrap(function()
    for _, path in ipairs(tree.files("core/" .. floor, "*.c|*.h")) do
      for number, line in ipairs(tree.lines(tree.read(path))) do
        local mark, header = line:match '^%s*#%s*include%s*([<"])([^>"]+)'
        if mark then coroutine.yield(path, number, mark, header) end
      end
    end
  end)
end

---@param judge fun(path: string, mark: string, header: string): string?
local function refused(floor, judge)
  local found = {}
  for path, number, mark, header in includes(floor) do
    local why = judge(path, mark, header)
    if why then found[#found + 1] = ("%s:%d: %s"):format(path, number, why) end
  end
  return found
end

describe("the floors of the house", function()
  it("are the folders of core, each with a sentence", function()
    local folders = {}
    for _, path in ipairs(tree.files("core", "*.c|*.h")) do folders[path:match "^core/(%l+)/" or path] = true end
    for folder in pairs(folders) do assert.is_truthy(heights[folder], folder .. " is not in core/FLOORS") end
    for line in io.lines "core/FLOORS" do
      assert.is_truthy(line:match "^#" or line:match "^%l+%s+%S.+$", "not a name and a sentence: " .. line)
    end
  end)

  for _, floor in ipairs(names) do
    it(("%s includes only itself and what is below it"):format(floor), function()
      tree.assert_none(refused(floor, function(_, mark, header)
        local from = header:match "^(%l+)/"
        if mark ~= '"' or not from then return nil end
        if not heights[from] then return ('"%s" is on no floor'):format(header) end
        if heights[from] > heights[floor] then return ("reaches up to %s"):format(header) end
      end), "includes that reach up")
    end)

    it(("%s names the floor of each header of ours"):format(floor), function()
      tree.assert_none(refused(floor, function(path, mark, header)
        local beside = path:match "^(.*/)" .. header
        if mark == '"' and not header:find "/" and tree.exists(beside) then
          return ('say "%s/%s"'):format(floor, header)
        end
      end), "includes without a floor")
    end)
  end

  it("let only os/loop.c see libev", function()
    local found = {}
    for _, floor in ipairs(names) do
      for _, line in ipairs(refused(floor, function(path, _, header)
        return header:match "ev%.h$" and header == "ev.h" and path ~= "core/os/loop.c" and "includes ev.h" or nil
      end)) do found[#found + 1] = line end
    end
    tree.assert_none(found, "libev outside of os/loop.c")
  end)

  it("let nothing below script see Lua", function()
    local found = {}
    for height, floor in ipairs(names) do
      for _, line in ipairs(height < LUA_FROM and refused(floor, function(_, _, header)
        return LUA_HEADERS[header:match "[^/]+$"] and "includes " .. header or nil
      end) or {}) do found[#found + 1] = line end
    end
    tree.assert_none(found, "Lua below the script floor")
  end)
end)
