---How the code looks, as far as a test can see it.
local tree = dofile "spec/house/tree.lua"

local LONGEST_FILE, LONGEST_FUNCTION = 600, 80

---Files and functions that are longer, each with the reason why it is read more easily in one piece.
local LONG_FILES = {
  -- Stories of one machine, told in its order over one set of helpers.
  ["core/http/h1_server_test.c"] = true, ["core/exchange/relay_test.c"] = true, ["t/script/body_hooks_spec.lua"] = true,
}
local LONG_FUNCTIONS = {}

---Calls that lose bounds or errors, and what to call instead.
local BANNED = {
  sprintf = "snprintf or mg_arena_print", vsprintf = "vsnprintf", strcpy = "mg_str and memcpy",
  strcat = "mg_arena_join", strncpy = "memcpy with a known length", atoi = "mg_number_*", atol = "mg_number_*",
  strtok = "mg_str", gets = "read", alloca = "an arena", system = "os/process.h", tmpnam = "mkstemp",
}

local SOURCES = tree.files("core", "*.c|*.h")
local LUA = tree.files("lua spec t scripts conf", "*.lua")
local TEXTS = tree.files(".",
  "*.c|*.h|*.lua|*.md|*.mk|*.service|*.rockspec|Makefile|FLOORS|.gitignore|.luacheckrc|.busted")
local SCRIPTS = tree.files("tools .ci bench", "*")

local PHASES = {}
for _, name in ipairs(require("moongate.config.phases").names()) do PHASES[name] = true end

---Calls judge for each line of each file and lists what it says against them.
---@param judge fun(line: string, path: string): string?
local function against(paths, judge, prepare)
  local found = {}
  for _, path in ipairs(paths) do
    local text = tree.read(path)
    for number, line in ipairs(tree.lines(prepare and prepare(text) or text)) do
      local why = judge(line, path)
      if why then found[#found + 1] = ("%s:%d: %s"):format(path, number, why) end
    end
  end
  return found
end

---The functions of a file: name, first line, how many lines.
---@return { name: string, first: integer, length: integer }[]
local function functions_of(path)
  local is_lua = path:match "%.lua$"
  local found, open, previous = {}, nil, ""
  for number, line in ipairs(tree.lines(tree.read(path))) do
    if is_lua then
      local name = line:match "^function ([%w_.:]+)" or line:match "^local function ([%w_]+)"
      if name and not line:match "%f[%w]end%s*$" then open = { name = name, first = number } end
    elseif line:match "^{" then
      open = { name = previous:match "([%w_]+)%(" or previous, first = number }
    end
    if open and line:match(is_lua and "^end" or "^}") then
      open.length = number - open.first + 1
      found[#found + 1] = open
      open = nil
    end
    if not line:match "^%s" then previous = line end
  end
  return found
end

describe("the code", function()
  it("has no file beyond 600 lines without a reason", function()
    local found = {}
    for _, paths in ipairs { SOURCES, LUA } do
      for _, path in ipairs(paths) do
        local length = #tree.lines(tree.read(path))
        if length > LONGEST_FILE and not LONG_FILES[path] then
          found[#found + 1] = ("%s: %d lines"):format(path, length)
        end
      end
    end
    tree.assert_none(found, "files to split along a seam")
  end)

  it("has no function beyond 80 lines without a reason", function()
    local found = {}
    for _, paths in ipairs { SOURCES, tree.files("lua conf scripts", "*.lua") } do
      for _, path in ipairs(paths) do
        for _, f in ipairs(functions_of(path)) do
          if f.length > LONGEST_FUNCTION and not LONG_FUNCTIONS[path .. ":" .. f.name] then
            found[#found + 1] = ("%s:%d: %s has %d lines"):format(path, f.first, f.name, f.length)
          end
        end
      end
    end
    tree.assert_none(found, "functions to split")
  end)

  it("has no blanks at the end of a line, no tabs in Lua, and an end of line at the end of each file", function()
    local found = against(TEXTS, function(line, path)
      if line:match "[ \t\r]$" then return "blanks at the end" end
      if line:match "\t" and path:match "%.lua$" then return "a tab" end
    end)
    for _, path in ipairs(TEXTS) do
      local text = tree.read(path)
      if text ~= "" and text:sub(-1) ~= "\n" then found[#found + 1] = path .. ": no end of line at its end" end
    end
    tree.assert_none(found, "white space")
  end)

  it("leaves nothing to be done later", function()
    local marks = { "TO" .. "DO", "FIX" .. "ME", "XX" .. "X", "HA" .. "CK" }
    tree.assert_none(against(TEXTS, function(line, path)
      if path:match "^docs/decisions/" or path == "STYLE.md" then return nil end
      for _, mark in ipairs(marks) do
        if line:match("%f[%w_]" .. mark .. "%f[^%w_]") then return mark end
      end
    end), "loose ends")
  end)

  it("names no folder of the machine it was written on", function()
    local places = { "/wo" .. "rk/", "/ho" .. "me/", "/ro" .. "ot/" }
    local found = against(TEXTS, function(line)
      for _, place in ipairs(places) do
        if line:find(place, 1, true) then return line end
      end
    end)
    -- Only tests and tools make temporary files, and they ask for their place.
    for _, line in ipairs(against(tree.files("core lua conf scripts docs", "*.c|*.h|*.lua|*.md"), function(line, path)
      if path:match "_test%.c$" or path:match "_fuzz%.c$" or path:match "^lua/moongate/testing/" then return nil end
      if line:find("/tm" .. "p/", 1, true) then return line end
    end)) do found[#found + 1] = line end
    tree.assert_none(found, "places of one machine")
  end)
end)

describe("the C code", function()
  it("opens each header with what it is", function()
    local found = {}
    for _, path in ipairs(tree.files("core", "*.h")) do
      local module = path:match "([^/]+)%.h$"
      local named = tree.read(path):match "^/%*\n %* ([%w_/.-]+): %S"
      if named ~= module then found[#found + 1] = ("%s: does not begin with ' * %s: …'"):format(path, module) end
    end
    tree.assert_none(found, "headers without a purpose")
  end)

  it("guards each header with the name of its place", function()
    local found = {}
    for _, path in ipairs(tree.files("core", "*.h")) do
      local guard = "MG_" .. path:match "^core/(.+)%.h$":upper():gsub("[/-]", "_") .. "_H"
      if not tree.read(path):find("#ifndef " .. guard .. "\n#define " .. guard .. "\n", 1, true) then
        found[#found + 1] = ("%s: no guard %s"):format(path, guard)
      end
    end
    tree.assert_none(found, "headers without their guard")
  end)

  it("includes in each .c file its own header first", function()
    local found = {}
    for _, path in ipairs(tree.files("core", "*.c")) do
      local own = path:match "^core/(.+)%.c$":gsub("_test$", ""):gsub("_fuzz$", "") .. ".h"
      local first = tree.read(path):match '\n?#%s*include%s*[<"]([^>"]+)'
      local inside = own:match "^.*/" .. "inside.h" -- what the files of one floor share begins with their headers
      local shared = path:match "_test%.c$" and (first or ""):match "_test%.h$" -- and what tests of one floor share
      if tree.exists("core/" .. own) and first ~= own and first ~= inside and not shared then
        found[#found + 1] = ("%s: includes %s before %s"):format(path, first or "nothing", own)
      end
    end
    tree.assert_none(found, "own header first")
  end)

  it("makes none of the calls that are banned", function()
    tree.assert_none(against(SOURCES, function(line)
      for name, better in pairs(BANNED) do
        if line:match("%f[%w_]" .. name .. "%s*%(") then return ("%s; use %s"):format(name, better) end
      end
      if line:match "goto%s+fail" then return "goto fail; let the owner's fini undo what is set" end
    end, tree.bare_c), "banned calls")
  end)
end)

describe("the Lua code", function()
  it("opens each public module with what it is", function()
    local found = {}
    for _, path in ipairs(tree.files("lua", "*.lua")) do
      if not tree.read(path):match "^%-%-%-%s*%S" then found[#found + 1] = path end
    end
    tree.assert_none(found, "modules without a doc line")
  end)

  it("documents every public function of moongate", function()
    local found = {}
    for _, path in ipairs(tree.files("lua/moongate", "*.lua")) do
      local text = tree.read(path)
      local module = text:match "\nreturn ([%w_]+)%s*$"
      local previous = ""
      for number, line in ipairs(tree.lines(text)) do
        local owner, name = line:match "^function ([%w_]+)[.:]([%w_]+)"
        -- What a phase is, is written once, in the list of phases; a policy's own comment says what it does.
        local phase = path:match "^lua/moongate/policy/" and PHASES[name]
        if owner and owner == module and not phase and not previous:match "^%-%-%-" then
          found[#found + 1] = ("%s:%d: %s"):format(path, number, name)
        end
        previous = line
      end
    end
    tree.assert_none(found, "public functions without a --- comment right above")
  end)

  it("keeps policies on the public API", function()
    tree.assert_none(against(tree.files("lua/moongate/policy", "*.lua"), function(line)
      local name = line:match "require%s*%(?%s*[\"']([%w_.]+)"
      if name == "ffi" or (name and name:match "^moongate%.internal") then return "requires " .. name end
    end), "policies that reach inside")
  end)
end)

describe("scripts for the shell", function()
  it("say in their first lines what they are for", function()
    local found = {}
    for _, path in ipairs(SCRIPTS) do
      local lines = tree.lines(tree.read(path))
      if (lines[1] or ""):match "^#!.*sh$" and not (lines[2] or ""):match "^# %S" then found[#found + 1] = path end
    end
    tree.assert_none(found, "scripts without a purpose")
  end)
end)
