local testing = require "moongate.testing"

local function status(policy, address)
  local answer = policy:access { client = { ip = address } }
  return answer and answer.status
end

describe("the policy ip_filter", function()
  it("lets the most specific block decide, whichever list it is in", function()
    local policy = testing.policy("ip_filter", {
      deny = { "10.9.0.0/16", "2001:db8::/32" }, allow = { "10.0.0.0/8", "10.9.9.9", "2001:db8:1::/48" },
    })
    assert.is_nil(status(policy, "10.1.1.1"))
    assert.equal(403, status(policy, "10.9.1.1"))
    assert.is_nil(status(policy, "10.9.9.9"))
    assert.equal(403, status(policy, "2001:db8::1"))
    assert.is_nil(status(policy, "2001:db8:1::1"))
  end)

  it("refuses all others when there is an allow list, and nobody else when there is only a deny list", function()
    assert.equal(403, status(testing.policy("ip_filter", { allow = { "::1" } }), "127.0.0.1"))
    assert.is_nil(status(testing.policy("ip_filter", { deny = { "::1" } }), "127.0.0.1"))
    assert.equal(403, status(testing.policy("ip_filter", { deny = { "::1" }, default = "deny" }), "127.0.0.1"))
    assert.is_nil(status(testing.policy("ip_filter", { allow = { "::1" }, default = "allow" }), "127.0.0.1"))
  end)

  it("answers with the status and text that were chosen", function()
    local policy = testing.policy("ip_filter", { allow = { "::1" }, status = 404, body = "nothing here\n" })
    local answer = policy:access { client = { ip = "10.0.0.1" } }
    assert.equal(404, answer.status)
    assert.equal("nothing here\n", answer.body)
  end)

  it("refuses mistakes when it is set up, with the place in its options", function()
    for said, given in pairs {
      ["allow[2]: '10.0.0.1/8' is no address and no block of addresses; did you mean 10.0.0.0/8?"] =
        { allow = { "::1", "10.0.0.1/8" } },
      ["deny[1]: ::1 is in both lists"] = { allow = { "::1" }, deny = { "::1" } },
      ["neither allow nor deny names an address"] = {},
    } do
      local ok, message = pcall(testing.policy, "ip_filter", given)
      assert.is_false(ok)
      assert.is_not_nil(tostring(message):find(said, 1, true), tostring(message))
    end
    assert.is_not_nil(testing.policy("ip_filter", { deny = { "::1", "::1" } }))
  end)
end)
