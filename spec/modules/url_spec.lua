local support = dofile "spec/modules/support.lua"
local url = require "moongate.url"

local both_ways, misuse = support.both_ways, support.misuse

describe("moongate.url: parsing", function()
  both_ways("takes URLs apart", function()
    for text, parts in pairs {
      ["https://User:pw@Example.COM:8443/a/b;c=1?x=1&y#top"] = {
        scheme = "https", userinfo = "User:pw", host = "example.com", port = 8443, path = "/a/b;c=1", query = "x=1&y",
        fragment = "top",
      },
      ["ftp://ftp.is.co.za/rfc/rfc1808.txt"] = { scheme = "ftp", host = "ftp.is.co.za", path = "/rfc/rfc1808.txt" },
      ["ldap://[2001:db8::7]/c=GB?objectClass?one"] = {
        scheme = "ldap", host = "2001:db8::7", path = "/c=GB", query = "objectClass?one",
      },
      ["mailto:John.Doe@example.com"] = { scheme = "mailto", path = "John.Doe@example.com" },
      ["tel:+1-816-555-1212"] = { scheme = "tel", path = "+1-816-555-1212" },
      ["telnet://192.0.2.16:80/"] = { scheme = "telnet", host = "192.0.2.16", port = 80, path = "/" },
      ["urn:oasis:names:specification:docbook:dtd:xml:4.1.2"] = {
        scheme = "urn", path = "oasis:names:specification:docbook:dtd:xml:4.1.2",
      },
      ["file:///etc/hosts"] = { scheme = "file", host = "", path = "/etc/hosts" },
      ["http://h"] = { scheme = "http", host = "h", path = "" },
      ["http://h:"] = { scheme = "http", host = "h", path = "" },
      ["http://[::1]:80?q"] = { scheme = "http", host = "::1", port = 80, path = "", query = "q" },
      ["http://[::ffff:192.0.2.1]/"] = { scheme = "http", host = "::ffff:192.0.2.1", path = "/" },
      ["//h/x"] = { host = "h", path = "/x" },
      ["/a?#"] = { path = "/a", query = "", fragment = "" },
      ["a/b:c"] = { path = "a/b:c" },
      ["?x"] = { path = "", query = "x" },
      [""] = { path = "" },
      ["http://h/%41%e9#a?b/c"] = { scheme = "http", host = "h", path = "/%41%e9", fragment = "a?b/c" },
    } do
      assert.same(parts, url.parse(text), text)
    end
  end)

  it("refuses what RFC 3986 does not allow", function()
    for _, text in ipairs {
      "http://h/a b", "http://h/a\nb", "http://h/é", "http://h/%", "http://h/%4", "http://h/%zz", "http://h/?%g1", "http://h/#a#b",
      "http://h:99999/", "http://h:8x/", "http://h:-1/", "http://[::1/", "http://::1/", "http://[1:2]/", "http://[::1::2]/",
      "http://[1:2:3:4:5:6:7:8:9]/", "http://[12345::]/", "http://[::1]x/", "http://[::1%25eth0]/", "http://[::256.1.1.1]/",
      "http:///x", "https://:80/", "http://a@b@c/", "http://h\\x/", "http://h/\\", "1a:b", ":b", "http://h/\"", "http://h/<",
      "http://h/^", "http://h/`", "http://h/{", "http://h/|", "http://h\0/", "http://[1.2.3.4::]/", "http://h:000000080/",
    } do
      local parts, message, code = url.parse(text)
      assert.is_nil(parts, text)
      assert.equal("string", type(message))
      assert.equal("url", code)
    end
  end)
end)

describe("moongate.url: building", function()
  it("puts together what was taken apart", function()
    for _, text in ipairs {
      "https://u:p@example.com:8443/a/b?x=1#top", "http://[::1]:80/", "file:///x", "mailto:a@b", "//h/x", "/a?#", "", "?x", "a/b:c",
      "urn:a:b", "http://h",
    } do
      assert.equal(text, url.build(assert(url.parse(text))))
    end
  end)

  it("takes a query as a table and leaves the parts alone", function()
    local parts = { scheme = "http", host = "h", path = "/", query = { b = { 1, 2 }, a = "x y" }, fragment = "f" }
    assert.equal("http://h/?a=x%20y&b=1&b=2#f", url.build(parts))
    assert.equal("http://h/?a=x%20y&b=1&b=2#f", url.build(parts))
  end)

  it("lets no part be taken for another", function()
    assert.equal("/.//evil/x", url.build { path = "//evil/x" })
    assert.equal("./a:b", url.build { path = "a:b" })
    for _, parts in ipairs {
      { scheme = "http", host = "h", path = "x" }, { host = "h/x" }, { host = "h@evil" }, { host = "h:80" }, { host = "h?" },
      { host = "h", userinfo = "a@b" }, { path = "/a?b" }, { path = "/a#b" }, { path = "/", query = "a#b" }, { path = "/\r\n" },
      { scheme = "ht tp", path = "" }, { host = "h", port = 65536 }, { host = "h", port = "80/x" }, { port = 80, path = "/" },
      { path = "/%" }, { path = "", fragment = "#" }, { scheme = "HTTP", host = "", path = "/x" },
    } do
      local text, message, code = url.build(parts)
      assert.is_nil(text)
      assert.equal("string", type(message))
      assert.equal("url", code)
    end
    assert.equal("url_spec.lua", (misuse(function() return (url.build "x") end)))
    assert.equal("url_spec.lua", (misuse(function() return (url.build { path = 7 }) end)))
  end)
end)

describe("moongate.url: resolving", function()
  -- RFC 3986 section 5.4.
  local BASE = "http://a/b/c/d;p?q"
  local EXAMPLES = {
    { "g:h", "g:h" }, { "g", "http://a/b/c/g" }, { "./g", "http://a/b/c/g" }, { "g/", "http://a/b/c/g/" },
    { "/g", "http://a/g" }, { "//g", "http://g" }, { "?y", "http://a/b/c/d;p?y" }, { "g?y", "http://a/b/c/g?y" },
    { "#s", "http://a/b/c/d;p?q#s" }, { "g#s", "http://a/b/c/g#s" }, { "g?y#s", "http://a/b/c/g?y#s" },
    { ";x", "http://a/b/c/;x" }, { "g;x", "http://a/b/c/g;x" }, { "g;x?y#s", "http://a/b/c/g;x?y#s" },
    { "", "http://a/b/c/d;p?q" }, { ".", "http://a/b/c/" }, { "./", "http://a/b/c/" }, { "..", "http://a/b/" },
    { "../", "http://a/b/" }, { "../g", "http://a/b/g" }, { "../..", "http://a/" }, { "../../", "http://a/" },
    { "../../g", "http://a/g" },
    { "../../../g", "http://a/g" }, { "../../../../g", "http://a/g" }, { "/./g", "http://a/g" }, { "/../g", "http://a/g" },
    { "g.", "http://a/b/c/g." }, { ".g", "http://a/b/c/.g" }, { "g..", "http://a/b/c/g.." }, { "..g", "http://a/b/c/..g" },
    { "./../g", "http://a/b/g" }, { "./g/.", "http://a/b/c/g/" }, { "g/./h", "http://a/b/c/g/h" },
    { "g/../h", "http://a/b/c/h" }, { "g;x=1/./y", "http://a/b/c/g;x=1/y" }, { "g;x=1/../y", "http://a/b/c/y" },
    { "g?y/./x", "http://a/b/c/g?y/./x" }, { "g?y/../x", "http://a/b/c/g?y/../x" }, { "g#s/./x", "http://a/b/c/g#s/./x" },
    { "g#s/../x", "http://a/b/c/g#s/../x" }, { "http:g", "http:g" },
  }

  both_ways("gives each example of RFC 3986", function()
    for _, example in ipairs(EXAMPLES) do assert.equal(example[2], url.resolve(BASE, example[1]), example[1]) end
  end)

  it("keeps what the base says where the reference says nothing", function()
    assert.equal("http://u@a:81/x", url.resolve("http://u@a:81", "x"))
    assert.equal("https://b/", url.resolve("http://u@a:81/x", "https://b/"))
    assert.equal("http://a/c//d", url.resolve("http://a/b", "/c//d"))
    assert.equal("x:/.//evil", url.resolve("x:/a/b", "/.//evil"))
    assert.equal("http://a/%2e%2e/x", url.resolve("http://a/", "%2e%2e/x"))
  end)

  it("takes long paths in a moment", function()
    local began = os.clock()
    assert.equal("http://a/x", url.resolve("http://a/", ("a/../"):rep(20000) .. "x"))
    assert.is_true(os.clock() - began < 1)
  end)

  it("refuses a base without a scheme, and what is no URL", function()
    for _, pair in ipairs { { "/a", "b" }, { "", "b" }, { "http://h/", "a b" }, { "http://h/ ", "b" }, { "http://h", "http:///x" },
      { "http://h/", "//" }, { "http://h/", "///x" } } do
      assert.equal("url", (select(3, url.resolve(pair[1], pair[2]))))
    end
  end)
end)

describe("moongate.url: escapes", function()
  both_ways("come back as they were", function()
    local all = {}
    for byte = 0, 255 do all[#all + 1] = string.char(byte) end
    local text = table.concat(all)
    assert.equal(text, url.decode(url.encode(text)))
    assert.equal("aZ09-._~", url.encode "aZ09-._~")
    assert.equal("a%20b%2F%3F%25%C3%A9%00", url.encode "a b/?%é\0")
    assert.equal("/a%20b/%5D%5E", url.encode("/a b/]^", "/"))
    assert.equal("a]-^%", url.encode("a]-^%", "^]-%"))
    assert.equal("a+b c/é", url.decode "a+b%20c%2f%C3%a9")
  end)

  it("are refused when they are broken", function()
    for _, text in ipairs { "%", "a%2", "%zz", "%2x", "%%20", "%20%" } do
      local decoded, message, code = url.decode(text)
      assert.is_nil(decoded)
      assert.equal("string", type(message))
      assert.equal("encoding", code)
    end
    assert.equal("url_spec.lua", (misuse(function() url.decode(nil) end)))
    assert.equal("url_spec.lua", (misuse(function() return (url.encode(nil)) end)))
  end)
end)

describe("moongate.url: queries", function()
  both_ways("keep order and duplicates", function()
    local query = url.parse_query "b=1&a=%20x+y&b=2&&flag&empty=&=v&a%3D=b=c"
    assert.equal(7, #query)
    assert.same({ "1", "2" }, query:all "b")
    assert.equal("1", query:get "b")
    assert.equal(" x y", query:get "a")
    assert.equal("", query:get "flag")
    assert.equal("", query:get "empty")
    assert.equal("v", query:get "")
    assert.equal("b=c", query:get "a=")
    assert.is_nil(query:get "none")
    assert.equal("b=1&a=%20x%20y&b=2&flag&empty=&=v&a%3D=b%3Dc", url.build_query(query))
    local names = {}
    for name, value in query:each() do names[#names + 1] = name .. ":" .. value end
    assert.equal("b:1|a: x y|b:2|flag:|empty:|:v|a=:b=c", table.concat(names, "|"))
  end)

  it("can be changed", function()
    local query = url.parse_query "a=1&b=2&a=3&c=4"
    query:set("a", 9)
    assert.equal("a=9&b=2&c=4", url.build_query(query))
    query:add("b", "x&y")
    query:set("d", "5")
    assert.equal("a=9&b=2&c=4&b=x%26y&d=5", url.build_query(query))
    query:remove "b"
    query:set("c", nil)
    assert.equal("a=9&d=5", url.build_query(query))
  end)

  it("are built from lists and maps", function()
    assert.equal("z=1&a=2", url.build_query { { "z", 1 }, { "a", "2" } })
    assert.equal("a=true&b=1&b=2&c=%26", url.build_query { c = "&", b = { 1, 2 }, a = true })
    assert.equal("", url.build_query {})
    assert.equal("", url.build_query(url.parse_query ""))
  end)

  it("with broken escapes are refused", function()
    assert.equal("encoding", (select(3, url.parse_query "a=%")))
    assert.equal("encoding", (select(3, url.parse_query "%x=1")))
  end)
end)
