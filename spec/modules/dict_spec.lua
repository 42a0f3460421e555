-- Shared dictionaries outside of a proxy. What they do inside is tested in core/script/api_dict_test.c and t/script.
local dictionaries = require "moongate.testing.dictionaries"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

describe("moongate.dict", function()
  it("says that it works inside the proxy only", function()
    local ok, message = pcall(require("moongate.dict").open, "limits")
    assert.is_false(ok)
    assert.matches("moongate.dict works inside the proxy only", message)
  end)

  it("has the methods that policies under test get, and no others", function()
    local function methods(path)
      local names = {}
      for name in read(path):gmatch "\nfunction methods:([%w_]+)" do names[#names + 1] = name end
      table.sort(names)
      return names
    end
    assert.same(methods "lua/moongate/dict.lua", methods "lua/moongate/testing/dictionaries.lua")
    assert.is_true(#methods "lua/moongate/dict.lua" > 15)
  end)
end)

describe("a dictionary of the testing kit", function()
  local clock, d

  before_each(function()
    clock = { now = 100 }
    d = dictionaries.module(clock).open "d"
  end)

  it("is one by each name", function()
    local module = dictionaries.module(clock)
    assert.equal(module.open "a", module.open "a")
    assert.are_not.equal(module.open "a", module.open "b")
    assert.equal("a", module.open("a").name)
  end)

  it("stores, adds and replaces", function()
    assert.is_true(d:set("k", 1))
    assert.same({ nil, "the key is there already", "exists" }, { d:add("k", 2) })
    assert.is_true(d:replace("k", "two"))
    assert.equal("two", d:get "k")
    assert.same({ nil, "there is no such key", "absent" }, { d:replace("other", 1) })
    assert.is_true(d:delete "k")
    assert.is_false(d:delete "k")
    assert.has_error(function() d:set("k", {}) end, "a dictionary holds booleans, numbers and texts, not a table")
  end)

  it("counts, and keeps the time to live of what is there", function()
    assert.same({ nil, "there is no such key", "absent" }, { d:incr "n" })
    assert.equal(3, d:incr("n", 3, { init = 0, ttl = 10 }))
    clock.now = 105
    assert.equal(4, d:incr("n", 1, { init = 0, ttl = 10 }))
    assert.equal(5, d:ttl "n")
    clock.now = 110
    assert.is_nil(d:get "n")
  end)

  it("compares, updates and keeps what is left to live", function()
    d:set("k", 1, "10s")
    assert.same({ nil, "the value has changed", "changed" }, { d:cas("k", 2, 3) })
    assert.is_true(d:cas("k", 1, 2))
    assert.equal(12, d:update("k", function(v) return v + 10 end))
    assert.equal(10, d:ttl "k")
    assert.is_true(d:touch "k")
    assert.equal(math.huge, d:ttl "k")
    assert.is_nil(d:update("k", function() return nil end))
    assert.is_nil(d:get "k")
  end)

  it("holds lists with two ends", function()
    assert.equal(1, d:push("l", "b"))
    assert.equal(2, d:push("l", "c"))
    assert.equal(3, d:push_front("l", "a"))
    assert.same({ "a", "c", 1 }, { d:pop "l", d:pop_back "l", d:length "l" })
    assert.equal("b", d:pop "l")
    assert.is_nil(d:pop "l")
    assert.equal(0, d:length "l")
  end)

  it("goes through its keys, counts them and forgets them", function()
    d:set("a", 1)
    d:set("b", 1, 5)
    d:set("c", 1)
    clock.now = 106
    local keys = {}
    for key in d:keys() do keys[#keys + 1] = key end
    table.sort(keys)
    assert.same({ "a", "c" }, keys)
    assert.equal(2, d:stats().items)
    d:clear()
    assert.equal(0, d:stats().items)
  end)
end)
