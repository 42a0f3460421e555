-- Policies about what browsers do, in a real proxy.
local testing = require "moongate.testing"
local scenario = testing.scenario

describe("cors", function()
  it("answers a preflight itself and marks the origin's answers and refusals of other policies", scenario(function(w)
    local origin = w:http_origin(function()
      return { headers = { ["access-control-allow-origin"] = "*", vary = "accept" }, body = "data" }
    end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { { "cors", origins = { "https://app.test" }, methods = { "PUT" }, credentials = true },
        { "api_key", keys = { "k" } } },
    }
    local client = proxy:client()
    local answer = client:options("/", { headers = { origin = "https://app.test", ["access-control-request-method"] = "PUT" } })
    assert.equal(204, answer.status)
    assert.equal("PUT", answer.headers["access-control-allow-methods"])
    assert.equal("600", answer.headers["access-control-max-age"])
    assert.equal(0, origin.requests)
    answer = client:get("/", { headers = { origin = "https://app.test", ["x-api-key"] = "k" } })
    assert.equal("data", answer.body)
    assert.same({ "https://app.test" }, answer.headers:all "access-control-allow-origin")
    assert.same({ "accept", "origin" }, answer.headers:all "vary")
    answer = client:get("/", { headers = { origin = "https://app.test" } })
    assert.equal(401, answer.status)
    assert.equal("https://app.test", answer.headers["access-control-allow-origin"])
    answer = client:get("/", { headers = { origin = "https://evil.test", ["x-api-key"] = "k" } })
    assert.is_nil(answer.headers["access-control-allow-origin"])
  end))
end)

describe("csrf", function()
  it("lets forms of its own pages through and refuses those of others, on any port", scenario(function(w)
    local origin = w:http_origin(function() return "done" end)
    local proxy = w:proxy { upstreams = { app = { servers = { origin } } }, policies = { "csrf" } }
    local client = proxy:client()
    assert.equal(200, client:post("/", "x", { headers = { origin = "http://" .. proxy.address } }).status)
    assert.equal(403, client:post("/", "x", { headers = { origin = "http://127.0.0.1:1" } }).status)
    assert.equal(403, client:post("/", "x", { headers = { ["sec-fetch-site"] = "cross-site" } }).status)
    assert.equal(200, client:get("/", { headers = { ["sec-fetch-site"] = "cross-site" } }).status)
    assert.equal(2, origin.requests)
  end))
end)

describe("redirect_https", function()
  it("redirects what came without TLS, unless a trusted proxy says that it came with it", scenario(function(w)
    local proxy = w:proxy {
      trusted_proxies = { "127.0.0.0/8" }, policies = { "redirect_https" },
      sites = { { routes = { { reply = { body = "safe" } } } } },
    }
    local client = proxy:client { host = "shop.test:8080" }
    local answer = client:get "/a%2Fb?x=%20"
    assert.equal(308, answer.status)
    assert.equal("https://shop.test/a%2Fb?x=%20", answer.headers.location)
    assert.equal("https://shop.test/a?b", client:get("http://shop.test:8080/a?b").headers.location)
    assert.equal("safe", client:get("/.well-known/acme-challenge/token").body)
    assert.equal("safe", client:get("/", { headers = { ["x-forwarded-proto"] = "https" } }).body)
    assert.equal("https://[::1]/", proxy:get("/", { host = "[::1]:8080" }).headers.location)
  end))
end)
