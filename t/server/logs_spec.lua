-- Logs in files: opened again after rotation and changed by a reload.
local testing = require "moongate.testing"
local files = require "moongate.testing.files"
local scenario = testing.scenario

local SITES = { { routes = { { path = "/log", handler = function(req)
  require("moongate.log").warn(req.query or "nothing")
  return "ok"
end }, { reply = { body = "hi" } } } } }

local function has(path, text)
  local content = files.read_file(path)
  return content and content:find(text, 1, true) and content
end

describe("SIGUSR1", function()
  it("opens error log and access log again, in every process", scenario(function(w)
    local proxy = w:proxy({ error_log = { path = "error.log" }, access_log = { path = "access.log" }, sites = SITES },
      { args = { "--workers", 2 } })
    for _ = 1, 10 do proxy:get "/log?before" end
    os.rename(proxy.dir .. "/error.log", proxy.dir .. "/error.1")
    os.rename(proxy.dir .. "/access.log", proxy.dir .. "/access.1")
    proxy:signal "USR1"
    w:wait_for(function() return has(proxy.dir .. "/error.log", "logs opened again") end, "the new error log")
    w:wait_for(function() return files.read_file(proxy.dir .. "/access.log") end, "the new access log")
    local workers = {}
    w:wait_for(function()
      proxy:get "/log?after"
      local text = files.read_file(proxy.dir .. "/error.log")
      for worker in text:gmatch "worker (%d): after" do workers[worker] = true end
      return workers["0"] and workers["1"]
    end, "lines of both workers in the new file")
    w:wait_for(function() return has(proxy.dir .. "/access.log", "/log?after") end, "requests in the new file")
    assert.truthy(has(proxy.dir .. "/error.1", "before"))
    assert.falsy(has(proxy.dir .. "/error.log", "before"))
  end))
end)

describe("a reload", function()
  it("moves the logs", scenario(function(w)
    local proxy = w:proxy { error_log = { path = "one.log" }, access_log = { path = "a1.log" }, sites = SITES }
    proxy:get "/log?first"
    assert.is_true((proxy:reload { error_log = { path = "two.log" }, access_log = { path = "a2.log" }, sites = SITES }))
    proxy:get "/log?second"
    w:wait_for(function() return has(proxy.dir .. "/two.log", "second") end, "the line in the new file")
    w:wait_for(function() return has(proxy.dir .. "/a2.log", "second") end, "the request in the new file")
    assert.truthy(has(proxy.dir .. "/one.log", "first"))
    assert.falsy(has(proxy.dir .. "/one.log", "second"))
  end))

  it("changes the level", scenario(function(w)
    local proxy = w:proxy { error_log = { level = "error" }, sites = SITES }
    proxy:get "/log?quiet"
    assert.is_true((proxy:reload { error_log = { level = "info" }, sites = SITES }))
    proxy:get "/log?loud"
    proxy:wait_log "loud"
    assert.falsy(proxy:log():find "quiet")
  end))
end)
