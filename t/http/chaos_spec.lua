-- Clients and origins that do all kinds of things at once, in an order that a seed decides: afterwards nothing is left
-- over, and the proxy answers as before. CHAOS_SEED and CHAOS_ROUNDS in the environment look for more.
local scenario = require("moongate.testing").scenario

local SEED = tonumber(os.getenv "CHAOS_SEED") or 20
local ROUNDS = tonumber(os.getenv "CHAOS_ROUNDS") or 400
local AT_ONCE = 20

local chunked = { ["transfer-encoding"] = "chunked" }

---Reads the body of a request; asks for it first where that is expected.
local function take(conn, request, sink)
  if request.headers.expect then conn:continue() end
  conn:read_body(request, sink)
end

---What an origin does with a request, named by the path. None of them waits for ever.
local origins = {
  echo = function(conn, request)
    take(conn, request)
    conn:reply(200, request.body)
  end,
  chunks = function(conn, request)
    take(conn, request)
    conn:reply_head(200, chunked)
    for i = 1, 20 do conn:chunk(("c"):rep(i * 500)) end
    conn:last_chunk { ["x-end"] = "1" }
  end,
  long = function(conn, request)
    take(conn, request)
    conn:reply(200, ("l"):rep(1500000))
  end,
  mirror = function(conn, request)
    if request.headers.expect then conn:continue() end
    conn:reply_head(200, chunked)
    conn:read_body(request, function(piece) conn:chunk(piece) end)
    conn:last_chunk()
  end,
  until_close = function(conn)
    conn:reply_head(200)
    conn:send(("u"):rep(70000))
    conn:close()
  end,
  early = function(conn, request)
    conn:reply(413, "too much")
    if request.headers.expect then return conn:close() end
    conn:read_body(request)
  end,
  early_close = function(conn)
    conn:reply(413, "too much", { connection = "close" })
    conn:close()
  end,
  hints = function(conn, request)
    for _ = 1, 5 do conn:reply_head(103, { link = "</x>" }) end
    take(conn, request)
    conn:reply(200, "after hints")
  end,
  cut = function(conn)
    conn:reply_head(200, { ["content-length"] = 2000000 })
    conn:send(("x"):rep(900000))
    conn:close()
  end,
  cut_chunk = function(conn)
    conn:reply_head(200, chunked)
    conn:send "ffff\r\nnot so much"
    conn:reset()
  end,
  gone = function(conn) conn:close() end,
  reset = function(conn) conn:reset() end,
  bad = function(conn)
    conn:send "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"
    conn:close()
  end,
  unasked = function(conn, request)
    take(conn, request)
    conn:send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
  end,
  switch = function(conn)
    conn:send "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello"
    local bytes = conn:receive_some()
    if bytes then conn:send(bytes) end
    conn:close()
  end,
}

---What a client does on a connection with a path. Errors are its own business.
local clients = {
  get = function(client, path)
    for _ = 1, 3 do client:get(path) end
  end,
  head = function(client, path) client:head(path) end,
  old = function(client, path) client:get(path, { version = "1.0" }) end,
  post = function(client, path) client:post(path, ("p"):rep(5000)) end,
  post_long = function(client, path) client:post(path, ("p"):rep(700000)) end,
  post_chunks = function(client, path) client:post(path, ("p"):rep(90000), { chunked = true }) end,
  expect = function(client, path) client:post(path, ("p"):rep(5000), { headers = { expect = "100-continue" } }) end,
  pipeline = function(client, path)
    for _ = 1, 3 do client:send_request { path = path } end
    for _ = 1, 3 do client:read_response() end
  end,
  half = function(client, path)
    client:send_request { path = path }
    client:shutdown "write"
    client:receive_until_close()
  end,
  leave = function(client, path) client:send_request { path = path } end,
  leave_by_reset = function(client, path)
    client:send_request { path = path }
    client:reset()
  end,
  leave_in_upload = function(client, path)
    client:send_head { method = "POST", path = path, headers = { ["content-length"] = 800000 } }
    client:send(("p"):rep(300000))
  end,
  leave_in_answer = function(client, path)
    client:send_request { path = path }
    client:receive_some(100)
    client:reset()
  end,
  wrong_chunk = function(client, path)
    client:send_head { method = "POST", path = path, headers = chunked }
    client:send "5\r\nright\r\nwrong\r\n"
    client:expect_end()
  end,
  wrong_head = function(client, path)
    client:send(("GET %s HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"):format(path))
    client:expect_end()
  end,
  half_head = function(client) client:send "GET / HTTP/1.1\r\nHo" end,
  upgrade = function(client, path)
    client:send(("GET %s HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"):format(path))
    client:receive(10)
    client:send "and to you"
    client:receive(5)
  end,
}

local function names_of(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

---Numbers that the seed decides, from 1 to n.
local function dice(seed)
  return function(n)
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

describe("chaos", function()
  it(("with seed %d leaves nothing behind"):format(SEED), scenario(function(w)
    local origin = w:origin(function(conn)
      local request = conn:request_head()
      origins[request.target:match "[^/]*$"](conn, request)
    end, { loop = true, quiet = true })
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin, w:closed_port() }, failover = { fails = 0 } } },
      limits = { buffer = "32k" },
      error_log = { level = "error" },
      sites = { { routes = {
        { path = "/plain/*", upstream = "app" },
        { path = "/hooks/*", upstream = "app", policies = { {
          access = function() require("moongate.time").sleep(0.001) end,
          response = function() require("moongate.time").sleep(0.001) end,
          log = function() require("moongate.time").sleep(0.001) end,
        } } },
        { path = "/body/*", upstream = "app", policies = { { access = function(_, req) req:body(100000) end } } },
        { path = "/filter/*", upstream = "app", policies = { {
          request_body = function(_, _, chunks, write) for chunk in chunks do write(chunk:upper()) end end,
          response_body = function(_, _, _, chunks, write) for chunk in chunks do write(chunk:upper()) end end,
        } } },
      } } },
      timeouts = { client_gone = "300ms", client_write = "1s" },
    }
    local roll, doing, asking, ways = dice(SEED), names_of(clients), names_of(origins), { "plain", "hooks", "body", "filter" }
    local left, ended = ROUNDS, {}
    local function play()
      while left > 0 do
        left = left - 1
        local does, path = doing[roll(#doing)], ("/%s/%s"):format(ways[roll(#ways)], asking[roll(#asking)])
        w:note("%s %s", does, path)
        local client = w:client(proxy, { silent = true })
        pcall(clients[does], client, path)
        client:close()
      end
      ended[#ended + 1] = true
    end
    local players = {}
    for i = 1, AT_ONCE do players[i] = play end
    w:all(unpack(players))
    w:wait_for(function() return proxy:metric "moongate_connections" == 0 end, "all connections to end", 5)
    assert.equal(0, proxy:metric "moongate_requests_active" or 0)
    assert.equal(0, proxy:metric "moongate_server_requests_active")
    assert.equal(0, proxy:metric "moongate_worker_restarts_total" or 0)
    assert.equal("hello", proxy:request({ method = "POST", path = "/plain/echo", body = "hello" }).body)
    for _, entry in ipairs(proxy:access_log()) do
      assert.is_nil(entry["end"]:match "_timeout$", entry.target .. " ended with " .. entry["end"])
    end
  end, { timeout = 60 }))
end)
