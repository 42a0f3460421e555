local testing = require "moongate.testing"
local scenario = testing.scenario

describe("a command", function()
  it("gives its exit status and both outputs", scenario(function(w)
    local code, out, err = w:command { program = "/bin/sh", "-c", "echo out; echo err >&2; exit 3" }
    assert.equal(3, code)
    assert.equal("out\n", out)
    assert.equal("err\n", err)
  end))

  it("runs in its folder with its environment", scenario(function(w)
    local dir = w:dir { ["here.txt"] = "found" }
    local _, out = w:command {
      program = "/bin/sh", "-c", "cat here.txt; echo \" $COLOUR ${HOME-unset}\"", dir = dir,
      env = { COLOUR = "green", HOME = false },
    }
    assert.equal("found green unset\n", out)
  end))

  it("that a signal ends has no exit status", scenario(function(w)
    assert.is_nil((w:command { program = "/bin/sh", "-c", "kill -9 $$" }))
  end))

  it("that does not exist fails with its name", function()
    local ok, err = pcall(scenario(function(w) w:command { program = "/nowhere/to/be/found" } end))
    assert.is_false(ok)
    assert.matches("cannot run /nowhere/to/be/found: No such file", tostring(err), 1, true)
  end)

  it("does not hold up the rest of the scenario", scenario(function(w)
    local origin = w:http_origin(function() return "meanwhile" end)
    local go = w:dir()
    w:all(function()
      local code = w:command { program = "/bin/sh", "-c", "while [ ! -e go ]; do sleep 0.01; done", dir = go }
      assert.equal(0, code)
    end, function()
      assert.equal("meanwhile", w:client(origin):get().body)
      io.open(go .. "/go", "w"):close()
    end)
  end))

  it("is ended with the scenario, together with all that it started", function()
    local pid
    local ok = pcall(scenario(function(w)
      local dir = w:dir()
      w:spawn(function() w:command { program = "/bin/sh", "-c", "sleep 60 & echo $! > pid; wait", dir = dir } end)
      pid = w:wait_for(function()
        local file = io.open(dir .. "/pid")
        local text = file and file:read "*a" or ""
        if file then file:close() end
        return tonumber(text:match "(%d+)\n")
      end)
      error "enough"
    end))
    assert.is_false(ok)
    local status = io.open(("/proc/%d/status"):format(pid))
    assert.is_true(not status or status:read("*a"):match "State:%s+Z" ~= nil)
  end)
end)

-- A shell script stands in for the program, so that what the kit does with it is tested without a proxy.
describe("a proxy's life", function()
  local function fake(w, script)
    local dir = w:dir { moongate = "#!/bin/sh\n" .. script }
    os.execute("chmod +x " .. dir .. "/moongate")
    return dir .. "/moongate"
  end

  ---Runs a scenario whose proxy is this script; returns the error it fails with.
  local function run(script, body)
    local proxy = require "moongate.testing.proxy"
    local binary = proxy.binary
    local ok, err = pcall(scenario(function(w)
      local path = fake(w, script)
      proxy.binary = function() return path end
      body(w, w:proxy { workers = 1 })
    end, { timeout = 5 }))
    proxy.binary = binary
    return not ok and tostring(err) or nil
  end

  local UP = "echo 'moongate: listening on 127.0.0.1:1'; echo 'moongate: listening on unix:/x'; echo 'moongate: ready'\n"
  local DOWN = "trap 'exit 0' TERM; while :; do sleep 0.01; done\n"

  it("begins when it says that it is ready, and it has said where it listens", function()
    assert.is_nil(run(UP .. DOWN, function(_, proxy)
      assert.equal("127.0.0.1:1", proxy.address)
      assert.same({ "127.0.0.1:1", "unix:/x" }, proxy.addresses)
    end))
  end)

  it("is a failure, with its log, when it ends before it is ready", function()
    local message = run("echo 'bad configuration' >&2; exit 1", function() end)
    assert.matches("proxy did not start: exit status 1\nbad configuration", message, 1, true)
  end)

  it("is a failure when it ends by itself", function()
    local message = run(UP .. "while [ ! -e go ]; do sleep 0.01; done", function(w, proxy)
      proxy:write("go", "")
      w:quiet(5)
    end)
    assert.matches("proxy ended by itself: exit status 0", message, 1, true)
  end)

  it("is a failure when it ends with another status than 0", function()
    local message = run(UP .. "trap 'exit 7' TERM; while :; do sleep 0.01; done", function() end)
    assert.matches("proxy ended with exit status 7", message, 1, true)
  end)

  it("is a failure when a sanitizer has something to say", function()
    local message = run(UP .. "echo '==1==ERROR: AddressSanitizer: heap-use-after-free' >&2\n" .. DOWN, function() end)
    assert.matches("proxy: ==1==ERROR: AddressSanitizer", message, 1, true)
  end)

  it("is a failure when a promise of ours was broken", function()
    local message = run(UP .. "echo 'moongate: bug: core/x.c:1: it holds' >&2\n" .. DOWN, function() end)
    assert.matches("moongate: bug: core/x.c:1", message, 1, true)
  end)

  it("is a failure when it leaves processes behind", function()
    local message = run(UP .. "trap 'exit 0' TERM; sleep 60 & while :; do sleep 0.01; done", function() end)
    assert.matches("proxy left processes behind", message, 1, true)
  end)

  it("shows its log with every failure", function()
    local message = run("echo 'a line of the log' >&2\n" .. UP .. DOWN, function() error "trouble" end)
    assert.matches("standard error of proxy:\na line of the log", message, 1, true)
  end)

  it("may be ended by the test", function()
    assert.is_nil(run(UP .. DOWN, function(_, proxy)
      proxy:signal "TERM"
      assert.equal(0, proxy:wait_exit().code)
    end))
  end)

  it("can be waited for by its log", function()
    assert.is_nil(run(UP .. "sleep 0.02; echo 'worker 4711 is here' >&2\n" .. DOWN, function(_, proxy)
      assert.equal("4711", proxy:wait_log "worker (%d+) is here")
    end))
  end)

  it("starts on a configuration that holds what the test wrote, and defaults", function()
    assert.is_nil(run(UP .. DOWN, function(w)
      local proxy = w:proxy {
        upstreams = { app = { servers = { w:closed_port() } } },
        limits = { body = "1m" },
        scripts = { mine = testing.lua [[ return {} ]] },
      }
      local config = dofile(proxy.dir .. "/moongate.lua")
      assert.equal("127.0.0.1:0", config.listeners[1].bind)
      assert.equal("app", config.sites[1].routes[1].upstream)
      assert.equal("debug", config.error_log.level)
      assert.same({ body = "1m" }, config.limits)
      assert.same({}, dofile(proxy.dir .. "/mine.lua"))
    end))
  end)

  it("starts on source whose lines keep their numbers", function()
    assert.is_nil(run(UP .. DOWN, function(w)
      local proxy = w:proxy(testing.lua [[return {
        limits = {},
        line = debug.getinfo(1, "l").currentline,
      }]])
      local config = dofile(proxy.dir .. "/moongate.lua")
      assert.equal(3, config.line)
      assert.equal(1, config.workers)
    end))
  end)

  it("starts on the project's own configuration, parts of it replaced", function()
    assert.is_nil(run(UP .. DOWN, function(w)
      local project = w:dir { ["site/moongate.lua"] = [[return {
        listeners = { { bind = "0.0.0.0:80" }, { bind = "0.0.0.0:443" } },
        upstreams = { app = { balance = "least_conn", servers = { "10.0.0.1:80" } } },
        sites = { { routes = {} } },
        from = os.getenv "PLACE",
      }]], ["site/www/index.html"] = "hello" }
      local origin = w:origin()
      local proxy = w:proxy {
        file = project .. "/site/moongate.lua", listeners = { { bind = "127.0.0.1:0" } },
        upstreams = { app = { servers = { origin } } },
      }
      local config = dofile(proxy.dir .. "/moongate.lua")
      assert.same({ { bind = "127.0.0.1:0" } }, config.listeners)
      assert.same({ app = { balance = "least_conn", servers = { origin.address } } }, config.upstreams)
      assert.same({ { routes = {} } }, config.sites)
      assert.equal("hello", io.open(proxy.dir .. "/www/index.html"):read "*a")
      local ok, err = pcall(proxy.write, proxy, "www/index.html", "changed")
      assert.is_false(ok)
      assert.matches("site/www belongs to the project", tostring(err), 1, true)
    end))
  end)

  it("is asked over the control socket", function()
    assert.is_nil(run(UP .. DOWN, function(w, proxy)
      local control = w:http_origin(function(request)
        if request.target == "/v1/status" then return '{"workers":[1,2]}' end
        if request.target == "/metrics" then
          return '# TYPE hits counter\nhits{code="2xx",worker="0"} 3\nhits{code="2xx",worker="1"} 4\nhits{code="5xx"} 1\nup 1\n'
        end
        return { 409, {}, "moongate.lua:3: no" }
      end, { address = "unix:" .. proxy.control })
      assert.same({ 1, 2 }, proxy:status().workers)
      assert.equal(4, proxy:metrics()['hits{code="2xx",worker="1"}'])
      assert.equal(7, proxy:metric("hits", { code = "2xx" }))
      assert.equal(8, proxy:wait_metric("hits", nil, 8))
      assert.is_nil(proxy:metric "misses")
      assert.same({ false, "moongate.lua:3: no" }, { proxy:reload { limits = { body = 1 } } })
      assert.equal("POST", control.seen[#control.seen].method)
      assert.equal(1, dofile(proxy.dir .. "/moongate.lua").limits.body)
    end))
  end)

  it("is followed in the access log", function()
    local script = UP .. [[echo '{"status":200}' > access.log; sleep 0.02; echo '{"status":404}' >> access.log]] .. "\n"
    assert.is_nil(run(script .. DOWN, function(_, proxy)
      assert.equal(404, proxy:wait_access(2)[2].status)
    end))
  end)

  it("runs other commands against its control socket", function()
    local script = 'case "$1" in run) ;; *) echo "$@"; exit 4;; esac\n'
    assert.is_nil(run(script .. UP .. DOWN, function(_, proxy)
      local code, out = proxy:run("status", "--json")
      assert.equal(4, code)
      assert.equal("status --json --control " .. proxy.control .. "\n", out)
    end))
  end)
end)
