---Turns away programs that nobody has asked for: by what they call themselves, and by where they go.
---
---     { "bot_filter", agents = { "badbot", "scrapy" }, honeypots = { "/wp-login.php", "/.env", "/trap/*" } }
---     { "bot_filter", patterns = { [[^python-requests/]], [[\bcurl\b]] }, empty = "deny" }
---
---What is in `agents` is looked for as text, in `patterns` as a regular expression, both whatever the letter case;
---`allow_agents` goes before them. Who asks for a honeypot, a path that no page links to and robots.txt forbids,
---is remembered by its address and refused for a while. The memory is the worker's own, has a bound, and forgets
---those first who were caught first.
local ip = require "moongate.ip"
local log = require "moongate.log"
local paths = require "moongate.policy.shared.paths"
local regex = require "moongate.regex"
local time = require "moongate.time"

local bot_filter = {}

bot_filter.options = {
  agents = { type = "list", of = "string", default = {}, doc = "texts in User-Agent that are refused" },
  patterns = { type = "list", of = "string", default = {}, doc = "regular expressions for the same" },
  allow_agents = { type = "list", of = "string", default = {}, doc = "texts in User-Agent that are let in" },
  allow = { type = "list", of = "string", default = {}, doc = "addresses and blocks that are never refused" },
  empty = { one_of = { "allow", "deny" }, default = "allow", doc = "what happens without a User-Agent" },
  honeypots = { type = "list", of = "string", default = {}, doc = "paths that nobody asks for in good faith" },
  remember = { type = "duration", default = "1h", doc = "how long who has asked for one is refused" },
  most = { type = "integer", default = 10000, min = 1, max = 1000000, doc = "addresses that are remembered" },
  status = { type = "integer", default = 403, min = 400, max = 599, doc = "what they are answered" },
  body = { type = "string", default = "not for robots\n", doc = "the text of that answer" },
}

---Bytes of a User-Agent that are looked at.
local LONGEST_AGENT = 1024

local function lower_all(list, place)
  local texts = {}
  for i, text in ipairs(list) do
    if text == "" then error(("%s[%d]: an empty text is in every User-Agent"):format(place, i), 0) end
    texts[i] = text:lower()
  end
  return texts
end

---Compiles the lists.
function bot_filter:setup()
  self.refused_texts = lower_all(self.agents, "agents")
  self.allowed_texts = lower_all(self.allow_agents, "allow_agents")
  self.compiled = {}
  for i, text in ipairs(self.patterns) do
    local pattern, message = regex.compile(text, "i")
    if not pattern then error(("patterns[%d]: %s"):format(i, message), 0) end
    self.compiled[i] = pattern
  end
  local allowed, message = ip.set(self.allow)
  if not allowed then error("allow: " .. message, 0) end
  self.allowed, self.traps = allowed, paths.list(self.honeypots, "honeypots")
  self.caught, self.ring, self.at = {}, {}, 0
end

-- Who was caught: until when, by address, and a ring in their order ---------------------------------------------------

local function catch(self, address)
  if not self.caught[address] then
    self.at = self.at % self.most + 1
    local oldest = self.ring[self.at]
    if oldest then self.caught[oldest] = nil end
    self.ring[self.at] = address
  end
  self.caught[address] = time.monotonic() + self.remember
end

local function is_caught(self, address)
  local till = self.caught[address]
  return till ~= nil and till > time.monotonic()
end

-- What they call themselves -------------------------------------------------------------------------------------------

local function holds_any(agent, texts)
  for i = 1, #texts do
    if agent:find(texts[i], 1, true) then return true end
  end
  return false
end

local function is_refused_agent(self, agent)
  if agent == nil or agent == "" then return self.empty == "deny" end
  agent = agent:sub(1, LONGEST_AGENT)
  local lower = agent:lower()
  if holds_any(lower, self.allowed_texts) then return false end
  if holds_any(lower, self.refused_texts) then return true end
  for i = 1, #self.compiled do
    -- A pattern that gives up says nothing against anybody.
    if self.compiled[i]:test(agent) then return true end
  end
  return false
end

local function refusal(self)
  return { status = self.status, body = self.body }
end

---Refuses those who are known, go where nobody goes, or call themselves by a name that is listed.
function bot_filter:access(req)
  local address = req.client.ip
  if self.allowed:has(address) then return nil end
  if is_caught(self, address) then return refusal(self) end
  if self.traps:has(req.path) then
    catch(self, address)
    log.info("a robot went into a honeypot", { client = address, path = req.path })
    return refusal(self)
  end
  if is_refused_agent(self, req.headers["user-agent"]) then return refusal(self) end
end

return bot_filter
