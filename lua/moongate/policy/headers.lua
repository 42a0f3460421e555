---Sets, adds and removes header fields, of the request on its way to the origin and of the answer on its way back.
---
---     { "headers", request  = { set = { ["x-real-ip"] = "${client.ip}" }, remove = { "x-debug" } },
---                  response = { set = { ["x-version"] = "1" }, add = { vary = "accept" }, remove = { "server" } } }
---
---Removing comes first, then setting, then adding. A value is a text, a number or a list of them; in texts these
---stand for what the request says: ${client.ip}, ${request.id} .method .scheme .host .path .query .target,
---${header.NAME}, ${arg.NAME}, ${param.NAME}. What is absent is the empty text.
local headers = {}

headers.options = {
  request = { type = "map", default = {}, doc = "set, add and remove, for what the origin gets" },
  response = { type = "map", default = {}, doc = "set, add and remove, for what the client gets" },
}

local REQUEST_FIELDS = {
  id = true, method = true, scheme = true, host = true, path = true, query = true, target = true,
}
local LISTS = { header = "headers", arg = "args", param = "params" }

---One part of a template: how it is found. Nil: nobody knows it.
local function part_of(name)
  local group, field = name:match "^(%l+)%.(.+)$"
  if group == "request" and REQUEST_FIELDS[field] then return { field = field } end
  if name == "client.ip" then return { list = "client", field = "ip" } end
  if LISTS[group] then return { list = LISTS[group], field = field } end
end

---A text with ${…} as a list of texts and parts; a text without is itself.
local function template_of(text, place)
  if not text:find("${", 1, true) then return text end
  local parts, at = {}, 1
  while true do
    local first, last, name = text:find("%${([^}]*)}", at)
    parts[#parts + 1] = text:sub(at, (first or 0) - 1)
    if not first then return parts end
    local part = part_of(name)
    if not part then error(("%s: nothing is called ${%s}"):format(place, name), 0) end
    parts[#parts + 1] = part
    at = last + 1
  end
end

local function fill(template, req)
  if type(template) == "string" then return template end
  local texts = {}
  for i = 1, #template do
    local part = template[i]
    if type(part) == "table" then
      local found = part.list and req[part.list][part.field] or not part.list and req[part.field] or ""
      part = found:gsub("%c", " ") -- a decoded argument may hold what a header must not
    end
    texts[i] = part
  end
  return table.concat(texts)
end

local function sorted_names(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function check_name(name, place)
  if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then
    error(("%s: %s is not the name of a header"):format(place, tostring(name)), 0)
  end
end

---Adds a step for each value of { name = value or values }.
local function add_steps(steps, map, place, first, others)
  if type(map) ~= "table" then error(place .. ": expected { name = value }", 0) end
  for _, name in ipairs(sorted_names(map)) do
    check_name(name, place)
    local values = type(map[name]) == "table" and map[name] or { map[name] }
    for i, value in ipairs(values) do
      local kind = type(value)
      if kind ~= "string" and kind ~= "number" then
        error(("%s.%s: expected a text, a number or a list, got a %s"):format(place, name, kind), 0)
      end
      steps[#steps + 1] = { what = i == 1 and first or others, name = name,
        template = template_of(tostring(value), place .. "." .. name) }
    end
  end
end

---What is to be done with one message, in order.
local function steps_of(given, place)
  local steps = {}
  for key in pairs(given) do
    if key ~= "set" and key ~= "add" and key ~= "remove" then
      error(("%s: unknown key '%s'; there are set, add and remove"):format(place, tostring(key)), 0)
    end
  end
  local removed = given.remove or {}
  if type(removed) ~= "table" then error(place .. ".remove: expected a list of names", 0) end
  for _, name in ipairs(removed) do
    check_name(name, place .. ".remove")
    steps[#steps + 1] = { what = "remove", name = name }
  end
  add_steps(steps, given.set or {}, place .. ".set", "set", "add")
  add_steps(steps, given.add or {}, place .. ".add", "add", "add")
  return steps
end

local function take_steps(steps, fields, req)
  for i = 1, #steps do
    local step = steps[i]
    if step.what == "remove" then
      fields[step.name] = nil
    elseif step.what == "set" then
      fields[step.name] = fill(step.template, req)
    else
      fields:add(step.name, fill(step.template, req))
    end
  end
end

---Checks what is to be done, once.
function headers:setup()
  self.request_steps = steps_of(self.request, "request")
  self.response_steps = steps_of(self.response, "response")
end

---Changes what the origin gets.
function headers:access(req)
  take_steps(self.request_steps, req.headers, req)
end

---Changes what the client gets.
function headers:response(req, res)
  take_steps(self.response_steps, res.headers, req)
end

return headers
