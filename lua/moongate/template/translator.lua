---Templates to Lua, line for line, so that errors bear the template's own lines without any table of lines.
---
---     <b>{{ name }}</b>        __o[#__o+1]=__t[1];__o[#__o+1]=__e( name );__o[#__o+1]=__t[2];
---
---`__o` is the list of what is written, `__t` the texts between tags, `__e` escapes, `__r` does not.
local translator = {}

local TAGS = { ["{{{"] = "}}}", ["{{"] = "}}", ["{%"] = "%}", ["{#"] = "#}" }
local WRITERS = { ["{{{"] = "__r", ["{{"] = "__e" }

local function line_of(source, at)
  local _, breaks = source:sub(1, at - 1):gsub("\n", "")
  return breaks + 1
end

local function fail(state, at, message)
  error({ template = ("%s:%d: %s"):format(state.name, line_of(state.source, at), message) }, 0)
end

---The end of a quoted or long text that begins at `at`; nil where none begins.
local function skip_text(source, at)
  local quote = source:match("^[\"']", at)
  if quote then
    repeat
      at = source:find("[\\\n" .. quote .. "]", at + 1)
      local mark = at and source:sub(at, at)
      if mark == "\\" then at = at + 1 end
    until not at or mark ~= "\\"
    return at or #source
  end
  local level = source:match("^%[(=*)%[", at)
  if not level then return nil end
  local _, stop = source:find("]" .. level .. "]", at, true)
  return stop or #source
end

---The Lua inside a tag, without its comments (which would swallow what follows on their line), and where the tag ends.
local function read_code(state, start, close)
  local source, parts, at, from, depth = state.source, {}, start, start, 0
  while at <= #source do
    if depth == 0 and source:sub(at, at + #close - 1) == close then
      parts[#parts + 1] = source:sub(from, at - 1)
      return table.concat(parts), at + #close
    end
    local mark = source:sub(at, at)
    local stop = skip_text(source, at)
    if stop then
      at = stop
    elseif source:find("^%-%-", at) then
      parts[#parts + 1] = source:sub(from, at - 1)
      local long = skip_text(source, at + 2)
      if long and source:sub(at + 2, at + 2) == "[" then
        local _, breaks = source:sub(at, long):gsub("\n", "")
        parts[#parts + 1] = " " .. ("\n"):rep(breaks)
        at = long
      else
        local line_end, tag_end = source:find("\n", at, true), source:find(close, at, true)
        at = math.min(line_end or #source + 1, tag_end or #source + 1) - 1
      end
      from = at + 1
    elseif mark == "{" then
      depth = depth + 1
    elseif mark == "}" then
      depth = math.max(0, depth - 1)
    end
    at = at + 1
  end
  fail(state, start, ("'%s' is missing"):format(close))
end

local function check_names(state, at, code)
  if code:find "%f[%w_]__" then fail(state, at, "names that begin with '__' belong to the template engine") end
end

---Expressions are compiled alone first, so that what is wrong is said about them and not about what is made of them.
local function check_expression(state, at, code)
  local chunk, why = loadstring("return " .. code, "=x")
  if not chunk then fail(state, at, (why:gsub("^x:%d+: ", ""))) end
  if not code:find "%S" then fail(state, at, "an expression is missing") end
end

---Where a block or a comment has a line of its own, that line is not written.
---@param after integer where the tag ends
---@return integer? length of the text before the tag that stays
---@return integer? at behind the line
local function own_line(source, text, after)
  local stop = source:match("^[ \t]*\r?\n()", after) or source:match("^[ \t]*()$", after)
  local kept = text:match "^.*\n()[ \t]*$" or text:match "^()[ \t]*$"
  if not stop or not kept then return nil end
  return kept - 1, stop
end

local function put_text(state, text, whole)
  local out = state.out
  if text ~= "" then
    state.texts[#state.texts + 1] = text
    out[#out + 1] = ("__o[#__o+1]=__t[%d];"):format(#state.texts)
  end
  local _, breaks = whole:gsub("\n", "")
  out[#out + 1] = ("\n"):rep(breaks)
end

---What a block or a comment leaves of the text before it and the line behind it.
---@param code string the block; of a comment only the line breaks count
---@return integer at where to go on
local function end_line(state, text, after, code)
  local kept, behind = own_line(state.source, (state.fresh or text:find "\n") and text or "x", after)
  put_text(state, kept and text:sub(1, kept) or text, text)
  if code:sub(1, 2) == "{#" then
    put_text(state, "", code)
  else
    state.out[#state.out + 1] = " " .. code .. " "
  end
  put_text(state, "", state.source:sub(after, (behind or after) - 1))
  state.fresh = kept ~= nil
  return behind or after
end

---@param at integer where the tag begins
---@return integer at behind the tag, or behind its line
local function translate_tag(state, text, at, open)
  local source, close, start = state.source, TAGS[open], at + #open
  if open == "{#" then
    local _, stop = source:find(close, start, true)
    if not stop then fail(state, at, "'#}' is missing") end
    return end_line(state, text, stop + 1, source:sub(at, stop))
  end
  local code, after = read_code(state, start, close)
  check_names(state, at, code)
  if open ~= "{%" then
    check_expression(state, at, code)
    put_text(state, text, text)
    state.out[#state.out + 1] = ("__o[#__o+1]=%s(%s);"):format(WRITERS[open], code)
    state.fresh = false
    return after
  end
  return end_line(state, text, after, code)
end

local function translate(state)
  local source, at = state.source, 1
  while true do
    local open_at = source:find("{[{%%#]", at)
    if not open_at then break end
    local open = source:match("^{{{", open_at) or source:sub(open_at, open_at + 1)
    at = translate_tag(state, source:sub(at, open_at - 1), open_at, open)
  end
  put_text(state, source:sub(at), source:sub(at))
  return table.concat(state.out)
end

---Lua for a template, and the texts that it writes.
---@param source string
---@param name string as it appears in messages
---@return string? code
---@return string[]|string texts or a message
function translator.translate(source, name)
  -- `fresh`: the text that comes next begins a line.
  local state = { source = source, name = name, out = { "local __o,__t,__e,__r=...;" }, texts = {}, fresh = true }
  local ok, code = pcall(translate, state)
  if ok then return code, state.texts end
  if type(code) == "table" and code.template then return nil, code.template end
  error(code, 0)
end

return translator
