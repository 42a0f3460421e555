local testing = require "moongate.testing"
local scenario = testing.scenario

---Runs a scenario that must fail and returns what it said.
local function failing(body, opts)
  local ok, err = pcall(scenario(body, opts))
  assert.is_false(ok)
  return tostring(err)
end

describe("a scenario", function()
  it("passes when its function returns", function()
    local ran = false
    scenario(function() ran = true end)()
    assert.is_true(ran)
  end)

  it("lets an origin and a client talk, each in the order of its lines", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:expect "ping\r\n"
      conn:send "pong\r\n"
      conn:expect_close()
    end)
    local client = w:client(origin)
    client:send "ping\r\n"
    assert.equal("pong", client:receive_line())
    client:close()
    origin:wait_served()
    assert.equal(1, origin.connections)
  end))

  it("fails with an error of the test's own, at the test's line", function()
    local message = failing(function() error "on purpose" end)
    assert.matches("spec/testing/scenario_spec.lua:%d+: on purpose", message)
  end)

  it("fails with an assertion of an origin, and says whose it was", function()
    local message = failing(function(w)
      local origin = w:origin(function(conn) assert.equal("this", conn:receive_line()) end)
      local client = w:client(origin)
      client:send "that\r\n"
      client:receive(1)
    end)
    assert.matches("Expected objects to be equal", message)
    assert.matches("in origin/1", message, 1, true)
  end)

  it("shows the whole conversation when it fails", function()
    local message = failing(function(w)
      local origin = w:origin(function(conn)
        conn:request()
        conn:reply(200, "a body")
      end)
      w:note("asking for %s", "something")
      local answer = w:client(origin):get "/thing"
      assert.equal(404, answer.status)
    end)
    assert.matches("client sent", message, 1, true)
    assert.matches("| GET /thing HTTP/1.1\\r\\n", message, 1, true)
    assert.matches("origin/1 received", message, 1, true)
    assert.matches("| a body", message, 1, true)
    assert.matches("the test: asking for something", message, 1, true)
    assert.matches("%d+%.%d%d%d  client received", message)
  end)

  it("escapes control characters in the conversation and shortens what is long", function()
    local message = failing(function(w)
      local origin = w:origin(function(conn) conn:receive_until_close() end)
      local client = w:client(origin)
      client:send("\0\1\255" .. ("x"):rep(100000))
      client:close()
      origin:wait_served()
      error "enough"
    end)
    assert.matches("\\x00\\x01\\xff", message, 1, true)
    assert.matches("… 9%d+ bytes …", message)
    assert.is_true(#message < 10000)
  end)

  it("says who waits for what, and where, when the time is over", function()
    local message = failing(function(w)
      local origin = w:origin(function(conn) conn:receive(5) end)
      local client = w:client(origin)
      client:send "123"
      client:receive_line()
    end, { timeout = 0.2 })
    assert.matches("took longer than 0.2 s", message, 1, true)
    assert.matches("origin/1 is receiving 5 bytes, 3 so far %(.-scenario_spec.lua:%d+%)", message)
    assert.matches("the test is receiving a line", message, 1, true)
  end)

  it("does not fail when an origin is cut off because the test is over", scenario(function(w)
    local origin = w:origin(function(conn) conn:receive_line() end)
    w:client(origin):send "no line"
    origin:wait_connections(1)
  end))

  it("closes every descriptor, also after a failure", function()
    local function open_descriptors()
      local pipe = io.popen("ls /proc/" .. require("ffi").C.getpid() .. "/fd | wc -l")
      local n = tonumber(pipe:read "*a")
      pipe:close()
      return n
    end
    failing(function() error "first, so that all modules are loaded" end)
    local before = open_descriptors()
    for _ = 1, 5 do
      failing(function(w)
        local origin = w:origin(function(conn) conn:receive(1) end)
        w:client(origin)
        w:closed_port()
        origin:wait_connections(1)
        error "enough"
      end)
    end
    -- Five scenarios that each left one open would show; a handle that waits for the collector may come between.
    assert.is_true(open_descriptors() < before + 5)
  end)

  it("removes its folders", function()
    local path
    scenario(function(w)
      path = w:dir { ["a/b.txt"] = "x" }
      assert.equal("x", io.open(path .. "/a/b.txt"):read "*a")
    end)()
    assert.is_nil(io.open(path .. "/a/b.txt"))
    assert.is_false((os.rename(path, path)) or false)
  end)

  it("passes a pending test on as pending", function()
    local ok, err = pcall(scenario(function() pending "later" end))
    assert.is_false(ok)
    assert.equal("pending", getmetatable(err).__type)
  end)
end)

describe("the ways to wait", function()
  it("run several functions beside each other until all have returned", scenario(function(w)
    local order = {}
    local meeting = {}
    w:all(function()
      order[#order + 1] = "first begins"
      w:wait_for(function() return meeting.second end)
      order[#order + 1] = "first ends"
    end, function()
      order[#order + 1] = "second begins"
      meeting.second = true
    end)
    assert.same({ "first begins", "second begins", "first ends" }, order)
  end))

  it("return what a predicate returned", scenario(function(w)
    local turns = 0
    assert.equal("yes", w:wait_for(function()
      turns = turns + 1
      return turns == 3 and "yes"
    end))
  end))

  it("fail a predicate that never comes true, with what was waited for", function()
    local message = failing(function(w)
      w:wait_for(function() return false end, "the moon to rise", 0.05)
    end)
    assert.matches("waited 0.05 s in vain for the moon to rise", message, 1, true)
  end)

  it("let time pass in which nothing arrives", scenario(function(w)
    local origin = w:origin(function(conn) conn:receive_until_close() end)
    local client = w:client(origin)
    local before = w:time()
    w:quiet(0.05, client)
    assert.is_true(w:time() - before >= 0.05)
  end))

  it("fail when something arrives in a silence", function()
    local message = failing(function(w)
      local origin = w:origin(function(conn)
        conn:send "boo"
        conn:receive_until_close()
      end)
      w:quiet(5, w:client(origin))
    end)
    assert.matches('expected 5 s of silence, but got "boo"', message, 1, true)
  end)

  it("fail the scenario when a spawned task fails", function()
    assert.matches("spawned trouble", failing(function(w)
      w:spawn(function() error "spawned trouble" end)
      w:quiet(5)
    end), 1, true)
  end)
end)
