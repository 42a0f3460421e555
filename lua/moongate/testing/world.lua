---What a scenario's function gets as its only argument: the makers of origins, clients, proxies and folders, and the
---ways to wait. Everything that it makes ends with the scenario.

local child = require "moongate.testing.child"
local client = require "moongate.testing.client"
local failure = require "moongate.testing.failure"
local files = require "moongate.testing.files"
local loop = require "moongate.testing.loop"
local nameserver = require "moongate.testing.nameserver"
local origin = require "moongate.testing.origin"
local proxy = require "moongate.testing.proxy"
local sys = require "moongate.testing.sys"
local transcript = require "moongate.testing.transcript"
local websocket = require "moongate.testing.websocket"

local LOG_SHOWN = 12000 -- bytes of a program's standard error that a report shows

---@class moongate.testing.world
---@field loop moongate.testing.loop
---@field transcript moongate.testing.transcript
---@field deadline number
---@field patience number how much slower than usual this run may be
local World = {}
World.__index = World

local world = {}

---@param patience number
---@return moongate.testing.world
function world.new(patience)
  return setmetatable({
    loop = loop.new(), transcript = transcript.new(), patience = patience, started = sys.now(), names = {},
    open_conns = {}, origins = {}, held = {}, children = {}, proxies = {}, folders = {}, sockets = {},
  }, World)
end

---"client", "client2", …
---@param kind string
---@return string
function World:name_for(kind)
  local n = (self.names[kind] or 0) + 1
  self.names[kind] = n
  return n == 1 and kind or kind .. n
end

-- Making things -----------------------------------------------------------------------------------------------------

---An origin on a free port of 127.0.0.1. The function runs once for each connection, as a coroutine of its own; when it
---returns, the connection is closed. Without a function, `origin:accept()` takes connections.
---@param serve? fun(conn: moongate.testing.origin_conn)|moongate.testing.origin_options
---@param opts? moongate.testing.origin_options
---@return moongate.testing.origin
function World:origin(serve, opts)
  local all = {}
  for key, value in pairs(type(serve) == "table" and serve or opts or {}) do all[key] = value end
  if type(serve) == "function" then all.serve = serve end
  return origin.open(self, all)
end

---An origin that answers every request, on connections that stay open. What the function returns is the answer:
---`{ status = 200, headers = {}, body = "" }`, the same by place, or just the body.
---@param handle fun(request: moongate.testing.request, conn: moongate.testing.origin_conn): table|string|nil
---@param opts? moongate.testing.origin_options
---@return moongate.testing.origin
function World:http_origin(handle, opts)
  local all = { loop = true, quiet = true }
  for key, value in pairs(opts or {}) do all[key] = value end
  all.serve = origin.handler(handle)
  return origin.open(self, all)
end

---A connection to a proxy, an origin or an address.
---@param target moongate.testing.proxy|moongate.testing.origin|string
---@param opts? moongate.testing.client_options
---@return moongate.testing.client
function World:client(target, opts)
  return client.open(self, type(target) == "table" and target.address or tostring(target), opts)
end

---Asks for WebSocket on a client's connection.
---@param asking moongate.testing.client
---@param path? string
---@param opts? { headers?: table<string, string>, mask?: string|false }
---@return moongate.testing.websocket
---@return moongate.testing.response
function World:websocket(asking, path, opts)
  return websocket.connect(asking, path, opts)
end

---Starts a proxy and waits until it serves.
---@param config table|moongate.testing.verbatim see moongate.testing.proxy_options
---@param opts? moongate.testing.proxy_options
---@return moongate.testing.proxy
function World:proxy(config, opts)
  return proxy.start(self, config, opts)
end

---A name server that knows these names: `{ ["app.test"] = { "127.0.0.1" } }`. It may stand in
---`resolver = { nameservers = { … } }` as it is.
---@param records? table<string, string|string[]>
---@param opts? moongate.testing.nameserver_options
---@return moongate.testing.nameserver
function World:nameserver(records, opts)
  return nameserver.open(self, records, opts)
end

---An address of 127.0.0.1 at which connections are refused, and which nobody else can take meanwhile.
---@return string
function World:closed_port()
  local fd, address = sys.bind "127.0.0.1:0"
  if not fd then failure.raise("unexpected", "%s", address) end
  self.held[#self.held + 1] = fd
  return address
end

---A new folder, removed after the scenario.
---@param contents? table<string, string> name and content of its files
---@return string path
function World:dir(contents)
  local path = files.temporary_folder()
  self.folders[#self.folders + 1] = path
  for name, content in pairs(contents or {}) do files.write_file(path, name, content) end
  return path
end

---The folder in which the kit itself keeps what the scenario needs.
---@return string path
function World:folder()
  self.own_folder = self.own_folder or self:dir()
  return self.own_folder
end

---@class moongate.testing.command_options
---@field dir? string working folder
---@field env? table<string, string|false>
---@field program? string run this instead of moongate

---Runs `moongate` with these arguments and waits until it has ended.
---@param words table arguments; with `dir`, `env`, `program` beside them
---@return integer|nil code exit status; nil when a signal ended it
---@return string stdout
---@return string stderr
function World:command(words)
  local program = words.program or proxy.binary()
  local argv = { program }
  for _, word in ipairs(words) do argv[#argv + 1] = tostring(word) end
  local name = self:name_for(program:match "[^/]+$" .. "-" .. tostring(words[1] or ""):gsub("%W", ""))
  local run = child.start(self, { name = name, argv = argv, dir = words.dir, env = words.env })
  local exit = run:wait()
  return exit.code, run.out, run:err()
end

-- Time and order ----------------------------------------------------------------------------------------------------

---Seconds since the scenario began.
---@return number
function World:time()
  return sys.now() - self.started
end

---Runs a function beside the test. An error in it fails the test.
---@param fn fun()
---@return moongate.testing.task
function World:spawn(fn)
  return self.loop:spawn(self:name_for "task", fn)
end

---Runs functions beside each other and waits until all have returned.
---@param ... fun()
function World:all(...)
  local tasks = {}
  for i = 1, select("#", ...) do tasks[i] = self:spawn((select(i, ...))) end
  for _, task in ipairs(tasks) do
    while not task.done do self.loop:turn("waiting for " .. task.name) end
  end
end

---Waits until a function returns something true, and returns that. It is called once a turn of the loop and may itself
---wait. Fails when the time is over, `seconds` from now or with the scenario.
---@generic T
---@param predicate fun(): T
---@param what? string what is waited for, for the report
---@param seconds? number
---@return T
function World:wait_for(predicate, what, seconds)
  what = what or "a condition"
  local deadline = seconds and sys.now() + seconds * self.patience
  while true do
    local value = predicate()
    if value then return value end
    if deadline and sys.now() >= deadline then
      failure.raise("late", "waited %g s in vain for %s", seconds * self.patience, what)
    end
    self.loop:turn("waiting for " .. what)
  end
end

---Lets time pass in which nothing may arrive at these connections. Only to prove that something does *not* happen.
---@param seconds number
---@param ... moongate.testing.conn
function World:quiet(seconds, ...)
  local checks = {}
  for i = 1, select("#", ...) do
    local watched = select(i, ...)
    checks[i] = function() watched:expect_quiet(seconds) end
  end
  if #checks > 0 then return self:all(unpack(checks)) end
  self.loop:sleep_until(sys.now() + seconds, "letting time pass")
end

---Writes a sentence into the transcript.
---@param form string as for string.format
---@param ... any
function World:note(form, ...)
  self.transcript:note("the test", form:format(...))
end

-- The end -----------------------------------------------------------------------------------------------------------

---Closes the clients, then asks every proxy to end, waits for it and judges it. The origins live on meanwhile, for a
---proxy may have to finish what it began.
---@param failed boolean whether the scenario has failed already, so that nothing more need be judged
function World:wind_up(failed)
  for open in pairs(self.open_conns) do
    if not open.origin then open:close() end
  end
  for _, running in ipairs(self.proxies) do running:ask_to_end() end
  for _, running in ipairs(self.proxies) do running:judge(failed) end
end

---What happened, for the report of a failure.
---@return string
function World:story()
  local parts = { "the conversation:", self.transcript:text() }
  for _, run in ipairs(self.children) do
    local text = run:err()
    if text ~= "" then
      if #text > LOG_SHOWN then text = "…" .. text:sub(-LOG_SHOWN) end
      parts[#parts + 1] = ("\nstandard error of %s:\n%s"):format(run.name, text)
    end
  end
  return table.concat(parts, "\n")
end

---Takes everything away, whatever state it is in.
function World:destroy()
  for _, run in ipairs(self.children) do run:destroy() end
  for open in pairs(self.open_conns) do
    open.closed = true
    sys.close(open.fd)
  end
  for _, listening in ipairs(self.origins) do
    if listening.fd then sys.close(listening.fd) end
  end
  for _, fd in ipairs(self.held) do sys.close(fd) end
  for _, path in ipairs(self.folders) do files.remove_folder(path) end
end

return world
