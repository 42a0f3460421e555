---The side that asks: one connection, requests and answers in order, or raw bytes.
---
---    local answer = w:client(proxy):get("/", { headers = { host = "example.com" } })
---
---A request with a long body is sent by a task of its own while the answer is read, as real clients do it, so an answer
---that comes early is seen, and one that streams while the upload goes on cannot lock both sides up.

local conn = require "moongate.testing.conn"
local failure = require "moongate.testing.failure"
local headers = require "moongate.testing.headers"
local http = require "moongate.testing.http"
local sys = require "moongate.testing.sys"

local ONE_WRITE = 16384 -- bodies up to this size go out together with the head

---@class moongate.testing.client : moongate.testing.conn
---@field host string what Host says unless the request does
---@field upgraded boolean a 101 has been read: what follows is another protocol
local Client = setmetatable({}, { __index = conn.methods })
Client.__index = Client

local client = {}

---@class moongate.testing.client_options : moongate.testing.socket_options
---@field name? string as the transcript calls it
---@field host? string value of Host
---@field silent? boolean leave no trace in the transcript

---@class moongate.testing.outgoing
---@field method? string GET unless said
---@field path? string the request target as it will be sent, "/" unless said
---@field version? string "1.1"
---@field headers? table map or list of { name, value }
---@field host? string|false value of Host; false sends none
---@field body? string|fun(): string|nil an iterator is sent in chunks
---@field chunked? boolean send the body in chunks
---@field trailers? table after the last chunk
---@field sink? fun(piece: string) takes the body of the answer piece by piece

---Connects; waits until that is decided.
---@param world moongate.testing.world
---@param address string
---@param opts? moongate.testing.client_options
---@return moongate.testing.client
function client.open(world, address, opts)
  opts = opts or {}
  local name = opts.name or world:name_for "client"
  local fd, why = sys.connect(address, opts)
  if fd then
    world.loop:writable(fd, "connecting to " .. address)
    local ok, refused = sys.connected(fd)
    if not ok then
      sys.close(fd)
      fd, why = nil, refused
    end
  end
  if not fd then failure.raise("refused", "%s: cannot connect to %s: %s", name, address, why) end
  local self = setmetatable({ outstanding = {}, upgraded = false }, Client)
  self.host = opts.host or (address:find "^unix:" and "localhost" or address)
  conn.init(self, world, fd, name, address, opts.silent)
  self.transcript:note(name, "connected to " .. address)
  return self --[[@as moongate.testing.client]]
end

-- Asking ------------------------------------------------------------------------------------------------------------

---Fields as they will be sent: Host first, framing last, both only when the test does not say otherwise.
local function complete_fields(self, request, chunked)
  local list = http.copy_fields(request.headers)
  if request.host ~= false and not http.has_field(list, "host") then
    table.insert(list, 1, { "Host", request.host or self.host })
  end
  if not http.has_field(list, "content-length", "transfer-encoding") then
    if chunked then
      list[#list + 1] = { "Transfer-Encoding", "chunked" }
    elseif request.body then
      list[#list + 1] = { "Content-Length", tostring(#request.body) }
    end
  end
  return list
end

---@param request moongate.testing.outgoing
local function is_chunked(request)
  if request.chunked ~= nil then return request.chunked end
  return type(request.body) == "function" and not http.has_field(headers.list(request.headers), "content-length")
end

---Pieces of a body, as they go over the wire.
local function pieces(request, chunked)
  local body = request.body
  local source = type(body) == "function" and body or nil
  if not source then
    local once = body ~= "" and body or nil
    source = function()
      local piece = once
      once = nil
      return piece
    end
  end
  local finished = false
  return function()
    local piece = source()
    if piece then return chunked and http.format_chunk(piece) or piece end
    if chunked and not finished then
      finished = true
      return http.format_last_chunk(request.trailers)
    end
  end
end

---Sends the body in a task of its own; `self.uploading` is true meanwhile.
local function upload(self, next_piece)
  self.uploading = true
  self.loop:spawn(self.name .. " (upload)", function()
    for piece in next_piece do
      if not self:try_send(piece) then break end
    end
    self.uploading = false
  end)
end

---The head of a request as bytes; remembers that its answer is still to come.
local function compose_head(self, request)
  while self.uploading do self.loop:turn "waiting for the last upload to end" end
  local method = request.method or "GET"
  local start = ("%s %s HTTP/%s"):format(method, request.path or "/", request.version or "1.1")
  table.insert(self.outstanding, method)
  return http.format_head(start, complete_fields(self, request, is_chunked(request)))
end

---Sends the head of a request, and nothing else.
---@param request moongate.testing.outgoing
function Client:send_head(request)
  self:send(compose_head(self, request))
end

---Sends a request and does not wait for the answer. A body over 16 KB, or from an iterator, goes on being sent while
---the test goes on.
---@param request moongate.testing.outgoing
function Client:send_request(request)
  local head, chunked = compose_head(self, request), is_chunked(request)
  if not request.body and not chunked then return self:send(head) end
  local next_piece = pieces(request, chunked)
  if type(request.body) == "function" or #(request.body or "") > ONE_WRITE then
    self:try_send(head)
    return upload(self, next_piece)
  end
  local parts = { head }
  for piece in next_piece do parts[#parts + 1] = piece end
  self:send(table.concat(parts))
end

---Sends a piece of a body in chunks, for a request whose head said so and that had no body.
---@param data string
function Client:chunk(data)
  self:send(http.format_chunk(data))
end

---Ends a body in chunks.
---@param trailers? table
function Client:last_chunk(trailers)
  self:send(http.format_last_chunk(trailers))
end

-- Reading answers ---------------------------------------------------------------------------------------------------

---Reads the head of the next answer; those with a status of 1xx are collected in `informational`.
---@param opts? { method?: string, informational?: boolean } `informational` returns a 1xx like any other answer
---@return moongate.testing.response
function Client:read_head(opts)
  local before = {}
  while true do
    local head = http.read_head(self, http.parse_status_line)
    if head.status >= 200 or head.status == 101 or (opts and opts.informational) then
      local done = head.status >= 200 or head.status == 101
      local asked = done and table.remove(self.outstanding, 1) or self.outstanding[1]
      head.method = opts and opts.method or asked or "GET"
      head.informational = before
      self.upgraded = head.status == 101
      return head --[[@as moongate.testing.response]]
    end
    before[#before + 1] = head
  end
end

---Reads the body that belongs to a head.
---@param response moongate.testing.response
---@param sink? fun(piece: string) takes it piece by piece; `body` stays nil then
---@return string|nil body
function Client:read_body(response, sink)
  if http.is_bodiless(response.method, response.status) then
    response.body = ""
  else
    http.read_body(self, response, true, sink)
  end
  return response.body
end

---Reads one chunk of the body of an answer whose head has been read; nil after the last.
---@return string|nil data
---@return moongate.testing.headers|nil trailers
function Client:read_chunk()
  return http.read_chunk(self)
end

---Reads a whole answer.
---@param opts? { method?: string, sink?: fun(piece: string) }
---@return moongate.testing.response
function Client:read_response(opts)
  local response = self:read_head(opts)
  self:read_body(response, opts and opts.sink)
  return response
end

---Sends the head, waits for `100 Continue`, sends the body only then.
local function request_with_expect(self, request)
  self:send_head(request)
  local first = self:read_head { informational = true }
  local before = {}
  while first.status < 200 do
    before[#before + 1] = first
    if first.status == 100 then
      upload(self, pieces(request, is_chunked(request)))
      break
    end
    first = self:read_head { informational = true }
  end
  local response = first.status == 100 and self:read_head() or first
  for i, head in ipairs(before) do table.insert(response.informational, i, head) end
  self:read_body(response, request.sink)
  return response
end

---Sends a request and reads its answer.
---
---With `Expect: 100-continue` among the headers the body is held back until a 100 has come.
---@param request moongate.testing.outgoing
---@return moongate.testing.response
function Client:request(request)
  local expect = headers.new(headers.list(request.headers)):get "expect"
  if expect and expect:lower() == "100-continue" and request.body then return request_with_expect(self, request) end
  self:send_request(request)
  return self:read_response { sink = request.sink }
end

---@param opts? moongate.testing.outgoing
local function with(opts, method, path, body)
  local request = {}
  for key, value in pairs(opts or {}) do request[key] = value end
  request.method, request.path = method, path
  if body ~= nil then request.body = body end
  return request
end

for _, method in ipairs { "get", "head", "delete", "options" } do
  ---Asks without a body.
  ---@param path? string
  ---@param opts? moongate.testing.outgoing
  ---@return moongate.testing.response
  Client[method] = function(self, path, opts)
    return self:request(with(opts, method:upper(), path))
  end
end

for _, method in ipairs { "post", "put", "patch" } do
  ---Asks with a body.
  ---@param path? string
  ---@param body? string|fun(): string|nil
  ---@param opts? moongate.testing.outgoing
  ---@return moongate.testing.response
  Client[method] = function(self, path, body, opts)
    return self:request(with(opts, method:upper(), path, body or ""))
  end
end

return client
