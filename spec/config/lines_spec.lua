dofile "spec/config/support.lua"
local lines = require "moongate.config.lines"

---The line of each path in a text.
local function found(source, ...)
  assert(loadstring(source))
  local map, out = lines.map(source), {}
  for i, path in ipairs { ... } do out[i] = map:find(path) end
  return out
end

describe("the source map", function()
  it("finds keys in nested constructors, however they are written", function()
    assert.same({ 2, 3, 4, 5, 6, 1 }, found([[return {
  a = {
    b = 1,
    ["c-d"] = 2,
    [7] = 3,
    'first',
  }, }]], { "a" }, { "a", "b" }, { "a", "c-d" }, { "a", 7 }, { "a", 1 }, {}))
  end)

  it("counts elements without a key past those with one", function()
    assert.same({ 2, 4, 5 }, found([[return {
  { x = 1 },
  n = 1,
  { x = 2 };
  { x = 3 } }]], { 1 }, { 2 }, { 3, "x" }))
  end)

  it("answers with the nearest ancestor when a value was computed", function()
    assert.same({ 2, 2, 1 }, found("return {\n  a = f(1, 2),\n}", { "a", "b" }, { "a", "b", "c" }, { "z" }))
  end)

  it("is not led astray by functions, comments and strings", function()
    assert.same({ 9, 10, 11 }, found([==[#!/usr/bin/env lua
-- return { a = 1 }
--[[ return {
  a = 1 } ]]
local s = "return { a = 1 }" .. [[
return { a = 1 }]]
local function f() return { a = 1 } end
return { --[=[ here ]=]
  a = function(x) if x then return { b = 1, c = 2 } end local t = { a = 1 } return t, 2 end,
  b = "\"}{",
  c = f() }]==], { "a" }, { "b" }, { "c" }))
  end)

  it("follows variables into their tables", function()
    assert.same({ 4, 1, 2, 3 }, found([[local apps = { one = {
  servers = {} } }
apps.two = { servers = {} }
return { upstreams = apps }]], { "upstreams" }, { "upstreams", "one" }, { "upstreams", "one", "servers" },
      { "upstreams", "two" }))
  end)

  it("follows the variable that is returned, and assignments to its keys", function()
    assert.same({ 2, 3, 4, 5 }, found([[local config = {}
config.workers = 1
config.upstreams = { app = {} }
config.upstreams.app.keepalive = 3
config["via"] = false
return config]], { "workers" }, { "upstreams", "app" }, { "upstreams", "app", "keepalive" }, { "via" }))
  end)

  it("numbers what is appended in the main flow", function()
    assert.same({ 1, 2, 3 }, found([[local sites = { { a = 1 } }
sites[#sites + 1] = { a = 2 }
table.insert(sites, { a = 3 })
return { sites = sites }]], { "sites", 1, "a" }, { "sites", 2, "a" }, { "sites", 3, "a" }))
  end)

  it("takes what a loop makes back to the place in the loop", function()
    assert.same({ 4, 5, 4 }, found([[local sites = {}
for i = 1, 10 do
  local name = "s" .. i
  sites[#sites + 1] = { hosts = { name },
    routes = {} }
end
return { sites = sites }]], { "sites", 7 }, { "sites", 7, "routes" }, { "sites", 3, "hosts", 1 }))
  end)

  it("numbers what is appended in the block that begins the list", function()
    assert.same({ 4, 5, 7 }, found([[local sites
if not sites then
  sites = {}
  sites[#sites + 1] = { a = 1 }
  sites[#sites + 1] = { a = 2 }
end
return { sites = sites }]], { "sites", 1, "a" }, { "sites", 2 }, { "sites" }))
  end)

  it("does not guess which of two blocks began the list", function()
    assert.same({ 8 }, found([[local sites
if os then
  sites = {}
  sites[#sites + 1] = { a = 1 }
else sites = {}
  sites[#sites + 1] = { a = 2 }
end
return { sites = sites }]], { "sites", 1, "a" }))
  end)

  it("is not led astray by functions in front of what is returned", function()
    assert.same({ 4, 5 }, found([[local function list(...) for _, x in ipairs { ... } do if x then return { x } end end end
local t = { f = function() return { a = 1 } end }
function t.g() return { sites = {} } end
return {
  sites = list(1) }]], {}, { "sites" }))
  end)

  it("does not guess between two places that make elements", function()
    assert.same({ 6 }, found([[local sites = {}
for i = 1, 10 do
  sites[i] = { a = 1 }
  sites[i + 10] = { a = 2 }
end
return { sites = sites }]], { "sites", 7, "a" }))
  end)

  it("looks through a call that is given the table", function()
    assert.same({ 2, 4 }, found("return setmetatable({\n  a = 1,\n  b = make {\n    c = 2 } }, mt)", { "a" }, { "b", "c" }))
  end)

  it("does not take a part of a value for the value", function()
    assert.same({ 2 }, found("local t = { a = 1 }\nreturn { x = t or { b = 2 } }", { "x", "a" }))
  end)

  it("knows variables that are taken from others", function()
    assert.same({ 4, 4, 2 }, found([[local base = { app = {
  keepalive = 1 } }
local mine = base.app
return { upstreams = { app = mine } }]], { "upstreams" }, { "upstreams", "app", "zzz" },
      { "upstreams", "app", "keepalive" }))
  end)

  it("ends with variables that mean each other", function()
    assert.same({ 3 }, found("local a = b\nlocal b = a\nreturn a", { "x" }))
  end)

  it("says nothing for a text that returns nothing", function()
    assert.same({}, found("local a = 1", { "x" }))
  end)
end)
