local testing = require "moongate.testing"

local function status(policy, agent, more)
  local req = { headers = { ["user-agent"] = agent } }
  for name, value in pairs(more or {}) do req[name] = value end
  local answer = policy:access(req)
  return answer and answer.status
end

local function from(address, path)
  return { client = { ip = address }, path = path }
end

describe("the policy bot_filter", function()
  it("refuses agents by text and by pattern, whatever the letter case", function()
    local policy = testing.policy("bot_filter", { agents = { "BadBot", "a.b" }, patterns = { [[^python-requests/\d]], [[\bcurl\b]] } })
    for _, agent in ipairs { "Mozilla (badbot 1)", "xa.bx", "Python-Requests/2", "my curl 8" } do
      assert.equal(403, status(policy, agent), agent)
    end
    for _, agent in ipairs { "Mozilla/5.0", "axb", "not python-requests/2", "curly", "" } do
      assert.is_nil(status(policy, agent), agent)
    end
  end)

  it("lets listed agents and addresses in before all else", function()
    local policy = testing.policy("bot_filter", { agents = { "bot" }, allow_agents = { "GoodBot" }, allow = { "10.0.0.0/8" },
      honeypots = { "/trap/*" } })
    assert.is_nil(status(policy, "goodbot/1"))
    assert.equal(403, status(policy, "otherbot"))
    assert.is_nil(status(policy, "otherbot", from "10.1.1.1"))
    assert.is_nil(status(policy, "x", from("10.1.1.1", "/trap/a")))
    assert.is_nil(status(policy, "x", from "10.1.1.1"))
  end)

  it("refuses who has no name only when it is told to", function()
    assert.is_nil(status(testing.policy "bot_filter", nil))
    local policy = testing.policy("bot_filter", { empty = "deny", status = 429, body = "who?\n" })
    assert.equal(429, status(policy, nil))
    assert.equal("who?\n", policy:access({ headers = { ["user-agent"] = "" } }).body)
    assert.is_nil(status(policy, "x"))
  end)

  it("remembers for a while who went into a honeypot", function()
    local policy = testing.policy("bot_filter", { honeypots = { "/.env", "/trap/*" }, remember = "1h" })
    assert.is_nil(status(policy, "x", from("192.0.2.1", "/")))
    assert.equal(403, status(policy, "x", from("192.0.2.1", "/trap/1")))
    assert.equal(403, status(policy, "x", from("192.0.2.1", "/")))
    assert.is_nil(status(policy, "x", from("192.0.2.2", "/")))
    policy:advance(3601)
    assert.is_nil(status(policy, "x", from("192.0.2.1", "/")))
    assert.same({ "info: a robot went into a honeypot client=192.0.2.1 path=/trap/1" }, policy.logged)
    assert.equal(403, status(policy, "x", from("192.0.2.1", "/.env")))
    assert.equal(403, status(policy, "x", from("192.0.2.1", "/")))
  end)

  it("remembers a bounded number of addresses and forgets the oldest", function()
    local policy = testing.policy("bot_filter", { honeypots = { "/t" }, most = 100 })
    for i = 0, 999 do status(policy, "x", from(("10.0.%d.%d"):format(i / 250, i % 250), "/t")) end
    local count = 0
    for _ in pairs(policy.self.caught) do count = count + 1 end
    assert.equal(100, count)
    assert.equal(100, #policy.self.ring)
    assert.is_nil(status(policy, "x", from("10.0.0.0", "/")))
    assert.equal(403, status(policy, "x", from("10.0.3.249", "/")))
  end)

  it("looks at the beginning of an endless name, and refuses nobody for a pattern that gives up", function()
    local policy = testing.policy("bot_filter", { agents = { "evil" }, patterns = { [[^(a+)+$]] } })
    assert.is_nil(status(policy, ("x"):rep(2000) .. "evil"))
    assert.is_nil(status(policy, ("a"):rep(1000) .. "!"))
  end)

  it("refuses mistakes when it is set up", function()
    for said, given in pairs {
      ["patterns[1]: "] = { patterns = { "(" } }, ["agents[1]: an empty text"] = { agents = { "" } },
      ["honeypots[1]: a path begins"] = { honeypots = { "trap" } }, ["allow: 'x' is no address"] = { allow = { "x" } },
    } do
      local ok, message = pcall(testing.policy, "bot_filter", given)
      assert.is_false(ok, said)
      assert.is_not_nil(tostring(message):find(said, 1, true), tostring(message))
    end
  end)
end)
