---Lets clients in or not by their address.
---
---     { "ip_filter", allow = { "10.0.0.0/8", "2001:db8::/32" }, deny = { "10.9.0.0/16" } }
---     { "ip_filter", deny = { "192.0.2.7" }, status = 404 }
---
---The most specific block in which the address lies decides, whichever list it is in and wherever it stands there.
---An address in no block is let in, unless there is an `allow` list or `default` says otherwise. The address is
---`req.client.ip`, so what `trusted_proxies` says of it counts.
local ip = require "moongate.ip"

local ip_filter = {}

ip_filter.options = {
  allow = { type = "list", of = "string", default = {}, doc = "addresses and blocks that are let in" },
  deny = { type = "list", of = "string", default = {}, doc = "addresses and blocks that are not" },
  default = { one_of = { "allow", "deny" }, doc = "what happens to all others; deny when there is an allow list" },
  status = { type = "integer", default = 403, min = 400, max = 599, doc = "what others are answered" },
  body = { type = "string", default = "not from this address\n", doc = "the text of that answer" },
}

local function add_all(blocks, list, name)
  for i, text in ipairs(list) do
    local added, message, code, list_of = blocks:add(text, name)
    if not added and list_of ~= name then
      error(("%s[%d]: %s"):format(name, i, code == "exists" and text .. " is in both lists" or message), 0)
    end
  end
end

---Compiles the lists. A block that is in both is refused: nobody could say which decides.
function ip_filter:setup()
  if #self.allow == 0 and #self.deny == 0 and not self.default then
    error("neither allow nor deny names an address", 0)
  end
  self.blocks = ip.blocks()
  add_all(self.blocks, self.allow, "allow")
  add_all(self.blocks, self.deny, "deny")
  self.otherwise = self.default or (#self.allow > 0 and "deny" or "allow")
end

---Refuses who is not let in.
function ip_filter:access(req)
  if (self.blocks:find(req.client.ip) or self.otherwise) == "deny" then
    return { status = self.status, body = self.body }
  end
end

return ip_filter
