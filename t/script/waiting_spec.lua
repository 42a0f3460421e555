-- Waiting is real in every phase: the worker serves others meanwhile, and the hook goes on where it was.
local testing = require "moongate.testing"
local scenario = testing.scenario

---A policy whose hook of one phase waits until a file is there, and says so in the log.
local function gate(phase)
  return testing.lua(([[
    { %s = function(self, req)
        if req.path ~= "/slow" then return end
        local time, log = require "moongate.time", require "moongate.log"
        log.info "at the gate"
        repeat
          time.sleep(0.005)
          local file = io.open("open")
          if file then file:close() end
        until file
        req.ctx.waited = true
        log.info "through the gate"
      end }]]):format(phase))
end

describe("a worker", function()
  for _, phase in ipairs { "rewrite", "access", "response", "log" } do
    it(("serves others while a hook waits in %s"):format(phase), scenario(function(w)
      local origin = w:http_origin(function(request) return "hi " .. request.target end)
      local proxy = w:proxy { upstreams = { app = { servers = { origin } } }, policies = { gate(phase) } }
      local slow = proxy:client()
      slow:send_request { path = "/slow" }
      proxy:wait_log "at the gate"
      for i = 1, 5 do assert.equal("hi /" .. i, proxy:get("/" .. i).body) end
      assert.is_nil(proxy:log():find "through the gate")
      proxy:write("open", "")
      assert.equal("hi /slow", slow:read_response().body)
      proxy:wait_log "through the gate"
    end))
  end

  it("serves others while a hook waits for a failure's page", scenario(function(w)
    local proxy = w:proxy { upstreams = { app = { servers = { w:closed_port() } } }, policies = { gate "failed" } }
    local slow = proxy:client()
    slow:send_request { path = "/slow" }
    proxy:wait_log "at the gate"
    assert.equal(502, proxy:get("/other").status)
    proxy:write("open", "")
    assert.equal(502, slow:read_response().status)
  end))

  it("lets go of a client whose hook for the log still waits", scenario(function(w)
    local proxy = w:proxy {
      policies = { gate "log" }, sites = { { routes = { { reply = { body = "ok" } } } } },
    }
    local client = proxy:client()
    assert.equal("ok", client:get("/slow").body)
    assert.equal("ok", client:get("/next").body)
    proxy:write("open", "")
    proxy:wait_log "through the gate"
  end))
end)

describe("a hook that waits", function()
  it("is given up after timeouts.script, with 500 or 504 and a line that names the wait", scenario(function(w)
    local proxy = w:proxy {
      timeouts = { script = "50ms" },
      sites = { { routes = { { path = "/for-ever", handler = function() require("moongate.time").sleep(1000) end },
        { reply = { body = "ok" } } } } },
    }
    local client = proxy:client()
    local answer = client:get "/for-ever"
    assert.is_true(answer.status == 500 or answer.status == 504, answer.status)
    proxy:wait_log "timeouts.script"
    assert.equal("ok", proxy:get("/").body)
  end))

  it("is forgotten when its client goes away", scenario(function(w)
    local proxy = w:proxy {
      timeouts = { client_gone = "10ms" },
      sites = { { routes = { { path = "/wait", handler = function(req)
        require("moongate.log").info "began"
        require("moongate.time").sleep(1000)
        return req.path
      end }, { reply = { body = "ok" } } } } },
    }
    local client = proxy:client()
    client:send_request { path = "/wait" }
    proxy:wait_log "began"
    client:close()
    assert.equal("client_gone", proxy:wait_access(1)[1]["end"])
    assert.equal("ok", proxy:get("/").body)
  end))

  it("may stream an answer, piece by piece, as the client takes it", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { handler = function()
      local n = 0
      return {
        headers = { ["content-type"] = "text/event-stream" },
        body = function()
          n = n + 1
          if n > 3 then return nil end
          require("moongate.time").sleep(0.01)
          return "data: " .. n .. "\n\n"
        end,
      }
    end } } } } }
    local client = proxy:client()
    client:send_request { path = "/" }
    local answer = client:read_head()
    assert.equal("text/event-stream", answer.headers["content-type"])
    assert.equal("data: 1\n\ndata: 2\n\ndata: 3\n\n", client:read_body(answer))
    assert.equal(200, client:get("/").status)
  end))

  it("pulls no more of a body than the client has room for", scenario(function(w)
    local proxy = w:proxy { timeouts = { client_write = "20s" }, sites = { { routes = { { handler = function()
      _G.pulled = 0
      return { body = function()
        _G.pulled = _G.pulled + 1
        if _G.pulled <= 1000 then return ("x"):rep(100000) end
      end }
    end }, { path = "/pulled", handler = function() return tostring(_G.pulled) end } } } } }
    local slow = w:client(proxy, { rcvbuf = 4096 })
    slow:send_request { path = "/" }
    slow:read_head()
    local before = -1
    local pulled = w:wait_for(function()
      local now = tonumber(proxy:get("/pulled").body)
      local still = now == before
      before = now
      return still and now
    end, "the pulling to stop")
    assert.is_true(pulled < 100, pulled)
    slow:close()
  end))
end)

describe("req:body()", function()
  it("waits for the whole body and leaves it for the origin", scenario(function(w)
    local origin = w:http_origin(function(request) return request.headers["x-sum"] .. " " .. #request.body end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { function(req)
        local text = req:body()
        req.headers["x-sum"] = #text .. text:sub(1, 3) .. text:sub(-3)
      end },
    }
    local client = proxy:client()
    assert.equal("200000abcxyz 200000", client:post("/", "abc" .. ("-"):rep(199994) .. "xyz").body)
    client:send_head { method = "POST", path = "/", headers = { ["transfer-encoding"] = "chunked" } }
    client:chunk "abc"
    client:chunk "xyz"
    client:last_chunk()
    assert.equal("6abcxyz 6", client:read_response().body)
    assert.equal("0 0", client:get("/").body)
  end))

  it("says when the body is larger than its limit", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { handler = function(req)
      local text, message, code = req:body("1k")
      if not text then return { status = 413, body = code .. ": " .. message } end
      return "read " .. #text
    end } } } } }
    assert.equal("read 1024", proxy:request({ method = "POST", body = ("x"):rep(1024) }).body)
    local answer = proxy:request { method = "POST", body = ("x"):rep(1025) }
    assert.equal(413, answer.status)
    assert.equal("limit: the body is larger than 1024 bytes", answer.body)
  end))
end)
