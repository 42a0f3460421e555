local cookie = require "moongate.cookie"
local support = dofile "spec/modules/support.lua"
local time = require "moongate.time"

local both_ways, misuse = support.both_ways, support.misuse

describe("moongate.cookie: the Cookie field", function()
  both_ways("is read in order, with duplicates", function()
    local list = cookie.parse [[a=1; b = two ;c="quoted";a=3;d=x=y; e=; =nameless; lonely;;]]
    assert.equal("1", list:get "a")
    assert.same({ "1", "3" }, list:all "a")
    assert.equal("two", list:get "b")
    assert.equal("quoted", list:get "c")
    assert.equal("x=y", list:get "d")
    assert.equal("", list:get "e")
    assert.equal(6, #list)
    assert.equal(0, #cookie.parse "")
  end)
end)

describe("moongate.cookie: Set-Cookie", function()
  it("is written with its attributes", function()
    assert.equal("a=1", cookie.build("a", "1"))
    assert.equal("__Host-id=x7; Path=/; Secure; HttpOnly; SameSite=Lax",
      cookie.build("__Host-id", "x7", { secure = true, http_only = true, same_site = "lax", path = "/" }))
    assert.equal("a=; Path=/x; Domain=example.com; Max-Age=3600; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; "
      .. "SameSite=None; Partitioned", cookie.build("a", "", {
        path = "/x", domain = "example.com", max_age = 3600, expires = 784111777, secure = true, same_site = "none",
        partitioned = true, http_only = false,
      }))
    assert.equal("a=; Max-Age=0", cookie.build("a", "", { max_age = -1 }))
    assert.equal("a=; Max-Age=34560000", cookie.build("a", "", { max_age = 1e12 }))
  end)

  it("is not written when a browser would refuse it", function()
    for _, wrong in ipairs {
      { "__Host-a", {} }, { "__Host-a", { secure = true } }, { "__Host-a", { secure = true, path = "/x" } },
      { "__Host-a", { secure = true, path = "/", domain = "x.org" } }, { "__hOsT-a", { path = "/" } }, { "__Secure-a", {} },
      { "__secure-a", { secure = false } }, { "a", { same_site = "none" } }, { "a", { partitioned = true } },
      { "a", { same_site = "Lax" } }, { "a", { secure = "yes" } }, { "a", { httponly = true } }, { "a", { max_age = 1.5 } },
    } do
      local file, text = misuse(function() cookie.build(wrong[1], "v", wrong[2]) end)
      assert.equal("cookie_spec.lua", file, text)
    end
    assert.equal("cookie_spec.lua", (misuse(function() cookie.build("a") end)))
  end)

  it("is not written with bytes that may not stand in it", function()
    for _, wrong in ipairs {
      { "a", "b;c", nil, "value" }, { "a", "b c", nil, "value" }, { "a", "b\r\nc", nil, "value" }, { "a", 'b"', nil, "value" },
      { "a", "b,c", nil, "value" }, { "a", "b\\", nil, "value" }, { "a", "é", nil, "value" }, { "a", "\0", nil, "value" },
      { "", "x", nil, "name" }, { "a b", "x", nil, "name" }, { "a=b", "x", nil, "name" }, { "a;", "x", nil, "name" },
      { "a", "x", { path = "/;x" }, "path" }, { "a", "x", { path = "x" }, "path" }, { "a", "x", { path = "/\n" }, "path" },
      { "a", "x", { domain = "a;b" }, "domain" }, { "a", "x", { domain = "" }, "domain" },
    } do
      local text, message, code = cookie.build(wrong[1], wrong[2], wrong[3])
      assert.is_nil(text)
      assert.equal("string", type(message))
      assert.equal(wrong[4], code)
    end
  end)

  it("comes back as it was written", function()
    local attributes = {
      path = "/x", domain = "example.com", max_age = 3600, expires = 784111777, secure = true, http_only = true,
      same_site = "strict", partitioned = true,
    }
    local read = cookie.parse_set(cookie.build("name", "value", attributes))
    attributes.name, attributes.value = "name", "value"
    assert.same(attributes, read)
  end)

  it("is read as browsers read it", function()
    assert.same({ name = "a", value = "1=2", path = "/", http_only = true, same_site = "lax" },
      cookie.parse_set " a = 1=2 ; PATH=/; httpONLY=yes; samesite=LAX; Unknown=1; ;")
    assert.same({ name = "a", value = "" }, cookie.parse_set "a=; Path=x; Domain=; SameSite=odd; Max-Age=1x; Expires=never")
    assert.same({ name = "a", value = "b", domain = "example.com", path = "/2" },
      cookie.parse_set "a=b; domain=.Example.COM; path=/1; path=/2")
    assert.equal(0, cookie.parse_set("a=b; max-age=-5").max_age)
    for _, wrong in ipairs { "", "a", "=b", ";a=b", "a=b\r\nc", "a=\0" } do
      assert.equal("cookie", (select(3, cookie.parse_set(wrong))), wrong)
    end
    for _, wrong in ipairs { "__Host-a=b", "__Host-a=b; Secure; Path=/; Domain=x.org", "__Secure-a=b", "a=b; SameSite=None" } do
      assert.equal("prefix", (select(3, cookie.parse_set(wrong))), wrong)
    end
  end)

  it("has dates of all the forms there are", function()
    for text, seconds in pairs {
      ["Sun, 06 Nov 1994 08:49:37 GMT"] = 784111777, ["Sunday, 06-Nov-94 08:49:37 GMT"] = 784111777,
      ["Sun Nov  6 08:49:37 1994"] = 784111777, ["Thu, 01 Jan 1970 00:00:00 GMT"] = 0, ["29 Feb 2024 23:59:59"] = 1709251199,
      ["1 mar 00 0:0:0"] = 951868800, ["31-Dec-2099 23:59:59"] = 4102444799,
    } do
      assert.equal(seconds, cookie.parse_set("a=b; expires=" .. text).expires, text)
    end
    for _, wrong in ipairs { "06 Nov 1994", "32 Nov 1994 08:49:37", "06 Nov 1994 24:00:00", "6 Nov 1500 0:0:0", "" } do
      assert.is_nil(cookie.parse_set("a=b; expires=" .. wrong).expires, wrong)
    end
  end)
end)

describe("moongate.cookie: signed values", function()
  local OLD, NEW = ("old"):rep(8), ("new"):rep(8)

  both_ways("come back as they were", function()
    local signer = cookie.signer { keys = { NEW } }
    for _, value in ipairs { "", "ann", "a;b c\0\255" } do
      local signed = signer:sign("id", value)
      assert.is_truthy(cookie.build("id", signed))
      assert.equal(value, signer:verify("id", signed))
    end
  end)

  it("are refused when a byte, the name or the key is another", function()
    local signer = cookie.signer { keys = { NEW } }
    local signed = signer:sign("id", "ann")
    local function refused(name, text, by)
      local value, message, code = (by or signer):verify(name, text)
      assert.is_nil(value)
      assert.equal("string", type(message))
      assert.equal("signature", code)
    end
    for i = 1, #signed do
      local byte = signed:sub(i, i) == "A" and "B" or "A"
      refused("id", signed:sub(1, i - 1) .. byte .. signed:sub(i + 1))
      refused("id", signed:sub(1, i - 1))
    end
    refused("di", signed)
    refused("id", signed .. "A")
    refused("id", signed, cookie.signer { keys = { OLD } })
    for _, text in ipairs { "", ".", "..", "a.1.b", "....", "é" } do refused("id", text) end
  end)

  it("are still good when the key has been changed, as long as the old one is known", function()
    local signed = cookie.signer({ keys = { OLD } }):sign("id", "ann")
    assert.equal("ann", cookie.signer({ keys = { NEW, OLD } }):verify("id", signed))
    assert.is_nil((cookie.signer({ keys = { OLD } }):verify("id", cookie.signer({ keys = { NEW, OLD } }):sign("id", "x"))))
  end)

  it("become too old", function()
    local signer = cookie.signer { keys = { NEW }, max_age = 60 }
    local signed = signer:sign("id", "ann")
    local now = time.now
    finally(function() time.now = now end)
    local base = now()
    time.now = function() return base + 50 end
    assert.equal("ann", signer:verify("id", signed))
    time.now = function() return base + 65 end
    assert.equal("expired", (select(3, signer:verify("id", signed))))
    time.now = function() return base - 100 end
    assert.equal("expired", (select(3, signer:verify("id", signed))))
  end)

  it("need keys that nobody can guess", function()
    for _, wrong in ipairs {
      {}, { keys = {} }, { keys = { "short" } }, { keys = { 7 } }, { key = NEW }, { keys = { NEW }, max_age = 0 },
    } do
      assert.equal("cookie_spec.lua", (misuse(function() return (cookie.signer(wrong)) end)))
    end
  end)
end)
