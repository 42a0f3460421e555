---HTTP/1 as tests want to see it: strict about what arrives, obedient about what is to be sent.
---
---Nothing here waits except the readers at the end, which take a connection of the kit.

local failure = require "moongate.testing.failure"
local headers = require "moongate.testing.headers"
local transcript = require "moongate.testing.transcript"

local http = {}

---@type table<integer, string>
http.reasons = {
  [100] = "Continue", [101] = "Switching Protocols", [102] = "Processing", [103] = "Early Hints", [200] = "OK",
  [201] = "Created", [202] = "Accepted", [204] = "No Content", [206] = "Partial Content", [301] = "Moved Permanently",
  [302] = "Found", [303] = "See Other", [304] = "Not Modified", [307] = "Temporary Redirect",
  [308] = "Permanent Redirect", [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden",
  [404] = "Not Found", [405] = "Method Not Allowed", [408] = "Request Timeout", [409] = "Conflict", [410] = "Gone",
  [411] = "Length Required", [413] = "Content Too Large", [414] = "URI Too Long", [416] = "Range Not Satisfiable",
  [417] = "Expectation Failed", [421] = "Misdirected Request", [429] = "Too Many Requests",
  [431] = "Request Header Fields Too Large", [500] = "Internal Server Error", [501] = "Not Implemented",
  [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
  [505] = "HTTP Version Not Supported",
}

---@class moongate.testing.request
---@field method string
---@field target string
---@field version string "1.1"
---@field headers moongate.testing.headers
---@field header_list string[][] { name, value } in order
---@field raw_head string
---@field body? string
---@field trailers? moongate.testing.headers

---@class moongate.testing.response
---@field status integer
---@field reason string
---@field version string "1.1"
---@field headers moongate.testing.headers
---@field header_list string[][] { name, value } in order
---@field raw_head string
---@field body? string
---@field trailers? moongate.testing.headers
---@field informational moongate.testing.response[] the 1xx that came before
---@field method string of the request that it answers

-- Writing -----------------------------------------------------------------------------------------------------------

---A start line and fields, as bytes. Nothing is checked, so that tests can send what is wrong.
---@param start string
---@param list string[][]
---@return string
function http.format_head(start, list)
  local lines = { start }
  for _, field in ipairs(list) do lines[#lines + 1] = field[1] .. ": " .. field[2] end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

---@param data string
---@return string
function http.format_chunk(data)
  return ("%x\r\n%s\r\n"):format(#data, data)
end

---@param trailers? table
---@return string
function http.format_last_chunk(trailers)
  return http.format_head("0", headers.list(trailers))
end

---Whether a list of fields has one of these names.
---@param list string[][]
---@param ... string lower case
---@return boolean
function http.has_field(list, ...)
  for _, field in ipairs(list) do
    for _, name in ipairs { ... } do
      if field[1]:lower() == name then return true end
    end
  end
  return false
end

---A copy of a list of fields, to be added to.
---@param fields? table
---@return string[][]
function http.copy_fields(fields)
  local copy = {}
  for i, field in ipairs(headers.list(fields)) do copy[i] = field end
  return copy
end

-- Parsing -----------------------------------------------------------------------------------------------------------

---Takes one field line apart (RFC 9112 §5).
---@param line string
---@return string|nil name
---@return string value_or_message
local function parse_field(line)
  local name, value = line:match "^([%w!#$%%&'*+%-.^_`|~]+):[ \t]*(.-)[ \t]*$"
  if not name then return nil, "not a header field: " .. transcript.excerpt(line) end
  if value:find "[%z\1-\8\10-\31\127]" then return nil, "control characters in " .. transcript.excerpt(line) end
  return name, value
end

---@param lines string[] without the start line
---@return string[][]|nil
---@return string? message
function http.parse_fields(lines)
  local list = {}
  for _, line in ipairs(lines) do
    local name, value = parse_field(line)
    if not name then return nil, value end
    list[#list + 1] = { name, value }
  end
  return list
end

---@param line string
---@return table|nil parts method, target, version
---@return string? message
function http.parse_request_line(line)
  local method, target, version = line:match "^([%w!#$%%&'*+%-.^_`|~]+) ([^%s%c]+) HTTP/(%d%.%d)$"
  if not method then return nil, "not a request line: " .. transcript.excerpt(line) end
  return { method = method, target = target, version = version }
end

---@param line string
---@return table|nil parts version, status, reason
---@return string? message
function http.parse_status_line(line)
  local version, status, reason = line:match "^HTTP/(%d%.%d) (%d%d%d) ([^%z\1-\8\10-\31\127]*)$"
  if not version then return nil, "not a status line: " .. transcript.excerpt(line) end
  return { version = version, status = tonumber(status), reason = reason }
end

---What the fields say about the body: "chunked", a number of bytes, or nil when they say nothing.
---@param fields moongate.testing.headers
---@return "chunked"|integer|nil
---@return string? message when they contradict each other
function http.framing(fields)
  local codings, lengths = fields:all "transfer-encoding", fields:all "content-length"
  if #codings > 0 then
    if #lengths > 0 then return nil, "both Transfer-Encoding and Content-Length" end
    if #codings > 1 or codings[1]:lower() ~= "chunked" then
      return nil, "Transfer-Encoding is not exactly 'chunked': " .. table.concat(codings, ", ")
    end
    return "chunked"
  end
  if #lengths == 0 then return nil end
  if #lengths > 1 or not lengths[1]:find "^%d+$" then
    return nil, "Content-Length is not one number: " .. table.concat(lengths, ", ")
  end
  return tonumber(lengths[1])
end

---Whether an answer can have no body, whatever its fields say (RFC 9112 §6.3).
---@param method string of the request
---@param status integer
---@return boolean
function http.is_bodiless(method, status)
  return method == "HEAD" or status < 200 or status == 204 or status == 304
    or (method == "CONNECT" and status < 300)
end

-- Reading from a connection -----------------------------------------------------------------------------------------

local function malformed(conn, message)
  failure.raise("mismatch", "%s: %s", conn.name, message)
end

---Reads a start line and fields.
---@param conn moongate.testing.conn
---@param parse fun(line: string): table|nil, string?
---@return table message parts of the start line, headers, header_list, raw_head
function http.read_head(conn, parse)
  local lines = { conn:receive_line() }
  local message, why = parse(lines[1])
  if not message then malformed(conn, why) end
  repeat lines[#lines + 1] = conn:receive_line() until lines[#lines] == ""
  message.raw_head = table.concat(lines, "\r\n") .. "\r\n"
  local list, wrong = http.parse_fields { unpack(lines, 2, #lines - 1) }
  if not list then malformed(conn, wrong) end
  message.header_list, message.headers = list, headers.new(list)
  return message
end

---Reads one chunk; nil after the last one.
---@param conn moongate.testing.conn
---@return string|nil data
---@return moongate.testing.headers|nil trailers after the last
function http.read_chunk(conn)
  local line = conn:receive_line()
  local digits = line:match "^(%x+)$" or line:match "^(%x+);"
  if not digits then malformed(conn, "not a chunk's size: " .. transcript.excerpt(line)) end
  local size = tonumber(digits, 16)
  if size > 0 then
    local data = conn:receive(size)
    conn:expect "\r\n"
    return data
  end
  local lines = {}
  repeat lines[#lines + 1] = conn:receive_line() until lines[#lines] == ""
  lines[#lines] = nil
  local list, why = http.parse_fields(lines)
  if not list then malformed(conn, "in the trailers: " .. why) end
  return nil, headers.new(list)
end

---Hands a body of known length to `sink` as it arrives.
local function read_counted(conn, size, sink)
  local left = size
  while left > 0 do
    local piece = conn:receive_some(left)
    if not piece then
      failure.raise("closed", "%s: the body is cut off after %d of %d bytes", conn.name, size - left, size)
    end
    left = left - #piece
    sink(piece)
  end
end

---Reads the body of a message and sets `body` and, after chunks, `trailers`. With `sink` the body is handed over piece
---by piece instead, and `body` stays nil.
---@param conn moongate.testing.conn
---@param message table with headers
---@param until_close boolean whether a body without a length goes on until the other side closes
---@param sink? fun(piece: string)
function http.read_body(conn, message, until_close, sink)
  local framing, why = http.framing(message.headers)
  if why then malformed(conn, why) end
  local parts = {}
  local put = sink or function(piece) parts[#parts + 1] = piece end
  if framing == "chunked" then
    local data, trailers = http.read_chunk(conn)
    while data do
      put(data)
      data, trailers = http.read_chunk(conn)
    end
    message.trailers = trailers
  elseif framing then
    read_counted(conn, framing, put)
  elseif until_close then
    put(conn:receive_until_close())
  end
  if not sink then message.body = table.concat(parts) end
end

return http
