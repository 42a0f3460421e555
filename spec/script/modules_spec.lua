---The modules that work outside of the proxy as well, so that policies which require them can be unit-tested.

describe("moongate.time", function()
  local time = require "moongate.time"

  it("writes dates as HTTP does", function()
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT", time.http_date(784111777))
    assert.equal("Thu, 01 Jan 1970 00:00:00 GMT", time.http_date(0.9))
  end)

  it("refuses to sleep for what is no duration, at the caller's line", function()
    for _, wrong in ipairs { -1, "1s", 0 / 0 } do
      local ok, message = pcall(time.sleep, wrong)
      assert.is_false(ok)
      assert.is_not_nil(message:find("time.sleep takes a number of seconds", 1, true))
    end
  end)
end)

describe("moongate.internal.dual", function()
  it("lets a function see whether it is being compiled, and folds that into the trace", function()
    jit.on()
    local dual = require "moongate.internal.dual"
    local REC = false
    dual.attach(function(...) return REC, ... end)
    local seen = { compiled = 0, interpreted = 0 }
    local function look(...) -- luacheck: ignore 212
      if REC then return "compiled" end
      return "interpreted"
    end
    dual.start()
    local function loop(n)
      for _ = 1, n do
        local how = look()
        seen[how] = seen[how] + 1
      end
    end
    jit.off(loop) -- counters of hot loops are shared, so a few rounds alone would not be sure to be interpreted
    loop(20)
    assert.equal(0, seen.compiled)
    jit.on(loop)
    loop(2000)
    dual.stop()
    assert.is_true(seen.compiled > 1000)
    jit.off(true, true)
    jit.flush()
  end)
end)
