local support = dofile "spec/config/support.lua"
local config = require "moongate.config"
local compiling = require "moongate.config.compiling"
local splitting = require "moongate.config.splitting"

-- Long enough that everything here is rewritten.
local MANY = 2000

---The text of `count` lines, made of a format with numbers for each %d.
local function lines_of(format, count, first)
  local out = {}
  for i = first or 1, count do out[#out + 1] = (format:gsub("%%d", tostring(i))) end
  return table.concat(out, "\n")
end

local function run(source)
  local chunk = assert(loadstring(source, "=c"))
  return chunk()
end

---What a text returns when it is split; it must return the same as it is.
local function split(source)
  local parts = splitting.parts(source)
  assert.is_true(#parts > #source, "nothing was split")
  local _, before = source:gsub("\n", "")
  local _, after = parts:gsub("\n", "")
  assert.equal(before, after)
  local result = run(parts)
  assert.same(run(source), result)
  return result, parts
end

describe("splitting a source", function()
  it("leaves what is small as it is", function()
    local source = "local t = { 1, { 2 }, a = 'x' }\nif t then t.b = function(...) return ... end end\nreturn t"
    assert.equal(source, splitting.parts(source))
  end)

  it("keeps the meaning of statements in a block, with the variables around it", function()
    local t = split("local t, last = {}\nif next(t) == nil then\n" .. lines_of("  t[#t + 1] = { 'a%d', { b = 'c%d' } } last = '%d'", MANY)
      .. "\nend\nreturn { t, last }")
    assert.equal(tostring(MANY), t[2])
  end)

  it("keeps every statement that must stay where it is", function()
    local noise = lines_of("t[#t + 1] = { 'x%d', %d }", MANY)
    split("local t = {}\nlocal function f(...)\n" .. noise .. "\nt.rest = { ... }\nlocal a, b = ...\n" .. noise
      .. "\nif a then t.a = a end\nfor i = 1, 3 do\n" .. noise .. "\nif i == 2 then break end\nt.i = i\nend\n"
      .. "do goto out end\nt.never = true\n::out::\n" .. noise .. "\nif b then return t end\nt.late = 1\nend\nreturn f(1, 2)")
  end)

  it("keeps lists and maps, nested, mixed and with calls", function()
    split("local function two(x) return x, 'second' end\nreturn {\n"
      .. lines_of("{ 'a%d', { b = { 'c%d' } } },", MANY) .. "\nnamed = 5, [ [[odd key]] ] = 6;\n"
      .. lines_of("n%d = two 'n',", MANY) .. " }")
  end)

  it("keeps computed keys, and every value of a call that is last", function()
    split("local function two(x) return x, 'second' end\nreturn { {\n" .. lines_of("['k' .. %d] = { 'v%d' },", MANY)
      .. "\n}, {\n" .. lines_of("two('i%d'),", MANY) .. "\ntwo 'last' }, {\n" .. lines_of("[%d] = 'x%d',", MANY)
      .. "\n'positional' } }")
  end)

  it("keeps a table that is the argument of a call", function()
    split("local function of(t) return { t } end\nlocal o = { of = function(_, t) return t end }\nreturn { of {\n"
      .. lines_of("{ 'a%d' },", MANY * 2) .. "\n}, of\n{\n" .. lines_of("{ 'b%d' },", MANY * 2) .. "}[1], o:of{\n"
      .. lines_of("{ 'd%d' },", MANY * 2) .. "} }")
  end)

  it("keeps tables that hold what belongs to the function around them", function()
    split("local function f(...)\nreturn { {\n" .. lines_of("{ 'a%d' },", MANY * 2) .. "\n{ ... } }, {\n"
      .. lines_of("{ 'b%d' },", MANY * 2) .. "\nselect(2, ...) }, {\n"
      .. lines_of("{ 'c%d', function(...) return ... end and 1 },", MANY) .. "\n} }\nend\nreturn f(1, 2, 3)")
  end)

  it("is not led astray by brackets and words in comments and strings", function()
    split("local t = {} -- { (\n--[==[ if ]] { ]==] if next(t) == nil then\n" .. lines_of(
      [=[t[#t + 1] = { "a}%d", 'end \'%d\' {"', [[ return --%d ]], [==[]]}]==], -- } "
      "\"" } --[[ , ]]]=], MANY) .. "\nend return t -- {")
  end)

  it("splits elseif, else, while and repeat, too", function()
    local noise = lines_of("t[#t + 1] = { 'x%d' }", MANY)
    split("local t, n = {}, 0\nif n > 0 then\n" .. noise .. "\nelseif n == 0 then\n" .. noise .. "\nelse\n" .. noise
      .. "\nend\nwhile n < 2 do\n" .. noise .. "\nn = n + 1 end\nrepeat local done = n > 3\n" .. noise
      .. "\nn = n + 1 until done\nreturn t")
  end)

  it("shares variables that functions in the parts hold", function()
    local t = run(splitting.parts("local n, fns = 0, {}\nif n == 0 then\n"
      .. lines_of("fns[#fns + 1] = function(...) n = n + 1 return n, %d, ... end", MANY)
      .. "\nend\nreturn { fns = fns, get = function() return n end }"))
    assert.same({ 1, 1, "x" }, { t.fns[1] "x" })
    assert.same({ 2, MANY, "y" }, { t.fns[MANY] "y" })
    assert.equal(2, t.get())
  end)

  it("stays within the variables that a function can reach", function()
    local names = {}
    for i = 1, 150 do names[i] = "v" .. i end
    local set = lines_of("v%d = %d", 150)
    local all = table.concat(names, ", ")
    split("local t = {}\nlocal " .. all .. "\nif next(t) == nil then\n" .. (set .. "\n"):rep(40) .. "\nt.all = {\n"
      .. (all .. ",\n"):rep(60) .. " }\nend\nreturn { t, " .. all .. " }")
  end)

  it("keeps names that are like its own", function()
    split("local list, part, list1 = 'l', 'p', 'l1'\nreturn {\n" .. lines_of("{ list, part, list1, 'x%d' },", MANY) .. "\n}")
  end)

  it("leaves an environment to the function that changes it", function()
    split("local t = {}\nif next(t) == nil then\n" .. lines_of("t[%d] = 'x%d'", MANY) .. "\nsetfenv(1, { y = 7 })\n"
      .. lines_of("t[%d] = y", MANY) .. "\nend\nreturn t")
  end)

  it("ends at what is not Lua, and at what is nested too deeply", function()
    for _, source in ipairs { "if x then\n" .. lines_of("t[%d] = { 'x%d' }", MANY) .. "\nt = { { }\nend",
      "return " .. ("{"):rep(50000), "return " .. ("{"):rep(5000) .. (" "):rep(50000) .. ("}"):rep(5000),
      ("do "):rep(30000), "x = '" .. ("a"):rep(50000), ("end "):rep(20000), ("if x then else "):rep(10000),
      "return {" .. ("[x="):rep(20000), "x = [[" .. ("{"):rep(40000), ("("):rep(40000), (";"):rep(40000),
      ("\0"):rep(40000), ("\255{"):rep(20000), "--[==[" .. ("x"):rep(40000), ("goto "):rep(10000),
      ("::a"):rep(20000), "return {" .. ("a,"):rep(20000), ("function "):rep(9000), ("f{"):rep(20000),
      ("local "):rep(20000), ("for "):rep(20000), "x={" .. ("f{1},"):rep(20000) .. "}" } do
      local before = os.clock()
      assert.is_string(splitting.parts(source))
      assert.is_true(os.clock() - before < 5)
    end
  end)
end)

describe("a configuration of any size", function()
  local remove

  after_each(function()
    if remove then remove() end
    remove = nil
  end)

  local function load_in(files)
    local folder, undo = support.folder(files)
    remove = undo
    local plan, errors = config.load(folder .. "/moongate.lua")
    if plan then return plan, folder end
    local full = {}
    for i, mistake in ipairs(errors) do full[i] = mistake.full:gsub(folder:gsub("%p", "%%%0"), "DIR") end
    return nil, full
  end

  local FRONT = "local app = { servers = { '127.0.0.1:1' } }\nlocal sites\n"
  local SITE = '{ hosts = { "h%d.test" }, routes = { { path = "/p%d/*", upstream = "app" } } }'
  local BACK = "\nreturn { upstreams = { app = app }, sites = sites }"

  local function if_form(count, line_of_its_own)
    return FRONT .. "if app.servers then sites = {}\n" .. lines_of("sites[#sites + 1] = " .. SITE, count)
      .. "\n" .. (line_of_its_own or "") .. "\nend" .. BACK
  end

  local function literal_form(count, line_of_its_own)
    return FRONT .. "sites = {\n" .. lines_of(SITE .. ",", count) .. "\n" .. (line_of_its_own or "") .. "\n}" .. BACK
  end

  -- Constants enough for one function.
  local FILLER = "local filler = {" .. ("{1},"):rep(70000) .. "} "

  ---The plans of a large file and of a small one that makes the same, without what tells them apart.
  local function assert_same_sites(plan, count)
    local small = support.plan(FRONT .. "sites = {} for i = 1, " .. count .. " do sites[i] = "
      .. SITE:gsub('"(%p?%a)%%d([^"]*)"', '"%1" .. i .. "%2"') .. " end" .. BACK)
    assert.equal(count, #plan.sites)
    for _, i in ipairs { 1, 2, 117, 118, 119, 4711, count - 1, count } do
      assert.same(small.sites[i], plan.sites[i])
      assert.equal("h" .. i .. ".test", plan.sites[i].hosts[1].name or plan.sites[i].hosts[1])
    end
  end

  it("may have 10,000 sites in the block of an `if`", function()
    local source = if_form(10000)
    assert.matches("control structure too long", (select(2, loadstring(source))))
    local plan, folder = load_in { ["moongate.lua"] = source }
    assert_same_sites(plan, 10000)
    assert.equal(folder .. "/moongate.lua:5003", plan.sites[5000].where)
  end)

  it("may have 50,000 sites in one constructor", function()
    local source = literal_form(50000)
    assert.matches("more than 65536 constants", (select(2, loadstring(source))))
    local plan, folder = load_in { ["moongate.lua"] = source }
    assert_same_sites(plan, 50000)
    assert.equal(folder .. "/moongate.lua:50003", plan.sites[50000].where)
  end)

  it("may be required from files of any size", function()
    local plan = load_in { ["moongate.lua"] = FRONT .. "sites = require 'cfg_many'" .. BACK,
      ["cfg_many.lua"] = "return {\n" .. lines_of(SITE .. ",", 40000) .. "\n}" }
    assert.equal(40000, #plan.sites)
    package.loaded.cfg_many = nil
    local before = #package.loaders
    local _, full = load_in { ["moongate.lua"] = "local s = require 'cfg_many'\nreturn s",
      ["cfg_many.lua"] = "return {\n" .. lines_of(SITE .. ",", 40000) .. "\n} }" }
    assert.matches("^DIR/moongate%.lua:1: .*DIR/cfg_many%.lua:40002: '<eof>' expected near '}'", full[1])
    assert.equal(before, #package.loaders)
  end)

  it("tells mistakes, errors and bad syntax with their lines", function()
    for _, form in ipairs { if_form, literal_form } do
      local assign = form == if_form and "sites[#sites + 1] = " or ""
      local function complaint(line)
        local _, full = load_in { ["moongate.lua"] = FILLER .. form(1000, line) }
        remove()
        remove = nil
        return full[1]
      end
      assert.matches("^DIR/moongate%.lua:1004: sites%[1001%]: unknown key 'host'", complaint(assign .. "{ host = 'x', routes = {} }"))
      assert.matches("^DIR/moongate%.lua:1004: no such host", complaint(assign .. "error('no such host')"))
      assert.matches("^DIR/moongate%.lua:1004: attempt to index", complaint(assign .. "{ hosts = app.no.host }"))
      assert.matches("^DIR/moongate%.lua:1004: .* near '7'", complaint(assign .. "{ 6 7 }"))
    end
  end)

  it("keeps handlers and where they begin", function()
    local plan, folder = load_in { ["moongate.lua"] = FILLER .. literal_form(1000,
      "{ routes = { { path = '/f', handler = function(...) return ..., app end } } }") }
    local info = debug.getinfo(plan.sites[1001].routes[1].handler, "S")
    assert.equal(1004, info.linedefined)
    assert.equal("@" .. folder .. "/moongate.lua", info.source)
  end)

  it("says what to do about a file that cannot be split", function()
    local source = "local function f(...)\nreturn { ...,\n" .. lines_of("{'a%d'}, ", 70000) .. "\n...}\nend\nreturn { f() }"
    local chunk, line, text = compiling.compile(source, "c.lua")
    assert.is_nil(chunk)
    assert.equal(1, line)
    assert.equal("too large to compile, and what it is made of cannot be taken apart (has more than 65536 constants); "
      .. "move pieces of it to files of their own that return them, and require those files", text)
    local chain = { "if x == 0 then y = 0" }
    for i = 1, 20000 do chain[#chain + 1] = ("elseif x == %d then y = %d"):format(i, i) end
    chain[#chain + 1] = "end return {}"
    chunk, line, text = compiling.compile(table.concat(chain, "\n"), "c.lua")
    assert.is_nil(chunk)
    assert.is_number(line)
    assert.matches("%(control structure too long%)", text)
  end)

  it("leaves the user's own mistakes to the compiler", function()
    local many = {}
    for i = 1, 201 do many[i] = "local v" .. i end
    assert.same({ nil, 201, "main function has more than 200 local variables" },
      { compiling.compile(table.concat(many, "\n"), "c.lua") })
  end)
end)
