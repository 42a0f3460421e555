-- Requests that two parsers could read in two ways: refused with the right status, the connection closed, and nothing of
-- them seen by the origin. Behind each wrong request comes a right one, which must not be answered.
local scenario = require("moongate.testing").scenario

local function head(...) return table.concat({ ... }, "\r\n") .. "\r\n\r\n" end

local NEXT = head("GET /smuggled HTTP/1.1", "Host: a")

---Sends the bytes, and checks the answer, the end of the connection, and that the origin saw nothing.
local function refused(status, bytes, config)
  return scenario(function(w)
    local origin = w:http_origin(function() return "never" end)
    config = config or {}
    config.upstreams = { app = { servers = { origin } } }
    local proxy = w:proxy(config)
    local client = w:client(proxy)
    client:try_send(bytes .. NEXT)
    client.outstanding = { "POST" }
    local answer = client:read_response()
    assert.equal(status, answer.status)
    assert.equal("close", answer.headers.connection)
    assert.is_false(client:more())
    assert.equal(0, origin.connections)
    assert.equal(status, proxy:wait_access(1)[1].status)
    assert.equal(1, #proxy:access_log())
  end)
end

local function table_of(title, cases)
  describe(title, function()
    for _, case in ipairs(cases) do
      it(("is answered %d: %s"):format(case[2], case[1]), refused(case[2], case[3], case.config))
    end
  end)
end

table_of("a request line", {
  { "without a version", 400, head("GET /", "Host: a") },
  { "of HTTP/0.9", 400, "GET /\r\n" },
  { "of HTTP/2.0", 505, head("GET / HTTP/2.0", "Host: a") },
  { "of HTTP/3.1", 505, head("GET / HTTP/3.1", "Host: a") },
  { "that begins HTTP/2 with a preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
  { "with a version in small letters", 400, head("GET / http/1.1", "Host: a") },
  { "with a version that goes on", 400, head("GET / HTTP/1.1x", "Host: a") },
  { "with two blanks", 400, head("GET  / HTTP/1.1", "Host: a") },
  { "with a tab", 400, head("GET\t/ HTTP/1.1", "Host: a") },
  { "with a blank in the target", 400, head("GET /a b HTTP/1.1", "Host: a") },
  { "with a blank before the method", 400, head(" GET / HTTP/1.1", "Host: a") },
  { "with a control byte in the target", 400, head("GET /\1 HTTP/1.1", "Host: a") },
  { "with a byte beyond ASCII in the path", 400, head("GET /\228 HTTP/1.1", "Host: a") },
  { "with a fragment", 400, head("GET /a#b HTTP/1.1", "Host: a") },
  { "with a backslash in the path", 400, head("GET /a\\b HTTP/1.1", "Host: a") },
  { "with a path that does not begin with a slash", 400, head("GET a HTTP/1.1", "Host: a") },
  { "with an escape that is none", 400, head("GET /%zz HTTP/1.1", "Host: a") },
  { "with an escaped NUL", 400, head("GET /%00 HTTP/1.1", "Host: a") },
  { "that climbs above the root", 400, head("GET /../etc HTTP/1.1", "Host: a") },
  { "that climbs with escaped dots and slashes", 400, head("GET /a/..%2f..%2fetc HTTP/1.1", "Host: a") },
  { "with a method that is no token", 400, head("G(T / HTTP/1.1", "Host: a") },
  { "with a method of 100 bytes", 400, head(("G"):rep(100) .. " / HTTP/1.1", "Host: a") },
  { "with a bare LF", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n" },
  { "with a bare CR", 400, "GET / HTTP/1.1\rHost: a\r\n\r\n" },
  { "with a target of 20 KB", 414, head("GET /" .. ("a"):rep(20000) .. " HTTP/1.1", "Host: a") },
  { "with a target over limits.request_line", 414, head("GET /" .. ("a"):rep(1100) .. " HTTP/1.1", "Host: a"),
    config = { limits = { request_line = "1k" } } },
  { "with CONNECT", 501, head("CONNECT a:443 HTTP/1.1", "Host: a:443") },
})

table_of("a header field", {
  { "with a blank before the colon", 400, head("GET / HTTP/1.1", "Host: a", "X : y") },
  { "with a tab before the colon", 400, head("GET / HTTP/1.1", "Host: a", "X\t: y") },
  { "without a name", 400, head("GET / HTTP/1.1", "Host: a", ": y") },
  { "without a colon", 400, head("GET / HTTP/1.1", "Host: a", "nonsense") },
  { "whose name is no token", 400, head("GET / HTTP/1.1", "Host: a", "X(y): z") },
  { "whose name has bytes beyond ASCII", 400, head("GET / HTTP/1.1", "Host: a", "X\228: z") },
  { "that is folded", 400, head("GET / HTTP/1.1", "Host: a", "X: y", " z") },
  { "that is folded before the first", 400, head("GET / HTTP/1.1", " Host: a") },
  { "with a NUL in its value", 400, head("GET / HTTP/1.1", "Host: a", "X: a\0b") },
  { "with a bare CR in its value", 400, head("GET / HTTP/1.1", "Host: a", "X: a\rb") },
  { "with a bare LF behind its value", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n" },
  { "with a control byte in its value", 400, head("GET / HTTP/1.1", "Host: a", "X: a\1b") },
  { "with DEL in its value", 400, head("GET / HTTP/1.1", "Host: a", "X: a\127b") },
  { "that ends the head with LF LF", 400, "GET / HTTP/1.1\r\nHost: a\n\n" },
  { "in a Connection that is no list of tokens", 400, head("GET / HTTP/1.1", "Host: a", 'Connection: "close"') },
  { "that is the 129th", 431, head("GET / HTTP/1.1", "Host: a", ("X: y\r\n"):rep(127) .. "X: y") },
  { "that makes the head longer than 32 KB", 431, head("GET / HTTP/1.1", "Host: a", "X: " .. ("y"):rep(33000)) },
  { "that makes the head longer than limits.header_bytes", 431, head("GET / HTTP/1.1", "Host: a", "X: " .. ("y"):rep(4096)),
    config = { limits = { header_bytes = "4k", request_line = "2k" } } },
})

table_of("a Host", {
  { "that is missing in HTTP/1.1", 400, head("GET / HTTP/1.1", "X: y") },
  { "that comes twice", 400, head("GET / HTTP/1.1", "Host: a", "Host: b") },
  { "that comes twice with the same value", 400, head("GET / HTTP/1.1", "Host: a", "Host: a") },
  { "that is empty", 400, head("GET / HTTP/1.1", "Host: ") },
  { "that is a list", 400, head("GET / HTTP/1.1", "Host: a, b") },
  { "with a path", 400, head("GET / HTTP/1.1", "Host: a/b") },
  { "with user information", 400, head("GET / HTTP/1.1", "Host: user@a") },
  { "with a port that is none", 400, head("GET / HTTP/1.1", "Host: a:http") },
  { "with a port over 65535", 400, head("GET / HTTP/1.1", "Host: a:70000") },
  { "with a blank", 400, head("GET / HTTP/1.1", "Host: a b") },
  { "with an open bracket", 400, head("GET / HTTP/1.1", "Host: [::1") },
  { "that differs from an absolute target", 400, head("GET http://b/ HTTP/1.1", "Host: a") },
  { "behind an absolute target with user information", 400, head("GET http://u@a/ HTTP/1.1", "Host: a") },
  { "behind an absolute target of another scheme", 400, head("GET ftp://a/ HTTP/1.1", "Host: a") },
})

local function post(...) return head("POST / HTTP/1.1", "Host: a", ...) end

table_of("a body's framing", {
  { "Content-Length twice, different", 400, post("Content-Length: 1", "Content-Length: 2") },
  { "Content-Length twice, equal", 400, post("Content-Length: 0", "Content-Length: 0") },
  { "Content-Length as a list", 400, post("Content-Length: 5, 5") },
  { "Content-Length with a sign", 400, post "Content-Length: +5" },
  { "Content-Length below zero", 400, post "Content-Length: -5" },
  { "Content-Length in hex", 400, post "Content-Length: 0x5" },
  { "Content-Length with a blank inside", 400, post "Content-Length: 1 0" },
  { "Content-Length without a number", 400, post "Content-Length: " },
  { "Content-Length with a fraction", 400, post "Content-Length: 5.0" },
  { "Content-Length that overflows 64 bits", 400, post "Content-Length: 18446744073709551616" },
  { "Content-Length that overflows 63 bits", 400, post "Content-Length: 9223372036854775808" },
  { "Content-Length beside Transfer-Encoding", 400, post("Content-Length: 4", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
  { "Transfer-Encoding beside Content-Length", 400, post("Transfer-Encoding: chunked", "Content-Length: 4") .. "0\r\n\r\n" },
  { "Transfer-Encoding twice", 400, post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
  { "chunked twice", 400, post "Transfer-Encoding: chunked, chunked" .. "0\r\n\r\n" },
  { "chunked that is not the last", 400, post "Transfer-Encoding: chunked, identity" .. "0\r\n\r\n" },
  { "chunked in a second line", 400, post("Transfer-Encoding: identity", "Transfer-Encoding: chunked") },
  { "chunked behind gzip", 501, post "Transfer-Encoding: gzip, chunked" .. "0\r\n\r\n" },
  { "gzip alone", 400, post "Transfer-Encoding: gzip" },
  { "identity", 400, post "Transfer-Encoding: identity" },
  { "xchunked", 400, post "Transfer-Encoding: xchunked" },
  { "chunked with a parameter", 400, post "Transfer-Encoding: chunked;q=1" },
  { "chunked behind an empty element", 400, post "Transfer-Encoding: ,chunked" },
  { "chunked before an empty element", 400, post "Transfer-Encoding: chunked," },
  { "chunked in quotes", 400, post 'Transfer-Encoding: "chunked"' },
  { "chunked behind a vertical tab", 400, post "Transfer-Encoding: \11chunked" },
  { "an empty Transfer-Encoding", 400, post "Transfer-Encoding: " },
  { "Transfer-Encoding in HTTP/1.0", 400,
    head("POST / HTTP/1.0", "Host: a", "Connection: keep-alive", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
})

describe("TRACE", function()
  it("is answered 405 where no route lists it", scenario(function(w)
    local origin = w:http_origin(function() return "never" end)
    local proxy = w:proxy { upstreams = { app = { servers = { origin } } } }
    assert.equal(405, proxy:request({ method = "TRACE" }).status)
    assert.equal(0, origin.connections)
  end))

  it("is sent on where a route lists it", scenario(function(w)
    local origin = w:http_origin(function(request) return request.method end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      sites = { { routes = { { methods = { "TRACE" }, upstream = "app" } } } },
    }
    assert.equal("TRACE", proxy:request({ method = "TRACE" }).body)
  end))
end)

describe("a wrong head", function()
  it("is refused wherever it is cut into packets", scenario(function(w)
    local origin = w:http_origin(function() return "never" end)
    local client = w:client(w:proxy { upstreams = { app = { servers = { origin } } } })
    client:send_slowly(post("Content-Length: 4", "Transfer-Encoding: chunked"), 7)
    client.outstanding = { "POST" }
    assert.equal(400, client:read_response().status)
    assert.equal(0, origin.connections)
  end))

  it("is named in the access log, with why", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { reply = {} } } } } }
    local client = w:client(proxy)
    client:send "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"
    client.outstanding = { "GET" }
    client:read_response()
    local entry = proxy:wait_access(1)[1]
    assert.equal("bad_request", entry["end"])
    assert.equal(400, entry.status)
    assert.equal("string", type(entry.detail))
  end))

  it("behind a right request is answered after it", scenario(function(w)
    local origin = w:http_origin(function() return "right" end)
    local client = w:client(w:proxy { upstreams = { app = { servers = { origin } } } })
    client:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" .. post "Content-Length: x")
    client.outstanding = { "GET", "POST" }
    assert.equal("right", client:read_response().body)
    assert.equal(400, client:read_response().status)
    client:expect_end()
    assert.equal(1, origin.requests)
  end))
end)
