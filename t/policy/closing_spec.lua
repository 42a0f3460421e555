-- Policies that close the door for a while, in a real proxy.
local testing = require "moongate.testing"
local scenario = testing.scenario

describe("maintenance", function()
  it("begins and ends with a file, without a reload", scenario(function(w)
    local dir = w:dir { ["page.html"] = "<h1>soon</h1>" }
    local switch = dir .. "/closed"
    local proxy = w:proxy {
      policies = { { "maintenance", file = switch, every = 0.1, page = dir .. "/page.html", except = { "/healthz" } } },
      sites = { { routes = { { reply = { body = "open" } } } } },
    }
    local client = proxy:client()
    assert.equal("open", client:get("/").body)
    assert(io.open(switch, "w")):close()
    proxy:wait_log "maintenance begins"
    local answer = client:get "/"
    assert.equal(503, answer.status)
    assert.equal("<h1>soon</h1>", answer.body)
    assert.equal("300", answer.headers["retry-after"])
    assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
    assert.equal("open", client:get("/healthz").body)
    os.remove(switch)
    proxy:wait_log "maintenance is over"
    assert.equal("open", client:get("/").body)
  end))
end)

describe("bot_filter", function()
  it("refuses by name, and who went into a honeypot wherever they go next", scenario(function(w)
    local origin = w:http_origin(function() return "page" end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } }, trusted_proxies = { "127.0.0.0/8" },
      policies = { { "bot_filter", agents = { "badbot" }, honeypots = { "/trap/*" } } },
    }
    local client = proxy:client()
    local function status(path, address, agent)
      return client:get(path, { headers = { ["x-forwarded-for"] = address, ["user-agent"] = agent } }).status
    end
    assert.equal(403, status("/", "192.0.2.1", "BadBot/1"))
    assert.equal(200, status("/", "192.0.2.1", "browser"))
    assert.equal(403, status("/trap/x", "192.0.2.1", "browser"))
    assert.equal(403, status("/", "192.0.2.1", "browser"))
    assert.equal(200, status("/", "192.0.2.2", "browser"))
    assert.equal(2, origin.requests)
  end))
end)
