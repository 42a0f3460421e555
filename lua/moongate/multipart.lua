---Forms with files, multipart/form-data (RFC 7578): read piece by piece or at once, and made.
---
---     local reader = assert(multipart.reader(req.headers["content-type"], chunks, { parts = 10 }))
---     local part, message = reader:next()
---     while part do
---       if part.filename then store(part) else form[part.name] = part:text() end
---       part, message = reader:next()
---     end
---     if message then return { status = 400, body = message } end
---
---Reading is strict: bare line feeds, parts without a name, names or fields given twice and a missing last boundary are
---nil, a message and a code, since what two programs understand differently is how uploads slip past a guard.
local arguments = require "moongate.internal.arguments"
local crypto = require "moongate.crypto"
local fields = require "moongate.multipart.fields"
local readers = require "moongate.multipart.reader"

local multipart = {}

-- Reading -------------------------------------------------------------------------------------------------------------

---The boundary that a content-type names.
---@param content_type string?
---@return string?
---@return string? message
---@return string? code "type"
function multipart.boundary(content_type)
  arguments.optional_text(content_type, "multipart.boundary takes a content-type")
  local kind, parameters = fields.split(content_type or "")
  if kind ~= "multipart/form-data" then return nil, "the content-type is not multipart/form-data", "type" end
  local boundary = parameters.boundary
  -- RFC 2046 section 5.1.1; a blank may stand inside, not at the end.
  if not boundary or #boundary > 70 or not boundary:find "^[%w'()+_,./:=? -]*[%w'()+_,./:=?-]$" then
    return nil, "the content-type has no boundary", "type"
  end
  return boundary
end

local LIMITS = { parts = true, header_bytes = true, part_bytes = true, total_bytes = true }

local function one_chunk(text)
  return function()
    local chunk = text
    text = nil
    return chunk
  end
end

---Reads a form from pieces.
---@param content_type string? the field of the request
---@param chunks string|fun(): string?, string?, string? the body, or a function that returns one piece after the other,
---then nil; or nil, a message and a code
---@param limits? moongate.multipart.limits
---@return moongate.multipart.reader?
---@return string? message
---@return string? code "type"
function multipart.reader(content_type, chunks, limits)
  arguments.optional_text(content_type, "multipart.reader takes a content-type")
  if type(chunks) ~= "function" then
    arguments.text(chunks, "multipart.reader takes a text or a function after the content-type")
    chunks = one_chunk(chunks)
  end
  arguments.options(limits, LIMITS, "multipart.reader")
  local boundary, message, code = multipart.boundary(content_type)
  if not boundary then return nil, message, code end
  return readers.new(boundary, chunks, limits)
end

---@class moongate.multipart.field
---@field name string
---@field body string
---@field filename? string
---@field type? string
---@field headers table<string, string>

---A whole form at once, for bodies that are small.
---@param content_type string?
---@param body string
---@param limits? moongate.multipart.limits
---@return moongate.multipart.field[]?
---@return string? message
---@return string? code
function multipart.parse(content_type, body, limits)
  arguments.optional_text(content_type, "multipart.parse takes a content-type")
  arguments.text(body, "multipart.parse takes a body after the content-type")
  arguments.options(limits, LIMITS, "multipart.parse")
  local boundary, message, code = multipart.boundary(content_type)
  if not boundary then return nil, message, code end
  local reader, found = readers.new(boundary, one_chunk(body), limits), {}
  while true do
    local part, text
    part, message, code = reader:next()
    if message then return nil, message, code end
    if not part then return found end
    text, message, code = part:text(#body)
    if not text then return nil, message, code end
    found[#found + 1] = {
      name = part.name, filename = part.filename, type = part.type, headers = part.headers, body = text,
    }
  end
end

-- Making --------------------------------------------------------------------------------------------------------------

---Names as browsers write them: quotes and line breaks escaped with a percent sign.
local ESCAPES = { ['"'] = "%22", ["\r"] = "%0D", ["\n"] = "%0A" }

local function quoted(text)
  return '"' .. text:gsub('["\r\n]', ESCAPES) .. '"'
end

---@class moongate.multipart.made
---@field name string
---@field body string|number|fun(): string? a function is called for each piece until it returns nil
---@field filename? string
---@field type? string content-type; application/octet-stream unless given where there is a filename
---@field headers? table<string, string> further fields

local function wrong_part(part)
  if type(part) ~= "table" then return "is a table { name = …, body = … }" end
  if type(part.name) ~= "string" then return "has a name" end
  local kind = type(part.body)
  if kind ~= "string" and kind ~= "number" and kind ~= "function" then return "has a body, a text or a function" end
  if part.filename ~= nil and type(part.filename) ~= "string" then return "has a filename that is a text" end
  if part.type ~= nil and type(part.type) ~= "string" then return "has a type that is a text" end
end

---The fields of a part; nil when one would end its line, come twice, or not be one.
local function head_of(part)
  local list = { { "Content-Disposition", "form-data; name=" .. quoted(part.name) } }
  if part.filename then list[1][2] = list[1][2] .. "; filename=" .. quoted(part.filename) end
  local kind = part.type or part.filename and "application/octet-stream"
  if kind then list[2] = { "Content-Type", kind } end
  local names = {}
  for name in pairs(part.headers or {}) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for i = 1, #names do list[#list + 1] = { names[i], tostring(part.headers[names[i]]) } end
  local lines = {}
  for i = 1, #list do
    lines[i] = list[i][1] .. ": " .. list[i][2]
    if lines[i]:find "[\r\n]" then return nil end
  end
  local head = table.concat(lines, "\r\n")
  -- A reader as strict as our own must understand it.
  return fields.parse(head) and head .. "\r\n\r\n" or nil
end

local function heads_of(parts, boundary)
  local heads = {}
  for i = 1, #parts do
    local head = head_of(parts[i])
    if not head then return nil, ("the head of part %d would have a broken or a double field"):format(i), "value" end
    heads[i] = ("%s--%s\r\n%s"):format(i > 1 and "\r\n" or "", boundary, head)
  end
  return heads
end

local function content_type_of(boundary)
  return "multipart/form-data; boundary=" .. boundary
end

local function check_parts(parts, what)
  for i = 1, #parts do
    local wrong = wrong_part(parts[i])
    if wrong then error(("%s: part %d %s"):format(what, i, wrong), 3) end
  end
end

---A form as a function that returns one piece after the other, as the body of an answer or a request.
---@param parts moongate.multipart.made[]
---@return (fun(): string?)? chunks
---@return string content_type or a message
---@return string? code "value" when a header would break the form
function multipart.stream(parts)
  arguments.table(parts, "multipart.stream takes a list of parts")
  check_parts(parts, "multipart.stream")
  local boundary = crypto.random_hex(16)
  local heads, message, code = heads_of(parts, boundary)
  if not heads then return nil, message, code end
  local at, inside, done = 0, nil, false
  return function()
    local piece = inside and inside()
    if piece then return piece end
    inside = nil
    if done then return nil end
    at = at + 1
    local part = parts[at]
    if not part then
      done = true
      return ("%s--%s--\r\n"):format(at > 1 and "\r\n" or "", boundary)
    end
    if type(part.body) == "function" then
      inside = part.body
      return heads[at]
    end
    return heads[at] .. part.body
  end, content_type_of(boundary)
end

---A form as one text.
---@param parts moongate.multipart.made[]
---@return string? body
---@return string content_type or a message
---@return string? code "value" when a header would break the form
function multipart.build(parts)
  arguments.table(parts, "multipart.build takes a list of parts")
  check_parts(parts, "multipart.build")
  local chunks, content_type, code = multipart.stream(parts)
  if not chunks then return nil, content_type, code end
  local pieces = {}
  for piece in chunks do pieces[#pieces + 1] = piece end
  return table.concat(pieces), content_type
end

return multipart
