-- Through the proxy to servers that others wrote: Debian's nginx and Python's; and from curl.
local child = require "moongate.testing.child"
local files = require "moongate.testing.files"
local scenario = require("moongate.testing").scenario

local function has(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") == 0 end

local NGINX = has "nginx" and "nginx" or "/usr/sbin/nginx"

local NGINX_CONF = [[
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events { }
http {
  access_log off;
  client_body_temp_path body;
  client_max_body_size 0;
  sendfile on;
  gzip on;
  gzip_proxied any;
  gzip_types text/plain;
  types { text/plain txt; }
  default_type application/octet-stream;
  server {
    listen unix:nginx.sock;
    root www;
  }
}
]]

---@return string address of an nginx that serves `www`
local function start_nginx(w, www)
  local contents = { ["nginx.conf"] = NGINX_CONF }
  for name, text in pairs(www) do contents["www/" .. name] = text end
  local dir = w:dir(contents)
  child.start(w, { name = "nginx", argv = { NGINX, "-p", dir, "-c", "nginx.conf", "-e", "stderr" }, dir = dir })
  w:wait_for(function() return files.real_path(dir .. "/nginx.sock") end, "nginx")
  return "unix:" .. dir .. "/nginx.sock"
end

---@return string address of t/origins/origin.py
local function start_python(w)
  local address
  child.start(w, {
    name = "python", argv = { "python3", "t/origins/origin.py" },
    on_line = function(line) address = line:match "^listening on (%S+)$" end,
  })
  return w:wait_for(function() return address end, "python")
end

---@return moongate.testing.proxy
local function in_front_of(w, address) return w:proxy { upstreams = { app = { servers = { address } } } } end

---Bytes that are the same in each run and do not repeat soon.
local function noise(n)
  local parts, x = {}, 1
  for i = 1, math.ceil(n / 8) do
    x = x * 16807 % 2147483647
    parts[i] = ("%08x"):format(x)
  end
  return table.concat(parts):sub(1, n)
end

describe("nginx behind the proxy", function()
  it("answers GET, HEAD, conditions, ranges and errors as it would without", scenario(function(w)
    local text, big = "hello from nginx\n", noise(3000000)
    local client = w:client(in_front_of(w, start_nginx(w, { ["hello.txt"] = text, ["big.bin"] = big })))
    local whole = client:get "/hello.txt"
    assert.equal(text, whole.body)
    assert.equal("text/plain", whole.headers["content-type"])
    assert.equal("17", client:head("/hello.txt").headers["content-length"])
    local unchanged = client:get("/hello.txt", { headers = { ["if-none-match"] = whole.headers.etag } })
    assert.equal(304, unchanged.status)
    assert.equal(whole.headers.etag, unchanged.headers.etag)
    assert.equal(404, client:get("/nothing").status)
    assert.equal(405, client:post("/hello.txt", "x").status)
    assert.is_true(client:get("/big.bin").body == big)
    for _, range in ipairs { { 0, 0 }, { 100, 199 }, { 1000000, 2999999 } } do
      local part = client:get("/big.bin", { headers = { range = ("bytes=%d-%d"):format(range[1], range[2]) } })
      assert.equal(206, part.status)
      assert.equal(("bytes %d-%d/3000000"):format(range[1], range[2]), part.headers["content-range"])
      assert.is_true(part.body == big:sub(range[1] + 1, range[2] + 1))
    end
    local several = client:get("/big.bin", { headers = { range = "bytes=0-9,20-29" } })
    assert.matches("^multipart/byteranges", several.headers["content-type"])
    assert.equal(416, client:get("/hello.txt", { headers = { range = "bytes=100-200" } }).status)
  end))

  it("compresses for those who take it, and the bytes pass unchanged", scenario(function(w)
    local text = ("hello "):rep(2000)
    local proxy = in_front_of(w, start_nginx(w, { ["hello.txt"] = text }))
    local answer = proxy:get("/hello.txt", { headers = { ["accept-encoding"] = "gzip" } })
    assert.equal("gzip", answer.headers["content-encoding"])
    assert.equal("chunked", answer.headers["transfer-encoding"])
    assert.equal("\31\139", answer.body:sub(1, 2))
    local code, out = w:command { "-s", "--compressed", "http://" .. proxy.address .. "/hello.txt", program = "curl" }
    assert.equal(0, code)
    assert.is_true(out == text)
  end))

  it("serves many requests at the same time to curl", scenario(function(w)
    local proxy = in_front_of(w, start_nginx(w, { ["a.bin"] = noise(500000) }))
    local code, out = w:command {
      "-s", "-Z", "--parallel-max", "20", "-o", "/dev/null", "-w", "%{http_code} %{size_download}\n",
      "http://" .. proxy.address .. "/a.bin?[1-100]", program = "curl",
    }
    assert.equal(0, code)
    assert.equal(("200 500000\n"):rep(100), out)
  end))
end)

describe("Python's server behind the proxy", function()
  for _, coding in ipairs { "with a length", "in chunks" } do
    it(("gets 100 MB %s from curl as they were sent"):format(coding), scenario(function(w)
      local proxy = in_front_of(w, start_python(w))
      local piece = noise(2 ^ 20)
      local dir = w:dir { ["big"] = piece:rep(100) }
      local _, expected = w:command { dir .. "/big", program = "sha1sum" }
      local words = { "-s", "-X", "POST", "-H", "Expect:", "-T", dir .. "/big", program = "curl" }
      if coding == "in chunks" then
        words[#words + 1] = "-H"
        words[#words + 1] = "Transfer-Encoding: chunked"
      end
      words[#words + 1] = "http://" .. proxy.address .. "/sum"
      local code, out = w:command(words)
      assert.equal(0, code)
      assert.equal("104857600 " .. expected:match "^%x+", out)
    end, { timeout = 60 }))
  end

  it("answers curl's Expect", scenario(function(w)
    local proxy = in_front_of(w, start_python(w))
    local code, out, err = w:command {
      "-s", "-v", "-H", "Expect: 100-continue", "-d", "hello", "http://" .. proxy.address .. "/sum", program = "curl",
    }
    assert.equal(0, code)
    assert.matches("< HTTP/1.1 100 Continue", err, 1, true)
    assert.equal("5 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", out)
  end))

  it("sends its events one by one", scenario(function(w)
    local proxy = in_front_of(w, start_python(w))
    local client = w:client(proxy)
    client:send_request { path = "/events" }
    local head = client:read_head()
    assert.equal("text/event-stream", head.headers["content-type"])
    for i = 0, 2 do
      proxy:get "/next" -- only now the origin sends it
      assert.equal(("data: %d\n\n"):format(i), client:read_chunk())
    end
    assert.is_nil(client:read_chunk())
  end))

  it("echoes WebSocket messages", scenario(function(w)
    local socket = w:websocket(w:client(in_front_of(w, start_python(w))), "/ws")
    for _, text in ipairs { "one", ("two"):rep(100), ("three"):rep(5000) } do
      socket:send(text)
      assert.equal(text, (socket:receive()))
    end
    socket:close()
  end))
end)
