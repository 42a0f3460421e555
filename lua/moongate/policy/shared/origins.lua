---Web origins (RFC 6454: scheme, host, port) as browsers name them in Origin and Referer, and lists of those that are
---let in: exact ones, `https://*.example.com` for every name below, and regular expressions.
local regex = require "moongate.regex"
local url = require "moongate.url"

local origins = {}

local DEFAULT_PORT = { http = 80, https = 443, ws = 80, wss = 443 }

---The origin of a URL, in the one spelling that browsers use: lower case, no port that goes without saying.
---@param text string an Origin or Referer field
---@return string? origin nil for "null" and for what is no URL with a host
---@return moongate.url.parts? parts
function origins.of(text)
  local parts = url.parse(text)
  if not parts or not parts.scheme or not parts.host or parts.host == "" then return nil end
  local host = parts.host:find(":", 1, true) and "[" .. parts.host .. "]" or parts.host
  if parts.port and parts.port ~= DEFAULT_PORT[parts.scheme] then host = host .. ":" .. parts.port end
  return parts.scheme .. "://" .. host, parts
end

---`https://*.example.com` as its two ends; nil when there is a star anywhere else.
local function wildcard_of(text)
  local before, after = text:match "^([%w+.-]+://)%*(%.[%w.-]+:?%d*)$"
  if not before then return nil end
  local inner = origins.of(before .. "x" .. after)
  if inner ~= before:lower() .. "x" .. after:lower() then return nil end
  return { before = before:lower(), after = after:lower() }
end

local function add(list, text, place)
  if text:find("*", 1, true) then
    local wildcard = wildcard_of(text)
    if not wildcard then error(place .. ": a star stands for the first names of a host: https://*.example.com", 0) end
    list.wildcards[#list.wildcards + 1] = wildcard
    return
  end
  local canonical = text == "null" and text or origins.of(text)
  if not canonical then error(("%s: '%s' is no origin; write https://example.com"):format(place, text), 0) end
  if canonical ~= text:lower() then
    error(("%s: browsers would call it '%s', not '%s'"):format(place, canonical, text), 0)
  end
  list.exact[canonical] = true
end

local Origins = {}
Origins.__index = Origins

---A list of origins; raises what is wrong with it, for `setup`.
---@param given string[] exact ones and wildcards
---@param patterns string[] regular expressions for whole origins
---@return table list
function origins.list(given, patterns)
  local list = setmetatable({ exact = {}, wildcards = {}, patterns = {} }, Origins)
  for i, text in ipairs(given) do add(list, text, ("origins[%d]"):format(i)) end
  for i, text in ipairs(patterns) do
    local pattern, message = regex.compile("\\A(?:" .. text .. ")\\z")
    if not pattern then error(("patterns[%d]: %s"):format(i, message), 0) end
    list.patterns[i] = pattern
  end
  return list
end

local function fits(wildcard, origin)
  local before, after = wildcard.before, wildcard.after
  if origin:sub(1, #before) ~= before or origin:sub(-#after) ~= after then return false end
  local names = origin:sub(#before + 1, -#after - 1)
  return names:find "^%w[%w.-]*$" ~= nil
end

---Whether an Origin field is in the list.
---@param origin string
---@return boolean
function Origins:has(origin)
  if self.exact[origin] then return true end
  for i = 1, #self.wildcards do
    if fits(self.wildcards[i], origin) then return true end
  end
  for i = 1, #self.patterns do
    if self.patterns[i]:test(origin) then return true end
  end
  return false
end

return origins
