-- What happens when there are more connections than there may be, or than the process has descriptors for.
local testing = require "moongate.testing"
local scenario = testing.scenario

local HI = { { routes = { { reply = { body = "hi" } } } } }

describe("limits.connections", function()
  it("lets new connections wait until one closes", scenario(function(w)
    local proxy = w:proxy { limits = { connections = 3 }, sites = HI }
    local open = {}
    for i = 1, 3 do
      open[i] = w:client(proxy)
      assert.equal("hi", open[i]:get("/").body)
    end
    local waiting = w:client(proxy)
    waiting:send_request {}
    proxy:wait_log "3 connections are open %(limits.connections%): new ones wait"
    w:quiet(0.1, waiting)
    open[2]:close()
    assert.equal("hi", waiting:read_response().body)
  end))

  it("is raised by a reload for those who wait already", scenario(function(w)
    local proxy = w:proxy { limits = { connections = 1 }, sites = HI }
    local first = w:client(proxy)
    first:get "/"
    local waiting = w:client(proxy)
    waiting:send_request {}
    proxy:wait_log "1 connections are open"
    assert.is_true((proxy:reload { limits = { connections = 10 }, sites = HI }))
    assert.equal("hi", waiting:read_response().body)
  end))
end)

describe("a worker without descriptors", function()
  it("goes on accepting as soon as there are some again", scenario(function(w)
    local dir = w:dir()
    local code, out, err = w:command { program = "python3", "-c", [[
import os, resource, socket, subprocess, sys, time
dir, binary = sys.argv[1], sys.argv[2]
open(dir + "/moongate.lua", "w").write(
  'return { workers = 1, listeners = { { bind = "127.0.0.1:0" } }, access_log = { off = true },'
  ' sites = { { routes = { { reply = { body = "hi" } } } } } }')
p = subprocess.Popen([binary, "run", "-c", dir + "/moongate.lua", "--control", dir + "/c.sock"],
  stdout=subprocess.PIPE, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
port = int(p.stdout.readline().rsplit(":", 1)[1])
p.stdout.readline()
def ask(s):
  s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  return s.recv(4096).endswith(b"hi")
many = [socket.create_connection(("127.0.0.1", port)) for i in range(60)]
served = []
for s in many:
  s.settimeout(0.3)
  try:
    if ask(s): served.append(s)
  except socket.timeout: break
few = len(served)
for s in served: s.close()
rest = many[few:]
for s in rest: s.settimeout(10)
print(few < 60, ask(rest[-1]) if rest[-1] is not many[few] else False)
p.terminate()
print(p.wait())
]], dir, require("moongate.testing.proxy").binary() }
    assert.equal(0, code, err)
    assert.equal("True True\n0\n", out)
    assert.truthy(err:find "cannot accept a connection: Too many open files", err)
  end))
end)
