-- Policies that let in or refuse, in a real proxy.
local testing = require "moongate.testing"
local scenario = testing.scenario

describe("ip_filter", function()
  it("judges the address that trusted proxies name, of either family", scenario(function(w)
    local proxy = w:proxy {
      trusted_proxies = { "127.0.0.0/8" },
      policies = { { "ip_filter", allow = { "10.0.0.0/8", "2001:db8::/32" }, deny = { "10.9.0.0/16" } } },
      sites = { { routes = { { reply = { body = "in" } } } } },
    }
    for address, status in pairs {
      ["10.1.2.3"] = 200, ["10.9.2.3"] = 403, ["192.0.2.1"] = 403, ["2001:db8::5"] = 200, ["2001:db9::5"] = 403,
    } do
      assert.equal(status, proxy:get("/", { headers = { ["x-forwarded-for"] = address } }).status, address)
    end
    assert.equal(403, proxy:get("/").status)
  end))

  it("keeps a reload from taking a wrong list into service", scenario(function(w)
    local sites = { { routes = { { reply = { body = "in" } } } } }
    local proxy = w:proxy { sites = sites, policies = { { "ip_filter", deny = { "192.0.2.1" } } } }
    local ok, said = proxy:reload { sites = sites, policies = { { "ip_filter", deny = { "192.0.2.1/24" } } } }
    assert.is_false(ok)
    assert.is_truthy(said:find("did you mean 192.0.2.0/24", 1, true), said)
    assert.equal("in", proxy:get("/").body)
  end))
end)

describe("basic_auth", function()
  it("asks, lets in, and tells the origin the name but not the password", scenario(function(w)
    local origin = w:http_origin(function(request)
      return request.headers["x-user"] .. " " .. tostring(request.headers.authorization)
    end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { { "basic_auth", user_header = "x-user", users = {
        ann = "pbkdf2:sha256:1000:c2FsdHNhbHQ=:hgR9HsqtKupWxpnv8y99TrPDajTT/9PcSTlNafpdLXQ=",
      } } },
    }
    local client = proxy:client()
    local answer = client:get("/", { headers = { ["x-user"] = "root" } })
    assert.equal(401, answer.status)
    assert.equal('Basic realm="restricted", charset="UTF-8"', answer.headers["www-authenticate"])
    assert.equal(401, client:get("/", { headers = { authorization = "Basic YW5uOndyb25n" } }).status)
    assert.equal(0, origin.requests)
    for _ = 1, 3 do
      answer = client:get("/", { headers = { authorization = "Basic YW5uOnNlY3JldA==", ["x-user"] = "root" } })
      assert.equal("ann nil", answer.body)
    end
  end))
end)
