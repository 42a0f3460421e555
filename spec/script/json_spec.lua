local json = require "moongate.json"

describe("moongate.json", function()
  it("writes values as JSON with names in order", function()
    assert.equal('{"a":[1,2.5,"x"],"b":{"c":true},"d":null}',
      json.encode { d = json.null, b = { c = true }, a = { 1, 2.5, "x" } })
  end)

  it("tells an empty list from an empty object", function()
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(json.array {}))
    assert.equal('{"list":[1]}', json.encode { list = json.array { 1 } })
  end)

  it("escapes what must not stand in a text", function()
    assert.equal([["a\"b\\c\n\u0000\u007f"]], json.encode('a"b\\c\n\0\127'))
  end)

  it("keeps numbers exactly", function()
    for _, number in ipairs { 0, -1, 0.1, 1 / 3, 1e21, 2 ^ 53, 123456789012345, -2.5e-8 } do
      assert.equal(number, json.decode(json.encode(number)))
    end
  end)

  it("answers nil and a message for what JSON cannot say", function()
    local loop = {}
    loop.self = loop
    for value, said in pairs {
      [function() end] = "JSON has no function", [loop] = "nested too deeply",
      [{ [1.5] = 1 }] = "JSON objects have names", [1 / 0] = "JSON has no number for inf",
    } do
      local text, message = json.encode(value)
      assert.is_nil(text)
      assert.is_not_nil(message:find(said, 1, true), message)
    end
  end)

  it("answers nil and a message for what is no JSON", function()
    for _, text in ipairs { "", "{", "[1,]", "nul", '{"a":1}x', "'a'" } do
      local value, message = json.decode(text)
      assert.is_nil(value)
      assert.equal("string", type(message))
    end
  end)

  it("reads null as json.null, also inside", function()
    assert.equal(json.null, json.decode("null"))
    assert.equal(json.null, json.decode('{"a":null}').a)
  end)
end)
