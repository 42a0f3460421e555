local testing = require "moongate.testing"
local scenario = testing.scenario

describe("the policy @name@", function()
  it("says its word and the host in every answer", function()
    local policy = testing.policy("@name@", { word = "hello" })
    local _, _, res = policy:response { host = "moon.test" }
    assert.equal("hello moon.test", res.headers["x-@rock@"])
  end)

  it("says it in the field that it was given", function()
    local policy = testing.policy("@name@", { word = "hello", header = "x-word" })
    local _, _, res = policy:response { host = "moon.test" }
    assert.equal("hello moon.test", res.headers["x-word"])
    assert.is_nil(res.headers["x-@rock@"])
  end)

  it("refuses to go without a word", function()
    assert.error_matches(function() testing.policy("@name@", {}) end, "word", 1, true)
  end)

  it("works in a running proxy", scenario(function(w)
    local proxy = w:proxy { file = "moongate.lua", listeners = { { bind = "127.0.0.1:0" } } }
    local answer = w:client(proxy, { host = "moon.test" }):get "/"
    assert.equal(200, answer.status)
    assert.equal("hello moon.test", answer.headers["x-@rock@"])
  end))
end)
