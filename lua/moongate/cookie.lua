---Cookies (RFC 6265bis): the Cookie field read, Set-Cookie fields written and read, values that are signed.
---
---     local cookie = require "moongate.cookie"
---     cookie.parse("a=1; b=2"):get "b"                       → "2"
---     cookie.build("__Host-id", "x7", { secure = true, http_only = true, same_site = "lax", path = "/" })
---     → "__Host-id=x7; Path=/; Secure; HttpOnly; SameSite=Lax"
---
---What a browser would refuse is never built: a `__Host-` cookie without Secure and Path=/ or with a Domain, a
---`__Secure-` one without Secure, SameSite=None or Partitioned without Secure. These are errors at the script's line;
---a value with bytes that no cookie may have is nil, a message and "value".
local arguments = require "moongate.internal.arguments"
local pair_list = require "moongate.internal.pair_list"
local signer = require "moongate.cookie.signer"

local cookie = {
  signer = signer.new,
}

---Years that make no sense for a cookie; browsers keep none longer than 400 days.
local MAX_AGE_MOST = 34560000

local function trim(text)
  return (text:match "^[ \t]*(.-)[ \t]*$")
end

local function unquoted(value)
  return value:match '^"(.*)"$' or value
end

---The cookies of a request. What is no pair is left out, quotes around a value are taken away.
---@param text string the Cookie field
---@return moongate.pair_list
function cookie.parse(text)
  arguments.text(text, "cookie.parse takes a text")
  local list = pair_list.new()
  for entry in text:gmatch "[^;]+" do
    local name, value = entry:match "^([^=]*)=(.*)$"
    name = name and trim(name)
    if name and name ~= "" then list[#list + 1] = { name, unquoted(trim(value)) } end
  end
  return list
end

-- Building ------------------------------------------------------------------------------------------------------------

---@class moongate.cookie.attributes
---@field path? string
---@field domain? string
---@field max_age? integer seconds; 0 and less delete the cookie
---@field expires? number seconds since 1970
---@field secure? boolean
---@field http_only? boolean
---@field same_site? "strict"|"lax"|"none"
---@field partitioned? boolean

local KNOWN = {
  path = true, domain = true, max_age = true, expires = true, secure = true, http_only = true, same_site = true,
  partitioned = true,
}
local SAME_SITE = { strict = "Strict", lax = "Lax", none = "None" }

local function starts(name, prefix)
  return name:sub(1, #prefix):lower() == prefix
end

---What browsers would refuse (RFC 6265bis sections 4.1.3 and 5.7), or nil.
local function broken_rule(name, attributes)
  if starts(name, "__host-") then
    if not attributes.secure then return "a __Host- cookie must be Secure" end
    if attributes.path ~= "/" then return "a __Host- cookie must have the path /" end
    if attributes.domain then return "a __Host- cookie must have no domain" end
  end
  if starts(name, "__secure-") and not attributes.secure then return "a __Secure- cookie must be Secure" end
  if attributes.same_site == "none" and not attributes.secure then return "SameSite=None needs Secure" end
  if attributes.partitioned and not attributes.secure then return "Partitioned needs Secure" end
end

local TYPES = {
  path = "string", domain = "string", max_age = "number", expires = "number", secure = "boolean", http_only = "boolean",
  same_site = "string", partitioned = "boolean",
}

local function wrong_type(attributes)
  for name, kind in pairs(TYPES) do
    local value = attributes[name]
    if value ~= nil and type(value) ~= kind then
      return ("%s is a %s, not a %s"):format(name, kind, type(value))
    end
  end
  if attributes.same_site and not SAME_SITE[attributes.same_site] then return "same_site is strict, lax or none" end
  if attributes.max_age and attributes.max_age % 1 ~= 0 then return "max_age is a whole number of seconds" end
end

local TOKEN = "^[A-Za-z0-9!#$%%&'*+.^_`|~-]+$"
---cookie-octet: no blanks, quotes, commas, semicolons, backslashes (RFC 6265bis section 4.1.1).
local NO_VALUE = "[%z\1-\32\",;\\\127-\255]"

local function wrong_text(name, value, attributes)
  if not name:find(TOKEN) then return "the name is no token", "name" end
  local at = value:find(NO_VALUE)
  if at then return ("byte %d of the value may not stand in a cookie"):format(at), "value" end
  if attributes.path and (attributes.path:sub(1, 1) ~= "/" or attributes.path:find "[%c;\127-\255]") then
    return "the path begins with '/' and has no ';'", "path"
  end
  if attributes.domain and not attributes.domain:find "^%.?%w[%w.-]*$" then return "the domain is none", "domain" end
end

local function date(seconds)
  return (os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(seconds)))
end

local function write(name, value, attributes)
  local out = { name .. "=" .. value }
  if attributes.path then out[#out + 1] = "Path=" .. attributes.path end
  if attributes.domain then out[#out + 1] = "Domain=" .. attributes.domain end
  if attributes.max_age then
    out[#out + 1] = ("Max-Age=%d"):format(math.max(0, math.min(attributes.max_age, MAX_AGE_MOST)))
  end
  if attributes.expires then out[#out + 1] = "Expires=" .. date(attributes.expires) end
  if attributes.secure then out[#out + 1] = "Secure" end
  if attributes.http_only then out[#out + 1] = "HttpOnly" end
  if attributes.same_site then out[#out + 1] = "SameSite=" .. SAME_SITE[attributes.same_site] end
  if attributes.partitioned then out[#out + 1] = "Partitioned" end
  return table.concat(out, "; ")
end

---A Set-Cookie field.
---@param name string
---@param value string
---@param attributes? moongate.cookie.attributes
---@return string?
---@return string? message
---@return string? code "name", "value", "path" or "domain": what has bytes that may not be there
function cookie.build(name, value, attributes)
  arguments.text(name, "cookie.build takes a name")
  arguments.text(value, "cookie.build takes a value after the name")
  arguments.options(attributes, KNOWN, "cookie.build")
  attributes = attributes or {}
  local mistake = wrong_type(attributes) or broken_rule(name, attributes)
  if mistake then error("cookie.build: " .. mistake, 2) end
  local wrong, code = wrong_text(name, value, attributes)
  if wrong then return nil, wrong, code end
  return write(name, value, attributes)
end

-- Reading Set-Cookie (RFC 6265bis section 5.6) ------------------------------------------------------------------------

local MONTHS = {
  jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11, dec = 12,
}

---Days from 1970-01-01 to a day of the Gregorian calendar.
local function days_to(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local leaps = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return 365 * year + leaps + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

---Sorts the words of a date into its fields (section 5.1.1): each takes the first word that may be it.
local function fields_of_date(text)
  local found = {}
  for word in text:gmatch "[^%z\1-\8\9\32-\47\59-\64\91-\96\123-\126]+" do
    local hour, minute, second = word:match "^(%d%d?):(%d%d?):(%d%d?)"
    local number, after = word:match "^(%d+)(.?)"
    local month = MONTHS[word:sub(1, 3):lower()]
    if hour and not found.hour then
      found.hour, found.minute, found.second = tonumber(hour), tonumber(minute), tonumber(second)
    elseif number and #number <= 2 and not found.day and not after:find "%d" then
      found.day = tonumber(number)
    elseif month and not found.month then
      found.month = month
    elseif number and (#number == 2 or #number == 4) and not found.year then
      found.year = tonumber(number)
    end
  end
  return found
end

local function seconds_of(text)
  local found = fields_of_date(text)
  local year = found.year
  if not (found.hour and found.day and found.month and year) then return nil end
  if year >= 70 and year <= 99 then year = year + 1900 elseif year <= 69 then year = year + 2000 end
  if found.day < 1 or found.day > 31 or year < 1601 then return nil end
  if found.hour > 23 or found.minute > 59 or found.second > 59 then return nil end
  return days_to(year, found.month, found.day) * 86400 + found.hour * 3600 + found.minute * 60 + found.second
end

---@class moongate.cookie.set: moongate.cookie.attributes
---@field name string
---@field value string

local readers = {}

function readers.path(set, value)
  set.path = value:sub(1, 1) == "/" and value or nil
end

function readers.domain(set, value)
  local domain = value:gsub("^%.", ""):lower()
  set.domain = domain ~= "" and domain or nil
end

readers["max-age"] = function(set, value)
  if value:find "^%-?%d+$" then set.max_age = math.max(0, math.min(tonumber(value), MAX_AGE_MOST)) end
end

function readers.expires(set, value)
  set.expires = seconds_of(value) or set.expires
end

function readers.secure(set)
  set.secure = true
end

function readers.httponly(set)
  set.http_only = true
end

function readers.samesite(set, value)
  local word = value:lower()
  set.same_site = SAME_SITE[word] and word or nil
end

function readers.partitioned(set)
  set.partitioned = true
end

---Takes a Set-Cookie field apart, as a browser does: attributes that it does not know or understand are left out.
---@param text string
---@return moongate.cookie.set?
---@return string? message
---@return string? code "cookie" when it is none, "prefix" when it breaks the rules of its name's prefix
function cookie.parse_set(text)
  arguments.text(text, "cookie.parse_set takes a text")
  if text:find "[%z\1-\8\10-\31\127]" then return nil, "a control character in the field", "cookie" end
  local first, rest = text:match "^([^;]*)(.*)$"
  local name, value = first:match "^([^=]*)=(.*)$"
  name = name and trim(name)
  if not name or name == "" then return nil, "the field begins with no name=value", "cookie" end
  local set = { name = name, value = trim(value) }
  for attribute in rest:gmatch "[^;]+" do
    local key, content = attribute:match "^([^=]*)=?(.*)$"
    local read = readers[trim(key):lower()]
    if read then read(set, trim(content)) end
  end
  local rule = broken_rule(name, set)
  if rule then return nil, rule, "prefix" end
  return set
end

return cookie
