---The side that answers: a listening socket whose connections are served by a function of the test.
---
---    local origin = w:origin(function(conn)
---      local request = conn:request()
---      conn:reply(200, "you asked for " .. request.target)
---    end)
---
---An origin may stand in configuration as it is: `servers = { origin }`.

local conn = require "moongate.testing.conn"
local failure = require "moongate.testing.failure"
local headers = require "moongate.testing.headers"
local http = require "moongate.testing.http"
local sys = require "moongate.testing.sys"
local websocket = require "moongate.testing.websocket"

-- One connection ----------------------------------------------------------------------------------------------------

---@class moongate.testing.origin_conn : moongate.testing.conn
---@field origin moongate.testing.origin
local Side = setmetatable({}, { __index = conn.methods })
Side.__index = Side

---Reads the head of a request. When the other side closes before its first byte, the connection's function just ends.
---@return moongate.testing.request
function Side:request_head()
  if not self:more() then failure.raise("idle", "%s: the connection ended before a request", self.name) end
  local request = http.read_head(self, http.parse_request_line)
  self.method = request.method
  self.origin.requests = self.origin.requests + 1
  self.origin.seen[#self.origin.seen + 1] = request
  return request --[[@as moongate.testing.request]]
end

---Reads the body that belongs to a head.
---@param request moongate.testing.request
---@param sink? fun(piece: string) takes it piece by piece; `body` stays nil then
---@return string|nil body
function Side:read_body(request, sink)
  http.read_body(self, request, false, sink)
  return request.body
end

---Reads one chunk of a request whose head has been read; nil after the last.
---@return string|nil data
---@return moongate.testing.headers|nil trailers
function Side:read_chunk()
  return http.read_chunk(self)
end

---Reads a whole request. One that expects `100 Continue` gets it, unless `continue` is false.
---@param opts? { continue?: boolean, sink?: fun(piece: string) }
---@return moongate.testing.request
function Side:request(opts)
  local request = self:request_head()
  local expect = request.headers:get "expect"
  if expect and expect:lower() == "100-continue" and not (opts and opts.continue == false) then self:continue() end
  self:read_body(request, opts and opts.sink)
  return request
end

---Sends a status line and fields, exactly as given.
---@param status integer
---@param fields? table map or list of { name, value }
function Side:reply_head(status, fields)
  self:send(http.format_head(("HTTP/1.1 %d %s"):format(status, http.reasons[status] or ""), headers.list(fields)))
end

---Sends `100 Continue`.
function Side:continue()
  self:reply_head(100)
end

---Sends a piece of a body in chunks.
---@param data string
function Side:chunk(data)
  self:send(http.format_chunk(data))
end

---Ends a body in chunks.
---@param trailers? table
function Side:last_chunk(trailers)
  self:send(http.format_last_chunk(trailers))
end

---Sends a whole answer: with Content-Length, or in chunks when the body is an iterator, unless the fields say
---otherwise. The answer to a HEAD has the length and no body.
---@param status integer
---@param body? string|fun(): string|nil
---@param fields? table map or list of { name, value }
function Side:reply(status, body, fields)
  local list = http.copy_fields(fields)
  local bodiless = http.is_bodiless(self.method or "GET", status)
  local framed = http.has_field(list, "content-length", "transfer-encoding")
  if type(body) == "function" then
    if not framed then list[#list + 1] = { "Transfer-Encoding", "chunked" } end
    self:reply_head(status, list)
    for piece in body do
      if framed then self:send(piece) else self:chunk(piece) end
    end
    return framed or self:last_chunk()
  end
  body = body or ""
  if not framed and status >= 200 and status ~= 204 and status ~= 304 then
    list[#list + 1] = { "Content-Length", tostring(#body) }
  end
  local head = http.format_head(("HTTP/1.1 %d %s"):format(status, http.reasons[status] or ""), list)
  self:send(bodiless and head or head .. body)
end

-- The listener ------------------------------------------------------------------------------------------------------

---@class moongate.testing.origin
---@field address string "127.0.0.1:PORT", "[::1]:PORT" or "unix:PATH"
---@field port? integer
---@field connections integer how many have been accepted
---@field requests integer how many heads have been read
---@field served integer on how many connections the test's function has come to its end
---@field seen moongate.testing.request[] those requests, in order
---@field open moongate.testing.origin_conn[] every connection accepted, in order
local Origin = {}
Origin.__index = Origin

function Origin:__tostring()
  return self.address
end

---@class moongate.testing.origin_options : moongate.testing.socket_options
---@field name? string as the transcript calls it
---@field serve? fun(conn: moongate.testing.origin_conn) runs once for each connection
---@field loop? boolean run `serve` again on the same connection as long as requests come
---@field quiet? boolean a connection that ends early is no failure
---@field address? string listen there
---@field unix? boolean listen on a unix socket
---@field ipv6? boolean listen on [::1]
---@field backlog? integer

local origin = {}

---Runs the test's function on a connection. That the other side went away is a failure only where the test reads.
local function serve(self, side)
  local ok, err = pcall(function()
    repeat self.opts.serve(side) until not self.opts.loop or side.closed or not side:more()
  end)
  side:close()
  if ok then
    self.served = self.served + 1
    return
  end
  local kind = failure.kind(err)
  local went_away = kind == "closed" or kind == "reset"
  if kind ~= "idle" and not (self.opts.quiet and went_away) then error(err, 0) end
end

---Takes the next connection; waits for one.
---@return moongate.testing.origin_conn
function Origin:accept()
  local fd, peer = sys.accept(self.fd)
  while not fd do
    if peer ~= "again" then failure.raise("unexpected", "%s: accept: %s", self.name, peer) end
    if self.loop:readable(self.fd, "waiting for a connection") == "closed" then
      failure.raise("closed", "%s: no longer listens", self.name)
    end
    fd, peer = sys.accept(self.fd)
  end
  self.connections = self.connections + 1
  local side = setmetatable({ origin = self }, Side)
  conn.init(side, self.world, fd, ("%s/%d"):format(self.name, self.connections), peer)
  self.open[#self.open + 1] = side
  self.world.transcript:note(side.name, "accepted")
  return side --[[@as moongate.testing.origin_conn]]
end

local function accept_for_ever(self)
  while true do
    local ok, side = pcall(self.accept, self)
    if not ok then
      if failure.kind(side) == "closed" then return end
      error(side, 0)
    end
    self.loop:spawn(side.name, function() serve(self, side) end)
  end
end

local function bind_address(world, opts, name)
  if opts.address then return opts.address end
  if opts.unix then return ("unix:%s/%s.sock"):format(world:folder(), name) end
  return opts.ipv6 and "[::1]:0" or "127.0.0.1:0"
end

---Listens (again), on the same address.
function Origin:start()
  if self.fd then return end
  local opts = self.opts
  if self.address:find "^unix:" then os.remove((self.address:gsub("^unix:", ""))) end
  local fd, address = sys.bind(self.address, opts)
  if not fd then failure.raise("unexpected", "%s: %s", self.name, address) end
  local ok, why = sys.listen(fd, opts.backlog)
  if not ok then failure.raise("unexpected", "%s: listen: %s", self.name, why) end
  self.fd = fd
  self.world.transcript:note(self.name, "listens on " .. self.address)
  if opts.serve then self.loop:spawn(self.name, function() accept_for_ever(self) end, true) end
end

---Listens no more: who connects is refused, until `start`. Connections that exist go on.
function Origin:stop()
  if not self.fd then return end
  self.loop:forget(self.fd)
  sys.close(self.fd)
  self.fd = nil
  self.world.transcript:note(self.name, "listens no more")
end

---Closes every connection.
function Origin:close_connections()
  for _, side in ipairs(self.open) do side:close() end
end

---Waits until so many connections have been accepted.
---@param n integer
function Origin:wait_connections(n)
  self.world:wait_for(function() return self.connections >= n end, ("%d connections at %s"):format(n, self.name))
end

---Waits until so many requests have been read.
---@param n integer
function Origin:wait_requests(n)
  self.world:wait_for(function() return self.requests >= n end, ("%d requests at %s"):format(n, self.name))
end

---Waits until the test's function has come to its end on so many connections.
---@param n? integer 1 unless said
function Origin:wait_served(n)
  n = n or 1
  self.world:wait_for(function() return self.served >= n end, ("%d connections served by %s"):format(n, self.name))
end

---@param world moongate.testing.world
---@param opts moongate.testing.origin_options
---@return moongate.testing.origin
function origin.open(world, opts)
  local self = setmetatable({ world = world, loop = world.loop, opts = opts }, Origin)
  self.name = opts.name or world:name_for "origin"
  self.connections, self.requests, self.served, self.seen, self.open = 0, 0, 0, {}, {}
  self.address = bind_address(world, opts, self.name)
  if not self.address:find "^unix:" then
    -- A socket that is bound and does not listen keeps the port ours while the origin is stopped.
    local holder, address = sys.bind(self.address)
    if not holder then failure.raise("unexpected", "%s: %s", self.name, address) end
    world.held[#world.held + 1] = holder
    self.address, self.port = address, tonumber(address:match "%d+$")
  end
  world.origins[#world.origins + 1] = self
  self:start()
  return self
end

---Makes a function for connections of one that answers requests. What it returns is the answer: `{ status, headers,
---body }` by name or by place, or just a body; nil when it has answered by itself.
---@param handle fun(request: moongate.testing.request, conn: moongate.testing.origin_conn): table|string|nil
---@return fun(conn: moongate.testing.origin_conn)
function origin.handler(handle)
  return function(side)
    local request = side:request()
    local answer = handle(request, side)
    if type(answer) == "string" then answer = { body = answer } end
    if answer then
      side:reply(answer.status or answer[1] or 200, answer.body or answer[3], answer.headers or answer[2])
    end
    local said = request.headers:get "connection"
    if not side.closed and (request.version == "1.0" or (said and said:lower() == "close")) then side:close() end
  end
end

---The origin's side of a WebSocket handshake: answers 101.
---@param request moongate.testing.request
---@param opts? { headers?: table<string, string> }
---@return moongate.testing.websocket
function Side:websocket_accept(request, opts)
  return websocket.accept(self, request, opts)
end

return origin
