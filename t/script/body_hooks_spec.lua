-- Bodies that go through body hooks: nothing is lost, memory stays bounded, and what fails never looks complete.
local scenario = require("moongate.testing").scenario

local MB = 2 ^ 20

---A proxy in front of one origin, with these policies.
---@return moongate.testing.proxy
local function in_front_of(w, origin, policies, more)
  local config = { upstreams = { app = { servers = { origin } } }, policies = policies }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config)
end

---A function that gives n bytes, in pieces of different sizes, of which no two stretches are equal for long.
local numbers = {}
for i = 1, 65536 do numbers[i] = ("%08x"):format(i * 2654435761 % 2 ^ 32) end
local PATTERN = table.concat(numbers)

local function produce(n)
  local at, turn = 0, 0
  return function()
    if at >= n then return nil end
    turn = turn + 1
    local from = at % #PATTERN
    local size = math.min(n - at, #PATTERN - from, 1 + turn * 7919 % 120000)
    at = at + size
    return PATTERN:sub(from + 1, from + size)
  end
end

---A sink that fails at the first byte that differs from what `produce` gives, or from that in capitals.
local function verifier(capitals)
  local wanted = capitals and PATTERN:upper() or PATTERN
  local self = { total = 0 }
  function self.put(piece)
    while piece ~= "" do
      local from = self.total % #wanted
      local part = piece:sub(1, #wanted - from)
      if part ~= wanted:sub(from + 1, from + #part) then
        error(("the body differs between byte %d and %d"):format(self.total, self.total + #part), 0)
      end
      self.total = self.total + #part
      piece = piece:sub(#part + 1)
    end
  end
  return self
end

local function upper_down(_, _, _, chunks, write)
  for chunk in chunks do write(chunk:upper()) end
end

local function upper_up(_, _, chunks, write)
  for chunk in chunks do write(chunk:upper()) end
end

local framings = {
  ["with a length"] = function(n) return { ["content-length"] = n } end,
  ["in chunks"] = function() return { ["transfer-encoding"] = "chunked" } end,
}

describe("a body hook", function()
  for framing, fields in pairs(framings) do
    for _, n in ipairs { 1, 16384, 300001, 5 * MB + 1 } do
      it(("changes an answer of %d bytes %s"):format(n, framing), scenario(function(w)
        local headers = fields(n)["content-length"] and fields(n)
        local proxy = in_front_of(w, w:origin(function(conn)
          conn:request()
          conn:reply(200, produce(n), headers)
        end), { { response_body = upper_down } })
        local seen = verifier(true)
        proxy:request { sink = seen.put }
        assert.equal(n, seen.total)
      end))

      it(("changes an upload of %d bytes %s"):format(n, framing), scenario(function(w)
        local seen = verifier(true)
        local proxy = in_front_of(w, w:origin(function(conn)
          conn:read_body(conn:request_head(), seen.put)
          conn:reply(200, tostring(seen.total))
        end), { { request_body = upper_up } })
        local answer = proxy:request {
          method = "POST", headers = fields(n), body = produce(n), chunked = framing == "in chunks",
        }
        assert.equal(tostring(n), answer.body)
      end))
    end
  end

  it("passes 100 MB up and 100 MB down at once", scenario(function(w)
    local up, down = verifier(true), verifier(true)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      conn:reply_head(200, { ["content-length"] = 100 * MB })
      w:all(function() conn:read_body(request, up.put) end,
        function() for piece in produce(100 * MB) do conn:send(piece) end end)
    end)
    local proxy = in_front_of(w, origin, { { request_body = upper_up, response_body = upper_down } })
    local client = w:client(proxy) -- stays open until the upload is over, which the answer may overtake
    client:request {
      method = "POST", headers = { ["content-length"] = 100 * MB }, body = produce(100 * MB), sink = down.put,
    }
    origin:wait_served()
    assert.equal(100 * MB, up.total)
    assert.equal(100 * MB, down.total)
  end, { timeout = 90 }))

  it("is one of several in a row, each of which sees what the one before it wrote", scenario(function(w)
    local proxy = w:proxy {
      policies = { { response_body = function(_, _, _, chunks, write)
        write "<one>"
        for chunk in chunks do write(chunk) end
        write "</one>"
      end } },
      sites = { {
        policies = { { response_body = function(_, _, _, chunks, write)
          local all = {}
          for chunk in chunks do all[#all + 1] = chunk end
          write("<two>" .. table.concat(all, "|") .. "</two>")
        end } },
        routes = { { reply = { body = "body" }, policies = { { response_body = function(_, req, res, chunks, write)
          for chunk in chunks do write(chunk) end
          write(" " .. req.path .. " " .. res.status .. "\n")
        end } } } },
      } },
    }
    local answer = proxy:get "/x"
    assert.equal("<two><one>|body|</one></two> /x 200\n", answer.body)
    assert.equal(tostring(#answer.body), answer.headers["content-length"])
  end))

  it("keeps order and bytes of a long body through a row of hooks that wait", scenario(function(w)
    local proxy = in_front_of(w, w:origin(function(conn)
      conn:request()
      conn:reply(200, produce(2 * MB))
    end), {
      { response_body = function(_, _, _, chunks, write)
        local n = 0
        for chunk in chunks do
          n = n + 1
          if n % 10 == 0 then require("moongate.time").sleep(0.001) end
          write(chunk:sub(1, 100))
          write(chunk:sub(101))
        end
      end },
      { response_body = function(_, _, _, chunks, write)
        local task = require "moongate.task"
        local first = true
        for chunk in chunks do
          if first then task.spawn(function() require("moongate.time").sleep(0.01) end):wait() end
          first = false
          write(chunk:upper())
        end
      end },
    })
    local seen = verifier(true)
    proxy:request { sink = seen.put }
    assert.equal(2 * MB, seen.total)
  end))

  it("may pull and write inside coroutines and pcall", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request) return request.body end), { {
      request_body = function(_, _, chunks, write)
        local pieces = coroutine.wrap(function()
          for chunk in chunks do
            require("moongate.time").sleep(0.001)
            coroutine.yield(chunk:upper())
          end
        end)
        local ok = pcall(function() for piece in pieces do write(piece) end end)
        write(tostring(ok))
      end,
    } })
    assert.equal("ABCtrue", proxy:client():post("/", "abc").body)
  end))

  it("may write more, less or nothing", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = {
      { path = "/more", reply = { body = "ab" }, policies = { { response_body = function(_, _, _, chunks, write)
        for chunk in chunks do for _ = 1, 100000 do write(chunk) end end
      end } } },
      { path = "/less", reply = { body = ("ab"):rep(50000) }, policies = { {
        response_body = function(_, _, _, chunks, write)
          for chunk in chunks do write(chunk:sub(1, 1)) end
        end } } },
      { path = "/nothing", reply = { body = "ab" }, policies = { { response_body = function(_, _, _, chunks)
        for _ in chunks do end -- luacheck: ignore 542
      end } } },
      { path = "/never_asks", reply = { body = "ab" }, policies = { { response_body = function() end } } },
    } } } }
    local client = proxy:client()
    assert.equal(("ab"):rep(100000), client:get("/more").body)
    assert.matches("^[ab]+$", client:get("/less").body)
    local nothing = client:get "/nothing"
    assert.equal("", nothing.body)
    assert.equal("0", nothing.headers["content-length"])
    assert.equal("", client:get("/never_asks").body)
  end))

  it("that returns early ends the body, and the rest is thrown away", scenario(function(w)
    local first = function(_, _, _, chunks, write) write(chunks():sub(1, 3)) end
    local proxy = in_front_of(w, w:origin(function(conn)
      conn:request()
      conn:reply(200, produce(20 * MB), { ["content-length"] = 20 * MB })
    end, { quiet = true, loop = true }), { { response_body = first } })
    local client = proxy:client()
    assert.equal(PATTERN:sub(1, 3), client:get("/").body)
    assert.equal(PATTERN:sub(1, 3), client:get("/").body)
  end))

  it("that returns early sends the origin what it wrote, whatever the client goes on to send", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request) return request.body end), {
      { request_body = function(_, _, chunks, write) write(chunks():sub(1, 3)) end },
    })
    local answer = proxy:request { method = "POST", headers = { ["content-length"] = 5 * MB }, body = produce(5 * MB) }
    assert.equal(PATTERN:sub(1, 3), answer.body)
  end))

  it("sees the pieces of handlers that give them one by one, as they come", scenario(function(w)
    local proxy = w:proxy {
      policies = { { response_body = function(_, _, _, chunks, write)
        for chunk in chunks do write(chunk:upper() .. ".") end
      end } },
      sites = { { routes = {
        { path = "/quick", handler = function()
          local n = 0
          return { body = function()
            n = n + 1
            return n <= 1000 and "piece" .. n or nil
          end }
        end },
        { path = "/slow", handler = function()
          local n = 0
          return { body = function()
            n = n + 1
            if n > 1 then require("moongate.time").sleep(0.02) end
            return n <= 3 and "p" .. n or nil
          end }
        end },
      } } },
    }
    local quick = proxy:get("/quick").body
    assert.equal("PIECE1.PIECE2.", quick:sub(1, 14))
    assert.equal(1000, select(2, quick:gsub("PIECE%d+%.", "")))
    local client = proxy:client()
    client:send_request { path = "/slow" }
    client:read_head()
    assert.equal("P1.", client:read_chunk())
    assert.equal("P2.", client:read_chunk())
    assert.equal("P3.", client:read_chunk())
    assert.is_nil(client:read_chunk())
  end))

  it("does not hold back what the origin has sent, nor the head", scenario(function(w)
    local origin = w:origin()
    local proxy = in_front_of(w, origin, { { response_body = upper_down } })
    local client = proxy:client()
    client:send_request {}
    local side = origin:accept()
    side:request()
    side:reply_head(200, { ["transfer-encoding"] = "chunked" })
    assert.equal(200, client:read_head().status)
    for _, piece in ipairs { "one", "two" } do
      side:chunk(piece)
      assert.equal(piece:upper(), client:read_chunk())
    end
    side:last_chunk()
    assert.is_nil(client:read_chunk())
  end))

  it("keeps trailers both ways", scenario(function(w)
    local proxy = in_front_of(w, w:origin(function(conn)
      local request = conn:request()
      assert.equal("UP", request.body)
      assert.equal("1", request.trailers["x-up"])
      conn:reply_head(200, { ["transfer-encoding"] = "chunked" })
      conn:chunk "down"
      conn:last_chunk { ["x-down"] = "2" }
    end), { { request_body = upper_up, response_body = upper_down } })
    local answer = proxy:request {
      method = "POST", body = "up", headers = { te = "trailers" }, chunked = true, trailers = { ["x-up"] = "1" },
    }
    assert.equal("DOWN", answer.body)
    assert.equal("2", answer.trailers["x-down"])
  end))

  it("sees nothing of interim answers, which pass at once", scenario(function(w)
    local proxy = in_front_of(w, w:origin(function(conn)
      conn:request()
      conn:reply_head(103, { link = "</a.css>; rel=preload" })
      conn:reply(200, "body")
    end), { { response_body = upper_down } })
    local answer = proxy:get "/"
    assert.equal("</a.css>; rel=preload", answer.informational[1].headers.link)
    assert.equal("BODY", answer.body)
  end))

  it("does not run for answers without a body", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request)
      if request.target == "/204" then return { status = 204 } end
      if request.target == "/304" then return { status = 304, headers = { etag = '"v1"' } } end
      return { body = "body", headers = { etag = '"v1"', ["content-length"] = "4" } }
    end), { { response_body = function() error "must not run" end } })
    local client = proxy:client()
    assert.equal(204, client:get("/204").status)
    local known = client:get "/304"
    assert.equal(304, known.status)
    assert.equal('W/"v1"', known.headers.etag)
    local head = client:head "/"
    assert.equal(200, head.status)
    assert.equal('W/"v1"', head.headers.etag)
    assert.is_nil(head.headers["content-length"])
  end))

  it("does not run for uploads without a body, nor for the proxy's own errors", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:http_origin(function() return "fine" end) } },
        dead = { servers = { w:closed_port() } } },
      policies = { { request_body = function() error "must not run" end } },
      sites = { { routes = {
        { path = "/dead", upstream = "dead", policies = { { response_body = function() error "nor this" end } } },
        { upstream = "app" },
      } } },
    }
    local client = proxy:client()
    assert.equal("fine", client:get("/").body)
    assert.equal(502, client:get("/dead").status)
    assert.is_nil(proxy:log():find "script error")
  end))

  it("makes a strong ETag a weak one, and takes away what the body belies", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request)
      assert.is_nil(request.headers.range)
      return { body = "body", headers = {
        etag = request.target == "/weak" and 'W/"v1"' or '"v1"', ["accept-ranges"] = "bytes",
        ["content-digest"] = "sha-256=:AAAA:", ["x-kept"] = "1",
      } }
    end), { { response_body = upper_down } })
    local client = proxy:client()
    local answer = client:get("/", { headers = { range = "bytes=0-1" } })
    assert.equal("BODY", answer.body)
    assert.equal('W/"v1"', answer.headers.etag)
    assert.is_nil(answer.headers["accept-ranges"])
    assert.is_nil(answer.headers["content-digest"])
    assert.equal("1", answer.headers["x-kept"])
    assert.equal('W/"v1"', client:get("/weak").headers.etag)
  end))

  it("tells the length of what it has made of a short body, both ways", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request)
      return request.headers["content-length"] .. " " .. request.body
    end), { {
      request_body = function(_, _, chunks, write) for chunk in chunks do write(chunk .. chunk) end end,
      response_body = function(_, _, _, chunks, write) for chunk in chunks do write(chunk .. "!") end end,
    } })
    local answer = proxy:client():post("/", "ab")
    assert.equal("4 abab!", answer.body)
    assert.equal("7", answer.headers["content-length"])
  end))

  it("gets the body that an earlier hook has had collected, which can be asked for later too", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function(request) return request.body end), {
      function(req) req.ctx.seen = req:body() end,
      { request_body = upper_up, response = function(_, req, res) res.headers["x-seen"] = req:body() .. req.ctx.seen end },
    })
    local answer = proxy:client():post("/", "abc")
    assert.equal("ABC", answer.body)
    assert.equal("abcabc", answer.headers["x-seen"])
  end))

  it("shares req.ctx with the other phases and reads what they set", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function() return "body" end), { {
      access = function(_, req) req.ctx.word = "from access" end,
      response_body = function(_, req, res, chunks, write)
        for chunk in chunks do write(chunk .. " " .. req.ctx.word .. " " .. res.headers["content-type"]) end
        req.ctx.word = "from body"
      end,
      log = function(_, req) require("moongate.log").info("word: " .. req.ctx.word) end,
    } }, { sites = { { routes = { { reply = { body = "body" } } } } } })
    assert.equal("body from access text/plain; charset=utf-8", proxy:get("/").body)
    proxy:wait_log "word: from body"
  end))

  it("is followed by another request on the same connections", scenario(function(w)
    local origin = w:http_origin(function(request) return request.body end)
    local proxy = in_front_of(w, origin, { { request_body = upper_up, response_body = upper_down } })
    local client = proxy:client()
    for i = 1, 20 do assert.equal("PIECE" .. i, client:post("/", "piece" .. i).body) end
    assert.equal(1, origin.connections)
  end))
end)

describe("an error in a body hook", function()
  it("is a 500 while nothing was sent, and one line in the log", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function() return "body" end), { {
      response_body = function(_, req, _, chunks)
        if req.path == "/down" then error("on purpose: " .. chunks()) end
        for _ in chunks do end -- luacheck: ignore 542
      end,
      request_body = function(_, req, chunks, write)
        for chunk in chunks do
          if req.path == "/up" then error("on purpose: " .. chunk) end
          write(chunk)
        end
      end,
    } })
    local client = proxy:client()
    assert.equal(500, client:get("/down").status)
    assert.equal(500, proxy:client():post("/up", "upload").status)
    assert.equal(200, client:get("/fine").status)
    local log = proxy:log()
    assert.equal(1, select(2, log:gsub("script error in policy [^\n]* %(response_body%)[^\n]*on purpose: body", "")))
    assert.equal(1, select(2, log:gsub("script error in policy [^\n]* %(request_body%)[^\n]*on purpose: upload", "")))
    assert.equal("script_error", proxy:wait_access(1)[1]["end"])
  end))

  it("cuts an answer that has begun, so that it never looks complete", scenario(function(w)
    for _, version in ipairs { "1.0", "1.1" } do
      local origin = w:origin()
      local proxy = in_front_of(w, origin, { { response_body = function(_, _, _, chunks, write)
        for chunk in chunks do
          if chunk == "bad" then error "on purpose" end
          write(chunk)
        end
      end } })
      local client = proxy:client()
      client:send_request { version = version }
      local side = origin:accept()
      side:request()
      side:reply_head(200, { ["transfer-encoding"] = "chunked" })
      assert.equal(200, client:read_head().status)
      side:chunk "good"
      if version == "1.1" then assert.equal("good", client:read_chunk()) else client:expect "good" end
      side:chunk "bad"
      -- What ends with the connection ends by a reset; chunks lack the last one.
      if version == "1.1" then client:expect_close() else client:expect_reset() end
      assert.equal("script_error", proxy:wait_access(1)[1]["end"])
    end
  end))

  it("in a row ends the body whoever catches what", scenario(function(w)
    local proxy = w:proxy {
      policies = {
        { response_body = function(_, _, _, chunks, write) write(chunks()) error "on purpose" end },
        { response_body = function(_, _, _, chunks, write)
          pcall(function() for chunk in chunks do write(chunk) end end)
          pcall(chunks)
        end },
      },
      sites = { { routes = { { reply = { body = "body" } } } } },
    }
    assert.equal(500, proxy:get("/").status)
    proxy:wait_log "script error in policy [^\n]* %(response_body%)[^\n]*on purpose"
  end))

  it("passes the rest through as it is when the entry says on_error = \"open\"", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply_head(200, { ["transfer-encoding"] = "chunked" })
      for _, piece in ipairs { "one.", "two.", "three." } do
        conn:chunk(piece)
        w:time()
      end
      conn:last_chunk()
    end, { loop = true, quiet = true })
    local proxy = in_front_of(w, origin, {
      { response_body = function(_, req, _, chunks, write)
        if req.path == "/at_once" then error "on purpose" end
        write "<"
        local text = chunks()
        if req.path == "/taken" then error "on purpose" end
        write(text:sub(1, 1))
        error "on purpose"
      end, on_error = "open" },
      { response_body = function(_, _, _, chunks, write)
        for chunk in chunks do write(chunk:upper()) end
      end },
    })
    local client = proxy:client()
    assert.equal("ONE.TWO.THREE.", client:get("/at_once").body)
    assert.equal("<ONE.TWO.THREE.", client:get("/taken").body)
    assert.matches("^<O", client:get("/half").body)
    local alone = in_front_of(w, origin, { { response_body = function(_, _, _, chunks, write)
      write "<"
      chunks()
      error "on purpose"
    end, on_error = "open" } })
    assert.equal("<one.two.three.", alone:get("/").body)
  end))

  it("of the last in a row with on_error = \"open\" leaves what the others write", scenario(function(w)
    local proxy = in_front_of(w, w:origin(function(conn)
      conn:request()
      conn:reply(200, produce(MB))
    end), {
      { response_body = function(_, _, _, chunks, write) for chunk in chunks do write(chunk:upper()) end end },
      { response_body = function(_, _, _, chunks) chunks() error "on purpose" end, on_error = "open" },
    })
    local seen = verifier(true)
    proxy:request { sink = seen.put }
    assert.equal(MB, seen.total)
  end))

  it("is what it returns: what is to be sent is written", scenario(function(w)
    local proxy = w:proxy {
      policies = { { response_body = function() return "body" end } },
      sites = { { routes = { { reply = { body = "body" } } } } },
    }
    assert.equal(500, proxy:get("/").status)
    proxy:wait_log "a body hook returns nothing: what is to be sent is given to write%(%)"
  end))

  it("is chunks and write in the hands of others", scenario(function(w)
    local proxy = w:proxy {
      policies = { {
        response_body = function(_, _, _, chunks, write)
          local task = require "moongate.task"
          local _, why = task.spawn(function() write "x" end):wait()
          for chunk in chunks do write(chunk) end
          write("|" .. why)
          write(select(2, pcall(write, {})))
        end,
      } },
      sites = { { routes = { { reply = { body = "body" } } } } },
    }
    local body = proxy:get("/").body
    assert.matches("^body|[^\n]*write%(%) is for the body hook itself that was given it", body)
    assert.matches("write takes a text, not a table$", body)
  end))

  it("is changing the head, which has been sent", scenario(function(w)
    local proxy = w:proxy {
      policies = { { response_body = function(_, req, res, chunks, write)
        for chunk in chunks do write(chunk) end
        write(" " .. select(2, pcall(function() res.headers["x-a"] = "b" end)))
        write(" " .. select(2, pcall(function() req.path = "/y" end)))
      end } },
      sites = { { routes = { { reply = { body = "body" } } } } },
    }
    local body = proxy:get("/").body
    assert.matches("res.headers cannot be changed in phase 'response_body'; it can in: upstream_response, response", body)
    assert.matches("req.path cannot be changed in phase 'response_body'", body)
  end))
end)

describe("a body hook that never ends", function()
  it("is ended by its budget, and others are served", scenario(function(w)
    local proxy = w:proxy {
      budgets = { cpu = "20ms" },
      sites = { { routes = {
        { path = "/loop", reply = { body = "body" }, policies = { { response_body = function() while true do end end } } },
        { reply = { body = "fine" } },
      } } },
    }
    assert.equal(500, proxy:get("/loop").status)
    assert.equal("fine", proxy:get("/").body)
    proxy:wait_log "script error in policy [^\n]* %(response_body%)"
  end))
end)

describe("a body hook that waits too long", function()
  it("is a 504 before the answer, and a cut in the middle of it", scenario(function(w)
    local proxy = in_front_of(w, w:http_origin(function() return { body = "body" } end), { {
      request_body = function(_, req)
        if req.path == "/up" then require("moongate.time").sleep(30) end
      end,
      response_body = function(_, req, _, chunks, write)
        if req.path == "/down" then
          write(chunks())
          require("moongate.time").sleep(30)
        end
      end,
    } }, { timeouts = { script = "100ms" } })
    assert.equal(504, proxy:client():post("/up", "upload").status)
    local client = proxy:client()
    client:send_request { path = "/down" }
    assert.equal(200, client:read_head().status)
    assert.equal("body", client:read_chunk())
    client:expect_close()
    assert.equal("script_timeout", proxy:wait_access(2)[2]["end"])
  end))
end)

describe("memory of body hooks", function()
  local function resident(proxy)
    local sum = 0
    for _, pid in ipairs(proxy:workers()) do sum = sum + proxy:resident(pid) end
    return sum
  end

  it("stays bounded while clients do not read what is written", scenario(function(w)
    local proxy = w:proxy {
      policies = { { response_body = function(_, _, _, _, write)
        local piece = ("x"):rep(10000)
        while true do write(piece) end
      end } },
      sites = { { routes = { { reply = { body = "body" } } } } },
    }
    proxy:client():send_request {}
    local before = resident(proxy)
    local clients = {}
    for i = 1, 8 do
      clients[i] = w:client(proxy)
      clients[i]:send_request {}
      clients[i]:read_head()
    end
    local other = proxy:client() -- others are served meanwhile
    other:send_request {}
    assert.equal(200, other:read_head().status)
    assert.is_true(resident(proxy) - before < 24 * MB, ("%d MB more"):format((resident(proxy) - before) / MB))
    for _, client in ipairs(clients) do client:reset() end
  end))

  it("stays bounded while an origin does not read an upload", scenario(function(w)
    local origin = w:origin()
    local proxy = in_front_of(w, origin, { { request_body = upper_up } })
    local before = resident(proxy)
    local clients, tasks = {}, {}
    for i = 1, 8 do
      clients[i] = w:client(proxy, { silent = true })
      tasks[i] = function()
        clients[i]:send_head { method = "POST", headers = { ["content-length"] = 256 * MB } }
        local _, stuck = clients[i]:send_until_stuck(("x"):rep(32768), { still = 0.2 })
        assert.is_true(stuck)
      end
    end
    w:all(unpack(tasks))
    assert.is_true(resident(proxy) - before < 24 * MB, ("%d MB more"):format((resident(proxy) - before) / MB))
    origin:stop()
  end))

  it("stays bounded over thousands of bodies", scenario(function(w)
    local proxy = w:proxy {
      policies = { { response_body = function(_, _, _, chunks, write)
        for chunk in chunks do write(chunk:upper()) end
      end }, { response_body = function(_, _, _, chunks, write)
        for chunk in chunks do write(chunk:lower()) end
      end } },
      sites = { { routes = { { reply = { body = ("x"):rep(16384) } } } } },
    }
    local client = proxy:client()
    for _ = 1, 300 do client:get "/" end
    local before = resident(proxy)
    for _ = 1, 2000 do client:get "/" end
    assert.is_true(resident(proxy) - before < 8 * MB, ("%d MB more"):format((resident(proxy) - before) / MB))
  end))
end)
