---Answers 503 to everybody but a few while a switch is on: an option, a file, or both.
---
---     { "maintenance", file = "run/maintenance", allow = { "10.0.0.0/8" }, retry_after = "10m" }
---     { "maintenance", on = true, bypass = { header = "x-preview", value = "secret…" }, except = { "/healthz" } }
---
---A timer looks for the file, so no request waits for the disk; `touch` and `rm` switch without a reload.
local crypto = require "moongate.crypto"
local ip = require "moongate.ip"
local log = require "moongate.log"
local paths = require "moongate.policy.shared.paths"

local maintenance = {}

maintenance.options = {
  on = { type = "boolean", default = false, doc = "whether it is on whatever the file says" },
  file = { type = "string", doc = "while it exists, it is on" },
  every = { type = "duration", default = "2s", min = 0.1, doc = "how often to look for the file" },
  header = { type = "string", doc = "a field of the request that switches it on, as another proxy may send it" },
  allow = { type = "list", of = "string", default = {}, doc = "addresses and blocks that are let in" },
  bypass = { type = "map", of = "string", doc = "header and value that let who sends them in" },
  except = { type = "list", of = "string", default = {}, doc = "paths that stay open" },
  status = { type = "integer", default = 503, min = 400, max = 599, doc = "what others are answered" },
  retry_after = { type = "duration", default = "5m", doc = "when to come back; 0 says nothing about it" },
  page = { type = "string", doc = "a file with the page; read when the configuration is loaded" },
  body = { type = "string", default = "closed for maintenance, back soon\n", doc = "the text without a page" },
  content_type = { type = "string", doc = "text/html for a page, text/plain for a text" },
}

local SHORTEST_SECRET = 8

local function read(path)
  local file, message = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  if not text then error("page: cannot read " .. (message or path), 0) end
  return text
end

---Looks for the file; a change is a line in the log.
local function look(self)
  local file = io.open(self.file, "rb")
  if file then file:close() end
  local closed = file ~= nil
  if closed ~= self.closed and self.closed ~= nil then
    log.info(closed and "maintenance begins" or "maintenance is over", { file = self.file })
  end
  self.closed = closed
end

local function check_bypass(bypass)
  if not bypass.header or not bypass.value then error("bypass: expected { header = …, value = … }", 0) end
  if #bypass.value < SHORTEST_SECRET then
    error(("bypass: a value of less than %d bytes is soon guessed"):format(SHORTEST_SECRET), 0)
  end
end

---Reads page and lists, and looks for the file for the first time.
function maintenance:setup()
  if not (self.on or self.file or self.header) then error("nothing switches it on: give on, file or header", 0) end
  local allowed, message = ip.set(self.allow)
  if not allowed then error("allow: " .. message, 0) end
  self.allowed, self.exceptions = allowed, paths.list(self.except, "except")
  if self.bypass then check_bypass(self.bypass) end
  self.headers = {
    ["content-type"] = self.content_type or (self.page and "text/html; charset=utf-8" or "text/plain; charset=utf-8"),
    ["cache-control"] = "no-store",
    ["retry-after"] = self.retry_after > 0 and math.ceil(self.retry_after) or nil,
  }
  self.text = self.page and read(self.page) or self.body
  if self.file then look(self) end
end

---Watches the file. Tasks are there only where a proxy runs, and options are read elsewhere, too.
function maintenance:start()
  if self.file then require("moongate.task").every(self.every, look, self) end
end

local function is_let_in(self, req)
  if self.allowed:has(req.client.ip) or self.exceptions:has(req.path) then return true end
  local brought = self.bypass and req.headers[self.bypass.header]
  return brought and crypto.equal(brought, self.bypass.value) or false
end

---Answers everybody who is not let in, while it is on.
function maintenance:access(req)
  if not (self.on or self.closed or self.header and req.headers[self.header]) then return nil end
  if is_let_in(self, req) then return nil end
  return { status = self.status, headers = self.headers, body = self.text }
end

return maintenance
