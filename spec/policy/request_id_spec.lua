local testing = require "moongate.testing"

describe("the policy request_id", function()
  it("tells origin and client the request's own id", function()
    local policy = testing.policy("request_id")
    local answer, req = policy:access { id = "abc", headers = { ["x-request-id"] = "brought" } }
    assert.is_nil(answer)
    assert.equal("abc", req.headers["x-request-id"])
    local _, _, res = policy:response(req)
    assert.equal("abc", res.headers["x-request-id"])
  end)

  it("keeps an id that the request brings when it is told to trust", function()
    local policy = testing.policy("request_id", { trust = true, header = "x-correlation-id" })
    local _, req = policy:access { id = "abc", headers = { ["x-correlation-id"] = "their-id.1" } }
    assert.equal("their-id.1", req.id)
    assert.equal("their-id.1", req.headers["x-correlation-id"])
  end)

  it("throws away an id that logs would stumble over", function()
    local policy = testing.policy("request_id", { trust = true })
    for _, bad in ipairs { "a b", "a\"b", ("x"):rep(129), "<script>" } do
      local _, req = policy:access { id = "abc", headers = { ["x-request-id"] = bad } }
      assert.equal("abc", req.headers["x-request-id"])
    end
  end)
end)
