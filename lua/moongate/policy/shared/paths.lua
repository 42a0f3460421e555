---Lists of paths as routes write them: "/exact", "/below/*" (and "/below" itself), "*" for all.
local paths = {}

local Paths = {}
Paths.__index = Paths

---A list of paths; raises what is wrong with it, for `setup`.
---@param given string[]
---@param place string what messages call the list
---@return table list
function paths.list(given, place)
  local list = setmetatable({ exact = {}, prefixes = {}, all = false }, Paths)
  for i, text in ipairs(given) do
    local prefix = text:match "^(/.*)/%*$" or text == "/*" and ""
    if text == "*" or prefix == "" then
      list.all = true
    elseif text:sub(1, 1) ~= "/" or (prefix or text):find("*", 1, true) then
      error(("%s[%d]: a path begins with '/' and may end in '/*', not '%s'"):format(place, i, text), 0)
    elseif prefix then
      list.prefixes[#list.prefixes + 1] = prefix .. "/"
      list.exact[prefix] = true
    else
      list.exact[text] = true
    end
  end
  return list
end

---Whether a path is in the list.
---@param path string
---@return boolean
function Paths:has(path)
  if self.all or self.exact[path] then return true end
  for i = 1, #self.prefixes do
    local prefix = self.prefixes[i]
    if path:sub(1, #prefix) == prefix then return true end
  end
  return false
end

return paths
