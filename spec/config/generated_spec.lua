local support = dofile "spec/config/support.lua"
local config = require "moongate.config"
local manual = require "moongate.config.manual"
local typing = require "moongate.config.typing"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local PAGE, TYPES = "docs/configuration.md", "lua/moongate/types/config.lua"

---Calls `visit` with each record and each of its rows.
local function each_row(visit)
  manual.records(config.schema, function(record)
    for _, row in ipairs(record.rows) do visit(record, row) end
  end)
end

describe("the manual of the configuration", function()
  it("is up to date with the schema (tools/gen-config-docs)", function()
    local page = read(PAGE)
    assert.equal(assert(manual.renew(page, config.schema)), page)
  end)

  it("has a sentence for every key", function()
    each_row(function(record, row)
      assert.is_true(type(row[4]) == "string" and row[4]:match("^[%u`].*%.$") ~= nil, record.class .. "." .. row[1])
    end)
  end)

  it("has a heading for every table", function()
    manual.records(config.schema, function(record)
      assert.is_true(record.title ~= nil or record.class == "matcher", record.class)
    end)
  end)

  it("shows only configurations that are right", function()
    local shown = 0
    for source in read(PAGE):gmatch("```lua\n(.-)```") do
      shown = shown + 1
      support.plan(source)
    end
    assert.is_true(shown >= 3)
  end)

  it("quotes complaints as they are made", function()
    local found = support.complaints(("\n"):rep(28) .. [[return {
  upstreams = { app = {
    server = {},

    timeouts = {
    connect = "1 sec" },
  } } }]])
    for _, text in ipairs(found) do assert.is_truthy(read(PAGE):find(text, 1, true), text) end
    assert.equal(2, #found)
  end)

  it("refuses a page without the generator's marks", function()
    assert.same({ nil, "the page lacks the generator's two marks" }, { manual.renew("# A page\n", config.schema) })
  end)
end)

describe("the editor types of the configuration", function()
  it("are up to date with the schema (tools/gen-config-docs)", function()
    assert.equal(typing.file(config.schema), read(TYPES))
  end)

  it("are a file that Lua accepts", function()
    assert.is_function(loadfile(TYPES))
  end)

  it("define every class of the configuration that they use", function()
    local text, defined = read(TYPES), {}
    for name in text:gmatch("%-%-%-@class ([%w_.]+)") do defined[name] = true end
    for name in text:gmatch("%-%-%-@alias ([%w_.]+)") do defined[name] = true end
    for name in text:gmatch("moongate%.config[%w_.]*") do
      name = name:gsub("%.$", "")
      assert.is_true(defined[name] or name == "moongate.config.lua" or text:find("lua/" .. name, 1, true) ~= nil, name)
    end
  end)

  it("have a field for every key", function()
    local text = read(TYPES)
    each_row(function(record, row)
      assert.is_truthy(text:match("\n%-%-%-@class " .. record.luals:gsub("%p", "%%%0") .. "\n"), record.luals)
      assert.is_truthy(text:find("---@field " .. row[1] .. (row.required and " " or "? "), 1, true), row[1])
    end)
  end)
end)
