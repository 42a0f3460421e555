---A name server of the test: it knows the names that the test gives it, counts who asks, and can be slow, silent or
---wrong.
---
---    local dns = w:nameserver { ["app.test"] = { "127.0.0.1", "::1" } }
---    local proxy = w:proxy { resolver = { nameservers = { dns } },
---                            upstreams = { app = { servers = { "app.test:80" } } } }
---    dns.records["app.test"] = "127.0.0.2"                          -- from now on
---
---Answers have the shape of RFC 1035 §4; only questions for A, AAAA and CNAME have answers.

local failure = require "moongate.testing.failure"
local sys = require "moongate.testing.sys"

local A, CNAME, AAAA = 1, 5, 28
local NXDOMAIN = 3

local nameserver = {}

---@class moongate.testing.question
---@field id string two bytes
---@field name string lower case, without the last dot
---@field type integer 1 for A, 28 for AAAA
---@field from string address of who asks
---@field raw string the question section as it came

---@class moongate.testing.nameserver_options
---@field name? string as the transcript calls it
---@field ttl? integer seconds, 60 unless said

---@class moongate.testing.nameserver
---@field address string "127.0.0.1:PORT"
---@field records table<string, string|string[]> addresses of names, or "cname:OTHER"; may be changed at any time
---@field rcodes table<string, integer> names that are answered with an error: 2 is SERVFAIL, 5 REFUSED
---@field ttl integer seconds
---@field silent boolean true leaves questions without an answer
---@field questions moongate.testing.question[] in order
local Nameserver = {}
Nameserver.__index = Nameserver

function Nameserver:__tostring()
  return self.address
end

-- Messages ----------------------------------------------------------------------------------------------------------

local function u16(n)
  return string.char(math.floor(n / 256) % 256, n % 256)
end

---@param name string
---@return string labels with their lengths
local function encode_name(name)
  return (name:gsub("([^.]+)%.?", function(label) return string.char(#label) .. label end)) .. "\0"
end

---@param message string
---@param from string
---@return moongate.testing.question|nil
local function parse_question(message, from)
  local at, labels = 13, {}
  while at <= #message and message:byte(at) ~= 0 do
    local size = message:byte(at)
    labels[#labels + 1] = message:sub(at + 1, at + size)
    at = at + size + 1
  end
  if #message < at + 4 then return nil end
  local high, low = message:byte(at + 1, at + 2)
  return {
    id = message:sub(1, 2), name = table.concat(labels, "."):lower(), type = high * 256 + low, from = from,
    raw = message:sub(13, at + 4),
  }
end

---@param address string
---@return integer|nil type
---@return string? data
local function encode_address(address)
  local alias = address:match "^cname:(.+)$"
  if alias then return CNAME, encode_name(alias) end
  local bytes = sys.address_bytes(address)
  if not bytes then return nil end
  return #bytes == 4 and A or AAAA, bytes
end

---The records that answer a question, as bytes.
local function answers_to(self, question, name, found)
  local given = self.records[name]
  for _, address in ipairs(type(given) == "table" and given or { given }) do
    local kind, data = encode_address(address)
    if not kind then failure.raise("misuse", "%s: '%s' is not an address", self.name, address) end
    if kind == question.type or kind == CNAME then
      found[#found + 1] = encode_name(name) .. u16(kind) .. u16(1) .. u16(0) .. u16(self.ttl) .. u16(#data) .. data
    end
    if kind == CNAME and #found < 16 then answers_to(self, question, address:match "^cname:(.+)$", found) end
  end
  return found
end

---The answer to a question, as bytes.
---@param question moongate.testing.question
---@return string
function Nameserver:answer(question)
  local known = self.records[question.name] ~= nil
  local rcode = self.rcodes[question.name] or (known and 0 or NXDOMAIN)
  local found = rcode == 0 and answers_to(self, question, question.name, {}) or {}
  -- 0x8580: a response, authoritative, recursion was desired and is available.
  return question.id .. u16(0x8580 + rcode) .. u16(1) .. u16(#found) .. u16(0) .. u16(0) .. question.raw
    .. table.concat(found)
end

-- The socket --------------------------------------------------------------------------------------------------------

local function serve(self)
  while self.loop:readable(self.fd, "waiting for a question") == "ready" do
    local message, from = sys.receive_from(self.fd)
    local question = message and parse_question(message, from)
    if question then
      self.questions[#self.questions + 1] = question
      self.world.transcript:note(self.name, ("is asked for %s (type %d)"):format(question.name, question.type))
      if not self.silent then sys.send_to(self.fd, self:answer(question), from) end
    end
  end
end

---How often a name was asked for.
---@param name string
---@return integer
function Nameserver:asked(name)
  local count = 0
  for _, question in ipairs(self.questions) do
    if question.name == name then count = count + 1 end
  end
  return count
end

---@param world moongate.testing.world
---@param records? table<string, string|string[]>
---@param opts? moongate.testing.nameserver_options
---@return moongate.testing.nameserver
function nameserver.open(world, records, opts)
  local name = opts and opts.name or world:name_for "nameserver"
  local fd, address = sys.bind("127.0.0.1:0", { datagram = true })
  if not fd then failure.raise("unexpected", "%s: %s", name, address) end
  world.held[#world.held + 1] = fd
  local self = setmetatable({
    world = world, loop = world.loop, name = name, fd = fd, address = address, records = records or {}, rcodes = {},
    ttl = opts and opts.ttl or 60, silent = false, questions = {},
  }, Nameserver)
  world.loop:spawn(name, function() serve(self) end, true)
  return self
end

return nameserver
