local multipart = require "moongate.multipart"
local support = dofile "spec/modules/support.lua"

local both_ways, misuse = support.both_ways, support.misuse

local TYPE = "multipart/form-data; boundary=AaB03x"
local function lines(...) return table.concat({ ... }, "\r\n") end
local function field(name, body) return lines("--AaB03x", 'Content-Disposition: form-data; name="' .. name .. '"', "", body) end

local FORM = lines("--AaB03x", 'Content-Disposition: form-data; name="text"', "", "Larry", "--AaB03x",
  'content-disposition: form-data; name="file"; filename="a b.txt"', "Content-Type: text/plain", "X-More: 1", "",
  "line\r\n--AaB03\r\n--AaB03\n-- ", "--AaB03x", 'Content-Disposition: form-data; name="empty"', "", "", "--AaB03x--", "")

---Pieces of n bytes each.
local function pieces_of(text, n)
  local at = 1
  return function()
    if at > #text then return nil end
    local piece = text:sub(at, at + n - 1)
    at = at + n
    return piece
  end
end

---Everything that a reader says, as one text.
local function read_all(reader)
  local out = {}
  while true do
    local part, message, code = reader:next()
    if message then return table.concat(out) .. "!" .. code end
    if not part then return table.concat(out) end
    local text, _, reason = part:text()
    if not text then return table.concat(out) .. "!" .. reason end
    out[#out + 1] = ("[%s|%s|%s|%s]"):format(part.name, tostring(part.filename), tostring(part.type), text)
  end
end

describe("moongate.multipart: reading", function()
  both_ways("gives the parts with their names, types and bodies", function()
    assert.same({
      { name = "text", body = "Larry", headers = { ["content-disposition"] = 'form-data; name="text"' } },
      { name = "file", filename = "a b.txt", type = "text/plain", body = "line\r\n--AaB03\r\n--AaB03\n-- ", headers = {
        ["content-disposition"] = 'form-data; name="file"; filename="a b.txt"', ["content-type"] = "text/plain", ["x-more"] = "1",
      } },
      { name = "empty", body = "", headers = { ["content-disposition"] = 'form-data; name="empty"' } },
    }, multipart.parse(TYPE, FORM))
  end)

  it("gives the same in whatever pieces the form arrives", function()
    local whole = read_all(assert(multipart.reader(TYPE, FORM)))
    assert.equal("[text|nil|nil|Larry][file|a b.txt|text/plain|line\r\n--AaB03\r\n--AaB03\n-- ][empty|nil|nil|]", whole)
    for n = 1, #FORM do assert.equal(whole, read_all(assert(multipart.reader(TYPE, pieces_of(FORM, n))))) end
  end)

  it("gives the same in whatever pieces a wrong form arrives", function()
    for _, text in ipairs {
      "", "--AaB03x", "--AaB03x--x", "--AaB03xy\r\n", field("a", "b") .. "\r\n--AaB03x-", field("a", "b") .. "\n--AaB03x--",
      lines("--AaB03x", "", "body", "--AaB03x--"), field("a", "") .. "--AaB03x--", "preamble" .. field("a", "b"),
      field("a", "--AaB03") .. "\r\n--AaB03x--", lines("--AaB03x \t", 'Content-Disposition: form-data; name="a"', "--AaB03x--"),
      lines("--AaB03x", 'Content-Disposition: form-data; name="a"', "", "--AaB03x--"),
    } do
      local whole = read_all(assert(multipart.reader(TYPE, text)))
      for n = 1, #text do assert.equal(whole, read_all(assert(multipart.reader(TYPE, pieces_of(text, n)))), text) end
    end
  end)

  it("takes a preamble, an epilogue, blanks behind boundaries and a part that has no body", function()
    assert.equal("[a|nil|nil|b]", read_all(multipart.reader(TYPE, "say\r\n\r\n" .. field("a", "b") .. "\r\n--AaB03x--\r\nmore")))
    assert.equal("[a|nil|nil|b]", read_all(multipart.reader(TYPE, field("a", "b") .. "\r\n--AaB03x--")))
    assert.equal("[a|nil|nil|]", read_all(multipart.reader(TYPE,
      '--AaB03x  \r\nContent-Disposition: form-data; name="a"\r\n\r\n--AaB03x-- \t\r\n')))
    assert.equal("[a|nil|nil|--AaB03]", read_all(multipart.reader(TYPE, field("a", "--AaB03") .. "\r\n--AaB03x--")))
    assert.equal("", read_all(multipart.reader(TYPE, "--AaB03x--\r\n")))
  end)

  it("skips what is not read, and gives nothing of a part that is over", function()
    local reader = multipart.reader(TYPE, pieces_of(FORM, 7))
    local first = reader:next()
    local second = reader:next()
    assert.equal("file", second.name)
    assert.is_nil((first:piece()))
    assert.equal("l", second:piece():sub(1, 1))
    assert.equal("empty", reader:next().name)
    assert.is_nil((second:piece()))
    assert.is_nil((reader:next()))
    assert.is_nil((reader:next()))
  end)

  it("holds no more than a piece while a large file goes through", function()
    local piece, left = ("x"):rep(65536), 800
    local head, ended = field("f", ""), false
    local reader = multipart.reader(TYPE, function()
      if head then
        local text = head
        head = nil
        return text
      end
      left = left - 1
      if left > 0 then return piece end
      if ended then return nil end
      ended = true
      return "\r\n--AaB03x--\r\n"
    end)
    local part, size, most = reader:next(), 0, 0
    for data in function() return part:piece() end do
      size = size + #data
      if left % 100 == 0 then
        collectgarbage()
        most = math.max(most, collectgarbage "count")
      end
    end
    assert.equal(799 * 65536, size)
    assert.is_true(most < 30000, most .. " kB")
    assert.is_nil((reader:next()))
  end)

  it("understands quotes and backslashes in names", function()
    local function name_in(text)
      local found = multipart.parse(TYPE, lines("--AaB03x", "Content-Disposition: form-data; " .. text, "", "x", "--AaB03x--"))
      return found and found[1].name .. "|" .. tostring(found[1].filename)
    end
    assert.equal('a"b|nil', name_in [[name="a\"b"]])
    assert.equal([[f|C:\dir\x.txt]], name_in [[filename="C:\dir\x.txt"; name=f]])
    assert.equal([[a\|b;c]], name_in [[name="a\\"; filename="b;c"]])
    assert.equal("é|", name_in [[NAME="é" ; FileName=""]])
    for _, wrong in ipairs {
      [[name="a"; name="b"]], [[name="a]], [[filename="a"]], [[name=a b]],
      [[name]], [[name="a" x]], [[name="a\"]]
    } do
      assert.is_nil(name_in(wrong), wrong)
    end
  end)
end)

describe("moongate.multipart: refusals", function()
  local function code_of(body, limits) return (select(3, multipart.parse(TYPE, body, limits))) end
  local function with_head(...) return lines("--AaB03x", ..., "") .. lines("", "x", "--AaB03x--", "") end

  it("of forms that two readers could understand differently", function()
    local good = 'Content-Disposition: form-data; name="a"'
    assert.is_nil(code_of(lines("--AaB03x", good, "", "x", "--AaB03x--")))
    for text, code in pairs {
      [lines("--AaB03x", good, "", "x")] = "truncated", [""] = "truncated", ["--AaB03x"] = "truncated", [field("a", "x")] = "truncated",
      [field("a", "x") .. "\r\n--AaB03x--!"] = "malformed", [field("a", "x") .. "\r\n--AaB03xx--"] = "malformed",
      [field("a", "x"):gsub("\r\n", "\n") .. "\n--AaB03x--"] = "malformed",
      [lines("--AaB03x", "", "x", "--AaB03x--")] = "malformed",
      [lines("--AaB03x", good, good, "", "x", "--AaB03x--")] = "malformed",
      [lines("--AaB03x", "Content-Type: text/plain", "", "x", "--AaB03x--")] = "malformed",
      [lines("--AaB03x", good, " folded: 1", "", "x", "--AaB03x--")] = "malformed",
      [lines("--AaB03x", good, "x : 1", "", "x", "--AaB03x--")] = "malformed",
      [lines("--AaB03x", good, "x: a\nb", "", "x", "--AaB03x--")] = "malformed",
      [lines("--AaB03x", good, "x: a\0", "", "x", "--AaB03x--")] = "malformed",
      [lines("--AaB03x", 'Content-Disposition: attachment; name="a"', "", "x", "--AaB03x--")] = "malformed",
      [lines("--AaB03x", good, "Content-Transfer-Encoding: base64", "", "x", "--AaB03x--")] = "malformed",
    } do
      assert.equal(code, code_of(text), text)
    end
    assert.is_nil(code_of(with_head(good)))
  end)

  it("stay", function()
    local reader = multipart.reader(TYPE, "--AaB03xx\r\n")
    for _ = 1, 2 do assert.equal("malformed", (select(3, reader:next()))) end
  end)

  it("of what is too much", function()
    local form = field("a", ("x"):rep(100)) .. "\r\n" .. field("b", "y") .. "\r\n--AaB03x--"
    assert.is_nil(code_of(form))
    assert.is_nil(code_of(form, { parts = 2, part_bytes = 100, total_bytes = #form }))
    for _, limits in ipairs { { parts = 1 }, { part_bytes = 99 }, { total_bytes = #form - 1 }, { header_bytes = 10 } } do
      assert.equal("limit", code_of(form, limits))
    end
    local part = multipart.reader(TYPE, form):next()
    assert.equal("limit", (select(3, part:text(99))))
    local endless = multipart.reader(TYPE, function() return "--AaB03x\r\nx" end)
    assert.equal("limit", (select(3, endless:next())))
    endless = multipart.reader(TYPE, coroutine.wrap(function()
      coroutine.yield "--AaB03x\r\n"
      while true do coroutine.yield "x" end
    end))
    assert.equal("limit", (select(3, endless:next())))
    local blanks = multipart.reader(TYPE, coroutine.wrap(function()
      coroutine.yield "--AaB03x"
      while true do coroutine.yield "  " end
    end))
    assert.equal("malformed", (select(3, blanks:next())))
  end)

  it("pass on what the source of the pieces says", function()
    local reader = multipart.reader(TYPE, function() return nil, "the client is gone", "gone" end)
    local part, message, code = reader:next()
    assert.same({ nil, "the client is gone", "gone" }, { part, message, code })
  end)

  it("of content-types that name no boundary", function()
    for _, wrong in ipairs {
      "", "text/plain", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a",
      "multipart/form-data; boundary=a; boundary=b", 'multipart/form-data; boundary="a',
      "multipart/form-data; boundary=" .. ("a"):rep(71),
      'multipart/form-data; boundary="a "', 'multipart/form-data; boundary="a\r\n"', "multipart/form-data, boundary=a",
    } do
      assert.equal("type", (select(3, multipart.boundary(wrong))), wrong)
    end
    assert.equal("type", (select(3, multipart.reader(nil, ""))))
    assert.equal("a b'()", multipart.boundary [[Multipart/Form-Data; charset=utf-8; Boundary="a b'()"]])
  end)

  it("blame the script for arguments that make no sense", function()
    for _, wrong in ipairs {
      function() multipart.reader(TYPE, 7) end, function() multipart.reader(TYPE, "", { part = 1 }) end,
      function() multipart.parse(TYPE) end, function() multipart.build { { name = "a" } } end,
      function() multipart.build { { body = "a" } } end, function() multipart.stream { "a" } end,
      function() multipart.build { { name = "a", body = "b", filename = 7 } } end,
    } do
      assert.equal("multipart_spec.lua", (misuse(wrong)))
    end
  end)
end)

describe("moongate.multipart: making", function()
  local PARTS = {
    { name = "text", body = "Larry" }, { name = "number", body = 7 }, { name = "empty", body = "" },
    { name = "file", body = "\r\n--x\0\255", filename = "a b.bin" },
    { name = "page", body = "<b>", filename = "p.html", type = "text/html", headers = { ["x-more"] = "1" } },
  }

  both_ways("gives a form that reads back as it was", function()
    local body, content_type = multipart.build(PARTS)
    local read = assert(multipart.parse(content_type, body))
    assert.equal(#PARTS, #read)
    for i, part in ipairs(PARTS) do
      assert.equal(part.name, read[i].name)
      assert.equal(tostring(part.body), read[i].body)
      assert.equal(part.filename, read[i].filename)
    end
    assert.equal("application/octet-stream", read[4].type)
    assert.equal("text/html", read[5].type)
    assert.equal("1", read[5].headers["x-more"])
    assert.is_nil(read[1].type)
  end)

  it("streams bodies that come in pieces", function()
    local left = 3
    local chunks, content_type = multipart.stream {
      { name = "a", body = function()
        left = left - 1
        return left >= 0 and "piece " .. left .. ";" or nil
      end }, { name = "b", body = "end" },
    }
    assert.equal("[a|nil|nil|piece 2;piece 1;piece 0;][b|nil|nil|end]", read_all(multipart.reader(content_type, chunks)))
    assert.is_nil((chunks()))
  end)

  it("lets no name end its field, and no header begin another", function()
    local body, content_type = multipart.build { { name = 'a"\r\nx: y', body = "1", filename = '"; name="z' } }
    local read = assert(multipart.parse(content_type, body))
    assert.equal("a%22%0D%0Ax: y", read[1].name)
    assert.equal("%22; name=%22z", read[1].filename)
    for _, part in ipairs {
      { name = "a", body = "", type = "text/plain\r\nx: y" }, { name = "a", body = "", headers = { ["x\r\ny"] = "1" } },
      { name = "a", body = "", headers = { x = "1\r\ny: 2" } }, { name = "a", body = "", headers = { ["content-disposition"] = "x" } },
      { name = "a\0", body = "" },
    } do
      local made, message, code = multipart.build { part }
      assert.is_nil(made)
      assert.equal("string", type(message))
      assert.equal("value", code)
    end
  end)

  it("makes a form without parts", function()
    local body, content_type = multipart.build {}
    assert.same({}, multipart.parse(content_type, body))
  end)
end)
