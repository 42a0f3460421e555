---What the documents show: it parses, it passes the checks, and what it points to is there.
local tree = dofile "spec/house/tree.lua"

local PAGES = tree.files("README.md CHANGES.md docs bench", "*.md")

---@class spec.house.block
---@field page string
---@field first integer line of its first line
---@field language string
---@field text string

---@return spec.house.block[]
local function blocks_of(page)
  local blocks, open, fence = {}, nil, nil
  for number, line in ipairs(tree.lines(tree.read(page))) do
    local indent, mark, language = line:match "^(%s*)(```+)%s*([%w_-]*)"
    if not open and mark then
      open = { page = page, first = number + 1, language = language, lines = {}, indent = #indent }
      fence = mark
    elseif open and mark == fence and language == "" then
      open.text = table.concat(open.lines, "\n") .. "\n"
      blocks[#blocks + 1] = open
      open = nil
    elseif open then
      open.lines[#open.lines + 1] = line:sub(open.indent + 1)
    end
  end
  return blocks
end

---All blocks of one language in all pages.
---@return spec.house.block[]
local function all_blocks(language)
  local found = {}
  for _, page in ipairs(PAGES) do
    for _, block in ipairs(blocks_of(page)) do
      if block.language == language then found[#found + 1] = block end
    end
  end
  return found
end

---Pages show whole chunks, one expression, or some entries of a table.
local function compile(block)
  local name = ("=%s"):format(block.page)
  local chunk, why = loadstring(("\n"):rep(block.first - 1) .. block.text, name)
  return chunk or loadstring("return " .. block.text, name) or loadstring("return {" .. block.text .. "}", name), why
end

---Pages without their fenced blocks, for what is said in prose.
local function prose_of(page)
  local lines = tree.lines(tree.read(page))
  for _, block in ipairs(blocks_of(page)) do
    for number = block.first, block.first + #block.lines - 1 do lines[number] = "" end
  end
  return lines
end

---The name under which a heading can be linked to.
local function anchor(heading)
  return (heading:lower():gsub("`", ""):gsub("[^%w%s_-]", ""):gsub("%s", "-"))
end

local function has_anchor(page, name)
  for _, line in ipairs(prose_of(page)) do
    local heading = line:match "^#+%s+(.-)%s*$"
    if heading and anchor(heading) == name then return true end
    if line:match('<a [^>]*["\']' .. name:gsub("%p", "%%%0") .. '["\']') then return true end
  end
  return false
end

---Why a link leads nowhere, or nil.
local function broken(page, target)
  if target:match "^%a[%w+.-]*:" then return nil end
  local path, fragment = target:match "^([^#]*)#?(.*)$"
  local full = path == "" and page or (page:match "^(.*/)" or "") .. path
  repeat
    local shorter, times = full:gsub("[^/.]+/%.%./", "", 1)
    full = shorter
  until times == 0
  full = full:gsub("^%./", ""):gsub("/$", "")
  if not tree.exists(full) then return "is not there" end
  if fragment ~= "" and full:match "%.md$" and not has_anchor(full, fragment) then return "has no such heading" end
end

---@return table<string, true>
local function make_targets()
  local targets = {}
  for _, path in ipairs { "Makefile", "tools/generated.mk" } do
    for line in io.lines(path) do
      for name in (line:match "^([%w/%s-]+):" or ""):gmatch "%S+" do targets[name] = true end
    end
  end
  for _, path in ipairs(tree.files("core", "*_fuzz.c")) do
    targets["fuzz/" .. path:match "^core/(.+)_fuzz%.c$"] = true
  end
  for _, path in ipairs(tree.files("bench", "*_bench.c")) do targets[path:match "^(.+)_bench%.c$"] = true end
  return targets
end

describe("the documents", function()
  it("show Lua that parses", function()
    local found = {}
    for _, block in ipairs(all_blocks "lua") do
      local chunk, why = compile(block)
      if not chunk then found[#found + 1] = why end
    end
    tree.assert_none(found, "blocks that are no Lua")
  end)

  it("show configurations that moongate would take", function()
    local config = require "moongate.config"
    local found = {}
    for _, block in ipairs(all_blocks "lua") do
      if block.text:match "^%-%-%-@type moongate%.config%s" then
        local origin = { file = block.page, source = block.text }
        local ok, given = pcall(assert(compile(block)))
        local plan, errors
        if ok then
          plan, errors = config.check(given, origin)
        else
          errors = { { text = given } }
        end
        for _, mistake in ipairs(not plan and errors or {}) do
          local line = block.first + (mistake.line or 1) - 1
          found[#found + 1] = ("%s:%d: %s: %s"):format(block.page, line, mistake.where or "", mistake.text)
        end
      end
    end
    tree.assert_none(found, "configurations that would be refused")
  end)

  it("link to what is there", function()
    local found = {}
    for _, page in ipairs(PAGES) do
      for number, line in ipairs(prose_of(page)) do
        for target in line:gsub("`[^`]*`", ""):gmatch "%]%(([^)%s]+)[^)]*%)" do
          local why = broken(page, target)
          if why then found[#found + 1] = ("%s:%d: %s %s"):format(page, number, target, why) end
        end
      end
    end
    tree.assert_none(found, "links that lead nowhere")
  end)

  it("name only targets that the Makefile has", function()
    local targets, found = make_targets(), {}
    local function look(page, number, text)
      for words in text:gmatch "%f[%w_./-]make ([%w_/= .-]+)" do
        for word in words:gmatch "%S+" do
          if not word:find("=", 1, true) then
            -- `fuzz/<floor>/<module>` breaks off at its placeholder.
            if not targets[word] and not word:match "/$" then found[#found + 1] = ("%s:%d: make %s"):format(page, number, word) end
            break
          end
        end
      end
    end
    for _, page in ipairs(PAGES) do
      for number, line in ipairs(prose_of(page)) do
        for code in line:gmatch "`([^`]+)`" do if code:match "^make " then look(page, number, code) end end
      end
    end
    for _, language in ipairs { "sh", "console", "bash", "shell", "" } do
      for _, block in ipairs(all_blocks(language)) do
        for number, line in ipairs(tree.lines(block.text)) do
          local command = line:match "^%s*%$?%s*(make .+)$"
          if command then look(block.page, block.first + number - 1, (command:gsub("%s+#.*", ""))) end
        end
      end
    end
    tree.assert_none(found, "targets that are not there")
  end)

  it("name every example script", function()
    local all = {}
    for _, page in ipairs(PAGES) do all[#all + 1] = tree.read(page) end
    local text, found = table.concat(all, "\n"), {}
    for _, path in ipairs(tree.files("scripts/examples", "*.lua")) do
      if not path:match "_spec%.lua$" and not text:find(path:match "[^/]+$", 1, true) then found[#found + 1] = path end
    end
    tree.assert_none(found, "examples that no page names")
  end)
end)

describe("every example script", function()
  for _, path in ipairs(tree.files("scripts/examples", "*.lua")) do
    if not path:match "_spec%.lua$" then
      it(("parses and begins with what it does: %s"):format(path), function()
        assert(loadfile(path))
        assert.is_truthy(tree.read(path):match "^%-%-%-%s*%S")
      end)
    end
  end
end)
