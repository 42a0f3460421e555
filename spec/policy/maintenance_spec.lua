local testing = require "moongate.testing"

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("the policy maintenance", function()
  it("answers everybody while it is on, and says when to come back", function()
    local answer = testing.policy("maintenance", { on = true, retry_after = "90s" }):access {}
    assert.equal(503, answer.status)
    assert.equal(90, answer.headers["retry-after"])
    assert.equal("no-store", answer.headers["cache-control"])
    assert.equal("closed for maintenance, back soon\n", answer.body)
    answer = testing.policy("maintenance", { on = true, retry_after = 0, status = 500, body = "shut" }):access {}
    assert.is_nil(answer.headers["retry-after"])
    assert.equal(500, answer.status)
    assert.equal("shut", answer.body)
  end)

  it("follows a file without a reload", function()
    local path = os.tmpname()
    os.remove(path)
    local policy = testing.policy("maintenance", { file = path, every = "2s" })
    policy:start()
    assert.is_nil(policy:access {})
    write(path, "")
    assert.is_nil(policy:access {})
    policy:advance(2)
    assert.equal(503, policy:access({}).status)
    os.remove(path)
    policy:advance(2)
    assert.is_nil(policy:access {})
    assert.same({ "info: maintenance begins file=" .. path, "info: maintenance is over file=" .. path }, policy.logged)
  end)

  it("is on for requests that bear its header", function()
    local policy = testing.policy("maintenance", { header = "x-closed" })
    assert.is_nil(policy:access {})
    assert.equal(503, policy:access({ headers = { ["x-closed"] = "1" } }).status)
  end)

  it("lets in addresses, paths and who knows the secret", function()
    local policy = testing.policy("maintenance", { on = true, allow = { "10.0.0.0/8", "::1" }, except = { "/healthz" },
      bypass = { header = "x-preview", value = "long secret" } })
    assert.is_nil(policy:access { client = { ip = "10.1.1.1" } })
    assert.is_nil(policy:access { client = { ip = "::1" } })
    assert.is_nil(policy:access { path = "/healthz" })
    assert.is_nil(policy:access { headers = { ["x-preview"] = "long secret" } })
    assert.equal(503, policy:access({ headers = { ["x-preview"] = "long secrets" } }).status)
    assert.equal(503, policy:access({ client = { ip = "192.0.2.1" } }).status)
  end)

  it("shows a page of its own", function()
    local path = os.tmpname()
    write(path, "<h1>soon</h1>")
    local policy = testing.policy("maintenance", { on = true, page = path })
    os.remove(path)
    local answer = policy:access {}
    assert.equal("<h1>soon</h1>", answer.body)
    assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
  end)

  it("refuses mistakes when it is set up", function()
    for said, given in pairs {
      ["nothing switches it on"] = {},
      ["allow: '10.0.0.1/8' is no address"] = { on = true, allow = { "10.0.0.1/8" } },
      ["page: cannot read"] = { on = true, page = "/nowhere/page.html" },
      ["bypass: expected { header"] = { on = true, bypass = { header = "x" } },
      ["bypass: a value of less than 8 bytes"] = { on = true, bypass = { header = "x", value = "1" } },
      ["except[1]: a path begins with '/'"] = { on = true, except = { "x" } },
    } do
      local ok, message = pcall(testing.policy, "maintenance", given)
      assert.is_false(ok, said)
      assert.is_not_nil(tostring(message):find(said, 1, true), tostring(message))
    end
  end)
end)
