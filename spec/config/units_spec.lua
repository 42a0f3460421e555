dofile "spec/config/support.lua"
local units = require "moongate.config.units"

describe("a duration", function()
  it("is a number of seconds, and becomes milliseconds", function()
    assert.equal(30000, units.duration(30))
    assert.equal(250, units.duration(0.25))
    assert.equal(0, units.duration(0))
  end)

  it("has the units ms, s, m, h and d", function()
    assert.equal(250, units.duration "250ms")
    assert.equal(30000, units.duration "30s")
    assert.equal(300000, units.duration "5m")
    assert.equal(3600000, units.duration "1h")
    assert.equal(7 * 86400000, units.duration "7d")
    assert.equal(1500, units.duration "1.5s")
  end)

  it("is nothing else", function()
    for _, wrong in ipairs { "", "s", "-1s", "1 s", "1w", "1s ", "0x10s", "1e3s", ".5s", -1, 0 / 0, 1 / 0, true, {} } do
      assert.is_nil((units.duration(wrong)))
    end
  end)

  it("is respelled when it is nearly right", function()
    local function right(text) return select(2, units.duration(text)) end
    assert.equal("30s", right "30")
    assert.equal("30s", right "30 sec")
    assert.equal("5m", right "5mins")
    assert.equal("1h", right "1 HOUR")
    assert.equal("100ms", right "100 milliseconds")
    assert.equal("10s", right "10S")
    assert.is_nil(right "ten seconds")
  end)

  it("is written with the largest unit that fits", function()
    assert.equal("90s", units.show_duration(90000))
    assert.equal("24d", units.show_duration(units.LONGEST))
    assert.equal("1ms", units.show_duration(1))
  end)
end)

describe("a size", function()
  it("is a number of bytes", function()
    assert.equal(1024, units.size(1024))
    assert.equal(1024, units.size "1024")
  end)

  it("has the units k, m and g, powers of 1024", function()
    assert.equal(16384, units.size "16k")
    assert.equal(10485760, units.size "10m")
    assert.equal(2147483648, units.size "2g")
  end)

  it("is nothing else", function()
    for _, wrong in ipairs { "", "k", "-1k", "1.5k", "1t", "16K", "16 k", 1.5, -1, 0 / 0, 1 / 0, false, {} } do
      assert.is_nil((units.size(wrong)))
    end
  end)

  it("is respelled when it is nearly right", function()
    local function right(text) return select(2, units.size(text)) end
    assert.equal("16k", right "16KB")
    assert.equal("16k", right "16 kib")
    assert.equal("10m", right "10M")
    assert.equal("2g", right "2 GB")
    assert.is_nil(right "much")
  end)

  it("is written with the largest unit that fits", function()
    assert.equal("64k", units.show_size(65536))
    assert.equal("100", units.show_size(100))
  end)
end)
