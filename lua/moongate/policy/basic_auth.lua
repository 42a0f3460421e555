---Asks for a name and a password (RFC 7617).
---
---     { "basic_auth", realm = "back office", users = {
---         ann = "pbkdf2:sha256:20000:c2FsdHNhbHQ=:Zm9v…",          -- pbkdf2:digest:rounds:salt:key
---         bob = "scrypt:1024:8:1:c2FsdHNhbHQ=:YmFy…",              -- scrypt:n:r:p:salt:key
---         bot = "sha256:5e884898da28047151d0e56f8dc62927…" } }     -- for random secrets alone, not for passwords
---
---Salt and key are base64, the digest of `sha256:` is hexadecimal. Whoever insists on readable passwords says so:
---`plain = { ann = "…" }`. A name that does not exist takes as long as a wrong password.
---
---PBKDF2 and scrypt hold up the worker while they run, so a password that was right is remembered, as a keyed digest in
---this worker's memory, for `remember`; the next requests that bring it cost a microsecond.
---
---Later policies find the name in `req.ctx.user`; `user_header` tells it to the origin, and then what a client sent in
---that field is never passed on.
local crypto = require "moongate.crypto"
local names = require "moongate.policy.shared.names"
local time = require "moongate.time"

local basic_auth = {}

basic_auth.options = {
  users = { type = "map", of = "string", default = {}, doc = "name to pbkdf2:…, scrypt:… or sha256:…" },
  plain = { type = "map", of = "string", default = {}, doc = "name to a password that anybody can read here" },
  realm = { type = "string", default = "restricted", doc = "what the browser says it is for" },
  forward = { type = "boolean", default = false, doc = "whether the origin gets to see name and password" },
  user_header = { type = "string", doc = "a field that tells the origin the name" },
  remember = { type = "duration", default = "5m", doc = "how long a right password need not be derived again" },
}

---Passwords that are remembered; when there are more, all are forgotten.
local REMEMBERED = 1000
---Rounds that would hold up a worker for more than a second or so.
local MOST_ROUNDS = 2000000
local MOST_SCRYPT = 2 ^ 20

-- Hashes --------------------------------------------------------------------------------------------------------------

---Each kind reads the rest of its text and returns a function that derives the same from a password, and what must
---come out; or nil.
local kinds = {}

function kinds.pbkdf2(rest)
  local name, rounds, salt, key = rest:match "^([%w-]+):(%d+):([%w+/=]+):([%w+/=]+)$"
  rounds, salt, key = tonumber(rounds), salt and crypto.decode_base64(salt), key and crypto.decode_base64(key)
  if not (salt and key) or #key < 16 or rounds < 1 or rounds > MOST_ROUNDS then return nil end
  local length = #key
  local function derive(password) return crypto.pbkdf2(name, password, salt, rounds, length) end
  return pcall(crypto.digest, name, "") and derive, key
end

function kinds.scrypt(rest)
  local n, r, p, salt, key = rest:match "^(%d+):(%d+):(%d+):([%w+/=]+):([%w+/=]+)$"
  salt, key = salt and crypto.decode_base64(salt), key and crypto.decode_base64(key)
  if not (salt and key) or #key < 16 then return nil end
  local options = { n = tonumber(n), r = tonumber(r), p = tonumber(p), length = #key }
  if options.n * options.r * options.p > MOST_SCRYPT then return nil end
  local function derive(password) return (crypto.scrypt(password, salt, options)) end
  local ok, made = pcall(derive, "")
  return ok and made and derive, key
end

function kinds.sha256(rest)
  local key = rest:match "^%x+$" and crypto.decode_hex(rest)
  if not key or #key ~= 32 then return nil end
  return crypto.sha256, key
end

local function hash_of(name, text)
  local kind, rest = text:match "^(%w+):(.*)$"
  local derive, key
  if kinds[kind] then derive, key = kinds[kind](rest) end
  if not derive then
    error(("users.%s: expected pbkdf2:digest:rounds:salt:key, scrypt:n:r:p:salt:key (base64) or sha256:digest"):format(
      name), 0)
  end
  return { derive = derive, key = key }
end

-- Setting up ----------------------------------------------------------------------------------------------------------

local function check_name(place, name)
  if name == "" or name:find "[:%c]" then
    error(("%s: a name is not empty and has no colon and no control character"):format(place), 0)
  end
end

---One of those that take longest, for names that do not exist.
local function decoy_of(known)
  local slowest, most = nil, -1
  for _, user in pairs(known) do
    local began = os.clock()
    user.derive "x"
    local took = os.clock() - began
    if took > most then slowest, most = user, took end
  end
  return slowest
end

---Reads the hashes, once.
function basic_auth:setup()
  self.known, self.secret = {}, crypto.random(32)
  self.right, self.right_count = {}, 0
  for name, text in pairs(self.users) do
    check_name("users", name)
    self.known[name] = hash_of(name, text)
  end
  for name, password in pairs(self.plain) do
    check_name("plain", name)
    if self.known[name] then error(("plain.%s: is among users, too"):format(name), 0) end
    if password == "" then error(("plain.%s: the password is empty"):format(name), 0) end
    self.known[name] = { derive = crypto.sha256, key = crypto.sha256(password) }
  end
  if next(self.known) == nil then error("neither users nor plain names anybody", 0) end
  if self.realm:find '[%c"\\]' then error("realm: no quotes, backslashes and control characters", 0) end
  if self.user_header then names.check(self.user_header, "user_header") end
  self.decoy = decoy_of(self.known)
  self.challenge = ('Basic realm="%s", charset="UTF-8"'):format(self.realm)
end

-- Requests ------------------------------------------------------------------------------------------------------------

---Name and password of an Authorization field.
local function credentials_of(field)
  local scheme, text = (field or ""):match "^(%a+) +([%w+/]+=*) *$"
  if not scheme or scheme:lower() ~= "basic" then return nil end
  local pair = crypto.decode_base64(text)
  if not pair then return nil end
  return pair:match "^([^:%c]*):(%C*)$"
end

local function remember(self, mark)
  if self.right_count >= REMEMBERED then self.right, self.right_count = {}, 0 end
  if not self.right[mark] then self.right_count = self.right_count + 1 end
  self.right[mark] = time.monotonic() + self.remember
end

---Whether the password is that of the name. The derived keys are compared in constant time.
local function is_right(self, name, password)
  local user = self.known[name]
  local mark = crypto.hmac("sha256", self.secret, name .. ":" .. password)
  if (self.right[mark] or 0) > time.monotonic() then return true end
  local hash = user or self.decoy
  local same = crypto.equal(hash.derive(password), hash.key)
  if not user or not same then return false end
  remember(self, mark)
  return true
end

---Answers 401 unless name and password are right.
function basic_auth:access(req)
  if self.user_header then req.headers[self.user_header] = nil end
  local name, password = credentials_of(req.headers.authorization)
  if not name or not is_right(self, name, password) then
    return {
      status = 401, headers = { ["www-authenticate"] = self.challenge, ["cache-control"] = "no-store" },
      body = name and "wrong name or password\n" or "name and password are needed\n",
    }
  end
  req.ctx.user = name
  if self.user_header then req.headers[self.user_header] = name end
  if not self.forward then req.headers.authorization = nil end
end

return basic_auth
