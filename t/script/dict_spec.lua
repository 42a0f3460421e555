-- Shared dictionaries: one for all workers, over reloads, deaths and upgrades.
local process = require "moongate.testing.process"
local scenario = require("moongate.testing").scenario

---The configuration of a proxy that counts and keeps, in a dictionary of all workers.
local function counting(more)
  local config = {
    workers = 2,
    dicts = { shared = "1m" },
    sites = { { routes = {
      { path = "/count", handler = function()
        local shared = require("moongate.dict").open "shared"
        local sum = shared:incr("hits", 1, { init = 0 })
        return { body = tostring(sum), headers = { ["x-pid"] = io.open("/proc/self/stat"):read "*l":match "^%d+" } }
      end },
      { path = "/later", handler = function()
        local sum = require("moongate.dict").open("later"):incr("hits", 1, { init = 0 })
        return { body = tostring(sum), headers = { ["x-pid"] = io.open("/proc/self/stat"):read "*l":match "^%d+" } }
      end },
      { path = "/set/:key/:value", handler = function(req)
        return tostring(require("moongate.dict").open("shared"):set(req.params.key, req.params.value))
      end },
      { path = "/get/:key", handler = function(req)
        return tostring(require("moongate.dict").open("shared"):get(req.params.key))
      end },
    } } },
  }
  for key, value in pairs(more or {}) do config[key] = value end
  return config
end

---Asks on new connections until every worker has answered; how often that was, and the pids.
local function ask_all(w, proxy, path)
  local pids, count, asked = {}, 0, 0
  while count < #proxy:workers() and asked < 200 do
    local client = w:client(proxy)
    local pid = client:get(path).headers["x-pid"]
    client:close()
    asked = asked + 1
    if not pids[pid] then pids[pid], count = true, count + 1 end
  end
  assert.equal(#proxy:workers(), count)
  return asked, pids
end

describe("a shared dictionary", function()
  it("is one for all workers", scenario(function(w)
    local proxy = w:proxy(counting())
    local asked = ask_all(w, proxy, "/count")
    assert.equal(tostring(asked + 1), proxy:get("/count").body)
  end))

  it("counts right when all workers count at once", scenario(function(w)
    local proxy = w:proxy(counting())
    local tasks = {}
    for i = 1, 8 do
      tasks[i] = function()
        local client = w:client(proxy)
        for _ = 1, 50 do client:get "/count" end
      end
    end
    w:all(unpack(tasks))
    assert.equal("401", proxy:get("/count").body)
  end))

  it("keeps what is in it over reloads, and comes with one that names it anew", scenario(function(w)
    local proxy = w:proxy(counting())
    assert.equal("true", proxy:get("/set/k/v").body)
    assert.is_true((proxy:reload(counting { dicts = { shared = "1m", later = "64k" } })))
    assert.equal("v", proxy:get("/get/k").body)
    local asked = ask_all(w, proxy, "/later")
    assert.equal(tostring(asked + 1), proxy:get("/later").body)
    assert.is_true((proxy:reload(counting { dicts = { shared = "1m", later = "128k" } })))
    assert.equal(tostring(asked + 2), proxy:get("/later").body)
    proxy:wait_log "dictionary 'later' keeps its size"
  end))

  it("that a reload names wrongly refuses the reload", scenario(function(w)
    local proxy = w:proxy(counting())
    local taken, said = proxy:reload(counting { policies = {
      { setup = function() require("moongate.dict").open "shred" end, access = function() end },
    } })
    assert.is_false(taken)
    assert.matches("no dictionary is named 'shred'; did you mean 'shared'%?", said)
    assert.equal("1", proxy:get("/count").body)
  end))

  it("outlives workers that are killed, and those that take their place find it", scenario(function(w)
    local proxy = w:proxy(counting())
    proxy:get "/set/k/v"
    local asked = ask_all(w, proxy, "/count")
    for _, pid in ipairs(proxy:workers()) do process.kill(pid, "KILL") end
    w:wait_for(function()
      local ok, answer = pcall(proxy.get, proxy, "/get/k")
      return ok and answer.body == "v"
    end, "a worker in the place of the dead")
    assert.equal(tostring(asked + 1), proxy:get("/count").body)
  end))

  it("forgets what lives no longer, and what was not used for longest when it is full", scenario(function(w)
    local proxy = w:proxy {
      dicts = { small = "64k" },
      sites = { { routes = {
        { path = "/brief", handler = function()
          local small = require("moongate.dict").open "small"
          small:set("k", "v", 0.01)
          require("moongate.time").sleep(0.05)
          return tostring(small:get "k")
        end },
        { path = "/fill", handler = function()
          local small = require("moongate.dict").open "small"
          small:set("kept", "v")
          for i = 1, 1000 do
            small:set("k" .. i, ("x"):rep(500))
            small:get "kept"
          end
          local stats = small:stats()
          return ("%s %s %s %s"):format(small:get "kept", tostring(small:get "k1"), #small:get "k1000",
            tostring(stats.evicted > 500 and stats.used <= stats.size))
        end },
      } } },
    }
    assert.equal("nil", proxy:get("/brief").body)
    assert.equal("v nil 500 true", proxy:get("/fill").body)
  end))

  it("is opened where a module is loaded, where a policy is set up, and in the configuration itself", scenario(function(w)
    local proxy = w:proxy {
      dicts = { shared = "64k" },
      policies = { "counts" },
      scripts = { counts = [[
local counts, shared = {}, require("moongate.dict").open "shared"
function counts:setup() self.own = require("moongate.dict").open "shared" self.own:set("from_setup", 1) end
function counts:access(req) req.ctx.n = shared:incr "from_setup" end
return counts
]] },
      sites = { { routes = { { handler = function(req) return tostring(req.ctx.n) end } } } },
    }
    assert.equal("2", proxy:get("/").body)
  end))

  it("can be updated by a function that waits", scenario(function(w)
    local proxy = w:proxy {
      dicts = { shared = "64k" },
      sites = { { routes = { { handler = function()
        local shared = require("moongate.dict").open "shared"
        local task = require "moongate.task"
        local function add()
          return shared:update("n", function(n)
            require("moongate.time").sleep(0.002)
            return (n or 0) + 1
          end)
        end
        task.all { add, add, add, add, add }
        return tostring(shared:get "n")
      end } } } },
    }
    assert.equal("5", proxy:get("/").body)
  end))

  it("tells its numbers", scenario(function(w)
    local proxy = w:proxy(counting())
    proxy:get "/set/k/v"
    assert.equal(1, proxy:metric("moongate_dict_items", { dict = "shared" }))
    assert.equal(2 ^ 20, proxy:metric("moongate_dict_size_bytes", { dict = "shared" }))
    assert.equal(0, proxy:metric("moongate_dict_evicted_total", { dict = "shared" }))
  end))

  it("goes over to the new master of an upgrade, and its workers", scenario(function(w)
    local proxy = w:proxy(counting())
    proxy:get "/set/k/v"
    local held = w:client(proxy)
    assert.equal("1", held:get("/count").body)
    proxy.asked_to_end = true
    local answer = proxy:api("POST", "/v1/upgrade")
    assert.equal(200, answer.status, answer.body)
    assert.equal("v", proxy:get("/get/k").body)
    assert.equal("2", proxy:get("/count").body)
    assert.equal(0, (proxy:run "quit"))
    w:wait_for(function() return not process.group_lives(proxy.pid) end, "the new master to end")
  end))
end)
