-- From the command line to the first request: what is printed, what is refused, who serves.
local testing = require "moongate.testing"
local scenario = testing.scenario

local HI = { { routes = { { reply = { body = "hi" } } } } }

---Runs `moongate run` on a configuration that is expected to be refused.
---@return integer code
---@return string stderr
local function run_refused(w, source, ...)
  local dir = w:dir { ["moongate.lua"] = source }
  local code, _, err = w:command { "run", "-c", dir .. "/moongate.lua", "--control", dir .. "/control.sock", ... }
  return code, err, dir
end

describe("moongate run", function()
  it("serves on every listener that it prints", scenario(function(w)
    local proxy = w:proxy {
      listeners = { { bind = "127.0.0.1:0" }, { bind = "[::1]:0" }, { bind = "unix:run/web.sock" } }, sites = HI,
    }
    assert.equal(3, #proxy.addresses)
    assert.truthy(proxy.addresses[1]:match "^127%.0%.0%.1:%d+$")
    assert.truthy(proxy.addresses[2]:match "^%[::1%]:%d+$")
    assert.equal("unix:" .. proxy.dir .. "/run/web.sock", proxy.addresses[3])
    for _, address in ipairs(proxy.addresses) do assert.equal("hi", w:client(address):get("/").body) end
  end))

  it("starts as many workers as it was told, and all of them serve on one port", scenario(function(w)
    local proxy = w:proxy({ workers = 1, sites = HI }, { args = { "--workers", 3 } })
    assert.equal(3, #proxy:workers())
    for _ = 1, 60 do proxy:get "/" end
    local busy = 0
    for _, worker in ipairs(proxy:status().workers) do
      if worker.connections_accepted > 0 then busy = busy + 1 end
    end
    assert.equal(3, busy)
  end))

  it("is ready before a request of the first moment could be lost", scenario(function(w)
    local proxy = w:proxy { sites = HI }
    local ms = tonumber(proxy:wait_log "ready after (%d+) ms")
    assert.is_true(ms < 50 * w.patience * 10, ms .. " ms")
    assert.equal("hi", proxy:get("/").body)
  end))

  it("says every mistake with its line, serves nothing, and ends with status 1", scenario(function(w)
    local code, err, dir = run_refused(w, 'return {\n  workers = 0,\n  listener = {},\n  sites = { { routes = { { reply = {} } } } },\n}\n')
    assert.equal(1, code)
    assert.truthy(err:find(dir .. '/moongate.lua:2: workers: must be', 1, true), err)
    assert.truthy(err:find(dir .. "/moongate.lua:3: unknown key 'listener'", 1, true), err)
    assert.falsy(err:find "ready")
  end))

  it("says it when the address of a listener is taken", scenario(function(w)
    local taken = w:origin(function() end)
    local code, err = run_refused(w, ('return { listeners = { { bind = "%s" } }, sites = { { routes = { { reply = {} } } } } }')
      :format(taken.address))
    assert.equal(1, code)
    assert.truthy(err:find("cannot listen on " .. taken.address .. ": Address already in use", 1, true), err)
  end))

  it("says it when a policy fails to set itself up", scenario(function(w)
    local code, err = run_refused(w, [[
return {
  policies = { { setup = function() error("no luck today") end } },
  sites = { { routes = { { reply = {} } } } },
}]])
    assert.equal(1, code)
    assert.truthy(err:find "moongate.lua:2: .*no luck today", err)
  end))

  it("ends with status 1 when configuration code ends the process", scenario(function(w)
    local code, err = run_refused(w, "os.exit(0)")
    assert.equal(1, code)
    assert.truthy(err:find "ended without a word", err)
  end))

  it("refuses to start beside another one on the same control socket", scenario(function(w)
    local first = w:proxy { sites = HI }
    local dir = w:dir { ["moongate.lua"] = [[
return { listeners = { { bind = "127.0.0.1:0" } }, sites = { { routes = { { reply = {} } } } } }]] }
    local code, _, err = w:command { "run", "-c", dir .. "/moongate.lua", "--control", first.control }
    assert.equal(1, code)
    assert.truthy(err:find("another moongate runs here", 1, true), err)
    assert.equal("hi", first:get("/").body)
  end))

  it("takes the place of a control socket and of a listener's socket that a killed one left behind", scenario(function(w)
    local first = w:proxy { listeners = { { bind = "unix:web.sock" } }, sites = HI }
    first:signal "KILL"
    first:wait_exit()
    local dir = first.dir
    local source = ('return { listeners = { { bind = "unix:%s/web.sock" } }, sites = { { routes = { { reply = { body = "again" } } } } } }')
      :format(dir)
    local second = w:proxy({ source = source, defaults = false }, { args = { "--control", first.control } })
    assert.equal("again", w:client(second):get("/").body)
  end))

  it("writes its pid file, and takes it away at the end", scenario(function(w)
    local proxy = w:proxy { pid_file = "run/moongate.pid", sites = HI }
    local file = assert(io.open(proxy.dir .. "/run/moongate.pid"))
    assert.equal(tostring(proxy.pid), file:read "*l")
    file:close()
    proxy:stop()
    assert.is_nil((io.open(proxy.dir .. "/run/moongate.pid")))
    assert.is_nil((io.open(proxy.control)))
  end))

  it("tells the service manager when it is ready, and when it ends", scenario(function(w)
    local dir = w:dir()
    local code, out, err = w:command { program = "python3", "-c", [[
import os, socket, subprocess, sys
dir, binary = sys.argv[1], sys.argv[2]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(dir + "/notify"); s.settimeout(10)
open(dir + "/moongate.lua", "w").write(
  'return { workers = 1, listeners = { { bind = "127.0.0.1:0" } }, sites = { { routes = { { reply = {} } } } } }')
p = subprocess.Popen([binary, "run", "-c", dir + "/moongate.lua", "--control", dir + "/c.sock"],
  env=dict(os.environ, NOTIFY_SOCKET=dir + "/notify"), stdout=subprocess.DEVNULL)
print(s.recv(999).decode().replace("\n", " ") == "READY=1 MAINPID=%d" % p.pid)
p.terminate()
print(s.recv(999).decode())
print(p.wait())
]], dir, require("moongate.testing.proxy").binary() }
    assert.equal(0, code, err)
    assert.equal("True\nSTOPPING=1\n0\n", out)
  end))
end)
