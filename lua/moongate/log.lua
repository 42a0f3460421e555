---Lines for the operator, in the proxy's error log.
---
---     log.warn("quota is nearly used up", { user = "ann", left = 3 })
---     → 2026-11-21T03:40:00.123Z warn  worker 1: quota is nearly used up left=3 user=ann
local log = {}

local native = package.loaded["moongate.internal.native"]

local LEVELS = { debug = 0, info = 1, warn = 2, error = 3 }

local function show(value)
  local text = tostring(value)
  if type(value) == "string" and (text == "" or text:find("[%s\"=%c]")) then return ("%q"):format(text) end
  return text
end

---The fields in an order that is always the same.
local function show_fields(fields)
  local names, parts = {}, {}
  for name in pairs(fields) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = name .. "=" .. show(fields[name]) end
  return table.concat(parts, " ")
end

local function write(name, message, fields)
  if fields ~= nil and type(fields) ~= "table" then
    error(("log.%s takes a message and a table of fields, not a %s"):format(name, type(fields)), 3)
  end
  local text = tostring(message)
  if fields and next(fields) ~= nil then text = text .. " " .. show_fields(fields) end
  if native then native.log(LEVELS[name], text) else io.stderr:write(name, ": ", text, "\n") end
end

local function is_written(name)
  return not native or native.logs(LEVELS[name])
end

---@param message any
---@param fields? table<string, any>
function log.debug(message, fields)
  if is_written("debug") then write("debug", message, fields) end
end

---@param message any
---@param fields? table<string, any>
function log.info(message, fields)
  if is_written("info") then write("info", message, fields) end
end

---@param message any
---@param fields? table<string, any>
function log.warn(message, fields)
  if is_written("warn") then write("warn", message, fields) end
end

---@param message any
---@param fields? table<string, any>
function log.error(message, fields)
  if is_written("error") then write("error", message, fields) end
end

return log
