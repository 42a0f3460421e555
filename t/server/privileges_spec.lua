-- Started as root, workers run as the configured user.
local testing = require "moongate.testing"
local child = require "moongate.testing.child"
local process = require "moongate.testing.process"
local proxy = require "moongate.testing.proxy"
local scenario = testing.scenario

---@return boolean
local function am_root(w)
  local _, out = w:command { program = "id", "-u" }
  return out == "0\n"
end

---@return string name of the user that a process runs as
local function user_of(w, pid)
  local _, out = w:command { program = "stat", "-c", "%U", "/proc/" .. pid }
  return (out:gsub("\n", ""))
end

describe("a proxy that root started", function()
  it("has workers that are nobody, and a master that still may open sockets and logs", scenario(function(w)
    if not am_root(w) then return end -- only root may become somebody else
    local dir = w:dir { ["moongate.lua"] = [[
return {
  workers = 2, user = "nobody", listeners = { { bind = "127.0.0.1:0" } }, access_log = { off = true },
  sites = { { routes = { { reply = { body = "hi" } } } } },
}]] }
    w:command { program = "chmod", "755", dir }
    w:command { program = "chmod", "644", dir .. "/moongate.lua" }
    -- The tree may lie where only root may look; nobody must be able to read the library.
    w:command { program = "cp", "-r", "lua", dir .. "/lua" }
    w:command { program = "chmod", "-R", "a+rX", dir .. "/lua" }
    local address, ready
    local run = child.start(w, {
      name = "root's proxy", argv = { proxy.binary(), "run", "-c", dir .. "/moongate.lua", "--control", dir .. "/c.sock" },
      dir = dir, env = { MOONGATE_LUA = dir .. "/lua" }, on_line = function(line)
        address = line:match "listening on (%S+)" or address
        ready = ready or line == "moongate: ready"
      end,
    })
    w:wait_for(function() return ready or run.exit end, "the proxy to be ready")
    assert.is_true(ready, run:err())
    local workers = process.children(run.pid)
    assert.equal(2, #workers)
    for _, pid in ipairs(workers) do assert.equal("nobody", user_of(w, pid)) end
    assert.equal("root", user_of(w, run.pid))
    assert.equal("hi", w:client(address):get("/").body)
    assert.equal(0, (w:command { "reload", "--control", dir .. "/c.sock" }))
    assert.equal("hi", w:client(address):get("/").body)
    run:signal "TERM"
    assert.equal(0, run:wait().code)
  end))

  it("does not start as a user who does not exist", scenario(function(w)
    local dir = w:dir { ["moongate.lua"] = [[
return { user = "no-such-user", listeners = { { bind = "127.0.0.1:0" } }, sites = { { routes = { { reply = {} } } } } }]] }
    local code, _, err = w:command { "run", "-c", dir .. "/moongate.lua", "--control", dir .. "/c.sock" }
    assert.equal(1, code)
    assert.truthy(err:find "there is no user 'no%-such%-user'", err)
  end))
end)
