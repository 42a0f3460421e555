---Needs the C part: `luarocks --lua-version 5.1 --tree lua_modules make`, then `moongate test`.
require("moongate.rocks").use "../lua_modules"
local testing = require "moongate.testing"
local native = require "shout.native"
local scenario = testing.scenario

describe("shout.native", function()
  it("makes capitals of ASCII letters and leaves all other bytes alone", function()
    assert.equal("HELLO, 1\0Z\195\164!", native.shout "hello, 1\0z\195\164")
  end)

  it("adds as many marks as are wanted", function()
    assert.equal("HI", native.shout("hi", 0))
    assert.equal("!!!!!!!!!!", native.shout("", 10))
  end)

  it("refuses what is no text and no number of marks", function()
    assert.error_matches(function() native.shout({}) end, "string expected")
    assert.error_matches(function() native.shout("hi", 11) end, "0 to 10 marks")
    assert.error_matches(function() native.shout("hi", -1) end, "0 to 10 marks")
  end)
end)

describe("the policy shout", function()
  it("says its word in every answer", function()
    local _, _, res = testing.policy("shout", { word = "hello", marks = 3 }):response()
    assert.equal("HELLO!!!", res.headers["x-shout"])
  end)

  it("puts the request's host into the word, whatever stands in it", function()
    local policy = testing.policy("shout", { word = "this is ${host}", header = "x-where" })
    local _, _, res = policy:response { host = "a%1.test" }
    assert.equal("THIS IS A%1.TEST!", res.headers["x-where"])
  end)

  it("refuses to go without a word", function()
    assert.error_matches(function() testing.policy("shout", {}) end, "word", 1, true)
  end)

  it("works in a running proxy", scenario(function(w)
    local origin = w:http_origin(function() return "hi" end)
    local answer = w:proxy({
      file = "moongate.lua",
      listeners = { { bind = "127.0.0.1:0" } },
      upstreams = { app = { servers = { origin } } },
    }):get "/"
    assert.equal("HELLO!", answer.headers["x-shout"])
    assert.equal("hi", answer.body)
  end))
end)
