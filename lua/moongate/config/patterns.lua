---The paths of routes and what they are rewritten to.
---
---     /users/:id/files/*
---      |     |        '-- the rest of the path, only at the end
---      |     '----------- a parameter: one segment
---      '----------------- literal
local patterns = {}

---@class moongate.config.pattern
---@field params table<string, true> the names of its parameters
---@field rest boolean whether it ends in "/*"
---@field shape string the pattern with every parameter's name taken out: equal shapes match the same paths

---More parameters than the router keeps of one request.
local MOST_PARAMS = 16

local function check_segment(segment, pattern)
  local name = segment:match("^:(.*)$")
  if name then
    if not name:match("^[%a_][%w_]*$") then
      return ("\"%s\" is no parameter: its name is made of letters, digits and '_'"):format(segment)
    end
    if pattern.params[name] then return ("parameter ':%s' stands here twice"):format(name) end
    pattern.params[name] = true
  elseif segment:find("*", 1, true) then
    return '"*" stands for the whole rest and only at the end, after a slash: "/files/*"'
  elseif segment == "." or segment == ".." then
    return ("\"%s\" segments are resolved before a route is chosen, so this would never match"):format(segment)
  end
end

local function count_of(set)
  local count = 0
  for _ in pairs(set) do count = count + 1 end
  return count
end

local function check_text(text)
  if text:sub(1, 1) ~= "/" then return ("it must begin with \"/\"; did you mean \"/%s\"?"):format(text) end
  if text:find("?", 1, true) then return "a path ends before \"?\"; the route's 'query' looks at arguments" end
  if text:find("#", 1, true) then return "a fragment is never sent to a server" end
  if text:find("[%z\1-\32\127]") then return "spaces and control characters are percent-encoded in a path" end
  if text:gsub("%%%x%x", ""):find("%", 1, true) then return "\"%\" is followed by two hexadecimal digits" end
end

---Reads the path of a route, or what a path is rewritten to.
---@param text string
---@return moongate.config.pattern?
---@return string? remedy
function patterns.read(text)
  local problem = check_text(text)
  if problem then return nil, problem end
  local pattern = { params = {}, rest = false }
  local body = text
  if text:sub(-2) == "/*" then
    pattern.rest, body = true, text:sub(1, -3)
  end
  -- Most paths are literal; they need no look at their segments.
  if body:find("[:*]") or body:find("/.", 1, true) then
    for segment in body:gmatch("[^/]+") do
      problem = check_segment(segment, pattern)
      if problem then return nil, problem end
    end
    if count_of(pattern.params) > MOST_PARAMS then
      return nil, ("it has more than %d parameters"):format(MOST_PARAMS)
    end
  end
  pattern.shape = next(pattern.params) and text:gsub("/:[%a_][%w_]*", "/:") or text
  return pattern
end

---Why a target (of `rewrite` or `redirect`) asks for more than the route's path gives, or nil.
---@param target moongate.config.pattern
---@param source moongate.config.pattern? nil when the route has no path
---@return string?
function patterns.misfit(target, source)
  if target.rest and not (source and source.rest) then
    return 'ends in "/*", but the route\'s path does not'
  end
  for name in pairs(target.params) do
    if not (source and source.params[name]) then
      return ("uses ':%s', which the route's path does not have"):format(name)
    end
  end
end

return patterns
