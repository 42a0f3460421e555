-- Policies come into service and leave it with their generation.
local testing = require "moongate.testing"
local scenario = testing.scenario

local CLOCK = [[
local task, time, log = require "moongate.task", require "moongate.time", require "moongate.log"
local clock = { options = { name = { type = "string", required = true } } }
function clock:start()
  time.sleep(0.001)
  self.ticks = 0
  task.every(0.002, function() self.ticks = self.ticks + 1 end)
  log.info("started", { name = self.name })
end
function clock:stop()
  local before = self.ticks
  time.sleep(0.01)
  log.info("stopped", { name = self.name, ticking = self.ticks ~= before })
end
function clock:response(req, res) res.headers["x-clock"] = self.name end
return clock
]]

---A configuration with the clock under that name, and one route that answers unless `more` says otherwise.
local function with_clock(name, more)
  local config = {
    policies = { { "clock", name = name } }, scripts = { clock = CLOCK },
    sites = { { routes = { { reply = { body = "ok" } } } } },
  }
  for key, value in pairs(more or {}) do config[key] = value end
  return config
end

describe("a policy", function()
  it("is started, stopped at a reload, and its timers end with it", scenario(function(w)
    local proxy = w:proxy(with_clock "one")
    proxy:wait_log "started name=one"
    assert.equal("one", proxy:get("/").headers["x-clock"])
    assert.is_true((proxy:reload(with_clock "two")))
    proxy:wait_log "stopped name=one ticking=false"
    proxy:wait_log "started name=two"
    assert.equal("two", proxy:get("/").headers["x-clock"])
  end))

  it("is stopped when the proxy ends", scenario(function(w)
    local proxy = w:proxy(with_clock "one")
    proxy:wait_log "started name=one"
    proxy:stop()
    assert.truthy(proxy:log():find "stopped name=one ticking=false")
  end))

  it("goes on with the request that began before a reload", scenario(function(w)
    local sites = { { routes = { { handler = function(req)
        local file
        require("moongate.log").info "began"
        repeat
          require("moongate.time").sleep(0.005)
          file = io.open("open")
        until file
        file:close()
        return req.path
      end } } } }
    local proxy = w:proxy(with_clock("one", { sites = sites }))
    local client = proxy:client()
    client:send_request { path = "/old" }
    proxy:wait_log "began"
    assert.is_true((proxy:reload(with_clock "two")))
    proxy:write("open", "")
    local answer = client:read_response()
    assert.equal("/old", answer.body)
    assert.equal("one", answer.headers["x-clock"])
    proxy:wait_log "stopped name=one"
  end))

  it("that fails in setup leaves the old generation in service", scenario(function(w)
    local proxy = w:proxy(with_clock "one")
    local ok, said = proxy:reload(with_clock("one", { scripts = {
      clock = "return { options = { name = 'string' }, setup = function() error 'no luck' end }",
    } }))
    assert.is_false(ok)
    assert.truthy(tostring(said):find("no luck", 1, true), said)
    assert.equal("one", proxy:get("/").headers["x-clock"])
  end))
end)

describe("a task", function()
  it("that a request spawned may outlive it, but not touch it", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { handler = function(req)
      local task, time, log = require "moongate.task", require "moongate.time", require "moongate.log"
      local path = req.path
      task.spawn(function()
        time.sleep(0.02)
        log.info("later", { path = path, req = select(2, pcall(function() return req.path end)) })
      end)
      return "sent"
    end } } } } }
    assert.equal("sent", proxy:get("/x").body)
    proxy:wait_log "later path=/x req=[^\n]*this request is over"
  end))
end)
