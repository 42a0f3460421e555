---Upstreams: their kinds of values, and what their keys mean together.
local kinds = require "moongate.config.kinds"
local spelling = require "moongate.config.spelling"
local values = require "moongate.config.values"

local upstreams = {}

local SERVER = '"host:port", "unix:/path" or { "host:port", weight = 2 }'

---@param endpoint table what `values.server` read
---@param more { weight: integer, backup: boolean }?
local function server_of(endpoint, more)
  endpoint.weight = more and more.weight or 1
  endpoint.backup = more and more.backup or false
  return endpoint
end

local server_rows = kinds.record {
  class = "server", title = "upstreams.<name>.servers[]", positional = 1, what = SERVER,
  rows = {
    { "weight", kinds.whole(0, 256), 1,
      "How many requests it gets for each one that a server of weight 1 gets; 0: none." },
    { "backup", kinds.flag(), false, "Only used when no other server is up." },
  },
  finish = function(out, at, given)
    at:enter(1)
    local endpoint, remedy = values.server.read(given[1], at)
    if not endpoint then at:refuse(values.server.what, given[1], remedy) end
    at:leave()
    return endpoint and server_of(endpoint, out)
  end,
}

local plain_server = kinds.scalar {
  what = values.server.what, brief = "address", luals = "string", relative = true,
  read = function(value, at)
    local endpoint, remedy = values.server.read(value, at)
    return endpoint and server_of(endpoint), remedy
  end,
}

local described_server = kinds.by_type {
  what = SERVER, brief = "address or table", luals = "string|moongate.config.server",
  string = plain_server, table = server_rows,
}

---One server. An object that prints itself as an address counts as text.
upstreams.server = kinds.scalar {
  what = described_server.what, brief = "address or `{ address, weight =, backup = }`",
  many = "addresses or `{ address, weight =, backup = }`",
  luals = described_server.luals,
  relative = true, record = server_rows,
  read = function(value, at)
    local checker = require "moongate.config.checker"
    if type(value) == "table" and values.is_text(value) then value = tostring(value) end
    local found = checker.compile(described_server)(value, at)
    -- False, not nil: what is wrong was said already, at a better place.
    return found or false
  end,
}

local CONDITIONS = { "connect", "reset", "timeout" }

---What an attempt may fail with so that another server is tried.
upstreams.condition = kinds.scalar {
  what = '"connect", "reset", "timeout" or a status from 500 to 599',
  brief = "`\"connect\"` `\"reset\"` `\"timeout\"` or 500–599",
  luals = '"connect"|"reset"|"timeout"|integer',
  read = function(value)
    if type(value) == "number" and value % 1 == 0 and value >= 500 and value <= 599 then return value end
    for _, condition in ipairs(CONDITIONS) do
      if value == condition then return value end
    end
    local nearest = spelling.nearest(value, CONDITIONS)
    return nil, nearest and ("did you mean \"%s\"?"):format(nearest)
  end,
}

local BALANCES = { "round_robin" }

---How a server is chosen.
upstreams.balance = kinds.scalar {
  what = '"round_robin" (the one way of balancing in this version)', brief = '`"round_robin"`', luals = '"round_robin"',
  read = function(value)
    if value == BALANCES[1] then return value end
  end,
}

---Whose name stands in Host on the way to the origin.
upstreams.host = kinds.text {
  what = '"client", "server" or a host name', brief = '`"client"` `"server"` or host',
  luals = '"client"|"server"|string',
  read = function(text)
    if text == "" or text:find("[%c%s/?#@]") then return nil end
    return text
  end,
}

---An upstream's keys together.
---@param out table
---@param at moongate.config.place
function upstreams.finish(out, at)
  local seen, weight = {}, 0
  for i, server in ipairs(out.servers or {}) do
    if server then
      local first = seen[server.address]
      if first then
        at:enter("servers")
        at:enter(i)
        at:fail(("\"%s\" is servers[%d] already"):format(server.address, first))
        at:leave()
        at:leave()
      end
      seen[server.address] = first or i
    end
    weight = weight + (server and server.weight or 1)
  end
  if weight == 0 and out.servers and #out.servers > 0 then
    at:fail("every server has weight 0, so none would ever be asked", "servers")
  end
  return out
end

return upstreams
