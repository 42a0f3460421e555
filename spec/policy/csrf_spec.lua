local testing = require "moongate.testing"

local function why(policy, headers, more)
  local req = { method = "POST", host = "shop.test", path = "/buy", headers = headers }
  for name, value in pairs(more or {}) do req[name] = value end
  local answer = policy:access(req)
  return answer and answer.status == 403 and answer.body:match "^refused: (.*)\n$"
end

describe("the policy csrf", function()
  it("does not look at requests that change nothing", function()
    local policy = testing.policy "csrf"
    for _, method in ipairs { "GET", "HEAD", "OPTIONS", "TRACE" } do
      assert.is_nil(why(policy, { origin = "https://evil.test" }, { method = method }))
    end
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE", "get", "ODD" } do
      assert.is_not_nil(why(policy, { origin = "https://evil.test" }, { method = method }))
    end
  end)

  it("believes Sec-Fetch-Site", function()
    local policy = testing.policy "csrf"
    assert.is_nil(why(policy, { ["sec-fetch-site"] = "same-origin", origin = "https://shop.test" }))
    assert.is_nil(why(policy, { ["sec-fetch-site"] = "none" }))
    for _, site in ipairs { "cross-site", "same-site", "", "Same-Origin" } do
      assert.equal("Sec-Fetch-Site says that another site has sent it",
        why(policy, { ["sec-fetch-site"] = site, origin = "https://shop.test" }))
    end
    assert.is_nil(why(testing.policy("csrf", { same_site = true }), { ["sec-fetch-site"] = "same-site" }))
  end)

  it("compares Origin with the host and port that were asked for", function()
    local policy = testing.policy "csrf"
    assert.is_nil(why(policy, { origin = "http://shop.test" }))
    assert.is_nil(why(policy, { origin = "https://shop.test" }))
    assert.is_nil(why(policy, { origin = "http://shop.test:8080", host = "shop.test:8080" }))
    assert.is_nil(why(policy, { origin = "https://shop.test", host = "SHOP.test:443" }))
    for _, origin in ipairs { "null", "", "http://shop.test.evil.test", "http://evil.test", "http://shop.test:81",
      "http://shop.test@evil.test", "ftp://shop.test", "shop.test" } do
      assert.equal("Origin names another site", why(policy, { origin = origin }))
    end
    assert.is_not_nil(why(policy, { origin = "http://shop.test" }, { scheme = "https" }))
  end)

  it("asks Referer when there is no Origin", function()
    local policy = testing.policy "csrf"
    assert.is_nil(why(policy, { referer = "http://shop.test/cart?x=1" }))
    assert.equal("Referer names another site", why(policy, { referer = "http://evil.test/http://shop.test/" }))
    assert.equal("Origin names another site", why(policy, { referer = "http://shop.test/", origin = "null" }))
  end)

  it("refuses what nothing is said about, unless it is told otherwise", function()
    assert.equal("nothing says which site has sent it", why(testing.policy "csrf", {}))
    assert.is_nil(why(testing.policy("csrf", { missing = "allow" }), {}))
  end)

  it("lets listed origins and paths through", function()
    local policy = testing.policy("csrf", { origins = { "https://login.test" }, patterns = { "https://a\\d\\.test" },
      except = { "/hooks/*" } })
    assert.is_nil(why(policy, { origin = "https://login.test", ["sec-fetch-site"] = "cross-site" }))
    assert.is_nil(why(policy, { origin = "https://a1.test", ["sec-fetch-site"] = "cross-site" }))
    assert.is_nil(why(policy, {}, { path = "/hooks/x" }))
    assert.is_not_nil(why(policy, {}, { path = "/hooksx" }))
  end)
end)
