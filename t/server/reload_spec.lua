-- A new generation in every worker or in none, beside requests, tunnels and connections that go on.
local testing = require "moongate.testing"
local scenario = testing.scenario

local function saying(text, more)
  local config = { sites = { { routes = { { reply = { body = text } } } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return config
end

local function is_refused(w, address)
  return not pcall(function() w:client(address) end)
end

describe("a reload", function()
  it("serves the new configuration on connections that were open before", scenario(function(w)
    local proxy = w:proxy(saying "one")
    local client = w:client(proxy)
    assert.equal("one", client:get("/").body)
    assert.is_true((proxy:reload(saying "two")))
    assert.equal("two", client:get("/").body)
    assert.equal("two", proxy:get("/").body)
    assert.equal(2, proxy:status().generation)
  end))

  it("is done by SIGHUP as well", scenario(function(w)
    local proxy = w:proxy(saying "one")
    proxy:write("moongate.lua", 'return { listeners = { { bind = "127.0.0.1:0" } }, access_log = { off = true }, '
      .. 'sites = { { routes = { { reply = { body = "two" } } } } } }')
    proxy:signal "HUP"
    proxy:wait_log "generation 2 is in service"
    assert.equal("two", proxy:get("/").body)
  end))

  it("that is refused says every mistake, and the old generation goes on", scenario(function(w)
    local proxy = w:proxy(saying "one")
    local ok, said = proxy:reload {
      source = "return {\n  sites = { { routes = { { reply = {} } } } },\n  worker = 2,\n}", defaults = false,
    }
    assert.is_false(ok)
    local problem = require("cjson").decode(said)
    assert.equal(422, problem.status)
    assert.equal(1, #problem.errors)
    assert.truthy(problem.errors[1]:find "moongate.lua:3: unknown key 'worker'", problem.errors[1])
    assert.equal(1, problem.generation)
    proxy:wait_log "unknown key 'worker'"
    assert.equal("one", proxy:get("/").body)
    assert.is_true((proxy:reload(saying "two")))
    assert.equal("two", proxy:get("/").body)
  end))

  it("that one worker refuses is refused in all", scenario(function(w)
    local SETUP = [[
      local odd = {}
      function odd:setup()
        local file = assert(io.open "/proc/self/cmdline")
        local title = file:read "*a"
        file:close()
        if title:find "worker 1" then error "not in this worker" end
      end
      return odd
    ]]
    local proxy = w:proxy(saying "one", { args = { "--workers", 2 } })
    local ok, said = proxy:reload(saying("two", { policies = { "odd" }, scripts = { odd = SETUP } }))
    assert.is_false(ok)
    assert.truthy(said:find "not in this worker", said)
    for _ = 1, 20 do assert.equal("one", proxy:get("/").body) end
    assert.equal(1, proxy:metric "moongate_generation")
    assert.equal(1, proxy:metric("moongate_generations", { worker = 0 }))
  end))

  it("is refused when a worker dies while it builds the generation, and the worker is replaced", scenario(function(w)
    local SETUP = [[
      local ffi = require "ffi"
      ffi.cdef "int raise(int);"
      local deadly = {}
      function deadly:setup()
        local file = assert(io.open "/proc/self/cmdline")
        local title = file:read "*a"
        file:close()
        local first = not io.open "died"
        if title:find "worker" and first then
          io.open("died", "w"):close()
          ffi.C.raise(9)
        end
      end
      return deadly
    ]]
    local proxy = w:proxy(saying "one")
    local ok, said = proxy:reload(saying("two", { policies = { "deadly" }, scripts = { deadly = SETUP } }))
    assert.is_false(ok)
    assert.truthy(said:find "died of signal 9", said)
    w:wait_for(function()
      local first = proxy:status().workers[1]
      return first.state == "serving" and first.restarts == 1
    end, "the worker to be replaced")
    assert.is_true((proxy:reload()))
    assert.equal("two", proxy:get("/").body)
  end))

  it("lets a request end in the generation in which it began", scenario(function(w)
    local gate = {}
    local origin = w:http_origin(function()
      w:wait_for(function() return gate.open end, "the gate")
      return "from the origin"
    end)
    local function through(mark)
      return {
        upstreams = { app = { servers = { origin } } }, scripts = { mark = ([[
          local mark = {}
          function mark:response(req, res) res.headers["x-mark"] = %q end
          return mark]]):format(mark) },
        policies = { "mark" }, sites = { { routes = { { upstream = "app" } } } },
      }
    end
    local proxy = w:proxy(through "old")
    local client = w:client(proxy)
    client:send_request {}
    w:wait_for(function() return origin.requests == 1 end, "the origin to be asked")
    assert.is_true((proxy:reload(through "new")))
    w:wait_for(function() return proxy:metric("moongate_generations", { worker = 0 }) == 2 end, "two generations")
    gate.open = true
    assert.equal("old", client:read_response().headers["x-mark"])
    assert.equal("new", client:get("/").headers["x-mark"])
    w:wait_for(function() return proxy:metric("moongate_generations", { worker = 0 }) == 1 end, "the old one to go")
  end))

  it("leaves tunnels alone", scenario(function(w)
    local origin = w:origin(function(conn)
      local socket = conn:websocket_accept(conn:request())
      for message in socket.receive, socket do socket:send("echo " .. message) end
    end, { quiet = true })
    local config = { upstreams = { app = { servers = { origin } } } }
    local proxy = w:proxy(config)
    local socket = w:websocket(w:client(proxy), "/chat")
    for i = 1, 5 do
      assert.is_true((proxy:reload(config)))
      socket:send("message " .. i)
      assert.equal("echo message " .. i, (socket:receive()))
    end
    socket:close()
  end))

  it("keeps idle connections to origins", scenario(function(w)
    local origin = w:http_origin(function() return "hi" end)
    local config = { upstreams = { app = { servers = { origin } } } }
    local proxy = w:proxy(config)
    proxy:get "/"
    assert.is_true((proxy:reload(config)))
    proxy:get "/"
    assert.equal(1, origin.connections)
  end))

  it("ends the oldest generation when more are alive than limits.generations", scenario(function(w)
    local origin = w:origin(function(conn)
      local socket = conn:websocket_accept(conn:request())
      for message in socket.receive, socket do socket:send("echo " .. message) end
    end, { quiet = true })
    local config = { upstreams = { app = { servers = { origin } } }, limits = { generations = 3 } }
    local proxy = w:proxy(config)
    local tunnels = {}
    for i = 1, 4 do
      tunnels[i] = w:client(proxy)
      local socket = w:websocket(tunnels[i], "/chat")
      socket:send "hi"
      assert.equal("echo hi", (socket:receive()))
      tunnels[i].socket = socket
      assert.is_true((proxy:reload(config)))
    end
    tunnels[1]:expect_end()
    tunnels[2]:expect_end()
    for i = 3, 4 do
      tunnels[i].socket:send "still there?"
      assert.equal("echo still there?", (tunnels[i].socket:receive()))
    end
    proxy:wait_log "generation 1 is ended with 1 requests under way"
  end))

  it("adds and removes listeners", scenario(function(w)
    local function with(...)
      local listeners = {}
      for i, bind in ipairs { ... } do listeners[i] = { bind = bind } end
      return saying("hi", { listeners = listeners })
    end
    local proxy = w:proxy(with("127.0.0.1:0", "unix:one.sock"))
    local port, one = proxy.addresses[1], proxy.addresses[2]
    local old = w:client(one)
    assert.equal("hi", old:get("/").body)
    assert.is_true((proxy:reload(with("127.0.0.1:0", "unix:two.sock"))))
    w:wait_for(function() return proxy.addresses[3] end, "the new listener to be printed")
    local two = proxy.addresses[3]
    assert.equal("unix:" .. proxy.dir .. "/two.sock", two)
    assert.equal("hi", w:client(two):get("/").body)
    assert.equal("hi", w:client(port):get("/").body)
    assert.is_true(is_refused(w, one))
    assert.equal("hi", old:get("/").body)
    assert.is_nil((io.open(proxy.dir .. "/one.sock")))
  end))

  it("is refused when an address of a new listener is taken", scenario(function(w)
    local taken = w:origin(function() end)
    local proxy = w:proxy(saying "one")
    local ok, said = proxy:reload(saying("two", { listeners = { { bind = "127.0.0.1:0" }, { bind = taken.address } } }))
    assert.is_false(ok)
    assert.truthy(said:find("cannot listen on " .. taken.address, 1, true), said)
    assert.equal("one", proxy:get("/").body)
  end))

  it("changes the number of workers", scenario(function(w)
    local proxy = w:proxy(saying("hi", { workers = 1 }))
    local client = w:client(proxy)
    assert.equal("hi", client:get("/").body)
    assert.is_true((proxy:reload(saying("hi", { workers = 3 }))))
    w:wait_for(function() return proxy:metric "moongate_workers" == 3 end, "three workers")
    for _ = 1, 30 do assert.equal("hi", proxy:get("/").body) end
    assert.is_true((proxy:reload(saying("hi", { workers = 1 }))))
    w:wait_for(function() return #proxy:workers() == 1 end, "one worker")
    for _ = 1, 30 do assert.equal("hi", proxy:get("/").body) end
    assert.equal("hi", client:get("/").body)
  end))

  it("does not start a worker anew that still drains", scenario(function(w)
    local gate = {}
    local origin = w:http_origin(function()
      w:wait_for(function() return gate.open end, "the gate")
      return "late"
    end)
    local function with(workers)
      return { workers = workers, upstreams = { app = { servers = { origin } } } }
    end
    local proxy = w:proxy(with(2))
    local clients, answers = {}, 0
    for i = 1, 20 do
      clients[i] = w:client(proxy)
      clients[i]:send_request {}
    end
    w:wait_for(function() return origin.requests == 20 end, "all requests to be under way")
    assert.is_true((proxy:reload(with(1))))
    assert.is_true((proxy:reload(with(2))))
    proxy:wait_log "worker 1 still drains: 1 workers for now"
    gate.open = true
    for _, client in ipairs(clients) do answers = answers + (client:read_response().body == "late" and 1 or 0) end
    assert.equal(20, answers)
    w:wait_for(function() return #proxy:workers() == 1 end, "the worker to end")
    assert.is_true((proxy:reload(with(2))))
    for _ = 1, 10 do assert.equal("late", proxy:get("/").body) end
    assert.equal(2, #proxy:workers())
  end))

  it("is answered to all who asked at the same time", scenario(function(w)
    local proxy = w:proxy(saying "hi")
    local tasks = {}
    for i = 1, 6 do
      tasks[i] = function()
        assert.equal(200, proxy:api("POST", "/v1/reload").status)
      end
    end
    w:all(unpack(tasks))
    -- The first was under way when the others came; those share the next.
    local generation = proxy:status().generation
    assert.is_true(generation >= 2 and generation <= 7, "generation " .. generation)
    assert.equal("hi", proxy:get("/").body)
  end))

  it("moves the control socket when the configuration does", scenario(function(w)
    local function at(name) return saying("hi", { control = name, listeners = { { bind = "127.0.0.1:0" } } }) end
    local proxy = w:proxy(at "c1.sock")
    -- The kit names a socket on the command line, and that counts more than the configuration.
    assert.is_true((proxy:reload(at "c2.sock")))
    assert.is_nil((io.open(proxy.dir .. "/c2.sock")))
    assert.equal(2, proxy:status().generation)
  end))

  it("loses no request of a busy keep-alive client or of those who come anew", scenario(function(w)
    local origin = w:http_origin(function(request) return request.target end)
    local config = { upstreams = { app = { servers = { origin } } } }
    local proxy = w:proxy(config, { args = { "--workers", 2 } })
    local over, served = false, 0
    local function keep_asking(fresh)
      local client = w:client(proxy)
      while not over do
        served = served + 1
        local path = "/" .. served
        assert.equal(path, client:get(path).body)
        if fresh then
          client:close()
          client = w:client(proxy)
        end
      end
    end
    local function keep_reloading()
      for _ = 1, 15 do assert.is_true((proxy:reload(config))) end
      over = true
    end
    w:all(keep_reloading, keep_asking, keep_asking, function() keep_asking(true) end, function() keep_asking(true) end)
    assert.is_true(served > 50, served .. " served")
    assert.equal(16, proxy:status().generation)
  end))
end)
