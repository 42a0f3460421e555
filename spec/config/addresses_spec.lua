dofile "spec/config/support.lua"
local addresses = require "moongate.config.addresses"
local hosts = require "moongate.config.hosts"

describe("an IPv4 address", function()
  it("has four numbers up to 255 without leading zeros", function()
    assert.equal("10.0.0.255", (addresses.ipv4 "10.0.0.255"))
    for _, wrong in ipairs { "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1.2", "10.0.0.0001", "a.b.c.d", "" } do
      assert.is_nil((addresses.ipv4(wrong)))
    end
  end)
end)

describe("an IPv6 address", function()
  it("is brought to its shortest form (RFC 5952)", function()
    assert.equal("::", (addresses.ipv6 "0:0:0:0:0:0:0:0"))
    assert.equal("::1", (addresses.ipv6 "0::1"))
    assert.equal("2001:db8::1:0:0:1", (addresses.ipv6 "2001:DB8:0:0:1:0:0:1"))
    assert.equal("1:2:3:4:5:6:7:0", (addresses.ipv6 "1:2:3:4:5:6:7::"))
    assert.equal("::ffff:102:304", (addresses.ipv6 "::ffff:1.2.3.4"))
    assert.equal("1::", (addresses.ipv6 "1::"))
  end)

  it("is nothing that only looks like one", function()
    for _, wrong in ipairs { ":1", "1:", ":::", "1:::2", "1::2::3", "12345::", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7",
      "::1.2.3", "::1.2.3.4.5", "1.2.3.4::", "g::", "1:2:3:4:5:6:7::8", "" } do
      assert.is_nil((addresses.ipv6(wrong)), wrong)
    end
  end)
end)

describe("a block of addresses", function()
  it("always has its length in the plan", function()
    assert.equal("10.0.0.0/8", addresses.cidr "10.0.0.0/8")
    assert.equal("10.1.2.3/32", addresses.cidr "10.1.2.3")
    assert.equal("::1/128", addresses.cidr "::1")
    assert.equal("fd00::/8", addresses.cidr "FD00::/8")
    assert.equal("0.0.0.0/0", addresses.cidr "0.0.0.0/0")
  end)

  it("with bits behind its length is refused and put right", function()
    assert.same({ nil, "10.0.0.0/8" }, { addresses.cidr "10.1.2.3/8" })
    assert.same({ nil, "192.168.4.0/22" }, { addresses.cidr "192.168.5.0/22" })
    assert.same({ nil, "2001:db8::/33" }, { addresses.cidr "2001:db8:4000::/33" })
  end)

  it("is no longer than its address", function()
    assert.is_nil((addresses.cidr "1.2.3.4/33"))
    assert.is_nil((addresses.cidr "::/129"))
    assert.is_nil((addresses.cidr "1.2.3.4/"))
    assert.is_nil((addresses.cidr "localhost"))
  end)
end)

describe("the host of a site", function()
  local function host(text) return (hosts.canonical(text)) end
  local function remedy(text) return select(2, hosts.canonical(text)) end

  it("is compared in lower case and without a final dot", function()
    assert.equal("example.com", host "Example.COM.")
    assert.equal("*.example.com", host "*.Example.com")
  end)

  it("may be an address", function()
    assert.equal("10.0.0.1", host "10.0.0.1")
    assert.equal("[::1]", host "[0::1]")
    assert.equal("[::1]", host "::1")
  end)

  it("beyond ASCII becomes punycode", function()
    assert.equal("xn--bcher-kva.de", host "bücher.de")
    assert.equal("xn--mnchen-3ya.de", host "MÜNCHEN.DE")
    assert.equal("xn--e1afmkfd.xn--p1ai", host "Пример.рф")
    assert.equal("xn--wgv71a119e.jp", host "日本語.jp")
    assert.equal("*.xn--fa-hia.de", host "*.faß.de")
    assert.is_nil(host "\255.de")
  end)

  it("has no port, no scheme and no path", function()
    assert.equal('a site is for every port; write "example.com"', remedy "example.com:8080")
    assert.equal('a site is for every port; write "[::1]"', remedy "[::1]:80")
    assert.equal("it takes neither a scheme nor a path", remedy "http://example.com")
    assert.equal("it takes neither a scheme nor a path", remedy "example.com/")
  end)

  it("has its wildcard at the front only", function()
    assert.equal('a wildcard stands for whole labels at the front: "*.example.com"', remedy "www.*.com")
    assert.equal('a wildcard stands for whole labels at the front: "*.example.com"', remedy "*example.com")
    assert.equal("leave 'hosts' away for the site that takes every other host", remedy "*")
  end)

  it("is a name that DNS could know", function()
    for _, wrong in ipairs { "", ".", "a..b", "-a.com", "a-.com", "a b", "1.2.3.400", ("a"):rep(64), "a\0b" } do
      assert.is_nil(host(wrong), wrong)
    end
    assert.equal("a_b.internal", host "a_b.internal")
  end)
end)
