local testing = require "moongate.testing"

local function location(options, req)
  local answer = testing.policy("redirect_https", options):access(req)
  return answer and answer.headers.location, answer and answer.status
end

describe("the policy redirect_https", function()
  it("sends who comes without TLS to the same place with it", function()
    local to, status = location({}, { host = "example.com", path = "/a%20b?x=1&y" })
    assert.equal("https://example.com/a%20b?x=1&y", to)
    assert.equal(308, status)
    assert.is_nil(location({}, { host = "example.com", scheme = "https" }))
  end)

  it("goes to the port, host and with the status that were chosen", function()
    local to, status = location({ port = 8443, status = 301, host = "www.example.com" }, { host = "evil.test" })
    assert.equal("https://www.example.com:8443/", to)
    assert.equal(301, status)
    assert.equal("https://[2001:db8::1]:8443/", (location({ port = 8443 }, { host = "2001:db8::1" })))
    assert.equal("https://[2001:db8::1]/", (location({}, { host = "[2001:db8::1]" })))
  end)

  it("lets ACME's challenges through, or the paths that are listed", function()
    local challenge = { path = "/.well-known/acme-challenge/abc" }
    assert.is_nil(location({}, challenge))
    assert.is_not_nil(location({ except = { "/healthz" } }, challenge))
    assert.is_nil(location({ except = { "/healthz" } }, { path = "/healthz?x" }))
    assert.is_not_nil(location({ except = { "/healthz" } }, { path = "/healthz/x" }))
  end)

  it("makes a path of targets that are none", function()
    assert.equal("https://a/", (location({}, { host = "a", target = "*", method = "OPTIONS" })))
    assert.equal("https://a/?y=1", (location({}, { host = "a", target = "http://b?y=1" })))
    assert.equal("https://a//evil.test/", (location({}, { host = "a", target = "//evil.test/" })))
  end)

  it("answers 400 when nobody knows the host", function()
    local answer = testing.policy("redirect_https"):access { host = "" }
    assert.equal(400, answer.status)
  end)

  it("refuses mistakes when it is set up", function()
    for _, given in ipairs { { status = 303 }, { port = 0 }, { host = "a/b" }, { except = { "x" } }, { except = { "/a*b" } } } do
      assert.is_false((pcall(testing.policy, "redirect_https", given)))
    end
  end)
end)
