---What `w:proxy { … }` holds: configuration for the proxy, and keys for the kit; and the text of moongate.lua that
---comes of it.

local failure = require "moongate.testing.failure"
local files = require "moongate.testing.files"
local inline = require "moongate.testing.inline"

local configuration = {}

---Keys that are the kit's, not the configuration's. Everything else in the table is configuration.
local kit_keys = {
  file = true, source = true, scripts = true, files = true, args = true, env = true, defaults = true, name = true,
}

---@class moongate.testing.proxy_options
---@field file? string a configuration file of the project; what stands beside it in the table replaces parts of it
---@field source? string|moongate.testing.verbatim the text of moongate.lua, instead of a table
---@field scripts? table<string, string|moongate.testing.verbatim> Lua files: name and content
---@field files? table<string, string> other files
---@field args? string[] further arguments for `moongate run`
---@field env? table<string, string|false>
---@field defaults? boolean false leaves the configuration exactly as it is
---@field name? string as the transcript calls it

---Splits what the test wrote into configuration and the kit's own keys.
---@param config? table|moongate.testing.verbatim
---@param opts? moongate.testing.proxy_options
---@return table|nil data nil when there is none
---@return moongate.testing.proxy_options kit
function configuration.split(config, opts)
  local data, kit, has_data = {}, {}, false
  if inline.is_verbatim(config) then config = { source = config } end
  for key, value in pairs(config or {}) do
    if kit_keys[key] then
      kit[key] = value
    else
      data[key], has_data = value, true
    end
  end
  for key, value in pairs(opts or {}) do
    if not kit_keys[key] then failure.raise("misuse", "'%s' is not an option of a proxy", tostring(key)) end
    kit[key] = value
  end
  return has_data and data or nil, kit
end

---What stands in a configuration unless the test says otherwise. Written as Lua, since it must also complete
---configurations that exist only as source.
local DEFAULTS = [[
if type(config) == "table" then
  config.workers = config.workers or 1
  config.script_path = config.script_path or { ".", scripts }
  config.error_log = config.error_log or { level = "debug" }
  config.access_log = config.access_log or { format = "json", path = "access.log" }
  -- A proxy must end soon after a scenario, whatever a stuck origin may hold.
  config.timeouts = config.timeouts or {}
  config.timeouts.drain = config.timeouts.drain or "3s"
  config.listeners = config.listeners or { { bind = "127.0.0.1:0" } }
  if not config.sites and config.upstreams then
    local name = next(config.upstreams)
    if name and not next(config.upstreams, name) then config.sites = { { routes = { { upstream = name } } } } end
  end
end
return config
]]

---Puts parts of one configuration in the place of those of another: tables with names are merged, lists are replaced.
local MERGE = [[
local function merge(into, from)
  for key, value in pairs(from) do
    if type(value) == "table" and type(into[key]) == "table" and value[1] == nil and into[key][1] == nil then
      merge(into[key], value)
    else
      into[key] = value
    end
  end
end
]]

---Source that takes a configuration of the project and replaces parts of it.
local function adapted(file, data)
  local path = files.real_path(file)
  if not path then failure.raise("misuse", "there is no configuration file '%s'", file) end
  return ("local config = dofile(%q)\n%smerge(config, %s)\nreturn config"):format(path, MERGE, data)
end

---The text of moongate.lua. What the test wrote as source keeps its line numbers.
---@param data? table
---@param kit moongate.testing.proxy_options
---@return string
function configuration.text(data, kit)
  local source = kit.source
  if inline.is_verbatim(source) then source = source.source end
  if not source then
    local ok, text = pcall(inline.text, data or {})
    if not ok then failure.raise("misuse", "configuration: %s", text) end
    source = kit.file and adapted(kit.file, text) or "return " .. text
  end
  if kit.defaults == false then return source end
  -- On the first line, before the source, so that its lines keep their numbers.
  local scripts = files.real_path "scripts"
  return ("local function written() %s\nend\nlocal config = written()\nlocal scripts = %s\n%s"):format(
    source, scripts and ("%q"):format(scripts) or "nil", DEFAULTS)
end

return configuration
