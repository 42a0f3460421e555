local testing = require "moongate.testing"

describe("the policy api_key", function()
  it("lets in who brings a known key, and shares the key with later policies", function()
    local policy = testing.policy("api_key", { keys = { "k1", "k2" } })
    local answer, req = policy:access { headers = { ["x-api-key"] = "k2" } }
    assert.is_nil(answer)
    assert.equal("k2", req.ctx.api_key)
    assert.equal("k2", req.headers["x-api-key"])
  end)

  it("answers 401 to others, and says whether a key was missing or unknown", function()
    local policy = testing.policy("api_key", { keys = { "k1" } })
    local answer = policy:access { headers = { ["x-api-key"] = "K1" } }
    assert.equal(401, answer.status)
    assert.equal("unknown key\n", answer.body)
    assert.equal("ApiKey", answer.headers["www-authenticate"])
    assert.equal("a key is needed\n", policy:access({}).body)
  end)

  it("looks at an argument only when one is named", function()
    local policy = testing.policy("api_key", { keys = { "k1" }, arg = "key" })
    assert.is_nil(policy:access { path = "/?key=k1" })
    assert.equal(401, testing.policy("api_key", { keys = { "k1" } }):access({ path = "/?key=k1" }).status)
  end)

  it("keeps the key from the origin when it is told to", function()
    local policy = testing.policy("api_key", { keys = { "k1" }, forward = false, header = "x-k" })
    local _, req = policy:access { headers = { ["x-k"] = "k1" } }
    assert.is_nil(req.headers["x-k"])
  end)

  it("refuses to work without keys, and with an empty one", function()
    for _, given in ipairs { {}, { keys = {} }, { keys = { "" } } } do
      assert.is_false((pcall(testing.policy, "api_key", given)))
    end
  end)
end)
