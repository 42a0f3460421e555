local regex = require "moongate.regex"
local support = dofile "spec/modules/support.lua"

local both_ways, misuse = support.both_ways, support.misuse
local function compile(...) return assert(regex.compile(...)) end

describe("moongate.regex: matching", function()
  both_ways("gives groups by number and by name", function()
    local m = compile([[^(?<year>\d{4})-(?<month>\d\d)$]]):match "2026-11"
    assert.same({ [0] = "2026-11", "2026", "11", year = "2026", month = "11" }, m)
    assert.is_nil((compile([[^(\d+)$]]):match "x1"))
  end)

  both_ways("gives false for groups that took no part", function()
    assert.same({ [0] = "b", false, "b", one = false }, compile([[(?<one>a)|(b)]]):match "b")
    assert.same({ [0] = "ac", "a", false, "c" }, regex.match("ac", "(a)(b)?(c)"))
    assert.same({ [0] = "", "" }, regex.match("x", "(y*)"))
  end)

  both_ways("finds where a match is, from where it is told", function()
    local word = compile [[\bwor(l)d]]
    local first, last, m = word:find "hello world"
    assert.same({ 7, 11, { [0] = "world", "l" } }, { first, last, m })
    assert.equal(7, (word:find("hello world", 7)))
    assert.is_nil((word:find("hello world", 8)))
    assert.is_nil((word:find("hello world", 100)))
    first, last = compile("x*"):find "abc"
    assert.same({ 1, 0 }, { first, last })
    first, last = compile("$"):find "abc"
    assert.same({ 4, 3 }, { first, last })
  end)

  both_ways("says with test only whether it matches", function()
    assert.is_true(regex.test("/api/v12/x", [[^/api/v\d+/]]))
    assert.is_false(regex.test("/apiv12/x", [[^/api/v\d+/]]))
    assert.is_false(compile("a"):test("abc", 2))
    assert.is_true(compile("^$"):test "")
  end)

  it("looks behind the start, which is no beginning of the text", function()
    assert.is_truthy(compile("(?<=a)b"):match("ab", 2))
    assert.is_nil((compile("^b"):match("ab", 2)))
    assert.is_truthy(compile([[\Gb]]):match("ab", 2))
  end)

  it("takes zero bytes in patterns and texts", function()
    assert.same({ 2, 4 }, { (regex.find("a\0b\0c", "\0b\0")), (select(2, regex.find("a\0b\0c", "\0b\0"))) })
  end)

  it("obeys its flags", function()
    assert.is_truthy(regex.match("ABC", "abc", "i"))
    assert.is_nil((regex.match("ABC", "abc")))
    assert.is_truthy(regex.match("a\nb", "^b$", "m"))
    assert.is_nil((regex.match("a\nb", "^b$")))
    assert.is_truthy(regex.match("a\nb", "a.b", "s"))
    assert.is_nil((regex.match("a\nb", "a.b")))
    assert.is_truthy(regex.match("ab", "a b # both", "x"))
    assert.equal("é", regex.match("é", "^.$", "u")[0])
    assert.is_nil((regex.match("é", "^.$")))
    assert.is_truthy(regex.match("É", [[^\w$]], "u"))
    assert.is_truthy(regex.match("ÉX", "^éx$", "iu"))
    assert.is_truthy(regex.match("A\nB", "^a.b$", "isis"))
  end)
end)

describe("moongate.regex: one match after the other", function()
  local function all(subject, pattern, flags)
    local found = {}
    for m in regex.gmatch(subject, pattern, flags) do found[#found + 1] = m[0] end
    return table.concat(found, "|")
  end

  both_ways("goes through all of them, empty ones included", function()
    assert.equal("1|22|333", all("1, 22, 333", [[\d+]]))
    assert.equal("||", all("ab", "x*"))
    assert.equal("|aa||", all("baac", "a*"))
    assert.equal("", all("abc", "z"))
    assert.equal("é||ü|", all("éxü", "[éü]?", "u"))
    assert.equal("|||", all("éü!", "", "u"))
    assert.equal("a|a", all("aab", [[\Ga]]))
  end)

  both_ways("replaces by a text that names groups", function()
    assert.equal("a<1>b<22>", (regex.gsub("a1b22", [[\d+]], "<$0>")))
    assert.equal("b=a; d=c", (regex.gsub("a=b; c=d", [[(?<k>\w)=(\w)]], "$2=${k}")))
    assert.equal("$5", (regex.gsub("5", [[\d]], "$$$0")))
    assert.equal("[a][]", (regex.gsub("ab", "(a)|b", "[$1]")))
    assert.equal("-a-b-", (regex.gsub("ab", "", "-")))
    assert.equal("-é-ü-", (regex.gsub("éü", "", "-", "u")))
    assert.equal("xbx", (regex.gsub("aba", "a", "x")))
    assert.same({ "abc", 0 }, { regex.gsub("abc", "z", "x") })
    assert.same({ "xxa", 2 }, { compile("a"):gsub("aaa", "x", 2) })
    assert.same({ "aaa", 0 }, { compile("a"):gsub("aaa", "x", 0) })
  end)

  it("replaces by what a function or a table says", function()
    assert.equal("A-b-C", (regex.gsub("a-b-c", [[\w]], function(m) return m[0] ~= "b" and m[0]:upper() end)))
    assert.equal("one two {3}", (regex.gsub("{1} {2} {3}", [[\{(\d)\}]], { ["1"] = "one", ["2"] = "two" })))
    assert.equal("2", (regex.gsub("1", [[\d]], function(m) return m[0] + 1 end)))
    local file, text = misuse(function() regex.gsub("a", "a", function() return {} end) end)
    assert.is_not_nil(file)
    assert.is_truthy(text:find("must be a text, not a table", 1, true))
  end)

  it("lets the function use the same pattern and wait", function()
    local digits = compile [[(\d)(\d)?]]
    local waited = coroutine.wrap(function()
      return (digits:gsub("12 3 45", function(m)
        assert.is_truthy(digits:match "9")
        coroutine.yield "waits"
        return ("<%s,%s>"):format(m[1], tostring(m[2]))
      end))
    end)
    for _ = 1, 3 do assert.equal("waits", waited()) end
    assert.equal("<1,2> <3,false> <4,5>", waited())
  end)

  both_ways("splits", function()
    assert.same({ "a", "b", "c" }, regex.split("a, b,c", [[,\s*]]))
    assert.same({ "", "a", "" }, regex.split(",a,", ","))
    assert.same({ "a", "b", "c" }, regex.split("abc", ""))
    assert.same({ "é", "ü" }, regex.split("éü", "", "u"))
    assert.same({ "" }, regex.split("", ","))
    assert.same({ "abc" }, regex.split("abc", "z"))
    assert.same({ "a", "b,c" }, compile(","):split("a,b,c", 2))
    assert.same({ "a,b,c" }, compile(","):split("a,b,c", 1))
  end)

  it("ends, whatever the pattern does with the beginning of its match", function()
    assert.equal("-ab-", (regex.gsub("ab", [[(^|$)\K]], "-")))
    assert.equal("a-b", (regex.gsub("ab", [[a\K]], "-")))
  end)
end)

describe("moongate.regex: bounds", function()
  local HARD = { [[^(a+)+$]], [[^(a|aa)+$]], [[^(?:.*a){25}$]], [[(\w+\s?)*$!]], [[(a*?)*?(b|c)*?$]] }
  local TEXT = ("a"):rep(2000) .. "!"

  both_ways("ends patterns that would run for ever", function()
    for _, pattern in ipairs(HARD) do
      local began = os.clock()
      local m, message, code = regex.match(TEXT, pattern)
      if pattern ~= HARD[5] then assert.same({ nil, "match limit", "limit" }, { m, message, code }, pattern) end
      assert.is_true(os.clock() - began < 0.25, pattern)
    end
  end)

  it("says so from each function", function()
    local hard = compile(HARD[1])
    for _, name in ipairs { "match", "find", "test", "split" } do
      local value, message, code = hard[name](hard, TEXT)
      assert.same({ nil, "match limit", "limit" }, { value, message, code })
    end
    local value, message, code = hard:gsub(TEXT, "x")
    assert.same({ nil, "match limit", "limit" }, { value, message, code })
    local file, text = misuse(function()
      local next_match, state = hard:gmatch(TEXT)
      next_match(state)
    end)
    assert.equal("regex_spec.lua", file)
    assert.equal("pattern:gmatch: match limit", text)
  end)

  it("ends matches that would need too much stack", function()
    local m, message, code = compile([[^(?:(a)|b)*$]], nil, { limit = 2 ^ 31 }):match(("a"):rep(3e6))
    assert.is_nil(m)
    assert.same({ "match limit", "limit" }, { message, code })
  end)

  it("may be set for one pattern", function()
    assert.is_nil((compile([[^(a+)+$]], nil, { limit = 10 }):match "aaaaaaaaaaaaaaaa!"))
    local _, message = compile([[^(a+)+$]], nil, { limit = 10 }):match "aaaaaaaaaaaaaaaa!"
    assert.equal("match limit", message)
    _, message = compile([[^(a+)+$]]):match "aaaaaaaaaa!"
    assert.is_nil(message)
  end)

  it("do not hinder plain patterns on long texts", function()
    local text = ("some text with 12 numbers, and a <tag attr='x'> or so; "):rep(20000)
    for _, pattern in ipairs { [[\d+-\d+]], [[(?i)<script[^>]*>]], [[\bfoo\b|\bbar\b]], "union.+select" } do
      assert.is_false(compile(pattern):test(text))
    end
    local _, count = regex.gsub(text, [[\d+]], "n")
    assert.equal(20000, count)
  end)

  it("refuse texts that are not UTF-8 where the pattern is", function()
    local word = compile([[\w+]], "u")
    for _, text in ipairs { "a\255", "\192\175", "\237\160\128", "é\195" } do
      local m, message, code = word:match(text)
      assert.is_nil(m)
      assert.is_truthy(message:find("not UTF-8 at byte", 1, true))
      assert.equal("utf", code)
    end
    assert.equal("utf", (select(3, word:match("é", 2))))
    assert.equal("utf", (select(3, word:gsub("ok \255", "x"))))
  end)
end)

describe("moongate.regex: patterns", function()
  it("that are wrong come back as nil, what is wrong and where", function()
    for pattern, said in pairs {
      ["(a"] = "missing closing parenthesis at byte 3", ["a{2,1}"] = "at byte", ["[z-a]"] = "at byte 4",
      ["*"] = "quantifier does not follow", [ [[\C]] ] = "at byte", ["(?<=a*)b"] = "lookbehind",
    } do
      local found, message, code = regex.compile(pattern)
      assert.is_nil(found, pattern)
      assert.is_truthy(message:find(said, 1, true), message)
      assert.equal("pattern", code)
    end
    assert.equal("pattern", (select(3, regex.match("x", "("))))
    assert.equal("pattern", (select(3, regex.gsub("x", "(", "y"))))
    assert.equal("pattern", (select(3, regex.compile(("a"):rep(70000)))))
    assert.equal("pattern", (select(3, regex.compile("\255", "u"))))
    assert.equal("regex_spec.lua", (misuse(function() regex.gmatch("x", "(") end)))
  end)

  it("are kept, but not more than the bound", function()
    local _, limit = regex.cache_size(3)
    finally(function() regex.cache_size(512) end)
    assert.equal(3, limit)
    regex.cache_size(0)
    regex.cache_size(3)
    local a = compile "cache a"
    compile "cache b"
    compile "cache c"
    assert.equal(a, compile "cache a")
    local b = compile "cache d" and compile "cache a"
    assert.equal(a, b)
    assert.equal(3, (regex.cache_size()))
    assert.not_equal(a, compile("cache a", "i"))
    assert.not_equal(a, compile("cache a", "", { limit = 9 }))
    compile "cache e"
    compile "cache f"
    compile "cache g"
    assert.equal(3, (regex.cache_size()))
    assert.not_equal(a, compile "cache a")
    assert.equal("cache a", a:match("cache a")[0])
  end)

  it("do not fill the memory when there is a new one each time", function()
    local function resident()
      for line in io.lines "/proc/self/status" do
        local kb = line:match "^VmRSS:%s+(%d+)"
        if kb then return tonumber(kb) end
      end
    end
    local function rounds(from, to)
      for i = from, to do compile(("(x%d|y%d|[a-z]{%d})+z"):format(i, i, i % 50 + 1)):test "xyz" end
    end
    rounds(1, 5000)
    local before = resident()
    rounds(5001, 25000)
    assert.is_true(resident() - before < 40000, "grew by " .. resident() - before .. " kB")
  end)

  it("blame the script for flags, groups and arguments that make no sense", function()
    for _, wrong in ipairs {
      function() regex.compile("a", "g") end,
      function() return (regex.compile(nil)) end,
      function() regex.match("a", "a", "g") end,
      function() return (regex.match(nil, "a")) end,
      function() return (regex.match("a", nil)) end,
      function() return (regex.match("a", "a", 7)) end,
      function() compile("a"):match(7) end,
      function() compile("a"):match("a", 0) end,
      function() compile("a"):gsub("a", "$1") end,
      function() compile("a"):gsub("a", "${name}") end,
      function() compile("a"):gsub("a", "$") end,
      function() compile("a"):gsub("a", nil) end,
      function() regex.compile("a", "", { limits = 7 }) end,
    } do
      local file, text = misuse(wrong)
      assert.equal("regex_spec.lua", file, text)
    end
  end)

  it("can be made of any text, which they then match exactly", function()
    for _, text in ipairs { "", "a.b*c", [[\d(x)[y]{2}^$|?+#/ -_]], "a\0b\nc", "é!" } do
      local found = compile("^(?:" .. regex.escape(text) .. ")$")
      assert.is_true(found:test(text))
      assert.is_false(found:test(text .. "x"))
      assert.is_true(compile("^(?:" .. regex.escape(text) .. ")$", "x"):test(text))
    end
  end)
end)
