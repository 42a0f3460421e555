-- Workers that die or hang: replaced, and nobody but their own connections is harmed.
local testing = require "moongate.testing"
local process = require "moongate.testing.process"
local scenario = testing.scenario

local HI = { { routes = { { reply = { body = "hi" } } } } }

local function wait_for_another(w, proxy, before)
  return w:wait_for(function()
    local now = proxy:workers()
    return now[1] and now[1] ~= before and now[1]
  end, "another worker")
end

describe("a worker that is killed", function()
  it("is replaced, and who waits in the queue of its socket is served by the next", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { handler = function(req)
      if req.path == "/block" then
        require("moongate.log").info "blocking"
        while true do end
      end
      return "served"
    end } } } } }
    local before = proxy:workers()[1]
    local blocker = w:client(proxy)
    blocker:send_request { path = "/block" }
    proxy:wait_log "blocking"
    local waiting = {}
    for i = 1, 8 do
      waiting[i] = w:client(proxy)
      waiting[i]:send_request {}
    end
    process.kill(before, "KILL")
    for _, client in ipairs(waiting) do assert.equal("served", client:read_response().body) end
    wait_for_another(w, proxy, before)
    proxy:wait_log "worker 0 %(process %d+%) died of signal 9"
  end))

  it("takes its gauges along", scenario(function(w)
    local proxy = w:proxy { sites = HI }
    local client = w:client(proxy)
    client:get "/"
    w:wait_for(function() return proxy:metric("moongate_connections", { worker = 0 }) == 1 end, "the connection to count")
    local before = proxy:workers()[1]
    process.kill(before, "KILL")
    wait_for_another(w, proxy, before)
    client:expect_end()
    w:wait_for(function() return proxy:metric("moongate_connections", { worker = 0 }) == 0 end, "the gauge to be zero")
    assert.equal(1, proxy:metric("moongate_worker_restarts_total", { worker = 0 }))
  end))

  it("again and again is replaced later and later", scenario(function(w)
    local proxy = w:proxy { sites = HI }
    local pauses = {}
    for i = 1, 4 do
      local before, start = proxy:workers()[1], w:time()
      process.kill(before, "KILL")
      wait_for_another(w, proxy, before)
      pauses[i] = w:time() - start
    end
    assert.is_true(pauses[4] >= 0.35, "the fourth came after " .. pauses[4])
    assert.equal("hi", proxy:get("/").body)
  end))

  it("leaves the other workers' connections alone", scenario(function(w)
    local proxy = w:proxy({ sites = HI }, { args = { "--workers", 2 } })
    local clients = {}
    for i = 1, 40 do
      clients[i] = w:client(proxy)
      assert.equal("hi", clients[i]:get("/").body)
    end
    local counts = {}
    for _, worker in ipairs(proxy:status().workers) do counts[worker.pid] = worker.connections end
    local killed = proxy:workers()[1]
    process.kill(killed, "KILL")
    local alive = 0
    for _, client in ipairs(clients) do
      if pcall(client.get, client, "/") then alive = alive + 1 end
    end
    assert.equal(40 - counts[killed], alive)
  end))
end)

describe("the watchdog", function()
  it("kills a worker that is stuck, and the log names the script and the URL", scenario(function(w)
    local proxy = w:proxy({ budgets = { cpu = "60s" }, sites = { { routes = {
      { path = "/stuck", policies = { "endless" }, reply = {} }, { reply = { body = "hi" } },
    } } } }, {
      args = { "--watchdog", 1 },
      scripts = { endless = "local endless = {}\nfunction endless:access() while true do end end\nreturn endless\n" },
    })
    local client = w:client(proxy)
    client:send_request { path = "/stuck?x=1" }
    local busy = proxy:wait_log "has been stuck for %d+ ms in ([^\n]+); it is killed"
    assert.truthy(busy:find("endless", 1, true), busy)
    assert.truthy(busy:find("/stuck", 1, true), busy)
    client:expect_end()
    w:wait_for(function() return pcall(function() assert.equal("hi", proxy:get("/").body) end) end, "service to go on")
  end))

  it("leaves a worker alone whose scripts only wait", scenario(function(w)
    local proxy = w:proxy({ sites = { { routes = { { handler = function()
      require("moongate.time").sleep(1.6)
      return "waited"
    end } } } } }, { args = { "--watchdog", 1 } })
    local before = proxy:workers()[1]
    assert.equal("waited", proxy:get("/").body)
    assert.equal(before, proxy:workers()[1])
  end))
end)
