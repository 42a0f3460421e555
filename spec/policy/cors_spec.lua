local testing = require "moongate.testing"

local APP = "https://app.example.com"

local function preflight(policy, origin, more)
  local headers = { origin = origin, ["access-control-request-method"] = "PUT" }
  for name, value in pairs(more or {}) do headers[name] = value end
  return policy:access { method = "OPTIONS", headers = headers }
end

local function fields_for(policy, origin, given)
  local _, _, res = policy:response({ headers = { origin = origin } }, { headers = given or {} })
  return res.headers
end

describe("the policy cors", function()
  it("answers preflights of listed origins with what they may do", function()
    local policy = testing.policy("cors", { origins = { APP }, methods = { "GET", "PUT" }, headers = { "x-a", "x-b" },
      credentials = true, max_age = "1h" })
    local answer = preflight(policy, APP)
    assert.equal(204, answer.status)
    assert.same({
      vary = "origin, access-control-request-method, access-control-request-headers",
      ["access-control-allow-origin"] = APP, ["access-control-max-age"] = 3600,
      ["access-control-allow-methods"] = "GET, PUT", ["access-control-allow-headers"] = "x-a, x-b",
      ["access-control-allow-credentials"] = "true",
    }, answer.headers)
    answer = preflight(policy, "https://other.test")
    assert.equal(403, answer.status)
    assert.is_nil(answer.headers["access-control-allow-origin"])
  end)

  it("lets requests that are no preflights go on", function()
    local policy = testing.policy("cors", { origins = { APP } })
    assert.is_nil(policy:access { headers = { origin = APP } })
    assert.is_nil(policy:access { method = "OPTIONS", headers = { origin = APP } })
    assert.is_nil(policy:access { method = "OPTIONS", headers = { ["access-control-request-method"] = "PUT" } })
    assert.is_nil(policy:access { method = "GET", headers = { origin = APP, ["access-control-request-method"] = "PUT" } })
  end)

  it("says back which methods and fields were asked for when all are let in", function()
    local policy = testing.policy("cors", { origins = { "*" }, methods = { "*" }, headers = { "*" } })
    local answer = preflight(policy, APP, { ["access-control-request-headers"] = "x-a,x-b" })
    assert.equal("*", answer.headers["access-control-allow-origin"])
    assert.equal("PUT", answer.headers["access-control-allow-methods"])
    assert.equal("x-a,x-b", answer.headers["access-control-allow-headers"])
    answer = preflight(policy, APP, { ["access-control-request-headers"] = "x-a\"<>" })
    assert.is_nil(answer.headers["access-control-allow-headers"])
  end)

  it("names the origin in the answer and lets caches know", function()
    local policy = testing.policy("cors", { origins = { APP }, credentials = true, expose = { "x-total" } })
    local fields = fields_for(policy, APP, { ["access-control-allow-origin"] = "*", vary = "accept" })
    assert.same({ APP }, fields:all "access-control-allow-origin")
    assert.equal("true", fields["access-control-allow-credentials"])
    assert.equal("x-total", fields["access-control-expose-headers"])
    assert.same({ "accept", "origin" }, fields:all "vary")
    fields = fields_for(policy, "https://other.test", { ["access-control-allow-origin"] = "*" })
    assert.is_nil(fields["access-control-allow-origin"])
    assert.equal("origin", fields.vary)
    assert.equal("origin", fields_for(policy, nil).vary)
    assert.same({ "accept, Origin" }, fields_for(policy, APP, { vary = "accept, Origin" }):all "vary")
  end)

  it("says * to all when all are let in, without a word to caches", function()
    local fields = fields_for(testing.policy("cors", { origins = { "*" } }), "https://other.test")
    assert.equal("*", fields["access-control-allow-origin"])
    assert.is_nil(fields.vary)
  end)

  it("writes nothing into the answer to a preflight a second time", function()
    local policy = testing.policy("cors", { origins = { APP } })
    local req = testing.request { method = "OPTIONS", headers = { origin = APP, ["access-control-request-method"] = "PUT" } }
    local answer = policy:access(req)
    local _, _, res = policy:response(req, { status = 204, headers = answer.headers })
    assert.equal(1, #res.headers:all "vary")
  end)

  it("knows exact origins, names below a domain, and patterns for the whole of an origin", function()
    local policy = testing.policy("cors", {
      origins = { APP, "https://*.example.org", "http://*.test:8080", "http://localhost:3000" },
      patterns = { [[https://pr-\d+\.example\.net]] },
    })
    for _, origin in ipairs { APP, "https://a.example.org", "https://a.b.example.org", "http://x.test:8080",
      "http://localhost:3000", "https://pr-12.example.net" } do
      assert.equal(origin, fields_for(policy, origin)["access-control-allow-origin"], origin)
    end
    for _, origin in ipairs { "https://example.org", "http://a.example.org", "https://a.example.org:8443",
      "https://evilexample.org", "https://a.example.org.evil.test", "https://x@evil.test/.example.org", "null",
      "https://app.example.com.evil.test", "https://pr-1.example.net.evil.test", "xhttps://pr-1.example.net",
      "https://pr-1.example.net\n", "http://x.test", "https://.example.org" } do
      if not origin:find "\n" then assert.is_nil(fields_for(policy, origin)["access-control-allow-origin"], origin) end
    end
  end)

  it("refuses what is unsafe or can never match", function()
    for said, given in pairs {
      ["neither origins nor patterns names anybody"] = {},
      ["every site could act in the name of a user"] = { origins = { "*" }, credentials = true },
      ["every site can call itself 'null'"] = { origins = { "null" }, credentials = true },
      ["origins[2]: browsers would call it 'https://a.test', not 'https://a.test/'"] = { origins = { APP, "https://a.test/" } },
      ["origins[1]: browsers would call it 'https://a.test', not 'https://a.test:443'"] = { origins = { "https://a.test:443" } },
      ["origins[1]: 'a.test' is no origin"] = { origins = { "a.test" } },
      ["origins[1]: a star stands for the first names"] = { origins = { "https://a.*.test" } },
      ["patterns[1]: "] = { patterns = { "(" } },
      ["methods[1]: 'GET,PUT' cannot stand here"] = { origins = { APP }, methods = { "GET,PUT" } },
      ["expose: with credentials"] = { origins = { APP }, credentials = true, expose = { "*" } },
    } do
      local ok, message = pcall(testing.policy, "cors", given)
      assert.is_false(ok, said)
      assert.is_not_nil(tostring(message):find(said, 1, true), tostring(message))
    end
  end)
end)
