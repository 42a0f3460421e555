-- What origins answer wrongly: it becomes 502, or, once the answer has begun, an end that nobody takes for complete.
local scenario = require("moongate.testing").scenario

---A proxy in front of an origin that sends these bytes as its answer, and then closes, or resets, or waits.
local function proxy_before(w, bytes, ending)
  local origin = w:origin(function(conn)
    conn:request()
    conn:send(bytes)
    if ending == "reset" then return conn:reset() end
    if ending == "wait" then conn:expect_end() end
  end, { quiet = true })
  return w:proxy { upstreams = { app = { servers = { origin } } } }, origin
end

local bad = {
  ["no HTTP at all"] = "SSH-2.0-OpenSSH_9.2\r\n\r\n",
  ["a status line without a status"] = "HTTP/1.1 \r\n\r\n",
  ["a status of two digits"] = "HTTP/1.1 20 OK\r\n\r\n",
  ["a status of four digits"] = "HTTP/1.1 2000 OK\r\n\r\n",
  ["a status over 599"] = "HTTP/1.1 999 Odd\r\n\r\n",
  ["a status under 100"] = "HTTP/1.1 099 Odd\r\n\r\n",
  ["HTTP/2.0"] = "HTTP/2.0 200 OK\r\n\r\n",
  ["a control byte in the reason"] = "HTTP/1.1 200 O\1K\r\n\r\n",
  ["a NUL in a value"] = "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
  ["a bare CR in a value"] = "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
  ["a bare LF at a line's end"] = "HTTP/1.1 200 OK\nX: a\r\n\r\n",
  ["a folded line"] = "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
  ["a field without a name"] = "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
  ["a blank before the colon"] = "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
  ["a line without a colon"] = "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
  ["two different lengths"] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  ["two equal lengths"] = "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
  ["a length and chunks"] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ["a negative length"] = "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
  ["a length that overflows"] = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
  ["an unknown coding"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
  ["chunks in HTTP/1.0"] = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ["too many fields"] = "HTTP/1.1 200 OK\r\n" .. ("X: y\r\n"):rep(200) .. "\r\n",
  ["a head that is too long"] = "HTTP/1.1 200 OK\r\nX: " .. ("y"):rep(40000) .. "\r\n\r\n",
  ["a head without an end"] = ("HTTP/1.1 200 OK\r\n") .. ("X-Long: " .. ("y"):rep(1000) .. "\r\n"):rep(60),
}

describe("an answer", function()
  for what, bytes in pairs(bad) do
    it(("is replaced by 502 when it has %s"):format(what), scenario(function(w)
      local proxy = proxy_before(w, bytes, "wait")
      local answer = proxy:get "/"
      assert.equal(502, answer.status)
      assert.matches("^moongate; error=http_%a+", answer.headers["proxy-status"])
      local entry = proxy:wait_access(1)[1]
      assert.equal("bad_answer", entry["end"])
      assert.equal(502, entry.status)
    end))
  end

  it("that is bad leaves the client's connection fit for the next request", scenario(function(w)
    local proxy = proxy_before(w, "nonsense\r\n\r\n", "wait")
    local client = w:client(proxy)
    for _ = 1, 3 do assert.equal(502, client:get("/").status) end
  end))

  for _, ending in ipairs { "close", "reset" } do
    it(("that ends within its head (%s) is replaced by 502"):format(ending), scenario(function(w)
      local proxy, origin = proxy_before(w, "HTTP/1.1 200 OK\r\nX: ", ending)
      assert.equal(502, proxy:get("/").status)
      assert.equal(1, origin.connections) -- a byte of an answer has come: no other try
      assert.equal("origin_reset", proxy:wait_access(1)[1]["end"])
    end))
  end
end)

describe("an answer that ends too early", function()
  local cut = {
    ["its length"] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    ["its chunks"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
    ["a chunk"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nonly this",
    ["its trailers"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n0\r\nX: y\r\n",
  }
  local endings = {
    close = function(conn) conn:close() end,
    reset = function(conn) conn:reset() end,
    nonsense = function(conn)
      conn:send "nonsense\r\n"
      conn:expect_end()
    end,
  }

  ---Has the beginning of the answer read before the origin ends it in some way.
  ---@return boolean complete whether the client took the whole for complete
  ---@return table entry of the access log
  local function end_early(w, bytes, ending, version)
    local origin = w:origin(function(conn)
      conn:request()
      conn:send(bytes)
      w:wait_for(function() return conn.seen end)
      ending(conn)
    end)
    local proxy = w:proxy { upstreams = { app = { servers = { origin } } } }
    local client = w:client(proxy)
    client:send_request { version = version }
    local head = client:read_head()
    assert.equal(200, head.status)
    client:more()
    origin.open[1].seen = true
    local complete = pcall(client.read_body, client, head)
    return complete, proxy:wait_access(1)[1]
  end

  for where, bytes in pairs(cut) do
    for how, ending in pairs(endings) do
      for _, version in ipairs { "1.1", "1.0" } do
        if how ~= "nonsense" or where == "its chunks" then
          it(("in %s (%s) is not complete for HTTP/%s either"):format(where, how, version), scenario(function(w)
            local complete, entry = end_early(w, bytes, ending, version)
            assert.is_false(complete)
            assert.equal(how == "nonsense" and "bad_answer" or "origin_truncated", entry["end"])
            assert.equal(200, entry.status)
          end))
        end
      end
    end
  end

  for _, version in ipairs { "1.0", "1.1" } do
    it(("by a reset instead of the close that ends it is not complete for HTTP/%s"):format(version), scenario(function(w)
      local complete, entry = end_early(w, "HTTP/1.1 200 OK\r\n\r\nonly this", endings.reset, version)
      assert.is_false(complete)
      assert.equal("origin_truncated", entry["end"])
    end))
  end
end)

describe("bytes behind an answer", function()
  it("are never taken for the answer to the next request", scenario(function(w)
    local extra = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    local origin = w:origin(function(conn)
      conn:request()
      conn:send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood" .. extra)
      conn:expect_end()
    end, { quiet = true })
    local client = w:client(w:proxy { upstreams = { app = { servers = { origin } } } })
    for _ = 1, 3 do assert.equal("good", client:get("/").body) end
    assert.equal(3, origin.connections)
  end))

  for method, status in pairs { HEAD = 200, GET = 304, DELETE = 204 } do
    it(("that %s has none (%d) are not taken for another answer either"):format(method, status), scenario(function(w)
      local origin = w:origin(function(conn)
        conn:request()
        conn:send(("HTTP/1.1 %d X\r\nContent-Length: 38\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):format(status))
        conn:expect_end()
      end, { quiet = true })
      local client = w:client(w:proxy { upstreams = { app = { servers = { origin } } } })
      for _ = 1, 3 do assert.equal(status, client:request({ method = method }).status) end
      assert.equal(3, origin.connections)
    end))
  end

  it("that come later close the idle connection", scenario(function(w)
    local origin = w:origin(function(conn)
      conn:request()
      conn:reply(200, "good")
      w:wait_for(function() return conn.go end)
      conn:send "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
      conn:expect_end()
      conn.done = true
    end)
    local client = w:client(w:proxy { upstreams = { app = { servers = { origin } } } })
    assert.equal("good", client:get("/").body)
    origin.open[1].go = true
    w:wait_for(function() return origin.open[1].done end)
    client:send_request {}
    origin:wait_connections(2)
    origin.open[2].go = true
    assert.equal("good", client:read_response().body)
  end))
end)
