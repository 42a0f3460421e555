-- conf/moongate.lua, the default: what it prints works as printed.
local testing = require "moongate.testing"
local files = require "moongate.testing.files"
local proxy = require "moongate.testing.proxy"
local scenario = testing.scenario

---The default configuration on free ports: its two listeners, and the address under which it finds its own origin.
local function demo_on_free_ports(w)
  local source = assert(files.read_file "conf/moongate.lua")
  local ports = {}
  for i = 1, 2 do ports[i] = w:closed_port():match ":(%d+)$" end
  return source:gsub("127%.0%.0%.1:8080", "127.0.0.1:" .. ports[1]):gsub("127%.0%.0%.1:8081", "127.0.0.1:" .. ports[2])
end

describe("the default configuration", function()
  it("passes the check", scenario(function(w)
    local code, out = w:command { "check", "-c", "conf/moongate.lua" }
    assert.equal(0, code)
    assert.equal("conf/moongate.lua: ok (2 sites, 7 routes, 1 upstream)\n", out)
  end))

  it("answers every curl line that it prints", scenario(function(w)
    local dir = w:dir { ["conf/moongate.lua"] = (demo_on_free_ports(w)) }
    for _, held in ipairs(w.held) do require("moongate.testing.sys").close(held) end
    w.held = {}
    local hints, ready = {}, false
    local run = require("moongate.testing.child").start(w, {
      name = "demo", argv = { proxy.binary(), "run" }, dir = dir, on_line = function(line)
        if line:match "^  curl " then hints[#hints + 1] = line:gsub("%s+#.*$", "") end
        ready = ready or #hints == 6
      end,
    })
    w:wait_for(function() return ready or run.exit end, "the demo to be ready")
    assert.is_true(ready, run:err())
    local wanted = {
      "200 OK.*GET / HTTP/1.1\nhost: origin.demo\n", "200 OK.*hello moon\n", "401 Unauthorized", "200 OK.*GET /private",
      "^data: 3\n\ndata: 2\n\ndata: 1\n\ndata: 0\n\n$", '^{"version"',
    }
    for i, hint in ipairs(hints) do
      local code, out, err = w:command { program = "sh", "-c", hint, dir = dir }
      assert.equal(0, code, err)
      assert.truthy(out:gsub("\r", ""):find(wanted[i]), hint .. "\n" .. out)
    end
    assert.equal(0, (w:command { "stop", dir = dir }))
    assert.equal(0, run:wait().code)
  end))

  it("is what runs in a folder without a configuration, with its control socket there", scenario(function(w)
    local dir = w:dir()
    local code, _, err = w:command { "status", dir = dir }
    assert.equal(1, code)
    assert.truthy(err:find("run/moongate.sock: no moongate runs here", 1, true), err)
  end))
end)
