---Says a word in capitals in every answer: a sample of a policy with a part in C.
---
---     policies = { { "shout", word = "hello", marks = 3 } }     -- x-shout: HELLO!!!
local native = require "shout.native"

local shout = {}

shout.options = {
  word   = { type = "string", required = true, doc = "what is said; ${host} stands for the host that was asked for" },
  marks  = { type = "integer", default = 1, min = 0, max = 10, doc = "how many exclamation marks" },
  header = { type = "string", default = "x-shout", doc = "the field of the answer that says it" },
}

---Capitals and marks for a word that is the same for all requests are made once.
function shout:setup()
  if not self.word:find("${host}", 1, true) then self.said = native.shout(self.word, self.marks) end
end

function shout:response(req, res)
  local said = self.said
  if not said then
    local host = req.host
    said = native.shout(self.word:gsub("%${host}", function() return host end), self.marks)
  end
  res.headers[self.header] = said
end

return shout
