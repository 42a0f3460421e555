-- Answers that the proxy makes itself when something is wrong: status, form, Proxy-Status (RFC 9209).
local scenario = require("moongate.testing").scenario

---A proxy in front of nobody.
local function proxy_to_nobody(w)
  return w:proxy { upstreams = { app = { servers = { w:closed_port() } } } }
end

local function media_type(answer) return answer.headers["content-type"]:match "^[^;]+" end

describe("an error", function()
  local forms = {
    { nil, "text/plain" }, { "*/*", "text/plain" }, { "text/plain", "text/plain" }, { "image/png", "text/plain" },
    { "text/html", "text/html" }, { "text/html,application/xhtml+xml,*/*;q=0.8", "text/html" },
    { "application/json", "application/problem+json" }, { "application/problem+json", "application/problem+json" },
    { "text/html;q=0.5, application/json", "application/problem+json" }, { "application/json;q=0.1, text/html", "text/html" },
    { "application/json;q=0, */*", "text/plain" }, { "application/*", "application/problem+json" },
  }
  for _, form in ipairs(forms) do
    it(("is %s for a client that accepts %s"):format(form[2], form[1] or "whatever"), scenario(function(w)
      local answer = proxy_to_nobody(w):request { headers = form[1] and { accept = form[1] } or {} }
      assert.equal(502, answer.status)
      assert.equal(form[2], media_type(answer))
      assert.matches("502", answer.body, 1, true)
      assert.matches("Bad Gateway", answer.body, 1, true)
    end))
  end

  it("in JSON is a problem as RFC 9457 describes it", scenario(function(w)
    local answer = proxy_to_nobody(w):request { headers = { accept = "application/json" } }
    assert.same({ type = "about:blank", title = "Bad Gateway", status = 502 }, require("cjson").decode(answer.body))
  end))

  it("says nothing about servers and addresses to the client", scenario(function(w)
    local address = w:closed_port()
    local proxy = w:proxy { upstreams = { app = { servers = { address } } } }
    for _, accept in ipairs { "text/plain", "text/html", "application/json" } do
      local answer = proxy:request { headers = { accept = accept } }
      assert.is_nil((answer.raw_head .. answer.body):find(address, 1, true))
      assert.is_nil((answer.raw_head .. answer.body):find "refused by")
    end
  end))

  it("to HEAD has the length and no body", scenario(function(w)
    local client = w:client(proxy_to_nobody(w))
    for _ = 1, 2 do
      local answer = client:head "/"
      assert.equal(502, answer.status)
      assert.equal("16", answer.headers["content-length"])
    end
  end))

  it("leaves the connection to the client's next request", scenario(function(w)
    local client = w:client(proxy_to_nobody(w))
    for _ = 1, 3 do
      local answer = client:get "/"
      assert.equal(502, answer.status)
      assert.is_nil(answer.headers.connection)
    end
  end))

  it("names the proxy and the reason in Proxy-Status", scenario(function(w)
    assert.equal("moongate; error=connection_refused", proxy_to_nobody(w):get("/").headers["proxy-status"])
  end))

  it("names the proxy in Proxy-Status as Via does", scenario(function(w)
    local proxy = w:proxy { via = "edge-7", upstreams = { app = { servers = { w:closed_port() } } } }
    assert.equal("edge-7; error=connection_refused", proxy:get("/").headers["proxy-status"])
  end))

  it("names DNS in Proxy-Status when a server's name has no address", scenario(function(w)
    local proxy = w:proxy {
      resolver = { nameservers = { w:nameserver {} } },
      upstreams = { app = { servers = { "nobody.test:80" } } },
    }
    local answer = proxy:get "/"
    assert.equal(502, answer.status)
    assert.equal("moongate; error=dns_error", answer.headers["proxy-status"])
  end))

  it("of the client itself has a Proxy-Status, too", scenario(function(w)
    local client = w:client(proxy_to_nobody(w))
    client:send "GET / HTTP/1.1\r\n\r\n"
    client.outstanding = { "GET" }
    assert.equal("moongate; error=http_request_error", client:read_response().headers["proxy-status"])
  end))

  it("404 has none: it is the answer of a route that is not there", scenario(function(w)
    local answer = w:proxy({ sites = { { routes = { { path = "/x", reply = {} } } } } }):get "/y"
    assert.equal(404, answer.status)
    assert.is_nil(answer.headers["proxy-status"])
    assert.equal("404 Not Found\n", answer.body)
  end))

  it("of a script is 500 and says nothing about the script", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { handler = function() error "secret of the script" end } } } } }
    local answer = proxy:get "/"
    assert.equal(500, answer.status)
    assert.is_nil(answer.body:find "secret")
    proxy:wait_log "secret of the script"
    assert.equal("script_error", proxy:wait_access(1)[1]["end"])
  end))
end)
