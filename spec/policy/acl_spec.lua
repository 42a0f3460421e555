local testing = require "moongate.testing"

local function status(policy, req)
  local answer = policy:access(req)
  return answer and answer.status
end

local function with_rules(...)
  return testing.policy("acl", { rules = { ... } })
end

describe("the policy acl", function()
  it("lets the first rule that fits decide, and refuses when none does", function()
    local policy = with_rules({ deny = true, paths = { "/a/b/*" } }, { allow = true, paths = { "/a/*" } })
    assert.equal(403, status(policy, { path = "/a/b/c" }))
    assert.equal(403, status(policy, { path = "/a/b" }))
    assert.is_nil(status(policy, { path = "/a/c" }))
    assert.is_nil(status(policy, { path = "/a" }))
    assert.equal(403, status(policy, { path = "/" }))
    policy = testing.policy("acl", { rules = { { deny = true, paths = { "/a" } } }, default = "allow" })
    assert.is_nil(status(policy, { path = "/" }))
  end)

  it("asks for everything that a rule names, and for any entry of each list", function()
    local policy = with_rules { allow = true, methods = { "GET", "PUT" }, hosts = { "a.test" }, addresses = { "10.0.0.0/8", "::1" } }
    local function ask(method, host, ip) return status(policy, { method = method, host = host, client = { ip = ip } }) end
    assert.is_nil(ask("GET", "a.test", "10.1.1.1"))
    assert.is_nil(ask("PUT", "a.test", "::1"))
    assert.equal(403, ask("POST", "a.test", "10.1.1.1"))
    assert.equal(403, ask("GET", "b.test", "10.1.1.1"))
    assert.equal(403, ask("GET", "a.test", "192.0.2.1"))
  end)

  it("knows users, keys, roles and claims that earlier policies have found", function()
    local policy = with_rules({ allow = true, users = { "ann" } }, { allow = true, api_keys = { "k1" } },
      { allow = true, roles = { "admin" } }, { allow = true, claims = { ["org.id"] = 7, level = { "a", "b" } } })
    for _, ctx in ipairs { { user = "ann" }, { api_key = "k1" }, { claims = { roles = { "dev", "admin" } } },
      { claims = { roles = "admin" } }, { claims = { org = { id = 7 }, level = "b" } } } do
      assert.is_nil(status(policy, { ctx = ctx }))
    end
    for _, ctx in ipairs { {}, { user = "bob" }, { api_key = "k2" }, { claims = {} }, { claims = { roles = { "dev" } } },
      { claims = { roles = "no admin" } }, { claims = { org = { id = 7 } } }, { claims = { org = 7, level = "a" } } } do
      assert.equal(403, status(policy, { ctx = ctx }))
    end
    assert.is_nil(status(with_rules { allow = true, users = { "*" } }, { ctx = { user = "x" } }))
    assert.equal(403, status(with_rules { allow = true, users = { "*" } }, {}))
  end)

  it("takes the words of a scope apart, and those of no other claim", function()
    local policy = testing.policy("acl", { rules = { { allow = true, roles = { "write" } } }, roles_claim = "scope" })
    assert.is_nil(status(policy, { ctx = { claims = { scope = "read write" } } }))
    assert.equal(403, status(policy, { ctx = { claims = { scope = "read writes" } } }))
    assert.equal(403, status(with_rules { allow = true, claims = { name = "root" } }, { ctx = { claims = { name = "not root" } } }))
  end)

  it("asks who has not said who they are, where it knows how", function()
    local policy = testing.policy("acl", { rules = { { allow = true, users = { "ann" } } }, challenge = "Bearer" })
    local answer = policy:access {}
    assert.equal(401, answer.status)
    assert.equal("Bearer", answer.headers["www-authenticate"])
    assert.equal(403, status(policy, { ctx = { user = "bob" } }))
  end)

  it("refuses mistakes when it is set up, with the place of the rule", function()
    for said, rule in pairs {
      ["rules[1]: a rule says allow = true or deny = true"] = { paths = { "/" } },
      ["rules[1]: a rule says"] = { allow = true, deny = true },
      ["rules[1]: unknown key 'path'; there are allow, deny"] = { allow = true, path = { "/" } },
      ["rules[1].users: expected a list that is not empty"] = { allow = true, users = {} },
      ["rules[1].paths: expected a list"] = { allow = true, paths = "/" },
      ["rules[1].paths[1]: a path begins with"] = { allow = true, paths = { "x" } },
      ["rules[1].methods[1]: expected a text"] = { allow = true, methods = { 1 } },
      ["rules[1].addresses: '10.0.0.1/8' is no address"] = { allow = true, addresses = { "10.0.0.1/8" } },
      ["rules[1].claims: expected { claim = { values } }"] = { allow = true, claims = { "x" } },
    } do
      local ok, message = pcall(with_rules, rule)
      assert.is_false(ok, said)
      assert.is_not_nil(tostring(message):find(said, 1, true), tostring(message))
    end
    assert.is_false((pcall(testing.policy, "acl", {})))
  end)
end)
