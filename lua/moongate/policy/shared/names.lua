---Names of header fields that options give.
local names = {}

---Written by the proxy alone.
local FRAMING = {
  ["content-length"] = true, ["transfer-encoding"] = true, connection = true, upgrade = true, te = true, trailer = true,
  ["keep-alive"] = true, host = true,
}

---Raises, for `setup`, unless a policy may write a field of that name.
---@param name string
---@param place string what messages call the option
function names.check(name, place)
  if not name:find "^[%w!#$%%&'*+%-.^_`|~]+$" then
    error(("%s: '%s' is not the name of a header"):format(place, name), 0)
  end
  if FRAMING[name:lower()] then error(("%s: '%s' is written by the proxy alone"):format(place, name), 0) end
end

return names
