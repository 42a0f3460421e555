---Routes: their kinds of values, and what their keys mean together.
local kinds = require "moongate.config.kinds"
local patterns = require "moongate.config.patterns"
local spelling = require "moongate.config.spelling"
local values = require "moongate.config.values"

local routes = {}

---The keys that answer a request: a route has exactly one.
routes.ACTIONS = { "upstream", "handler", "reply", "redirect" }

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

---Fields that the proxy alone writes, since they frame the message (RFC 9112 §6) or belong to the hop.
local OWN_FIELDS = {
  ["content-length"] = true, ["transfer-encoding"] = true, connection = true, ["keep-alive"] = true,
  upgrade = true, trailer = true, te = true,
}

---The path of a route.
routes.path = kinds.text {
  what = 'a path such as "/x", "/x/*" or "/x/:id"', brief = "path",
  read = function(text)
    local pattern, remedy = patterns.read(text)
    return pattern and text, remedy
  end,
}

---What a header or an argument is held against: a text, true (is there) or { regex = "…" }.
routes.matcher = kinds.by_type {
  what = 'a text, true (present) or { regex = "…" }', brief = "text, `true` or `{ regex = }`",
  luals = "string|true|{ regex: string }",
  string = kinds.text { what = "a text", read = function(text) return text end },
  boolean = kinds.scalar {
    what = 'a text, true (present) or { regex = "…" }', brief = "", luals = "true",
    read = function(value) return value or nil end,
  },
  table = kinds.record {
    class = "matcher", what = 'a text, true (present) or { regex = "…" }',
    rows = {
      { "regex", kinds.text { what = "a regular expression" }, nil, "A PCRE2 expression that the value matches.",
        required = true },
    },
  },
}

---Headers to look at, by name in any letter case.
routes.headers = kinds.map(routes.matcher, {
  what = "a table of header names", named = "the name of a header", name = values.field_name,
})

---Arguments to look at, by name.
routes.query = kinds.map(routes.matcher, {
  what = "a table of argument names", named = "the name of an argument",
  name = function(key) return type(key) == "string" and key or nil end,
})

---The status of a `reply`.
routes.status = kinds.scalar {
  what = "a status from 200 to 599", brief = "integer", luals = "integer",
  read = function(value)
    if type(value) ~= "number" or value % 1 ~= 0 or value < 200 or value > 599 then return nil end
    return value
  end,
}

---The status of a `redirect`.
routes.redirect_status = kinds.scalar {
  what = "301, 302, 303, 307 or 308", brief = "`301` `302` `303` `307` `308`", luals = "301|302|303|307|308",
  read = function(value) return REDIRECTS[value] and value or nil end,
}

local function read_field_value(value)
  if type(value) == "number" then return ("%.14g"):format(value) end
  if type(value) ~= "string" then return nil end
  if not values.is_field_value(value) then return nil, "control characters cannot be sent in a header" end
  return value
end

local field_value = kinds.scalar {
  what = "a text or a number", brief = "text", luals = "string|number", read = read_field_value,
}

---Headers of a `reply`: a text each, or a list of texts for several fields of one name.
routes.reply_headers = kinds.map(kinds.by_type {
  what = "a text or a list of texts", brief = "text or list", luals = "string|number|string[]",
  string = field_value, number = field_value, table = kinds.list(field_value, { min = 1 }),
}, {
  what = "a table of header names", named = "the name of a header",
  name = function(key)
    local name = values.field_name(key)
    if name and OWN_FIELDS[name] then return nil, "the proxy writes it itself" end
    return name and key
  end,
})

---Where a `redirect` leads: a path, or a whole URL.
routes.location = kinds.text {
  what = 'a path such as "/new/*" or a URL such as "https://example.com/*"', brief = "path or URL",
  read = function(text)
    if text == "" or not values.is_field_value(text) or text:find("[%s\128-\255]") then return nil end
    if text:match("^https?://[^/]") or text:sub(1, 1) == "/" then return text end
    return nil, ("did you mean \"/%s\"?"):format(text)
  end,
}

---The protocols that a route lets a connection change to.
routes.protocol = kinds.text {
  what = 'the name of a protocol such as "websocket"', brief = "protocol",
  read = function(text)
    local name = text:lower()
    if name == "h2c" then return nil, "HTTP/2 is never reached by upgrade" end
    if not values.is_token((name:gsub("/", "", 1))) then return nil end
    return name
  end,
}

---A reply's keys together.
---@param out table
---@param at moongate.config.place
function routes.finish_reply(out, at)
  local status = out.status
  if (status == 204 or status == 205 or status == 304) and out.body and out.body ~= "" then
    at:fail(("an answer with status %d has no body"):format(status), "body")
  end
  return out
end

local function check_action(out, at, given, meant)
  local found = {}
  -- An action of a later version was refused already; saying that there is none would mislead.
  local attempted = given.split ~= nil or given.files ~= nil
  for _, action in ipairs(routes.ACTIONS) do
    if given[action] ~= nil then found[#found + 1] = "'" .. action .. "'" end
    attempted = attempted or meant[action]
  end
  if #found == 0 and not attempted then
    at:fail("says not what to do: give one of " .. table.concat(routes.ACTIONS, ", "))
  elseif #found > 1 then
    at:fail(("does one thing only, not %s"):format(spelling.listing(found, "and")))
  end
  out.action = #found == 1 and found[1]:sub(2, -2) or nil
end

---The parameters that a regular expression gives by naming its groups.
local function regex_params(regex)
  local params = {}
  for name in regex:gmatch("%(%?P?<([%a_][%w_]*)>") do params[name] = true end
  for name in regex:gmatch("%(%?'([%a_][%w_]*)'") do params[name] = true end
  return { params = params, rest = false }
end

local function source_of(out)
  if out.path then return (patterns.read(out.path)) end
  if out.regex then return regex_params(out.regex) end
end

local function check_target(key, text, out, at)
  local target, remedy = patterns.read(text)
  local problem = target and patterns.misfit(target, source_of(out)) or remedy
  if not problem then return end
  at:enter(key)
  at:fail(problem)
  at:leave()
end

local function check_redirect(redirect, out, at)
  local path = redirect.to:gsub("^https?://[^/]+", "", 1):gsub("[?#].*$", "", 1)
  if path == "" then return end
  at:enter("redirect")
  check_target("to", path, out, at)
  at:leave()
end

local function only_for_upstream(key, given, out, at)
  if given[key] ~= nil and out.action and out.action ~= "upstream" then
    at:fail(("'%s' goes with 'upstream', not with '%s'"):format(key, out.action), key)
  end
end

---A route's keys together.
---@param out table
---@param at moongate.config.place
---@param given table
---@param meant table<string, true> keys that misspelled ones probably are
function routes.finish(out, at, given, meant)
  check_action(out, at, given, meant)
  if given.path ~= nil and given.regex ~= nil then
    at:fail("matches by 'path' or by 'regex', not by both", "regex")
  elseif out.rewrite then
    check_target("rewrite", out.rewrite, out, at)
  elseif out.redirect and out.redirect.to then
    check_redirect(out.redirect, out, at)
  end
  only_for_upstream("rewrite", given, out, at)
  only_for_upstream("upgrade", given, out, at)
  if out.action ~= "upstream" then out.upgrade = nil end
  return out
end

local function matcher_text(matcher)
  if matcher == true then return "\1" end
  return type(matcher) == "table" and "\2" .. tostring(matcher.regex) or matcher
end

local function map_text(map)
  if not map then return "" end
  local parts = {}
  for name, matcher in pairs(map) do parts[#parts + 1] = name .. "\3" .. matcher_text(matcher) end
  table.sort(parts)
  return table.concat(parts, "\4")
end

local function methods_text(methods)
  if not methods then return "" end
  local sorted = {}
  for i, method in ipairs(methods) do sorted[i] = tostring(method) end
  table.sort(sorted)
  return table.concat(sorted, " ")
end

---A text that two routes share exactly when they match the very same requests.
---@param route table
---@return string
function routes.signature(route)
  local path = route.path and patterns.read(route.path).shape or ""
  return table.concat({ path, route.regex or "", methods_text(route.methods), map_text(route.headers),
    map_text(route.query), route.when and tostring(route.when) or "" }, "\5")
end

return routes
