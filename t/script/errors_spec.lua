-- A script cannot take the proxy down: its error ends one request and is one line in the log.
local testing = require "moongate.testing"
local scenario = testing.scenario

describe("an error in a script", function()
  it("is a 500 and one line with policy, phase, place and trace; nothing else is harmed", scenario(function(w)
    local origin = w:http_origin(function() return "fine" end)
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = { "broken" },
      scripts = { broken = [[
local broken = {}
local function look(t) return t.a.b end
function broken:access(req)
  if req.path == "/bad" then
    local found = look({})
    return found
  end
end
return broken
]] },
    }
    local client = proxy:client()
    assert.equal("fine", client:get("/").body)
    local answer = client:get "/bad"
    assert.equal(500, answer.status)
    assert.is_nil(answer.body:find "broken")
    assert.equal("fine", client:get("/").body)
    proxy:wait_log "script error"
    local line = proxy:log():match "[^\n]*script error[^\n]*"
    assert.truthy(line:find("script error in policy 'broken' (access) at ", 1, true), line)
    assert.truthy(line:find("broken.lua:2: attempt to index field 'a' (a nil value)", 1, true), line)
    assert.truthy(line:find("in 'look' < ", 1, true), line)
    assert.equal("script_error", proxy:wait_access(2)[2]["end"])
  end))

  for _, phase in ipairs { "rewrite", "response", "failed", "log" } do
    it(("in %s harms nobody else"):format(phase), scenario(function(w)
      local proxy = w:proxy {
        policies = { testing.lua(([[{ %s = function(_, req) if req.path ~= "/fine" then error "on purpose" end end }]])
          :format(phase)) },
        sites = { { routes = { { path = "/fine", reply = { body = "fine" } },
          { path = "/bad", reply = { body = "bad" } } } } },
      }
      local client = proxy:client()
      client:get(phase == "failed" and "/none" or "/bad")
      proxy:wait_log("script error in policy [^\n]* %(" .. phase .. "%)[^\n]*on purpose")
      assert.equal("fine", client:get("/fine").body)
    end))
  end

  it("does not end the request when the entry says on_error = \"open\"", scenario(function(w)
    local proxy = w:proxy {
      policies = { { access = function() error "on purpose" end, on_error = "open" } },
      sites = { { routes = { { reply = { body = "served" } } } } },
    }
    assert.equal("served", proxy:get("/").body)
    proxy:wait_log "on purpose"
  end))

  it("in the middle of a streamed body cuts the answer, so that nobody takes it for whole", scenario(function(w)
    local proxy = w:proxy { sites = { { routes = { { handler = function()
      local n = 0
      return { body = function()
        n = n + 1
        if n == 1 then return "begun" end
        require("moongate.time").sleep(0.001)
        error "on purpose"
      end }
    end } } } } }
    local client = proxy:client()
    client:send_request { path = "/" }
    local answer = client:read_head()
    assert.equal("begun", client:read_chunk())
    assert.equal(200, answer.status)
    client:expect_end()
    proxy:wait_log "on purpose"
  end))
end)

describe("moongate check", function()
  it("runs setup and tells every mistake of scripts with file and line", scenario(function(w)
    local dir = w:dir {
      ["conf.lua"] = [[
return { script_path = { "." }, upstreams = { app = { servers = { "127.0.0.1:1" } } },
  policies = {
    { "strict", size = "huge" },
    "syntax",
    "missing",
  } }
]],
      ["strict.lua"] = "return { options = { size = { type = 'size' } }, access = function() end }\n",
      ["syntax.lua"] = "return {\n  access = function( end\n}\n",
    }
    local status, _, said = w:command { "check", "-c", dir .. "/conf.lua" }
    assert.equal(1, status)
    for _, line in ipairs {
      "conf.lua:3: policy 'strict': size: ", "syntax.lua:2:", "conf.lua:5: no policy is named 'missing'",
    } do
      assert.truthy(said:find(line, 1, true), said)
    end
  end))
end)
