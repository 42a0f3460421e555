local testing = require "moongate.testing"

---The whole message that a function fails with, its line included.
local function message_of(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  return tostring(err)
end

describe("a policy without a proxy", function()
  local keys = {
    options = {
      header = { type = "string", default = "x-key" },
      keys = { type = "list", of = "string", required = true },
    },
  }
  function keys:setup()
    self.known = {}
    for _, key in ipairs(self.keys) do self.known[key] = true end
  end
  function keys:access(req)
    if not self.known[req.headers[self.header]] then return { status = 401, body = "unknown\n" } end
    req.ctx.key = req.headers[self.header]
  end

  it("answers a phase with data, and shows the request", function()
    local policy = testing.policy(keys, { keys = { "k1" } })
    assert.same({ status = 401, body = "unknown\n" }, (policy:access { headers = { ["X-Key"] = "k2" } }))
    local answer, req = policy:access { headers = { ["X-Key"] = "k1" } }
    assert.is_nil(answer)
    assert.equal("k1", req.ctx.key)
  end)

  it("is refused when its options are wrong", function()
    assert.error_matches(function() testing.policy(keys, { keys = "k1" }) end, 'keys: expected a list, got "k1"', 1, true)
    assert.error_matches(function() testing.policy(keys, {}) end, "keys: is required", 1, true)
    assert.error_matches(function() testing.policy(keys, { key = {}, keys = {} }) end,
      "unknown option 'key'; did you mean 'keys'?", 1, true)
  end)

  it("may be a function, which is the access phase", function()
    local policy = testing.policy(function(req) return { status = 200, body = req.path } end)
    assert.equal("/x", policy:access({ path = "/x" }).body)
  end)

  it("sees a whole made-up request", function()
    local req
    testing.policy(function(r) req = r end):access {
      method = "POST", path = "/a?b=1&c=d%20e&b=2", headers = { cookie = "s=1; t=2" }, client = { ip = "::1" }, body = "xyz",
    }
    assert.equal("POST", req.method)
    assert.equal("/a", req.path)
    assert.equal("b=1&c=d%20e&b=2", req.query)
    assert.equal("/a?b=1&c=d%20e&b=2", req.target)
    assert.same({ b = "1", c = "d e" }, req.args)
    assert.same({ s = "1", t = "2" }, req.cookies)
    assert.equal("::1", req.client.ip)
    assert.equal("xyz", req:body(3))
    assert.same({ nil, "the body is longer than 2 bytes", 413 }, { req:body(2) })
  end)

  it("may assign only what the phase allows, and the error stands at its own line", function()
    local policy = testing.policy { rewrite = function(_, req) req.path = "/new" end, access = function(_, req)
      req.path = "/ok"
      req.method = "PUT"
    end, log = function(_, req) req.nonsense = 1 end }
    local _, req = policy:rewrite { path = "/old" }
    assert.equal("/new", req.path)
    assert.matches("policy_spec.lua:%d+: req.method cannot be assigned in the phase 'access'",
      message_of(function() policy:access {} end))
    assert.error_matches(function() policy:log {} end, "req has no field 'nonsense'; a policy's own data belongs into req.ctx",
      1, true)
  end)

  it("changes an answer", function()
    local policy = testing.policy { response = function(_, _, res)
      res.headers["x-powered-by"] = nil
      res.headers:add("vary", "accept")
    end }
    local _, _, res = policy:response({}, { status = 200, headers = { ["X-Powered-By"] = "x", Vary = "cookie" } })
    assert.is_nil(res.headers["x-powered-by"])
    assert.same({ "cookie", "accept" }, res.headers:all "vary")
  end)

  it("filters a body", function()
    local policy = testing.policy { response_body = function(_, _, _, chunks, write)
      for chunk in chunks do write(chunk:upper()) end
    end }
    assert.same({ "AB", "C" }, (policy:response_body({}, {}, { "ab", "c" })))
    assert.same({ "ab" }, (policy:request_body({}, { "ab" })))
  end)

  it("runs several phases on one request", function()
    local policy = testing.policy {
      access = function(_, req) req.ctx.seen = 1 end, log = function(_, req) req.ctx.seen = req.ctx.seen + 1 end,
    }
    local req = testing.request { path = "/" }
    policy:access(req)
    policy:log(req, testing.response { status = 200 })
    assert.equal(2, req.ctx.seen)
  end)
end)

describe("a policy's module without a proxy", function()
  local saved, dir
  before_each(function()
    saved, dir = package.path, os.tmpname()
    os.remove(dir)
    os.execute("mkdir " .. dir)
    package.path = dir .. "/?.lua;" .. saved
  end)
  after_each(function()
    package.path = saved
    os.execute("rm -r " .. dir)
  end)
  local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  it("is found by its name and gets the proxy's modules", function()
    write("patient.lua", [[
      local dict, log, time = require "moongate.dict", require "moongate.log", require "moongate.time"
      local patient = {}
      function patient:access(req)
        local seen = dict.open "seen"
        log.info("seen", seen:incr(req.client.ip, 1, { init = 0, ttl = 60 }))
        time.sleep(30)
        req.ctx.now = time.now()
      end
      return patient]])
    local policy = testing.policy "patient"
    local before = policy.now
    local _, req = policy:access {}
    assert.equal(before + 30, req.ctx.now)
    policy:access {}
    policy:access {} -- a minute after the first, whose count has run out
    assert.same({ "info: seen 1", "info: seen 2", "info: seen 1" }, policy.logged)
  end)

  it("gets the modules that the test puts in the place of others", function()
    write("asks.lua", [[
      local redis = require "moongate.redis"
      return { access = function(_, req) req.ctx.answer = redis.get "key" end }]])
    local policy = testing.policy("asks", {}, { modules = { ["moongate.redis"] = { get = function(k) return k .. "!" end } } })
    local _, req = policy:access {}
    assert.equal("key!", req.ctx.answer)
  end)

  it("is refused with its own line when it does not compile", function()
    write("broken.lua", "local x = = 1")
    assert.matches("broken.lua:1: unexpected symbol", message_of(function() testing.policy "broken" end), 1, true)
  end)

  it("is missed with the names that were tried", function()
    assert.error_matches(function() testing.policy "nowhere" end,
      "no policy 'nowhere': neither in ./scripts nor on package.path", 1, true)
  end)
end)

describe("made-up header fields", function()
  it("are found whatever their letter case, first value first", function()
    local headers = testing.headers { { "Accept", "a" }, { "ACCEPT", "b" }, { "get", "a field named like a method" } }
    assert.equal("a", headers.accept)
    assert.equal("a", headers["aCCept"])
    assert.same({ "a", "b" }, headers:all "accept")
    assert.equal("a field named like a method", headers:get "get")
    assert.is_nil(headers.other)
  end)

  it("are replaced at the first one's place, and removed by nil", function()
    local headers = testing.headers { { "A", "1" }, { "B", "2" }, { "a", "3" } }
    headers.a = "new"
    headers.b = nil
    headers.c = 4
    local seen = {}
    for name, value in headers:each() do seen[#seen + 1] = name .. "=" .. value end
    assert.same({ "A=new", "c=4" }, seen)
  end)

  it("refuse CR, LF and NUL at the caller's line", function()
    local headers = testing.headers()
    for _, value in ipairs { "a\rb", "a\nb", "a\0b" } do
      assert.matches("policy_spec.lua:%d+: CR, LF and NUL must not stand", message_of(function() headers.x = value end))
    end
    assert.error_matches(function() headers["a b"] = "x" end, "'a b' is not a header's name", 1, true)
    assert.error_matches(function() headers:add("x", {}) end, "a header's value is a string, not a table", 1, true)
  end)
end)
