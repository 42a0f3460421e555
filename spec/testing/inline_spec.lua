local inline = require "moongate.testing.inline"
local testing = require "moongate.testing"

local function back(value) return assert(loadstring("return " .. inline.text(value)))() end

describe("a table as source text", function()
  it("comes back the same", function()
    local value = {
      "one", 2, true, { 3.5, { nested = {} } }, ["end"] = "a keyword", ["x-y"] = "a\nb\r\0\\\"", [10] = "far", f = -1e300,
    }
    assert.same(value, back(value))
  end)

  it("holds verbatim source as it is", function()
    assert.equal(7, back({ testing.lua "3 + 4" })[1])
  end)

  it("holds objects that have a text form as that text", function()
    local object = setmetatable({}, { __tostring = function() return "127.0.0.1:80" end })
    assert.same({ "127.0.0.1:80" }, back { object })
  end)

  it("says where a value stands that cannot be written", function()
    assert.has_error(function() inline.text { sites = { { x = coroutine.create(print) } } } end,
      "sites[1].x: a thread cannot be written as source text")
  end)
end)

describe("a function as source text", function()
  it("does the same", function()
    local copy = back { function(a, b) return a * b end }
    assert.equal(42, copy[1](6, 7))
  end)

  it("may have several lines, loops and functions inside", function()
    local copy = back { handler = function(n)
      local sum = 0
      for i = 1, n do
        local function add() sum = sum + i end
        add()
      end
      return sum
    end }
    assert.equal(10, copy.handler(4))
  end)

  it("is the right one of several on a line", function()
    local copy = back { function() return 1 end, function() return 2 end, function(x) return function() return x end end }
    assert.equal(1, copy[1]())
    assert.equal(2, copy[2]())
    assert.equal(3, copy[3](3)())
  end)

  it("may have been given a name", function()
    local function named(x) return x .. "!" end
    assert.equal("hi!", back({ named })[1]("hi"))
  end)

  it("is refused when it uses a local variable from outside", function()
    local outside = 1
    assert.has_error(function() inline.text { handler = function() return outside end } end,
      "handler: the function uses the local variable 'outside' from outside, but it will run in another process")
  end)
end)
