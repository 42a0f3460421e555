dofile "spec/config/support.lua"
-- The loops here are as hot as loops get, and compiled ones over `pairs` are not safe (see config/loading.lua).
jit.off(true, true)
local config = require "moongate.config"
local lines = require "moongate.config.lines"
local manual = require "moongate.config.manual"

---A configuration that uses every part; made anew for each try.
local function whole()
  return {
    workers = 1, user = "u", group = "g", pid_file = "p", control = "c", error_log = { level = "info", path = "e" },
    access_log = { format = "json", path = "a", off = false }, script_path = { "s" }, dicts = { d = "1m" },
    trusted_proxies = { "::1" }, forwarded = "both", via = "m",
    resolver = { nameservers = { "127.0.0.1" }, timeout = 1, attempts = 1, min_ttl = 1, max_ttl = 1, hosts_file = "h" },
    timeouts = { connect = 1 }, limits = { body = 1 }, budgets = { cpu = 1, task = 1, setup = 1, memory = "8m" },
    listeners = { { bind = ":80", backlog = 1, ipv6_only = true } },
    upstreams = { app = { servers = { "a:1", { "b:1", weight = 1, backup = true } }, balance = "round_robin",
      retry = { attempts = 1, on = { 500 }, non_idempotent = true }, timeouts = { connect = 1 }, keepalive = 1,
      keepalive_idle = 1, keepalive_requests = 1, failover = { fails = 1, within = 1, pause = 1 }, host = "client" } },
    policies = { "p", { "p", o = 1, on_error = "open" }, print, { access = print, on_error = "closed" } },
    sites = { { hosts = { "h" }, name = "n", policies = { "p" }, timeouts = { body = 1 }, limits = { body = 1 }, routes = {
      { name = "n", path = "/:a/*", methods = { "GET" }, headers = { a = "1", b = { regex = "x" } }, query = { a = true },
        when = print, upstream = "app", rewrite = "/:a/*", upgrade = { "websocket" }, policies = { "p" },
        timeouts = { body = 1 }, limits = { body = 1 } },
      { regex = "x", reply = { status = 200, headers = { a = { "1" } }, body = "b" } },
      { path = "/r", redirect = { to = "/", status = 301, keep_query = true } },
      { path = "/h", handler = print },
    } } },
  }
end

local ODD = {
  true, false, 0, -1, 1.5, 0 / 0, 1 / 0, -1 / 0, 2 ^ 60, "", " ", "x", "\0", "\255\254", "a:1:2", "[", "[]:1", "%", "/", "*",
  ("x"):rep(5000), {}, { {} }, { 1 }, { "x" }, { x = 1 }, { [{}] = 1 }, { [1.5] = 1 }, { [0 / 1] = 1 }, { [print] = print },
  { nil, 2 }, print, coroutine.create(print), setmetatable({}, { __tostring = function() return "" end }),
  setmetatable({}, { __metatable = "locked" }),
}

---Calls `try` for every place of a table: the table that holds it and the key.
local function each_place(given, try)
  local keys = {}
  for key in pairs(given) do keys[#keys + 1] = key end
  for _, key in ipairs(keys) do
    try(given, key)
    if type(given[key]) == "table" then each_place(given[key], try) end
  end
end

local function judge(given)
  local plan, errors = config.check(given, { file = "c.lua" })
  if plan then return end
  assert.is_true(#errors > 0)
  for _, mistake in ipairs(errors) do
    assert.is_string(mistake.text)
    assert.is_nil(mistake.full:find("table: 0x", 1, true), mistake.full)
  end
end

describe("a configuration", function()
  it("that uses every part is right", function()
    local plan, errors = config.check(whole())
    assert.is_table(plan, errors and errors[1] and errors[1].full)
  end)

  it("uses every key of the schema in that", function()
    local text = {}
    each_place(whole(), function(_, key) text[tostring(key)] = true end)
    local either = { mode = true }
    manual.records(config.schema, function(record)
      if record.class == "timeouts" or record.class == "limits" or record.class:match("_timeouts$") then return end
      for _, row in ipairs(record.rows) do assert.is_true(text[row[1]] or either[row[1]], row[1]) end
    end)
  end)

  it("gets an answer whatever odd value stands at one of its places", function()
    local root = whole()
    each_place(root, function(holder, key)
      local before = holder[key]
      for _, odd in ipairs(ODD) do
        holder[key] = odd
        judge(root)
      end
      holder[key] = before
    end)
  end)

  it("gets an answer whatever odd key stands in one of its tables", function()
    local root = whole()
    local holders = { root }
    each_place(root, function(holder, key)
      if type(holder[key]) == "table" then holders[#holders + 1] = holder[key] end
    end)
    for _, holder in ipairs(holders) do
      for _, odd in ipairs { "x", "", "\0", 0, -1, 1.5, 99, 1 / 0, true, print, holders } do
        if holder[odd] == nil then
          holder[odd] = "x"
          judge(root)
          holder[odd] = nil
        end
      end
    end
  end)
end)

describe("the source map", function()
  it("ends for every piece that a text is cut to", function()
    local file = assert(io.open("lua/moongate/config.lua", "rb"))
    local text = file:read("*a"):sub(1, 6000)
    file:close()
    for length = 0, #text, 13 do
      lines.map(text:sub(1, length)):find { "sites", 1, "routes" }
      lines.map("return {" .. text:sub(length)):find { "sites", 1, "routes" }
    end
  end)
end)
