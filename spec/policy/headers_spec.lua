local testing = require "moongate.testing"

describe("the policy headers", function()
  it("removes, sets and adds, in that order, on both ways", function()
    local policy = testing.policy("headers", {
      request = { set = { ["x-a"] = "new", ["x-n"] = 5 }, remove = { "x-debug", "x-a" }, add = { ["x-list"] = { "2", "3" } } },
      response = { set = { ["x-version"] = "1" }, remove = { "server" } },
    })
    local _, req = policy:access {
      headers = { ["x-a"] = "old", ["x-debug"] = "1", ["x-list"] = "1" },
    }
    assert.same({ "new" }, req.headers:all("x-a"))
    assert.equal("5", req.headers["x-n"])
    assert.is_nil(req.headers["x-debug"])
    assert.same({ "1", "2", "3" }, req.headers:all("x-list"))
    local _, _, res = policy:response(req, { headers = { server = "nginx" } })
    assert.equal("1", res.headers["x-version"])
    assert.is_nil(res.headers.server)
  end)

  it("replaces all fields of a name by those of a list", function()
    local policy = testing.policy("headers", { response = { set = { vary = { "accept", "cookie" } } } })
    local _, _, res = policy:response({}, { headers = { vary = "*" } })
    assert.same({ "accept", "cookie" }, res.headers:all("vary"))
  end)

  it("fills in what the request says", function()
    local policy = testing.policy("headers", {
      request = { set = {
        ["x-who"] = "${client.ip}/${request.method}", ["x-from"] = "<${header.x-b}>", ["x-none"] = "${arg.none}",
        ["x-user"] = "${param.user} of ${request.host}",
      } },
    })
    local _, req = policy:access {
      client = { ip = "192.0.2.1" }, method = "PUT", host = "example.com", headers = { ["x-b"] = "b" },
      params = { user = "ann" },
    }
    assert.equal("192.0.2.1/PUT", req.headers["x-who"])
    assert.equal("<b>", req.headers["x-from"])
    assert.equal("", req.headers["x-none"])
    assert.equal("ann of example.com", req.headers["x-user"])
  end)

  it("lets no control character of a decoded argument into a header", function()
    local policy = testing.policy("headers", { request = { set = { ["x-a"] = "${arg.a}" } } })
    local _, req = policy:access { path = "/?a=1%0d%0ax-evil:%202" }
    assert.equal("1  x-evil: 2", req.headers["x-a"])
  end)

  it("refuses mistakes when it is set up, with the place in its options", function()
    for said, given in pairs {
      ["request: unknown key 'sett'"] = { request = { sett = {} } },
      ["response.set: x y is not the name of a header"] = { response = { set = { ["x y"] = "1" } } },
      ["response.set.x-a: nothing is called ${client.iq}"] = { response = { set = { ["x-a"] = "${client.iq}" } } },
      ["request.add.x-a: expected a text, a number or a list, got a boolean"] = { request = { add = { ["x-a"] = true } } },
      ["request.remove: expected a list of names"] = { request = { remove = "x-a" } },
    } do
      local ok, message = pcall(testing.policy, "headers", given)
      assert.is_false(ok)
      assert.is_not_nil(tostring(message):find(said, 1, true), tostring(message))
    end
  end)
end)
