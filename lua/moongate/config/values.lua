---The kinds of values that are the proxy's own: addresses, hosts, files, field names.
local addresses = require "moongate.config.addresses"
local files = require "moongate.config.files"
local hosts = require "moongate.config.hosts"
local kinds = require "moongate.config.kinds"

local values = {}

---Text that may come as an object with __tostring, such as an origin of the testing kit.
local function as_text(value)
  if type(value) == "string" then return value end
  local meta = type(value) == "table" and getmetatable(value)
  if type(meta) == "table" and meta.__tostring then return tostring(value) end
end

---Whether a value counts as text.
---@param value any
---@return boolean
function values.is_text(value)
  return as_text(value) ~= nil
end

local function socket_path(path, folder)
  if path == "" then return nil, "a path follows \"unix:\"" end
  local absolute = files.absolute(path, folder)
  if #absolute > addresses.LONGEST_SOCKET_PATH then
    local most = addresses.LONGEST_SOCKET_PATH
    return nil, ("a socket's whole path has at most %d bytes, this has %d"):format(most, #absolute)
  end
  return absolute
end

---A file; relative paths start at the configuration's folder.
---@param what string
---@return moongate.config.node
function values.file(what)
  return kinds.text {
    what = what, brief = "path", relative = true,
    read = function(text, at)
      if text == "" then return nil end
      return files.absolute(text, at.folder)
    end,
  }
end

---The file of a UNIX socket.
---@param what string
---@return moongate.config.node
function values.socket_file(what)
  return kinds.text {
    what = what, brief = "path", relative = true,
    read = function(text, at) return socket_path(text, at.folder) end,
  }
end

---An endpoint: { address (canonical text), kind, host, port, path }.
local function read_endpoint(text, at, rules)
  local path = text:match("^unix:(.*)$")
  if path then
    local absolute, remedy = socket_path(path, at.folder)
    if not absolute then return nil, remedy end
    return { address = "unix:" .. absolute, kind = "unix", path = absolute }
  end
  local scheme, rest = text:match("^(%a+)://([^/]*)")
  if scheme then
    local port = scheme == "https" and ":443" or ":80"
    local right = rest:find(":%d+$") and rest or rest .. port
    return nil, ("it takes no scheme; did you mean \"%s\"?"):format(right)
  end
  local host, port = addresses.split(text)
  if not host then
    if addresses.ipv6(text) then return nil, ("write \"[%s]:PORT\""):format(text) end
    return nil
  end
  local canonical, remedy = rules.host(host)
  if not canonical then return nil, remedy end
  if port == "" then
    if not rules.port then return nil, ("the port is missing, as in \"%s:8080\""):format(text:gsub(":$", "")) end
    port = tostring(rules.port)
  end
  local number = addresses.port(port)
  if not number or number < rules.least_port then
    return nil, ("a port is a number from %d to 65535"):format(rules.least_port)
  end
  return { address = addresses.join(canonical, number), kind = "tcp", host = canonical, port = number }
end

local function listening_host(host)
  if host == "*" or host == "" then return "0.0.0.0" end
  if host:lower() == "localhost" then return "127.0.0.1" end
  local ip = addresses.ip(host)
  if ip then return ip end
  return nil, "a listener stands at an address of this machine, not at a name"
end

local function reachable_host(host)
  if host == "" then return nil, "the host is missing" end
  local ip = addresses.ip(host)
  if ip then return ip end
  local name = hosts.ascii(host)
  return name and addresses.name(name)
end

local function numeric_host(host)
  local ip = addresses.ip(host)
  if ip then return ip end
  return nil, "a name server is given by its address"
end

local function endpoint(what, luals, rules)
  return kinds.scalar {
    what = what, brief = "address", luals = luals, relative = true,
    read = function(value, at)
      local text = as_text(value)
      if not text or text == "" then return nil end
      return read_endpoint(text, at, rules)
    end,
  }
end

---Where a listener stands.
values.bind = endpoint(
  'an address such as "127.0.0.1:8080", "*:8080", ":8080", "[::]:8080" or "unix:/path"', "string",
  { host = listening_host, least_port = 0 })

---Where an origin is reached.
values.server = endpoint(
  'an address such as "10.0.0.1:9000", "app.internal:9000", "[::1]:9000" or "unix:/path"', "string",
  { host = reachable_host, least_port = 1 })

local nameserver = endpoint(
  'the address of a name server such as "127.0.0.1:53" or "[::1]:53"', "string",
  { host = numeric_host, least_port = 1, port = 53 })

---A name server, as text "address:port".
values.nameserver = kinds.scalar {
  what = nameserver.what, brief = "address", luals = "string",
  read = function(value, at)
    local found, remedy = nameserver.read(value, at)
    if found and found.kind == "unix" then return nil end
    return found and found.address, remedy
  end,
}

---A block of addresses.
values.cidr = kinds.text {
  what = 'an address or a block of addresses such as "10.0.0.0/8", "127.0.0.1", "fd00::/8"', brief = "CIDR",
  read = function(text)
    local block, right = addresses.cidr(text)
    if block then return block end
    return nil, right and ("did you mean \"%s\"?"):format(right)
  end,
}

---A host of a site.
values.host = kinds.text {
  what = 'a host such as "example.com" or "*.example.com"', brief = "host",
  read = function(text) return hosts.canonical(text) end,
}

---The mode of a socket's file, in octal digits; a number in the plan.
values.mode = kinds.scalar {
  what = 'file permissions in octal such as "0660"', brief = "octal text", luals = "string",
  read = function(value)
    if type(value) == "number" then return nil, ("put it in quotes: \"%04d\""):format(value) end
    if type(value) ~= "string" or not value:match("^0?[0-7][0-7][0-7]$") then return nil end
    return tonumber(value, 8)
  end,
}

---The characters of a token (RFC 9110 §5.6.2).
local TOKEN = "^[%w!#%$%%&'%*%+%-%.%^_`|~]+$"

---@param text any
---@return boolean
function values.is_token(text)
  return type(text) == "string" and text:match(TOKEN) ~= nil
end

---Whether text may stand in a field's value (RFC 9110 §5.5).
---@param text string
---@return boolean
function values.is_field_value(text)
  return not text:find("[%z\1-\8\10-\31\127]")
end

---Reads the name of an HTTP field, for keys of maps.
---@param key any
---@return string? lower_case
function values.field_name(key)
  if not values.is_token(key) then return nil end
  return key:lower()
end

---Reads the name of something that appears in URLs and logs: an upstream, a dictionary.
---@param key any
---@return string?
---@return string?
function values.plain_name(key)
  if type(key) == "string" and #key <= 64 and key:match("^[%w_][%w_.-]*$") then return key end
  return nil, "a name is made of letters, digits, '_', '-' and '.', at most 64"
end

---A method; letter case matters (RFC 9110 §9.1).
values.method = kinds.text {
  what = "a method such as \"GET\"", brief = "method",
  read = function(text)
    if not values.is_token(text) then return nil end
    if text:match("%l") then return nil, ("did you mean \"%s\"?"):format(text:upper()) end
    return text
  end,
}

---A name in the plain sense, such as of a user.
---@param what string
---@return moongate.config.node
function values.name(what)
  return kinds.text {
    what = what,
    read = function(text)
      if text == "" or text:find("[%c%s:/]") then return nil end
      return text
    end,
  }
end

return values
