---Checks of what public functions are given. What is wrong is an error at the line of the script that called them,
---so these must be called by the public function itself, and not as a tail call.
local arguments = {}

local PUBLIC_CALLER = 3

local function article(value)
  return value == nil and "nil" or "a " .. type(value)
end

---@param value any
---@param what string the function and its argument, as in "crypto.digest takes a text"
function arguments.text(value, what)
  if type(value) ~= "string" then error(("%s, not %s"):format(what, article(value)), PUBLIC_CALLER) end
end

---@param value any
---@param what string
function arguments.optional_text(value, what)
  if value ~= nil and type(value) ~= "string" then
    error(("%s, not %s"):format(what, article(value)), PUBLIC_CALLER)
  end
end

---@param value any
---@param what string
function arguments.table(value, what)
  if type(value) ~= "table" then error(("%s, not %s"):format(what, article(value)), PUBLIC_CALLER) end
end

---@param value any
---@param least number
---@param most number
---@param what string
function arguments.integer(value, least, most, what)
  if type(value) ~= "number" then error(("%s, not %s"):format(what, article(value)), PUBLIC_CALLER) end
  if value % 1 ~= 0 or value < least or value > most then
    error(("%s from %.0f to %.0f, not %s"):format(what, least, most, tostring(value)), PUBLIC_CALLER)
  end
end

---Refuses keys that an options table does not know.
---@param options any a table, or nil
---@param known table<string, true>
---@param what string the function that takes them
function arguments.options(options, known, what)
  if options == nil then return end
  if type(options) ~= "table" then
    error(("%s takes a table of options, not %s"):format(what, article(options)), PUBLIC_CALLER)
  end
  for name in pairs(options) do
    if not known[name] then error(("%s has no option '%s'"):format(what, tostring(name)), PUBLIC_CALLER) end
  end
end

return arguments
