---A running Moongate: started on a configuration written in the test, asked, reloaded, and judged when it ends.
---
---Each proxy has a folder of its own with `moongate.lua`, the scripts of the test, `control.sock` and `access.log`. The
---kit learns where the proxy listens from what `moongate run` prints on standard output:
---
---    moongate: listening on 127.0.0.1:41235
---    moongate: ready

local child = require "moongate.testing.child"
local client = require "moongate.testing.client"
local configuration = require "moongate.testing.configuration"
local failure = require "moongate.testing.failure"
local files = require "moongate.testing.files"
local inline = require "moongate.testing.inline"
local process = require "moongate.testing.process"

local EXIT = 12         -- seconds in which a proxy must have ended after SIGTERM
local ORPHANS = 2       -- and after it all its processes

---What makes a test red although nobody asked: reports of sanitizers and broken promises of our own.
local alarms = {
  "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "WARNING: MemorySanitizer",
  "runtime error: ", "moongate: bug:", "PANIC: unprotected error",
}

---@class moongate.testing.proxy
---@field address string where its first listener listens
---@field addresses string[] all of them, in the order in which they were printed
---@field dir string its folder
---@field control string path of its control socket
---@field child moongate.testing.child
---@field pid integer of the master
local Proxy = {}
Proxy.__index = Proxy

local proxy = {}

---Links to everything beside the project's configuration, so that relative paths lead where they do there.
local function link_project(self, file)
  local folder = files.real_path(file:match "^(.*)/[^/]*$" or ".")
  for _, name in ipairs(folder and files.list(folder) or {}) do
    if name ~= "moongate.lua" then files.link(folder .. "/" .. name, self.dir .. "/" .. name) end
  end
end

local function write_files(self, kit)
  for name, text in pairs(kit.scripts or {}) do
    if not name:find "%.%w+$" then name = name .. ".lua" end
    self:write(name, inline.is_verbatim(text) and text.source or text)
  end
  for name, text in pairs(kit.files or {}) do self:write(name, text) end
  if kit.file then link_project(self, kit.file) end -- after the files, whose folders must not be links
end

---Writes a file into the proxy's folder.
---@param name string may hold folders
---@param text string
function Proxy:write(name, text)
  local folder = name:match "^([^/]+)/"
  local real = folder and files.real_path(self.dir .. "/" .. folder)
  if real and real ~= files.real_path(self.dir) .. "/" .. folder then
    failure.raise("misuse", "%s belongs to the project; a test must not write there", real)
  end
  files.write_file(self.dir, name, text)
end

-- Start -------------------------------------------------------------------------------------------------------------

---The root of the tree that this file is part of.
local function root()
  local path = debug.getinfo(1, "S").source:match "^@(.*)lua/moongate/testing/proxy%.lua$"
  return path and files.real_path(path == "" and "." or path) or nil
end

---The program to be tested: MOONGATE_BIN, or the tree's own in build/$MOONGATE_PROFILE (release), or what PATH finds.
---@return string
function proxy.binary()
  local named = os.getenv "MOONGATE_BIN"
  if named then return files.real_path(named) or named end
  local here = root()
  local profile = os.getenv "MOONGATE_PROFILE" or "release"
  return here and files.real_path(("%s/build/%s/moongate"):format(here, profile)) or "moongate"
end

local function heed_line(self, line)
  self.world.transcript:note(self.name, line)
  local address = line:match "^moongate: listening on (%S+)$"
  if address and not self.known[address] then
    self.known[address] = true
    self.addresses[#self.addresses + 1] = address
    self.address = self.address or address
  end
  if line == "moongate: ready" then self.ready = true end
end

---@param world moongate.testing.world
---@param config table|moongate.testing.verbatim
---@param opts? moongate.testing.proxy_options
---@return moongate.testing.proxy
function proxy.start(world, config, opts)
  local data, kit = configuration.split(config, opts)
  local self = setmetatable({ world = world, loop = world.loop, addresses = {}, known = {}, kit = kit }, Proxy)
  self.name = kit.name or world:name_for "proxy"
  self.dir = world:dir()
  self.control = self.dir .. "/control.sock"
  write_files(self, kit)
  self:write("moongate.lua", configuration.text(data, kit))
  local argv = { proxy.binary(), "run", "-c", self.dir .. "/moongate.lua", "--control", self.control }
  for _, word in ipairs(kit.args or {}) do argv[#argv + 1] = tostring(word) end
  self.child = child.start(world, {
    name = self.name, argv = argv, dir = self.dir, env = kit.env, on_line = function(line) heed_line(self, line) end,
  })
  self.pid = self.child.pid
  world.proxies[#world.proxies + 1] = self
  while not self.ready do
    if self.child.exit then
      self.over = true
      failure.raise("unexpected", "%s did not start: %s\n%s", self.name, self.child.exit.text, self:log())
    end
    self.loop:turn("waiting until " .. self.name .. " is ready")
  end
  world.loop:spawn(self.name, function() self:watch() end, true)
  return self
end

---Fails the scenario as soon as the proxy ends without having been asked to.
function Proxy:watch()
  self.child:wait()
  if not self.asked_to_end then
    self.over = true
    failure.raise("unexpected", "%s ended by itself: %s", self.name, self.child.exit.text)
  end
end

-- Talking to it -----------------------------------------------------------------------------------------------------

function Proxy:__tostring()
  return self.address or self.name
end

---A connection to its first listener.
---@param opts? moongate.testing.client_options
---@return moongate.testing.client
function Proxy:client(opts)
  return client.open(self.world, self.address, opts)
end

---Asks once, on a connection of its own.
---@param path? string
---@param opts? moongate.testing.outgoing
---@return moongate.testing.response
function Proxy:get(path, opts)
  local asking = self:client()
  local response = asking:get(path, opts)
  asking:close()
  return response
end

---Asks once, on a connection of its own.
---@param request moongate.testing.outgoing
---@return moongate.testing.response
function Proxy:request(request)
  local asking = self:client()
  local response = asking:request(request)
  asking:close()
  return response
end

---Talks to the control socket. Leaves no trace in the transcript.
---@param method string
---@param path string
---@param body? string|table a table is sent as JSON
---@return moongate.testing.response
function Proxy:api(method, path, body)
  local asking = client.open(self.world, "unix:" .. self.control, { silent = true, name = "control" })
  local fields = { connection = "close" }
  if type(body) == "table" then
    body, fields["content-type"] = require("cjson").encode(body), "application/json"
  end
  local response = asking:request { method = method, path = path, headers = fields, body = body }
  asking:close()
  return response
end

---Replaces configuration, scripts and files, as far as given, and reloads.
---@param change? table as for w:proxy; only files when it holds no configuration
---@return boolean ok
---@return string message what the proxy said
function Proxy:reload(change)
  local data, kit = configuration.split(change, nil)
  write_files(self, kit)
  if data or kit.source then
    kit.defaults = kit.defaults == nil and self.kit.defaults or kit.defaults
    self:write("moongate.lua", configuration.text(data, kit))
  end
  self.world.transcript:note(self.name, "is told to reload")
  local response = self:api("POST", "/v1/reload")
  self.world.transcript:note(self.name, ("answers the reload with %d %s"):format(response.status, response.body))
  return response.status >= 200 and response.status < 300, response.body
end

---Sends a signal to the master. One that ends it is taken as a wish that it ends.
---@param name string "HUP", "TERM", …
function Proxy:signal(name)
  local plain = tostring(name):upper():gsub("^SIG", "")
  if plain == "TERM" or plain == "QUIT" or plain == "INT" or plain == "KILL" then self.asked_to_end = true end
  if plain == "KILL" then self.killed = true end
  self.child:signal(plain)
end

---Runs a command of `moongate` against this proxy's control socket, in its folder.
---@param ... string
---@return integer|nil code
---@return string stdout
---@return string stderr
function Proxy:run(...)
  local words = { ... }
  words[#words + 1] = "--control"
  words[#words + 1] = self.control
  words.dir = self.dir
  return self.world:command(words)
end

-- Looking at it -----------------------------------------------------------------------------------------------------

---What `GET /v1/status` says.
---@return table
function Proxy:status()
  local response = self:api("GET", "/v1/status")
  if response.status ~= 200 then
    failure.raise("mismatch", "%s: /v1/status answered %d: %s", self.name, response.status, response.body)
  end
  return require("cjson").decode(response.body)
end

---The numbers of `GET /metrics`, by name and labels as they stand there: `m['moongate_requests_total{code="2xx"}']`.
---@return table<string, number>
function Proxy:metrics()
  local response, found = self:api("GET", "/metrics"), {}
  for line in response.body:gmatch "[^\n]+" do
    local name, value = line:match "^([%a_:][%w_:]*%b{})%s+(%S+)"
    if not name then name, value = line:match "^([%a_:][%w_:]*)%s+(%S+)" end
    if name then found[name] = tonumber(value) or (value == "+Inf" and math.huge) or nil end
  end
  return found
end

local function has_labels(series, labels)
  for name, value in pairs(labels or {}) do
    if not series:find(('%s="%s"'):format(name, tostring(value)), 1, true) then return false end
  end
  return true
end

---The sum of all series of that name which have these labels; nil when there is none.
---@param name string
---@param labels? table<string, string>
---@return number|nil
function Proxy:metric(name, labels)
  local sum
  for series, value in pairs(self:metrics()) do
    if series:match "^[^{]+" == name and has_labels(series, labels) then sum = (sum or 0) + value end
  end
  return sum
end

---Waits until a metric has reached a value, or a function says that it is right.
---@param name string
---@param labels table<string, string>|nil
---@param wanted number|fun(value: number): boolean
---@return number value
function Proxy:wait_metric(name, labels, wanted)
  local check = type(wanted) == "function" and wanted or function(value) return value >= wanted end
  return self.world:wait_for(function()
    local value = self:metric(name, labels)
    return value and check(value) and value
  end, "metric " .. name)
end

---The process ids of its workers, in order.
---@return integer[]
function Proxy:workers()
  return process.children(self.pid)
end

---Memory that a process of it has in RAM.
---@param pid integer
---@return integer|nil bytes
function Proxy:resident(pid)
  return process.resident(pid)
end

---What it has written to standard error so far: the error log.
---@return string
function Proxy:log()
  return self.child:err()
end

---Waits until the error log holds a pattern. Returns what matched.
---@param pattern string Lua pattern
---@return string
function Proxy:wait_log(pattern)
  return self.world:wait_for(function() return self:log():match(pattern) end, "the log to say " .. pattern)
end

---The access log so far, decoded, one table for each exchange.
---@return table[]
function Proxy:access_log()
  local json, entries = require "cjson", {}
  for line in (files.read_file(self.dir .. "/access.log") or ""):gmatch "([^\n]*)\n" do
    entries[#entries + 1] = json.decode(line)
  end
  return entries
end

---Waits until the access log has so many entries, and returns them.
---@param n integer
---@return table[]
function Proxy:wait_access(n)
  return self.world:wait_for(function()
    local entries = self:access_log()
    return #entries >= n and entries
  end, ("%d entries in the access log"):format(n))
end

-- The end -----------------------------------------------------------------------------------------------------------

---Sends SIGTERM, unless that has been done.
function Proxy:ask_to_end()
  if self.asked_to_end or self.child.exit then return end
  self.asked_to_end = true
  self.child:signal "TERM"
end

---Waits until it has ended, however it was asked to.
---@return moongate.testing.exit
function Proxy:wait_exit()
  self.asked_to_end = true
  return self.child:wait() --[[@as moongate.testing.exit]]
end

---Asks it to drain and end, and waits for that; it must exit with status 0.
function Proxy:stop()
  self:ask_to_end()
  self:judge(false)
end

---The first line of its log that should never be there.
local function alarm(log)
  for line in log:gmatch "[^\n]+" do
    for _, text in ipairs(alarms) do
      if line:find(text, 1, true) then return line end
    end
  end
end

---Waits for its end and fails unless that was clean.
---@param failed boolean nothing more need be judged
function Proxy:judge(failed)
  if self.over then return end
  self.over = true
  local exit = self.child:wait(EXIT * self.world.patience)
  if failed then return end
  if not exit then failure.raise("late", "%s did not end within %g s of SIGTERM", self.name, EXIT) end
  local wrong = alarm(self:log())
  if wrong then failure.raise("unexpected", "%s: %s", self.name, wrong) end
  if exit.code ~= 0 and not (exit.signal == process.signals.KILL and self.killed) then
    failure.raise("unexpected", "%s ended with %s", self.name, exit.text)
  end
  if self.child:left_something(ORPHANS * self.world.patience) then
    failure.raise("unexpected", "%s left processes behind", self.name)
  end
end

return proxy
