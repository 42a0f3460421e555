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
    assert.equal("d e", req.args.c)
    assert.same({ "1", "2" }, req.args:all "b")
    assert.equal("2", req.cookies.t)
    assert.is_nil(req.params.none)
    assert.equal("::1", req.client.ip)
    assert.equal("xyz", req:body(3))
    assert.same({ nil, "the body is larger than its limit", "limit" }, { req:body(2) })
  end)

  it("may assign only what the phase allows, and the error stands at its own line", function()
    local policy = testing.policy {
      rewrite = function(_, req) req.path = "/new" end,
      access = function(_, req)
        req.method = "PUT"
        req.scheme = "https"
      end,
      log = function(_, req) req.method = "GET" end,
      response = function(_, req) req.nonsense = 1 end,
      failed = function(_, req) req.headers.x = "1" end,
    }
    local _, req = policy:rewrite { path = "/old" }
    assert.equal("/new", req.path)
    assert.matches("policy_spec.lua:%d+: req.scheme cannot be changed$", message_of(function() policy:access {} end))
    assert.matches("policy_spec.lua:%d+: req.method cannot be changed in phase 'log'; it can in: rewrite, access",
      message_of(function() policy:log {} end))
    assert.matches("policy_spec.lua:%d+: req.headers cannot be changed in phase 'failed'",
      message_of(function() policy:failed({}, {}) end))
    assert.matches("policy_spec.lua:%d+: req has no field 'nonsense'; what policies share goes into req.ctx",
      message_of(function() policy:response({}, {}) end))
  end)

  it("is told when it reads a field that no request has", function()
    assert.error_matches(function() testing.policy(function(req) return req.pth end):access {} end,
      "req has no field 'pth'; did you mean 'path'?", 1, true)
  end)

  it("may answer with a text or a status, but not with anything else", function()
    local function answer(value) return (testing.policy(function() return value end):access {}) end
    assert.same({ status = 200, body = "text" }, answer "text")
    assert.same({ status = 404 }, answer(404))
    assert.error_matches(function() answer(true) end, "an answer is a table, a text or a status, not a boolean")
    assert.error_matches(function() answer { code = 200 } end, "an answer has status, headers and body, not 'code'")
    assert.error_matches(function() answer { status = 42 } end, "must be a whole number from 200 to 599, not 42")
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
        log.info("seen", { times = seen:incr(req.client.ip, 1, { init = 0, ttl = 60 }) })
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
    assert.same({ "info: seen times=1", "info: seen times=2", "info: seen times=1" }, policy.logged)
  end)

  it("has timers that wait for the test to move the clock", function()
    write("ticks.lua", [[
      local task, log = require "moongate.task", require "moongate.log"
      local ticks = {}
      function ticks:start()
        self.timer = task.every(10, function() log.info "tick" end)
        task.after(15, function() error "once" end)
      end
      function ticks:stop() self.timer:cancel() end
      return ticks]])
    local policy = testing.policy "ticks"
    policy:start()
    policy:advance(25)
    assert.equal(3, #policy.logged)
    assert.equal("info: tick", policy.logged[1])
    assert.matches("error: script error in a timer: .*ticks.lua:5: once", policy.logged[2])
    policy:stop()
    policy:advance(100)
    assert.equal(3, #policy.logged)
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

  it("take a list for several fields of one name", function()
    local headers = testing.headers { { "Set-Cookie", "old" }, { "X", "1" } }
    headers["set-cookie"] = { "a=1", "b=2" }
    assert.same({ "a=1", "b=2" }, headers:all "set-cookie")
    headers["set-cookie"] = {}
    assert.is_nil(headers["set-cookie"])
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

describe("a made-up request", function()
  it("has the fields that requests have, writable in the phases in which they are", function()
    local made = require "moongate.testing.made"
    local class, fields
    for line in io.lines "lua/moongate/types/api.lua" do
      class = line:match "^%-%-%-@class moongate%.(%a+)$" or class
      fields = class == "request" and made.request_fields or class == "response" and made.response_fields
      local name, rest = line:match "^%-%-%-@field (%a+) (.*)$"
      if fields and name and name ~= "body" then
        assert.is_truthy(fields[name], ("made-up %ss lack the field %s"):format(class, name))
        local phases = rest:match "Assigned in: (.-)%.$"
        assert.equal(phases or "", table.concat(fields[name], ", "), class .. "." .. name)
      end
    end
  end)
end)
