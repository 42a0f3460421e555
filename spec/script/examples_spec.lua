---The example scripts do what their first lines say; what only a whole proxy can show stands in t/script.
package.path = "scripts/examples/?.lua;" .. package.path
local testing = require "moongate.testing"

describe("the example", function()
  it("canary sends the same clients to the other upstream each time", function()
    local policy = testing.policy("canary", { upstream = "next", percent = 30 })
    local sent = 0
    for i = 1, 250 do
      local ip = "10.0.0." .. i
      local _, req = policy:access { client = { ip = ip } }
      local _, again = policy:access { client = { ip = ip } }
      assert.equal(req.upstream, again.upstream)
      if req.upstream == "next" then sent = sent + 1 end
    end
    assert.is_true(sent > 25 and sent < 150, "sent " .. sent)
    local _, req = policy:access { client = { ip = "10.0.0.1" }, headers = { cookie = "canary=yes" } }
    assert.equal("next", req.upstream)
    local _, _, res = policy:response(req)
    assert.equal("canary=yes; Path=/; Max-Age=86400", res.headers["set-cookie"])
  end)

  it("friendly_errors speaks HTML to browsers and JSON to programs", function()
    local policy = testing.policy("friendly_errors")
    local page = policy:failed({ id = "abc", headers = { accept = "text/html" } }, { status = 502 })
    assert.equal(502, page.status)
    assert.is_not_nil(page.body:find("abc", 1, true))
    local answer = policy:failed({ id = "abc" }, { status = 504, error = "http_response_timeout" })
    assert.equal('{"error":"http_response_timeout","id":"abc","status":504}\n', answer.body)
  end)

  it("shut_by_file closes the site while the file is there, but not for the exceptions", function()
    local file = os.tmpname()
    local policy = testing.policy("shut_by_file", { file = file, except = { "10.0.0.9" } })
    assert.equal(503, policy:access({ client = { ip = "10.0.0.1" } }).status)
    assert.is_nil(policy:access { client = { ip = "10.0.0.9" } })
    os.remove(file)
    assert.is_nil(testing.policy("shut_by_file", { file = file }):access {})
  end)

  it("slow_down delays a client only after it was refused too often", function()
    local policy = testing.policy("slow_down", { after = 2, delay = "3s" })
    local before = policy.now
    for _ = 1, 2 do
      policy:access {}
      policy:log({}, { status = 401 })
    end
    assert.equal(before, policy.now)
    policy:access {}
    assert.equal(before + 3, policy.now)
    policy:log({}, { status = 200 })
    policy:access {}
    assert.equal(before + 3, policy.now)
  end)
end)
