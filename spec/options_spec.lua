local options = require "moongate.options"

---The message that one option with this declaration and value gets.
local function message_of(declared, value)
  local values, message = options.check({ it = declared }, { it = value })
  assert.is_nil(values)
  return message
end

local function read(declared, value)
  local values, message = options.check({ it = declared }, { it = value })
  assert.is_nil(message)
  return values.it
end

describe("a policy's options", function()
  it("take their defaults where nothing is given", function()
    local declared = { a = { type = "string", default = "x" }, b = { type = "duration", default = "1m" }, c = "number" }
    assert.same({ a = "x", b = 60 }, (options.check(declared, nil)))
    assert.same({ a = "y", b = 60, c = 0 }, (options.check(declared, { a = "y", c = 0 })))
  end)

  it("keep a false that was given although the default is true", function()
    assert.is_false(read({ type = "boolean", default = true }, false))
  end)

  it("arrive as seconds and bytes when they are durations and sizes", function()
    assert.equal(0.25, read("duration", "250ms"))
    assert.equal(3600, read("duration", "1h"))
    assert.equal(1.5, read("duration", 1.5))
    assert.equal(16384, read("size", "16k"))
    assert.equal('it: expected a duration (seconds, or "250ms", "30s", "5m", "1h", "7d"), got "30 sec"; did you mean "30s"?',
      message_of("duration", "30 sec"))
  end)

  it("are refused when their type is wrong, with what would be right", function()
    assert.equal('it: expected a string, got 7', message_of("string", 7))
    assert.equal('it: expected a number, got "7"', message_of("number", "7"))
    assert.equal("it: expected a whole number, got 1.5", message_of("integer", 1.5))
    assert.equal('it: expected true or false, got "yes"', message_of("boolean", "yes"))
    assert.equal("it: expected a function, got a table", message_of("function", {}))
    assert.equal('it: expected a list, got "a" (write { "a" })', message_of("list", "a"))
    assert.equal("it: expected a list, got a table", message_of("list", { a = 1 }))
    assert.equal("it: expected a map { name = value }, got 1", message_of("map", 1))
    assert.equal("it: expected names, got the key 1", message_of("map", { "a" }))
  end)

  it("are refused at the entry that is wrong", function()
    assert.equal("it[2]: expected a string, got 5", message_of({ type = "list", of = "string" }, { "a", 5 }))
    assert.equal('it.b: expected a size (bytes, or "16k", "10m", "2g"), got true',
      message_of({ type = "map", of = "size" }, { a = "1k", b = true }))
  end)

  it("may be nested declarations", function()
    local declared = { type = "list", of = { type = "list", of = { type = "integer", min = 1 } } }
    assert.same({ { 1, 2 }, { 3 } }, read(declared, { { 1, 2 }, { 3 } }))
    assert.equal("it[1][2]: expected at least 1, got 0", message_of(declared, { { 1, 0 } }))
  end)

  it("may be one of several values, and the nearest is named", function()
    local declared = { one_of = { "refuse", "report", 7 } }
    assert.equal("report", read(declared, "report"))
    assert.equal(7, read(declared, 7))
    assert.equal('it: expected "refuse", "report" or 7, got "refus"; did you mean "refuse"?',
      message_of(declared, "refus"))
  end)

  it("may be bounded", function()
    assert.equal("it: expected at most 10, got 11", message_of({ type = "number", max = 10 }, 11))
    assert.equal("it: expected at least 1 entries, got 0", message_of({ type = "list", min = 1 }, {}))
    assert.equal("it: expected at least 1, got 0.5", message_of({ type = "duration", min = 1 }, "500ms"))
  end)

  it("are missed when they are required", function()
    assert.equal("it: is required", message_of({ type = "string", required = true }, nil))
  end)

  it("are refused when nobody declared them, all mistakes at once", function()
    local values, message = options.check({ keys = { type = "list" }, realm = "string" }, { key = {}, realm = 1 })
    assert.is_nil(values)
    assert.equal("unknown option 'key'; did you mean 'keys'?\nrealm: expected a string, got 1", message)
  end)

  it("do not share a table with the declaration or the configuration", function()
    local declared = { it = { type = "list", of = "string", default = { "a" } } }
    local first = options.check(declared, {})
    first.it[1] = "changed"
    assert.same({ "a" }, options.check(declared, {}).it)
  end)

  it("are refused when the policy's declaration is itself wrong", function()
    assert.equal("options.it: unknown type 'strng'; did you mean 'string'?", message_of("strng", "x"))
    assert.equal("options.it: unknown key 'requird'; did you mean 'required'?", message_of({ requird = true }, "x"))
    assert.equal("options.it: expected a table or a type's name, got true", message_of(true, "x"))
  end)
end)
