local ip = require "moongate.ip"
local support = dofile "spec/modules/support.lua"

local both_ways, misuse = support.both_ways, support.misuse

describe("moongate.ip", function()
  both_ways("finds what belongs to the most specific block", function()
    local blocks = ip.blocks()
    for _, block in ipairs { "0.0.0.0/0", "10.0.0.0/8", "10.9.0.0/16", "10.9.8.7", "2001:db8::/32", "2001:db8:0:1::/64",
      "2001:db8::1:2:3:0/112", "2001:db8::/33", "::1" } do
      assert.is_true(blocks:add(block, block))
    end
    for address, block in pairs {
      ["1.2.3.4"] = "0.0.0.0/0", ["10.255.255.255"] = "10.0.0.0/8", ["10.9.0.1"] = "10.9.0.0/16", ["10.9.8.7"] = "10.9.8.7",
      ["2001:db8:ffff::"] = "2001:db8::/32", ["2001:db8:0:1::9"] = "2001:db8:0:1::/64",
      ["2001:db8::1:2:3:ffff"] = "2001:db8::1:2:3:0/112", ["2001:DB8:0:0:0:1:2:3"] = "2001:db8::/33", ["::1"] = "::1",
    } do
      assert.equal(block, blocks:find(address))
    end
    for _, outside in ipairs { "2001:db9::", "::2", "fe80::1", "no address", "" } do assert.is_nil(blocks:find(outside)) end
    assert.is_nil(blocks:find(nil))
  end)

  it("agrees with counting bits, whatever blocks and addresses are drawn", function()
    math.randomseed(7)
    local function bits_of(octets)
      local bits = {}
      for _, octet in ipairs(octets) do
        for i = 7, 0, -1 do bits[#bits + 1] = math.floor(octet / 2 ^ i) % 2 end
      end
      return table.concat(bits)
    end
    for _, size in ipairs { 4, 16 } do
      local function draw(length)
        local octets = {}
        for i = 1, size do
          octets[i] = math.random() < 0.6 and 0 or math.random(0, 255)
          local keep = math.max(0, math.min(8, length - (i - 1) * 8))
          octets[i] = octets[i] - octets[i] % 2 ^ (8 - keep)
        end
        if size == 4 then return table.concat(octets, "."), bits_of(octets) end
        local groups = {}
        for i = 1, 16, 2 do groups[#groups + 1] = ("%x"):format(octets[i] * 256 + octets[i + 1]) end
        return table.concat(groups, ":"), bits_of(octets)
      end
      local blocks, all = ip.blocks(), {}
      for _ = 1, 200 do
        local length = math.random(0, size * 8)
        local text, bits = draw(length)
        if blocks:add(text .. "/" .. length, bits:sub(1, length)) then all[#all + 1] = bits:sub(1, length) end
      end
      for _ = 1, 500 do
        local text, bits = draw(size * 8)
        local wanted
        for _, prefix in ipairs(all) do
          if bits:sub(1, #prefix) == prefix and (not wanted or #prefix > #wanted) then wanted = prefix end
        end
        assert.equal(wanted, blocks:find(text), text)
      end
    end
  end)

  it("takes IPv4 addresses that are written as IPv6 for what they are", function()
    local blocks = ip.blocks()
    assert.is_true(blocks:add("10.0.0.0/8", "inside"))
    assert.equal("inside", blocks:find "::ffff:10.1.2.3")
    assert.is_true(blocks:add("::ffff:192.0.2.0/120", "doc"))
    assert.equal("doc", blocks:find "192.0.2.9")
  end)

  it("keeps what a block has, and sees a block that is added after a look-up", function()
    local blocks = ip.blocks()
    assert.is_nil(blocks:find "10.0.0.1")
    assert.is_true(blocks:add("10.0.0.0/8", 1))
    assert.equal(1, blocks:find "10.0.0.1")
    local added, _, code, existing = blocks:add("10.0.0.0/8", 2)
    assert.is_nil(added)
    assert.equal("exists", code)
    assert.equal(1, existing)
    assert.equal(1, blocks:find "10.0.0.1")
    assert.equal(1, blocks.count)
  end)

  it("keeps a bounded number of answers", function()
    local set = assert(ip.set { "10.0.0.0/8" })
    for i = 0, 20000 do set:has(("10.0.%d.%d"):format(i / 256, i % 256)) end
    local kept = 0
    for _ in pairs(set.known) do kept = kept + 1 end
    assert.is_true(kept <= 4096)
    assert.is_true(set:has "10.0.0.1")
  end)

  it("refuses what is no block, with the one that was meant", function()
    local set, message, code = ip.set { "10.0.0.1/8" }
    assert.is_nil(set)
    assert.equal("'10.0.0.1/8' is no address and no block of addresses; did you mean 10.0.0.0/8?", message)
    assert.equal("address", code)
    for _, wrong in ipairs { "10.0.0.256", "10.0.0.0/33", "::/129", "example.com", "" } do
      assert.is_nil(ip.set { wrong })
    end
    assert.is_true(assert(ip.set { "::1", "::1" }):has "::1")
  end)

  it("blames who calls it wrongly", function()
    for _, fn in ipairs {
      function() ip.set "10.0.0.1" end, function() ip.set { 1 } end, function() ip.blocks():add(1, true) end,
      function() ip.blocks():add "::1" end,
    } do
      assert.equal("ip_spec.lua", (misuse(fn)))
    end
  end)
end)
