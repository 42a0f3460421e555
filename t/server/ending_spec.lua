-- The ends of a proxy: drained, stopped, told twice; and what becomes of requests under way.
local testing = require "moongate.testing"
local scenario = testing.scenario

---An origin that sends half of its answer, and the rest when the test says so.
local function half_origin(w)
  local gate = {}
  local origin = w:origin(function(conn)
    conn:request()
    conn:reply_head(200, { ["Content-Length"] = "10" })
    conn:send "12345"
    w:wait_for(function() return gate.open end, "the test to open the gate")
    conn:send "67890"
  end, { quiet = true })
  return origin, gate
end

local function begin_download(w, proxy)
  local client = w:client(proxy)
  client:send_request { path = "/slow" }
  local head = client:read_head()
  assert.equal("12345", client:receive(5))
  return client, head
end

---@return boolean
local function is_refused(w, address)
  return not pcall(function() w:client(address) end)
end

describe("SIGTERM", function()
  it("lets a download end, takes no new connections meanwhile, and ends with 0", scenario(function(w)
    local origin, gate = half_origin(w)
    local proxy = w:proxy { upstreams = { app = { servers = { origin } } } }
    local client = begin_download(w, proxy)
    proxy:signal "TERM"
    w:wait_for(function() return is_refused(w, proxy.address) end, "connections to be refused")
    gate.open = true
    assert.equal("67890", client:receive(5))
    client:expect_close()
    assert.equal(0, proxy:wait_exit().code)
  end))

  it("closes idle connections, and answers the last request of a busy one with Connection: close", scenario(function(w)
    local gate = {}
    local origin = w:http_origin(function()
      w:wait_for(function() return gate.open end, "the gate")
      return "late"
    end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      sites = { { routes = { { path = "/hi", reply = { body = "hi" } }, { upstream = "app" } } } },
    }
    local idle, busy = w:client(proxy), w:client(proxy)
    assert.is_nil(idle:get("/hi").headers.connection)
    busy:send_request { path = "/late" }
    w:wait_for(function() return origin.requests == 1 end, "the origin to be asked")
    proxy:signal "TERM"
    idle:expect_close()
    gate.open = true
    local answer = busy:read_response()
    assert.equal("late", answer.body)
    assert.equal("close", answer.headers.connection)
    busy:expect_close()
    assert.equal(0, proxy:wait_exit().code)
  end))

  it("accepts who waits in the queue already", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { handler = function(req)
      if req.path == "/block" then
        local file
        require("moongate.log").info "blocking"
        repeat file = io.open "go" until file
        file:close()
      end
      return "served"
    end } } } } }
    local blocker = w:client(proxy)
    blocker:send_request { path = "/block" }
    proxy:wait_log "blocking"
    local waiting = {}
    for i = 1, 8 do
      waiting[i] = w:client(proxy)
      waiting[i]:send_request {}
    end
    proxy:signal "TERM"
    proxy:wait_log "draining"
    proxy:write("go", "")
    assert.equal("served", blocker:read_response().body)
    for _, client in ipairs(waiting) do assert.equal("served", client:read_response().body) end
    assert.equal(0, proxy:wait_exit().code)
  end))

  it("keeps a tunnel until timeouts.drain, then cuts it", scenario(function(w)
    local origin = w:origin(function(conn)
      local socket = conn:websocket_accept(conn:request())
      for message in socket.receive, socket do socket:send("echo " .. message) end
    end, { quiet = true })
    local proxy = w:proxy { upstreams = { app = { servers = { origin } } }, timeouts = { drain = "400ms" } }
    local client = w:client(proxy)
    local socket = w:websocket(client, "/chat")
    proxy:signal "TERM"
    proxy:wait_log "draining"
    socket:send "still there?"
    assert.equal("echo still there?", (socket:receive()))
    client:expect_end()
    assert.equal(0, proxy:wait_exit().code)
    assert.truthy(proxy:log():find "1 requests under way are cut")
  end))

  it("ends at once when it is sent twice", scenario(function(w)
    local proxy = w:proxy { upstreams = { app = { servers = { (half_origin(w)) } } } }
    local client = begin_download(w, proxy)
    proxy:signal "TERM"
    proxy:wait_log "draining"
    proxy:signal "TERM"
    assert.equal(0, proxy:wait_exit().code)
    client:expect_end()
  end))
end)

describe("SIGINT", function()
  it("ends at once", scenario(function(w)
    local proxy = w:proxy { upstreams = { app = { servers = { (half_origin(w)) } } } }
    local client = begin_download(w, proxy)
    proxy:signal "INT"
    assert.equal(0, proxy:wait_exit().code)
    client:expect_end()
  end))
end)

describe("SIGQUIT", function()
  it("drains as SIGTERM does", scenario(function(w)
    local origin, gate = half_origin(w)
    local proxy = w:proxy { upstreams = { app = { servers = { origin } } } }
    local client = begin_download(w, proxy)
    proxy:signal "QUIT"
    proxy:wait_log "draining"
    gate.open = true
    assert.equal("67890", client:receive(5))
    assert.equal(0, proxy:wait_exit().code)
  end))
end)

describe("a worker that is sent SIGTERM itself", function()
  it("drains, and another takes its place", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = { body = "hi" } } } } } }
    local before = proxy:workers()[1]
    require("moongate.testing.process").kill(before, "TERM")
    w:wait_for(function()
      local now = proxy:workers()[1]
      return now and now ~= before
    end, "another worker")
    assert.equal("hi", proxy:get("/").body)
  end))
end)

describe("moongate stop", function()
  it("cuts requests under way; quit lets them end", scenario(function(w)
    local origin, gate = half_origin(w)
    local config = { upstreams = { app = { servers = { origin } } } }
    local stopped, quitted = w:proxy(config), w:proxy(config)
    local cut, whole = begin_download(w, stopped), begin_download(w, quitted)
    stopped.asked_to_end = true
    assert.equal(0, (stopped:run "stop"))
    cut:expect_end()
    assert.equal(0, stopped:wait_exit().code)
    quitted.asked_to_end = true
    w:all(function() assert.equal(0, (quitted:run "quit")) end, function()
      quitted:wait_log "draining"
      gate.open = true
      assert.equal("67890", whole:receive(5))
      assert.equal(0, quitted:wait_exit().code)
    end)
  end))
end)

describe("workers", function()
  it("go when their master is killed", scenario(function(w)
    local proxy = w:proxy({ sites = { { routes = { { reply = { body = "hi" } } } } } }, { args = { "--workers", 2 } })
    proxy:signal "KILL"
    proxy:wait_exit()
    w:wait_for(function() return is_refused(w, proxy.address) end, "the last worker to go")
  end))
end)
