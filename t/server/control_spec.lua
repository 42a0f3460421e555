-- The control socket: pages, errors, and who may open it.
local testing = require "moongate.testing"
local scenario = testing.scenario
local json = require "cjson"

local HI = { { routes = { { name = 'a "quoted" \\ name', path = "/hi", reply = { body = "hi" } }, { upstream = "app" } } } }

local function start(w, more)
  local origin = w:http_origin(function() return "from the origin" end)
  local config = { upstreams = { app = { servers = { origin } } }, sites = HI }
  for key, value in pairs(more or {}) do config[key] = value end
  return w:proxy(config), origin
end

describe("the control socket", function()
  it("may be opened by nobody but its user", scenario(function(w)
    local proxy = start(w)
    local _, out = w:command { program = "stat", "-c", "%a %F", proxy.control }
    assert.equal("600 socket\n", out)
  end))

  it("says how the proxy is", scenario(function(w)
    local proxy, origin = start(w)
    proxy:get "/hi"
    proxy:get "/other"
    local status = proxy:status()
    assert.equal(proxy.pid, status.pid)
    assert.equal("serving", status.state)
    assert.equal(1, status.generation)
    assert.equal(proxy.address, status.listeners[1].address)
    assert.equal(1, #status.workers)
    assert.equal("serving", status.workers[1].state)
    assert.equal(proxy:workers()[1], status.workers[1].pid)
    assert.is_true(status.workers[1].resident_bytes > 100000)
    assert.equal(1, status.workers[1].generations[1].id)
    assert.equal("app", status.upstreams[1].name)
    assert.equal(1, status.upstreams[1].requests)
    assert.equal(tostring(origin), status.upstreams[1].servers[1].address)
    assert.equal("up", status.upstreams[1].servers[1].health)
    local by_name = {}
    for _, route in ipairs(status.routes) do by_name[route.name] = route end
    assert.equal(1, by_name['a "quoted" \\ name'].status["2xx"])
  end))

  it("says which server is left out", scenario(function(w)
    local proxy = w:proxy {
      upstreams = { app = { servers = { w:closed_port() }, retry = { attempts = 1 }, failover = { fails = 1, pause = "60s" } } },
    }
    assert.equal(502, proxy:get("/").status)
    local upstreams = json.decode(proxy:api("GET", "/v1/upstreams").body).upstreams
    assert.equal("left out", upstreams[1].servers[1].health)
    assert.is_true(upstreams[1].servers[1].left_out_ms > 50000)
    assert.equal(1, upstreams[1].servers[1].failures)
  end))

  it("lists generations", scenario(function(w)
    local proxy = start(w)
    proxy:get "/hi"
    assert.equal(200, proxy:api("POST", "/v1/reload").status)
    local page = json.decode(proxy:api("GET", "/v1/generations").body)
    assert.equal(2, page.current)
    assert.equal(2, page.generations[1].id)
    assert.is_true(page.generations[1].current)
  end))

  it("answers what it does not know with problem+json", scenario(function(w)
    local proxy = start(w)
    local unknown = proxy:api("GET", "/v1/nothing")
    assert.equal(404, unknown.status)
    assert.equal("application/problem+json", unknown.headers["content-type"])
    assert.equal(404, json.decode(unknown.body).status)
    local wrong = proxy:api("DELETE", "/v1/status")
    assert.equal(405, wrong.status)
    assert.equal("GET, HEAD", wrong.headers.allow)
    assert.equal(405, proxy:api("GET", "/v1/reload").status)
    assert.equal("", proxy:api("HEAD", "/v1/status").body)
  end))

  it("takes a body that it does not need, and no endless one", scenario(function(w)
    local proxy = start(w)
    assert.equal(200, proxy:api("POST", "/v1/reload", ("x"):rep(30000)).status)
    local client = w:client("unix:" .. proxy.control)
    client:send_head { method = "POST", path = "/v1/reload", headers = { ["content-length"] = "1000000" } }
    assert.equal(413, client:read_response().status)
  end))

  it("answers 400 to what is not HTTP, and 431 to a head without end", scenario(function(w)
    local proxy = start(w)
    local client = w:client("unix:" .. proxy.control)
    client:send "nonsense\r\n\r\n"
    assert.equal(400, client:read_response().status)
    client = w:client("unix:" .. proxy.control)
    client:try_send("GET / HTTP/1.1\r\nhost: a\r\nx: " .. ("y"):rep(20000))
    assert.equal(431, client:read_head().status)
  end))

  it("still answers while many connections say nothing", scenario(function(w)
    local proxy = start(w)
    for _ = 1, 40 do w:client("unix:" .. proxy.control, { silent = true }) end
    assert.equal(200, proxy:api("GET", "/v1/status").status)
  end))

  it("reloads even when who asked does not wait for the answer", scenario(function(w)
    local proxy = start(w)
    local client = w:client("unix:" .. proxy.control)
    client:send "POST /v1/reload HTTP/1.1\r\nhost: a\r\n\r\n"
    client:close()
    proxy:wait_log "generation 2 is in service"
    assert.equal("hi", proxy:get("/hi").body)
  end))
end)

---Reads a page as Prometheus does, and fails on what `promtool check metrics` would not let pass.
local function read_metrics(text)
  local types, helps, done, family, seen = {}, {}, {}, nil, {}
  assert.equal("\n", text:sub(-1))
  for line in text:gmatch "([^\n]*)\n" do
    local kind, name, rest = line:match "^# (%u+) ([%a_:][%w_:]*) (.+)$"
    if kind == "HELP" then
      assert.is_nil(helps[name], "a second HELP of " .. name)
      if family then done[family] = true end
      family, helps[name] = name, rest
    elseif kind == "TYPE" then
      assert.equal(family, name, "TYPE beside its HELP")
      assert.truthy(rest == "counter" or rest == "gauge" or rest == "histogram", rest)
      if rest == "counter" then assert.truthy(name:match "_total$", name .. " is a counter") end
      if rest == "gauge" then assert.falsy(name:match "_total$", name .. " is a gauge") end
      types[name] = rest
    else
      local metric, labels, value = line:match "^([%a_:][%w_:]*)(%b{}) (%S+)$"
      if not metric then metric, value = line:match "^([%a_:][%w_:]*) (%S+)$" end
      assert.truthy(metric, "not a sample: " .. line)
      local base = types[metric] and metric or metric:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
      assert.equal(family, base, "out of its family: " .. line)
      assert.is_nil(done[base])
      assert.truthy(tonumber(value), "not a number: " .. line)
      assert.is_nil(seen[metric .. (labels or "")], "twice: " .. line)
      seen[metric .. (labels or "")] = tonumber(value)
      for label in (labels or "{}"):sub(2, -2):gsub('\\.', ""):gmatch '[^,]+' do
        assert.truthy(label:match '^[%a_][%w_]*="[^"\n]*"$', "label " .. label .. " of " .. line)
      end
    end
  end
  return seen, types
end

describe("GET /metrics", function()
  it("is a page that Prometheus reads", scenario(function(w)
    local proxy = start(w)
    for _ = 1, 5 do proxy:get "/hi" end
    proxy:get "/other"
    local answer = proxy:api("GET", "/metrics")
    assert.equal("text/plain; version=0.0.4; charset=utf-8", answer.headers["content-type"])
    local seen, types = read_metrics(answer.body)
    assert.equal("histogram", types.moongate_request_duration_seconds)
    assert.equal(5, seen[ [[moongate_requests_total{route="a \"quoted\" \\ name",code="2xx"}]] ])
    assert.equal(5, seen[ [[moongate_request_duration_seconds_count{route="a \"quoted\" \\ name"}]] ])
    assert.equal(5, seen[ [[moongate_request_duration_seconds_bucket{route="a \"quoted\" \\ name",le="+Inf"}]] ])
    assert.equal(1, seen['moongate_upstream_requests_total{upstream="app",code="2xx"}'])
    assert.equal(6, seen['moongate_worker_requests_total{worker="0",code="2xx"}'])
    assert.equal(1, seen.moongate_generation)
  end))

  it("has histograms whose buckets grow and end with the count", scenario(function(w)
    local proxy = start(w)
    for _ = 1, 20 do proxy:get "/other" end
    local last, bound, count = 0, 0, nil
    for line in proxy:api("GET", "/metrics").body:gmatch "[^\n]+" do
      local le, value = line:match '^moongate_upstream_request_duration_seconds_bucket{upstream="app",le="([^"]+)"} (%d+)$'
      if le then
        local number = le == "+Inf" and math.huge or tonumber(le)
        assert.is_true(number > bound and tonumber(value) >= last, line)
        bound, last = number, tonumber(value)
      end
      count = line:match '^moongate_upstream_request_duration_seconds_count{upstream="app"} (%d+)$' or count
    end
    assert.equal(math.huge, bound)
    assert.equal(20, last)
    assert.equal("20", count)
  end))

  it("may be scraped through a route of the proxy itself", scenario(function(w)
    local dir = w:dir()
    local proxy = w:proxy({
      upstreams = { control = { servers = { "unix:" .. dir .. "/own.sock" } } },
      sites = { { routes = { { path = "/metrics", upstream = "control" } } } },
    }, { args = { "--control", dir .. "/own.sock" } })
    proxy.control = dir .. "/own.sock"
    for _ = 1, 3 do
      local answer = proxy:get "/metrics"
      assert.equal(200, answer.status)
      read_metrics(answer.body)
    end
  end))

  it("goes on over reloads", scenario(function(w)
    local proxy = start(w)
    proxy:get "/hi"
    proxy:api("POST", "/v1/reload")
    proxy:get "/hi"
    proxy:wait_metric("moongate_worker_requests_total", { code = "2xx" }, 2)
    assert.equal(1, proxy:metric("moongate_reloads_total", { result = "taken" }))
  end))
end)
