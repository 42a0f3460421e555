dofile "spec/config/support.lua"
local spelling = require "moongate.config.spelling"

describe("spelling", function()
  it("counts inserted, deleted, replaced and swapped letters", function()
    assert.equal(0, spelling.distance("abc", "abc"))
    assert.equal(1, spelling.distance("abc", "acb"))
    assert.equal(1, spelling.distance("abc", "ab"))
    assert.equal(1, spelling.distance("abc", "abcd"))
    assert.equal(1, spelling.distance("abc", "axc"))
    assert.equal(3, spelling.distance("", "abc"))
  end)

  it("finds the nearest name, whatever its letter case and dashes", function()
    local known = { "workers", "listeners", "error_log", "access_log" }
    assert.equal("workers", spelling.nearest("worker", known))
    assert.equal("workers", spelling.nearest("Workers", known))
    assert.equal("listeners", spelling.nearest("listen", known))
    assert.equal("error_log", spelling.nearest("error-log", known))
    assert.equal("access_log", spelling.nearest("acess_log", known))
    assert.is_nil(spelling.nearest("gzip", known))
    assert.is_nil(spelling.nearest(1, known))
  end)

  it("lists every name when none is near", function()
    assert.equal("; known here: a1, b2", spelling.remedy("gzip", { "a1", "b2" }))
  end)

  it("shows values so that they can be told apart", function()
    assert.equal('"a\\"b\\10"', spelling.show 'a"b\n')
    assert.equal("1.5", spelling.show(1.5))
    assert.equal("a table", spelling.show {})
    assert.equal("nothing", spelling.show(nil))
    assert.equal(62, #spelling.show(("x"):rep(1000)))
  end)
end)
