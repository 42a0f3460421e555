---Errors that the kit raises: they blame the line of the test that called the kit, and have a kind, so that the kit can
---tell "the peer went away" from "that is not what was expected".

---@class moongate.testing.failure
---@field kind "mismatch"|"closed"|"reset"|"idle"|"refused"|"late"|"misuse"|"unexpected"
---@field message string begins with file:line of the test
local Failure = {}
Failure.__index = Failure

function Failure:__tostring()
  return self.message
end

local failure = {}

local here = debug.getinfo(1, "S").source:match "^(.*/)[^/]*$" or "@"

---@param source string
local function is_ours(source)
  return source:sub(1, #here) == here or source:match "moongate/testing%.lua$" ~= nil
end

---"file:line: " of the innermost caller outside the kit.
---@return string
local function blame()
  for level = 3, 200 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.what ~= "C" and info.currentline > 0 and not is_ours(info.source) then
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
  end
  return ""
end

---"file:line" where the test called the kit, for lists of who waits where.
---@return string
function failure.place()
  return (blame():gsub(": $", ""))
end

---Raises a failure that blames the test's line.
---@param kind string see moongate.testing.failure
---@param form string as for string.format
---@param ... any
function failure.raise(kind, form, ...)
  error(setmetatable({ kind = kind, message = blame() .. form:format(...) }, Failure), 0)
end

---The kind of an error that the kit raised; nil for any other error.
---@param err any
---@return string|nil
function failure.kind(err)
  return getmetatable(err) == Failure and err.kind or nil
end

return failure
