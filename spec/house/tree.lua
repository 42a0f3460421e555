---The project's own files, as the house's specs look at them. All paths start at the root of the project.
local tree = {}

---@class spec.house.line
---@field number integer
---@field text string

---@param command string
---@return string[] lines
local function lines_of(command)
  local pipe = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

---All files whose name matches, sorted; what was built and what runs is left out.
---@param where string folders, with spaces between them
---@param names string a pattern for find's -name, or several with '|' between them
---@return string[]
function tree.files(where, names)
  local tests = {}
  for name in names:gmatch "[^|]+" do tests[#tests + 1] = ("-name '%s'"):format(name) end
  local find = "find %s \\( -name build -o -name .git -o -path ./run -o -name results \\) -prune -o -type f "
    .. "\\( %s \\) -print 2>/dev/null | sed 's|^\\./||' | LC_ALL=C sort"
  return lines_of(find:format(where, table.concat(tests, " -o ")))
end

---@param path string
---@return string
function tree.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

---@param path string
---@return boolean
function tree.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

---Lines of a text, without their ends.
---@param text string
---@return string[]
function tree.lines(text)
  local lines = {}
  for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  return lines
end

---C without its comments and the insides of its literals, line for line as long as before.
---@param text string
---@return string
function tree.bare_c(text)
  local out, at = {}, 1
  local function blank(to)
    out[#out + 1] = text:sub(at, to):gsub("[^\n]", " ")
    at = to + 1
  end
  while at <= #text do
    local start = text:find("[/\"']", at)
    if not start then break end
    out[#out + 1] = text:sub(at, start - 1)
    at = start
    local mark, pair = text:sub(at, at), text:sub(at, at + 1)
    if pair == "/*" then
      blank(select(2, text:find("*/", at + 2, true)) or #text)
    elseif pair == "//" then
      blank((text:find("\n", at, true) or #text + 1) - 1)
    elseif mark == "/" then
      out[#out + 1] = "/"
      at = at + 1
    else
      local stop = at + 1
      while stop <= #text and text:sub(stop, stop) ~= mark do
        stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      end
      blank(math.min(stop, #text))
    end
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

---Floors of the house, ground first, and the height of each.
---@return string[] names
---@return table<string, integer> heights
function tree.floors()
  local names, heights = {}, {}
  for line in io.lines "core/FLOORS" do
    local name = line:match "^(%l+)%s"
    if name then
      names[#names + 1] = name
      heights[name] = #names
    end
  end
  return names, heights
end

---Fails a spec with the list of what was found, if there is anything in it.
---@param found string[]
---@param rule string what is broken, for the message
function tree.assert_none(found, rule)
  if #found > 0 then error(("%s:\n  %s"):format(rule, table.concat(found, "\n  ")), 2) end
end

return tree
