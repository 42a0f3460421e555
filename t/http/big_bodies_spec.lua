-- Long bodies: nothing of them is lost or changed on any path, and memory stays bounded whoever does not read.
local scenario = require("moongate.testing").scenario

local MB = 2 ^ 20

---@return moongate.testing.proxy
local function in_front_of(w, origin, more)
  local config = { upstreams = { app = { servers = { origin } } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

---Bytes of which no two stretches are equal for long, so that anything lost, doubled or moved shows.
local PATTERN = {}
do
  local numbers = {}
  for i = 1, 65536 do numbers[i] = ("%08x"):format(i * 2654435761 % 2 ^ 32) end
  PATTERN.text = table.concat(numbers)
end

---A function that gives n bytes of the pattern in pieces of different sizes.
local function produce(n)
  local at, turn = 0, 0
  return function()
    if at >= n then return nil end
    turn = turn + 1
    local from = at % #PATTERN.text
    local size = math.min(n - at, #PATTERN.text - from, 1000 + turn * 7919 % 120000)
    at = at + size
    return PATTERN.text:sub(from + 1, from + size)
  end
end

---A sink that fails at the first byte which is not the pattern's; `total` says how many have come.
local function verifier()
  local self = { total = 0 }
  function self.put(piece)
    while piece ~= "" do
      local from = self.total % #PATTERN.text
      local part = piece:sub(1, #PATTERN.text - from)
      if part ~= PATTERN.text:sub(from + 1, from + #part) then
        error(("the body differs between byte %d and %d"):format(self.total, self.total + #part), 0)
      end
      self.total = self.total + #part
      piece = piece:sub(#part + 1)
    end
  end
  return self
end

---The framings in which a body of n bytes can be sent.
local framings = {
  ["with a length"] = function(n) return { ["content-length"] = n } end,
  ["in chunks"] = function() return { ["transfer-encoding"] = "chunked" } end,
}

describe("a long body", function()
  for framing, fields in pairs(framings) do
    for _, n in ipairs { 100000, 262144, 300001, 5 * MB + 1 } do
      it(("of %d bytes %s arrives at the origin as it was sent"):format(n, framing), scenario(function(w)
        local seen = verifier()
        local proxy = in_front_of(w, w:origin(function(conn)
          conn:read_body(conn:request_head(), seen.put)
          conn:reply(200, tostring(seen.total))
        end))
        local answer = proxy:request { method = "POST", headers = fields(n), body = produce(n), chunked = framing == "in chunks" }
        assert.equal(tostring(n), answer.body)
      end))

      it(("of %d bytes %s arrives at the client as it was sent"):format(n, framing), scenario(function(w)
        local headers = fields(n)["content-length"] and fields(n)
        local proxy = in_front_of(w, w:origin(function(conn)
          conn:request()
          conn:reply(200, produce(n), headers)
        end))
        local seen = verifier()
        proxy:request { sink = seen.put }
        assert.equal(n, seen.total)
      end))
    end
  end

  it("that ends with the connection arrives as it was sent", scenario(function(w)
    local proxy = in_front_of(w, w:origin(function(conn)
      conn:request()
      conn:reply_head(200)
      for piece in produce(3 * MB) do conn:send(piece) end
    end))
    for _, version in ipairs { "1.0", "1.1" } do
      local seen = verifier()
      proxy:request { version = version, sink = seen.put }
      assert.equal(3 * MB, seen.total)
    end
  end))

  it("may come back on the same connection again and again", scenario(function(w)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      local seen = verifier()
      conn:read_body(request, seen.put)
      conn:reply(200, produce(seen.total), { ["content-length"] = seen.total })
    end, { loop = true, quiet = true })
    local client = w:client(in_front_of(w, origin))
    for i = 1, 6 do
      local n, seen = i * 200000, verifier()
      client:request { method = "POST", headers = { ["content-length"] = n }, body = produce(n), sink = seen.put }
      assert.equal(n, seen.total)
    end
    assert.equal(1, origin.connections)
  end))

  it("of 100 MB can be uploaded", scenario(function(w)
    local received = 0
    local proxy = in_front_of(w, w:origin(function(conn)
      conn:read_body(conn:request_head(), function(piece) received = received + #piece end)
      conn:reply(200, "done")
    end))
    local piece, left = ("x"):rep(MB), 100
    local answer = proxy:request {
      method = "POST", headers = { ["content-length"] = 100 * MB },
      body = function()
        left = left - 1
        return left >= 0 and piece or nil
      end,
    }
    assert.equal("done", answer.body)
    assert.equal(100 * MB, received)
    assert.equal(100 * MB, proxy:wait_access(1)[1].bytes_in)
  end, { timeout = 60 }))
end)

describe("a body that is in memory as a whole", function()
  for _, n in ipairs { 262144, 262145, 300000, 600000, 2000000, 9000000 } do
    it(("of %d bytes reaches the client when a handler gives it"):format(n), scenario(function(w)
      local proxy = w:proxy { sites = { { routes = { { path = "/:n", handler = function(req)
        return ("x"):rep(tonumber(req.params.n))
      end } } } } }
      local client = w:client(proxy)
      for _ = 1, 2 do assert.equal(n, #client:get("/" .. n).body) end
    end))

    it(("of %d bytes reaches the origin when a script has had it"):format(n), scenario(function(w)
      local seen = verifier()
      local proxy = in_front_of(w, w:origin(function(conn)
        conn:read_body(conn:request_head(), seen.put)
        conn:reply(200, tostring(seen.total))
      end), { policies = { { access = function(_, req) assert(req:body(10485760)) end } } })
      for _, coding in ipairs { true, false } do
        seen.total = 0
        local headers = not coding and { ["content-length"] = n } or nil
        local answer = proxy:request { method = "POST", body = produce(n), chunked = coding, headers = headers }
        assert.equal(tostring(n), answer.body)
      end
    end))

    it(("of %d bytes reaches the origin when it was there before the connection"):format(n), scenario(function(w)
      local seen = verifier()
      local proxy = in_front_of(w, w:origin(function(conn)
        conn:read_body(conn:request_head(), seen.put)
        conn:reply(200, tostring(seen.total))
      end), { policies = { { access = function() require("moongate.time").sleep(0.05) end } } })
      local answer = proxy:request { method = "POST", body = produce(n), chunked = true }
      assert.equal(tostring(n), answer.body)
    end))

    it(("of %d bytes reaches the client when it was there before the head was sent"):format(n), scenario(function(w)
      local proxy = in_front_of(w, w:origin(function(conn)
        conn:request()
        conn:reply(200, produce(n))
      end), { policies = { { response = function() require("moongate.time").sleep(0.05) end } } })
      local seen = verifier()
      proxy:request { sink = seen.put }
      assert.equal(n, seen.total)
    end))
  end
end)

describe("memory", function()
  ---Bytes that all workers have in RAM.
  local function resident(proxy)
    local sum = 0
    for _, pid in ipairs(proxy:workers()) do sum = sum + proxy:resident(pid) end
    return sum
  end

  for framing, fields in pairs(framings) do
    it(("stays bounded while an origin does not read an upload %s"):format(framing), scenario(function(w)
      local origin = w:origin()
      local proxy = in_front_of(w, origin)
      local before = resident(proxy)
      local clients, sent, tasks = {}, 0, {}
      local piece = framing == "in chunks" and ("8000\r\n%s\r\n"):format(("x"):rep(32768)) or ("x"):rep(32768)
      for i = 1, 8 do
        clients[i] = w:client(proxy, { silent = true })
        tasks[i] = function()
          clients[i]:send_head { method = "POST", headers = fields(256 * MB) }
          local n, stuck = clients[i]:send_until_stuck(piece, { still = 0.2 })
          assert.is_true(stuck)
          sent = sent + n
        end
      end
      w:all(unpack(tasks))
      assert.is_true(sent < 8 * 32 * MB)
      assert.is_true(resident(proxy) - before < 16 * MB, ("%d MB more"):format((resident(proxy) - before) / MB))
      origin:stop()
    end))

    it(("stays bounded while a client does not read an answer %s"):format(framing), scenario(function(w)
      local stuck = 0
      local piece = framing == "in chunks" and ("8000\r\n%s\r\n"):format(("x"):rep(32768)) or ("x"):rep(32768)
      local headers = fields(256 * MB)
      local origin = w:origin(function(conn)
        conn:request()
        conn:reply_head(200, headers)
        local _, is_stuck = conn:send_until_stuck(piece, { still = 0.1 })
        stuck = stuck + (is_stuck and 1 or 0)
        conn:expect_end()
      end, { quiet = true })
      local proxy = in_front_of(w, origin)
      local before = resident(proxy)
      local clients = {}
      for i = 1, 8 do
        clients[i] = w:client(proxy)
        clients[i]:send_request {}
      end
      w:wait_for(function() return stuck == 8 end)
      assert.is_true(resident(proxy) - before < 16 * MB, ("%d MB more"):format((resident(proxy) - before) / MB))
      for _, client in ipairs(clients) do client:reset() end
    end))
  end

  it("stays bounded while a client sends thousands of pipelined requests and reads no answer", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = { body = ("x"):rep(10000) } } } } } }
    local before = resident(proxy)
    local client = w:client(proxy, { silent = true })
    local _, stuck = client:send_until_stuck(("GET / HTTP/1.1\r\nHost: a\r\n\r\n"):rep(1000), { most = 64 * MB })
    assert.is_true(stuck)
    assert.is_true(resident(proxy) - before < 8 * MB)
    client:reset()
  end))

  it("is given back after bodies have passed", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request) return request.body end))
    local client = w:client(proxy)
    client:post("/", ("x"):rep(4 * MB))
    local before = resident(proxy)
    for _ = 1, 10 do client:post("/", ("x"):rep(4 * MB)) end
    assert.is_true(resident(proxy) - before < 4 * MB)
  end))
end)
