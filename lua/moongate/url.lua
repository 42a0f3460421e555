---URLs (RFC 3986): taken apart, put together, resolved against each other; their queries and their escapes.
---
---     local url = require "moongate.url"
---     local parts = url.parse "https://[::1]:8443/a/b?x=1#top"
---     → { scheme = "https", host = "::1", port = 8443, path = "/a/b", query = "x=1", fragment = "top" }
---     url.resolve("http://a/b/c", "../d?e")        → "http://a/d?e"
---     url.parse_query("a=1&b=%20&a=2"):all "a"     → { "1", "2" }
---
---Parsing is strict: what RFC 3986 does not allow (blanks, bytes beyond ASCII, a broken escape, a port above 65535) is
---nil, a message and a code: "url" or, where text is decoded, "encoding".
local arguments = require "moongate.internal.arguments"
local pair_list = require "moongate.internal.pair_list"

local url = {}

---@class moongate.url.parts
---@field scheme? string lower case
---@field userinfo? string
---@field host? string lower case; an IPv6 address without its brackets; "" as in `file:///x`
---@field port? integer
---@field path string "" when there is none
---@field query? string
---@field fragment? string

-- Escapes (section 2.1) -----------------------------------------------------------------------------------------------

local UNRESERVED = "A-Za-z0-9%-._~"
local ESCAPED, BYTES = {}, {}
for byte = 0, 255 do ESCAPED[string.char(byte)] = ("%%%02X"):format(byte) end
for high in ("0123456789abcdefABCDEF"):gmatch "." do
  for low in ("0123456789abcdefABCDEF"):gmatch "." do BYTES[high .. low] = string.char(tonumber(high .. low, 16)) end
end

---Escapes all but letters, digits and `-._~`.
---@param text string
---@param keep? string further characters that stay, as "/" for whole paths
---@return string
function url.encode(text, keep)
  arguments.text(text, "url.encode takes a text")
  arguments.optional_text(keep, "url.encode takes the characters to keep as a text")
  local kept = keep and keep:gsub("%W", "%%%0") or ""
  local escaped = text:gsub("[^" .. UNRESERVED .. kept .. "]", ESCAPED)
  return escaped
end

local function decode(text)
  if not text:find("%", 1, true) then return text end
  local decoded, escapes = text:gsub("%%(%x%x)", BYTES)
  local _, marks = text:gsub("%%", "")
  if marks ~= escapes then return nil, "a '%' is not followed by two hexadecimal digits", "encoding" end
  return decoded
end

---Turns escapes back into bytes. A plus stays a plus.
---@param text string
---@return string?
---@return string? message
---@return string? code "encoding"
function url.decode(text)
  arguments.text(text, "url.decode takes a text")
  return decode(text)
end

-- Queries -------------------------------------------------------------------------------------------------------------

---The names and values of a query or a form, decoded, in order; a plus is a blank.
---@param text string what stands behind "?"
---@return moongate.pair_list?
---@return string? message
---@return string? code "encoding"
function url.parse_query(text)
  arguments.text(text, "url.parse_query takes a text")
  local list = pair_list.new()
  for entry in text:gmatch "[^&]+" do
    local equals = entry:find("=", 1, true)
    local name, message, code = decode((entry:sub(1, (equals or 0) - 1):gsub("+", " ")))
    if not name then return nil, message, code end
    local value
    if equals then
      value, message, code = decode((entry:sub(equals + 1):gsub("+", " ")))
      if not value then return nil, message, code end
    end
    list[#list + 1] = { name, value }
  end
  return list
end

local function sorted_pairs(map)
  local list = {}
  for name, value in pairs(map) do
    if type(value) == "table" then
      for i = 1, #value do list[#list + 1] = { tostring(name), value[i], #list } end
    else
      list[#list + 1] = { tostring(name), value, #list }
    end
  end
  table.sort(list, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[3] < b[3]
  end)
  return list
end

local function build_query(query)
  local list = query
  if getmetatable(query) ~= "moongate.pair_list" and query[1] == nil then list = sorted_pairs(query) end
  local parts = {}
  for i = 1, #list do
    local name, value = url.encode(tostring(list[i][1])), list[i][2]
    parts[i] = value == nil and name or name .. "=" .. url.encode(tostring(value))
  end
  return table.concat(parts, "&")
end

---A query from names and values.
---@param query moongate.pair_list|table<integer, string[]>|table<string, any> a list keeps its order; a map, whose
---values may be lists, is sorted by name
---@return string
function url.build_query(query)
  arguments.table(query, "url.build_query takes a list of pairs or a map")
  local text = build_query(query)
  return text
end

-- Parsing (appendix A) ------------------------------------------------------------------------------------------------

local PCHAR = UNRESERVED .. "!$&'()*+,;=:@"
local ALLOWED = {
  userinfo = "[^" .. UNRESERVED .. "!$&'()*+,;=:%%]",
  host = "[^" .. UNRESERVED .. "!$&'()*+,;=%%]",
  path = "[^" .. PCHAR .. "/%%]",
  query = "[^" .. PCHAR .. "/?%%]",
  fragment = "[^" .. PCHAR .. "/?%%]",
}

---What is wrong with a part, or nil.
local function wrong_part(name, text)
  local at = text:find(ALLOWED[name])
  if at then
    local byte = text:byte(at)
    local shown = byte > 32 and byte < 127 and ("'%c'"):format(byte) or ("byte 0x%02X"):format(byte)
    return ("%s in the %s must be escaped"):format(shown, name)
  end
  if text:find("%", 1, true) and not decode(text) then
    return ("a '%%' in the %s is not followed by two hexadecimal digits"):format(name)
  end
end

local function is_ipv4(text)
  local parts = { text:match "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$" }
  for i = 1, #parts do
    if tonumber(parts[i]) > 255 or parts[i]:find "^0%d" then return false end
  end
  return #parts == 4
end

---How many groups of 16 bits; nil when it is none of those.
local function groups_in(text, may_end_in_ipv4)
  if text == "" then return 0 end
  local count = 0
  for group in (text .. ":"):gmatch "([^:]*):" do
    count = count + 1
    if not group:find "^%x%x?%x?%x?$" then
      local last = text:sub(-#group) == group and may_end_in_ipv4
      if not (last and is_ipv4(group)) then return nil end
      count = count + 1
    end
  end
  return count
end

local function is_ipv6(text)
  local before, after = text:match "^(.-)::(.*)$"
  if not before then return groups_in(text, true) == 8 end
  local first, second = groups_in(before, false), groups_in(after, true)
  return first ~= nil and second ~= nil and first + second <= 7
end

local function parse_host(text)
  local literal = text:match "^%[(.*)%]$"
  if literal then
    if not is_ipv6(literal) then return nil, ("'%s' is no IPv6 address"):format(literal) end
    return literal:lower()
  end
  local wrong = wrong_part("host", text)
  if wrong then return nil, wrong end
  return text:lower()
end

local function parse_authority(parts, text)
  local userinfo, rest = text:match "^(.*)@(.*)$"
  if userinfo then
    local wrong = wrong_part("userinfo", userinfo)
    if wrong then return wrong end
    parts.userinfo, text = userinfo, rest
  end
  local host, port = text:match "^(.*):(%d*)$"
  if host and (not host:find(":", 1, true) or host:find "^%[.*%]$") then
    if #port > 5 or tonumber(port ~= "" and port or 0) > 65535 then return "there is no port " .. port end
    text, parts.port = host, tonumber(port)
  end
  local wrong
  parts.host, wrong = parse_host(text)
  return wrong
end

---Parts whose place is told by one character before them.
local function cut(text, mark)
  local at = text:find(mark, 1, true)
  if not at then return text end
  return text:sub(1, at - 1), text:sub(at + 1)
end

---RFC 9110 section 4.2.1: what is asked for by HTTP has a host.
local function lacks_host(parts)
  local scheme = parts.host == "" and parts.scheme and parts.scheme:lower()
  return scheme == "http" or scheme == "https"
end

local function parse(text)
  local parts, rest = {}, text
  rest, parts.fragment = cut(rest, "#")
  rest, parts.query = cut(rest, "?")
  local scheme, after = rest:match "^(%a[%w+.-]*):(.*)$"
  if scheme then parts.scheme, rest = scheme:lower(), after end
  local authority, path = rest:match "^//([^/]*)(.*)$"
  if authority then
    local wrong = parse_authority(parts, authority)
    if wrong then return nil, wrong, "url" end
    if lacks_host(parts) then return nil, "the host is missing", "url" end
  end
  parts.path = path or rest
  if not scheme and parts.path:find "^[^/]*:" then return nil, "the scheme is not one", "url" end
  local wrong = wrong_part("path", parts.path)
    or parts.query and wrong_part("query", parts.query)
    or parts.fragment and wrong_part("fragment", parts.fragment)
  if wrong then return nil, wrong, "url" end
  return parts
end

---Takes a URL or a relative reference apart. The parts stay escaped.
---@param text string
---@return moongate.url.parts?
---@return string? message
---@return string? code "url"
function url.parse(text)
  arguments.text(text, "url.parse takes a text")
  return parse(text)
end

-- Building (section 5.3) ----------------------------------------------------------------------------------------------

local function authority_of(parts)
  local text = parts.host
  if text:find(":", 1, true) then
    if not is_ipv6(text) then return nil, ("'%s' is no IPv6 address"):format(text) end
    text = "[" .. text .. "]"
  else
    local wrong = wrong_part("host", text)
    if wrong then return nil, wrong end
  end
  if parts.userinfo then
    local wrong = wrong_part("userinfo", parts.userinfo)
    if wrong then return nil, wrong end
    text = parts.userinfo .. "@" .. text
  end
  local port = parts.port
  if port then
    port = tonumber(port)
    if not port or port % 1 ~= 0 or port < 0 or port > 65535 then
      return nil, "there is no port " .. tostring(parts.port)
    end
    text = ("%s:%d"):format(text, port)
  end
  return "//" .. text
end

---The path as it may stand behind what is before it.
local function path_of(parts)
  local path = parts.path or ""
  local wrong = wrong_part("path", path)
  if wrong then return nil, wrong end
  if parts.host then
    if path ~= "" and path:sub(1, 1) ~= "/" then return nil, "a path behind a host begins with '/'" end
  elseif path:sub(1, 2) == "//" then
    path = "/." .. path -- or its beginning would be taken for a host
  elseif not parts.scheme and path:find "^[^/]*:" then
    path = "./" .. path -- or its beginning would be taken for a scheme
  end
  return path
end

local function build(parts)
  local out = {}
  if parts.scheme then
    if not parts.scheme:find "^%a[%w+.-]*$" then return nil, "the scheme is not one", "url" end
    out[1] = parts.scheme .. ":"
  end
  if parts.host then
    local authority, wrong = authority_of(parts)
    if not authority then return nil, wrong, "url" end
    out[#out + 1] = authority
  end
  if lacks_host(parts) or not parts.host and (parts.port or parts.userinfo) then
    return nil, "the host is missing", "url"
  end
  local path, wrong = path_of(parts)
  if not path then return nil, wrong, "url" end
  out[#out + 1] = path
  wrong = parts.query and wrong_part("query", parts.query) or parts.fragment and wrong_part("fragment", parts.fragment)
  if wrong then return nil, wrong, "url" end
  if parts.query then out[#out + 1] = "?" .. parts.query end
  if parts.fragment then out[#out + 1] = "#" .. parts.fragment end
  return table.concat(out)
end

local TEXTS = { "scheme", "userinfo", "host", "path", "query", "fragment" }

---Puts a URL together. The parts must be escaped already, but for a query that is a table.
---@param parts moongate.url.parts|{ query: table, path?: string }
---@return string?
---@return string? message
---@return string? code "url"
function url.build(parts)
  arguments.table(parts, "url.build takes a table")
  local own = { port = parts.port }
  for i = 1, #TEXTS do
    local name = TEXTS[i]
    own[name] = parts[name]
    if name == "query" and type(own.query) == "table" then own.query = build_query(own.query) end
    if own[name] ~= nil and type(own[name]) ~= "string" then
      error(("url.build: %s is a text, not a %s"):format(name, type(own[name])), 2)
    end
  end
  return build(own)
end

-- Resolving (section 5.2) ---------------------------------------------------------------------------------------------

---Takes `.` and `..` out of a path (section 5.2.4).
local function without_dots(path)
  local out, at, n = {}, 1, #path
  while at <= n do
    local _, stop = path:find("^%.%.?/", at)
    if stop then
      at = stop + 1
    elseif path:find("^/%./", at) then
      at = at + 2
    elseif path:find("^/%.%./", at) then
      out[#out] = nil
      at = at + 3
    elseif path:find("^/%.%.?$", at) then
      if path:sub(at) == "/.." then out[#out] = nil end
      out[#out + 1] = "/"
      break
    elseif path:find("^%.%.?$", at) then
      break
    else
      _, stop = path:find("^/?[^/]*", at)
      out[#out + 1] = path:sub(at, stop)
      at = stop + 1
    end
  end
  return table.concat(out)
end

local function merged(base, path)
  if base.host and base.path == "" then return "/" .. path end
  return (base.path:match "^(.*/)" or "") .. path
end

local function with_authority_of(target, other)
  target.userinfo, target.host, target.port = other.userinfo, other.host, other.port
end

local function transformed(base, reference)
  local target = { scheme = reference.scheme or base.scheme, fragment = reference.fragment, query = reference.query }
  if reference.scheme or reference.host then
    with_authority_of(target, reference)
    target.path = without_dots(reference.path)
    return target
  end
  with_authority_of(target, base)
  if reference.path == "" then
    target.path, target.query = base.path, reference.query or base.query
  elseif reference.path:sub(1, 1) == "/" then
    target.path = without_dots(reference.path)
  else
    target.path = without_dots(merged(base, reference.path))
  end
  return target
end

---What a reference means in a document at `base`, as in a Location field.
---@param base string with a scheme
---@param reference string
---@return string?
---@return string? message
---@return string? code "url"
function url.resolve(base, reference)
  arguments.text(base, "url.resolve takes two texts")
  arguments.text(reference, "url.resolve takes two texts")
  local from, message, code = parse(base)
  if not from then return nil, message, code end
  if not from.scheme then return nil, "the base has no scheme", "url" end
  local to
  to, message, code = parse(reference)
  if not to then return nil, message, code end
  return build(transformed(from, to))
end

return url
