-- A new master from the binary on disk takes over the listening sockets; the old one drains.
local testing = require "moongate.testing"
local process = require "moongate.testing.process"
local scenario = testing.scenario

local function saying(text, more)
  local config = { sites = { { routes = { { path = "/hi", reply = { body = text } }, { upstream = "app" } } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return config
end

---Upgrades, lets the old master end, and returns what ends the new one.
local function upgrade(w, proxy)
  local answer = proxy:api("POST", "/v1/upgrade")
  assert.equal(200, answer.status, answer.body)
  local pid = require("cjson").decode(answer.body).pid
  return pid, function()
    assert.equal(0, (proxy:run "quit")) -- returns when it has ended
    w:wait_for(function() return not process.group_lives(proxy.pid) end, "the new master to end")
  end
end

describe("an upgrade", function()
  it("hands the same port to a new master, while a download of the old one goes on", scenario(function(w)
    local gate = {}
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { ["Content-Length"] = "10" })
      conn:send "12345"
      w:wait_for(function() return gate.open end, "the gate")
      conn:send "67890"
    end, { quiet = true })
    local proxy = w:proxy(saying("old", { upstreams = { app = { servers = { origin } } } }))
    local download = w:client(proxy)
    download:send_request { path = "/slow" }
    download:read_head()
    assert.equal("12345", download:receive(5))
    proxy:write("moongate.lua", ('return { workers = 1, listeners = { { bind = "127.0.0.1:0" } }, access_log = { off = true }, '
      .. 'sites = { { routes = { { reply = { body = "new" } } } } } }'))
    proxy.asked_to_end = true
    local pid, finish = upgrade(w, proxy)
    assert.are_not.equal(proxy.pid, pid)
    -- A worker of the old one may take one more connection before it hears that it drains.
    local body
    repeat body = proxy:get("/hi").body until body ~= "old"
    assert.equal("new", body)
    assert.equal(pid, proxy:status().pid)
    gate.open = true
    assert.equal("67890", download:receive(5))
    assert.equal(0, proxy:wait_exit().code)
    assert.equal("new", proxy:get("/hi").body)
    finish()
  end))

  it("loses no request", scenario(function(w)
    local origin = w:http_origin(function(request) return request.target end)
    local proxy = w:proxy({ upstreams = { app = { servers = { origin } } } }, { args = { "--workers", 2 } })
    local over, served, finish = false, 0, nil
    local function keep_asking()
      while not over do
        served = served + 1
        local path = "/" .. served
        assert.equal(path, proxy:get(path).body)
      end
    end
    w:all(function()
      proxy.asked_to_end = true
      for _ = 1, 2 do
        local _
        _, finish = upgrade(w, proxy)
      end
      over = true
    end, keep_asking, keep_asking, keep_asking)
    assert.is_true(served > 20, served .. " served")
    assert.equal(0, proxy:wait_exit().code)
    finish()
  end))

  it("that does not get ready leaves the old master as it was", scenario(function(w)
    local proxy = w:proxy(saying("old", { upstreams = { app = { servers = { "127.0.0.1:1" } } } }))
    proxy:write("moongate.lua", "return { nonsense = true }")
    local answer = proxy:api("POST", "/v1/upgrade")
    assert.equal(500, answer.status)
    assert.truthy(answer.body:find "the new master ended with status 1", answer.body)
    assert.truthy(proxy:log():find "unknown key 'nonsense'")
    assert.equal("old", proxy:get("/hi").body)
    assert.equal(proxy.pid, proxy:status().pid)
  end))

  it("that is under way ends with the proxy", scenario(function(w)
    local proxy = w:proxy(saying("old", { upstreams = { app = { servers = { "127.0.0.1:1" } } } }))
    proxy:write("moongate.lua", "while not io.open 'never' do end")
    proxy:signal "USR2"
    proxy:wait_log "upgrade: starting"
    proxy:signal "TERM"
    assert.equal(0, proxy:wait_exit().code)
    assert.truthy(proxy:log():find "upgrade failed: the proxy ends")
  end))

  it("is done by SIGUSR2, takes the pid file along, and can be done again", scenario(function(w)
    local proxy = w:proxy { pid_file = "moongate.pid", sites = { { routes = { { reply = { body = "hi" } } } } } }
    local function pid_in_file()
      local file = io.open(proxy.dir .. "/moongate.pid")
      local text = file and file:read "*l"
      if file then file:close() end
      return tonumber(text)
    end
    assert.equal(proxy.pid, pid_in_file())
    proxy.asked_to_end = true
    proxy:signal "USR2"
    assert.equal(0, proxy:wait_exit().code)
    local second = w:wait_for(function() return pid_in_file() end, "the new pid file")
    assert.are_not.equal(proxy.pid, second)
    process.kill(second, "USR2")
    local third = w:wait_for(function()
      local now = pid_in_file()
      return now and now ~= second and now
    end, "the third master")
    assert.equal("hi", proxy:get("/").body)
    w:wait_for(function() return proxy:status().pid == third end, "the third master's control socket")
    assert.equal(0, (proxy:run "stop"))
    w:wait_for(function() return not process.group_lives(proxy.pid) end, "all to end")
    assert.is_nil(pid_in_file())
    assert.is_nil((io.open(proxy.control)))
  end))
end)
