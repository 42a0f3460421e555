local scenario = require("moongate.testing").scenario
local sys = require "moongate.testing.sys"

---Asks for a name, as a resolver does, and returns the answer's bytes.
local function ask(w, dns, name, type)
  local fd = assert(sys.connect(tostring(dns), { datagram = true }))
  local labels = name:gsub("([^.]+)%.?", function(label) return string.char(#label) .. label end)
  local question = labels .. "\0\0" .. string.char(type) .. "\0\1"
  local head = "\18\52\1\0\0\1\0\0\0\0\0\0"
  sys.send(fd, head .. question, 1, #head + #question)
  local answer
  if w.loop:readable(fd, "waiting for an answer", sys.now() + 0.05) == "ready" then answer = sys.receive(fd) end
  sys.close(fd)
  return answer
end

describe("a name server of a test", function()
  it("answers with the addresses of the family that was asked for", scenario(function(w)
    local dns = w:nameserver({ ["app.test"] = { "127.0.0.1", "::1", "127.0.0.2" } }, { ttl = 7 })
    local answer = ask(w, dns, "App.Test", 1)
    assert.equal("\18\52\133\128\0\1\0\2", answer:sub(1, 8))
    assert.is_truthy(answer:find("\0\1\0\1\0\0\0\7\0\4\127\0\0\1", 1, true))
    assert.is_truthy(answer:find("\0\1\0\1\0\0\0\7\0\4\127\0\0\2", 1, true))
    assert.equal("\0\1", ask(w, dns, "app.test", 28):sub(7, 8))
    assert.equal(2, dns:asked "app.test")
  end))

  it("follows aliases", scenario(function(w)
    local dns = w:nameserver { ["www.test"] = "cname:app.test", ["app.test"] = "127.0.0.1" }
    local answer = ask(w, dns, "www.test", 1)
    assert.equal("\0\2", answer:sub(7, 8))
    assert.is_truthy(answer:find("\3app\4test\0", 1, true))
  end))

  it("knows no other names, until the test tells it", scenario(function(w)
    local dns = w:nameserver()
    assert.equal(131, ask(w, dns, "app.test", 1):byte(4))
    dns.records["app.test"] = "127.0.0.1"
    assert.equal(128, ask(w, dns, "app.test", 1):byte(4))
    dns.rcodes["app.test"] = 2
    assert.equal(130, ask(w, dns, "app.test", 1):byte(4))
  end))

  it("can keep silent", scenario(function(w)
    local dns = w:nameserver { ["app.test"] = "127.0.0.1" }
    dns.silent = true
    assert.is_nil(ask(w, dns, "app.test", 1))
    assert.equal(1, dns:asked "app.test")
  end))
end)
