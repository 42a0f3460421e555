---Regular expressions: PCRE2, compiled to machine code, kept, and bounded: a pattern that would run for ever on some
---text ends with nil and "match limit".
---
---     local regex = require "moongate.regex"
---     local date = assert(regex.compile([[^(?<year>\d{4})-(?<month>\d\d)$]]))
---     local m = date:match "2026-11"        → { [0] = "2026-11", "2026", "11", year = "2026", month = "11" }
---     regex.gsub("a1b22", [[\d+]], "<$0>")  → "a<1>b<22>", 2
---
---Flags are letters: `i` letter case does not matter, `m` ^ and $ match at each line, `s` the dot matches line breaks
---too, `x` blanks and comments in the pattern are ignored, `u` pattern and text are UTF-8.
---
---No match is nil alone. What else may happen is nil, a message and a code: "pattern" (the pattern is wrong), "limit"
---(the match took too many steps), "utf" (with `u`, the text is not UTF-8).
local arguments = require "moongate.internal.arguments"
local caches = require "moongate.internal.bounded_cache"
local pcre2 = require "moongate.regex.pcre2"

local regex = {}

local run, failure = pcre2.run, pcre2.failure
local NO_MATCH = pcre2.NO_MATCH
local concat, sub = table.concat, string.sub

local ANCHORED, NO_UTF_CHECK, NOT_EMPTY_AT_START = 0x80000000, 0x40000000, 0x00000008
---Steps of one match: one or two milliseconds of compiled code.
local LIMIT = 1000000
local KEPT = 512
---Memory of patterns is not seen by the collector; after this much of it we ask it to look.
local COLLECT_AFTER = 16 * 1024 * 1024

---A compiled pattern.
---@class moongate.regex.pattern
---@field pattern string
---@field flags string
---@field groups integer how many groups it has
---@field names string[] of groups
---@field private code ffi.cdata*
---@field private data ffi.cdata*
---@field private ovector ffi.cdata*
---@field private context ffi.cdata*
---@field private numbers integer[]
---@field private utf boolean
local methods = {}
local Pattern = { __index = methods, __metatable = "moongate.regex.pattern" }

---What matched: [0] is the whole, [1] and so on the groups, names the named ones; false where a group took no part.
---@alias moongate.regex.captures table<integer|string, string|false>

-- Compiling -----------------------------------------------------------------------------------------------------------

local kept = caches.new(KEPT)
local default_context = pcre2.context(LIMIT)
local uncollected = 0

local function note_size(size)
  uncollected = uncollected + size
  if uncollected > COLLECT_AFTER then
    uncollected = 0
    collectgarbage()
  end
end

---Flags that do not exist are blamed on the caller of the public function that calls this.
local function compile(pattern, flags, limit)
  local room = limit and flags .. "/" .. limit or flags
  local found = kept:get(room, pattern)
  if found then return found end
  local options, wrong = pcre2.options(flags)
  if not options then
    error(("there is no flag '%s' of regular expressions; there are i, m, s, x and u"):format(wrong), 3)
  end
  local made, message = pcre2.compile(pattern, options)
  if not made then return nil, message, "pattern" end
  note_size(made.size)
  made.pattern, made.flags = pattern, flags
  made.context = limit and pcre2.context(limit) or default_context
  found = setmetatable(made, Pattern)
  kept:put(room, pattern, found)
  return found
end

local COMPILE_OPTIONS = { limit = true }

---A compiled pattern; those asked for lately are kept, so that asking again costs nothing.
---@param pattern string
---@param flags? string
---@param options? { limit?: integer } how many steps a match may take, 1,000,000 unless given
---@return moongate.regex.pattern?
---@return string? message
---@return string? code "pattern"
function regex.compile(pattern, flags, options)
  arguments.text(pattern, "regex.compile takes a pattern")
  arguments.optional_text(flags, "regex.compile takes flags as text")
  local limit
  if options ~= nil then
    arguments.options(options, COMPILE_OPTIONS, "regex.compile")
    limit = options.limit
    if limit then arguments.integer(limit, 1, 2 ^ 31, "regex.compile: limit is a number") end
  end
  local found, message, code = compile(pattern, flags or "", limit)
  return found, message, code
end

---How many compiled patterns are kept, 512 at first.
---@param limit? integer the new bound
---@return integer kept right now
---@return integer limit
function regex.cache_size(limit)
  if limit ~= nil then
    arguments.integer(limit, 0, 1e6, "regex.cache_size takes a number")
    kept:bound(limit)
  end
  return kept.count, kept.limit
end

-- Matching ------------------------------------------------------------------------------------------------------------

---What matched last, taken out of PCRE2's memory before anything else can match.
local function captures_of(self, subject)
  local ovector, count = self.ovector, self.groups
  local captures = { [0] = sub(subject, tonumber(ovector[0]) + 1, tonumber(ovector[1])) }
  for i = 1, count do
    local first, last = tonumber(ovector[2 * i]), tonumber(ovector[2 * i + 1]) -- -1 when it took no part
    captures[i] = first >= 0 and sub(subject, first + 1, last)
  end
  local names, numbers = self.names, self.numbers
  for i = 1, #names do captures[names[i]] = captures[names[i]] or captures[numbers[i]] end
  return captures
end

local function check_start(subject, start, what)
  if type(subject) ~= "string" then error(("%s takes a text, not a %s"):format(what, type(subject)), 3) end
  if start == nil then return 0 end
  if type(start) ~= "number" or start < 1 or start % 1 ~= 0 then
    error(("%s: the start is a number from 1, not %s"):format(what, tostring(start)), 3)
  end
  return start - 1
end

---What the first match holds.
---@param subject string
---@param start? integer the byte to begin at, 1 unless given
---@return moongate.regex.captures? captures nil when nothing matches
---@return string? message
---@return string? code
function methods:match(subject, start)
  local at = check_start(subject, start, "pattern:match")
  if at > #subject then return nil end
  local rc = run(self.code, subject, #subject, at, 0, self.data, self.context)
  if rc < 0 then return failure(rc, self.data) end
  return captures_of(self, subject)
end

---Where the first match is.
---@param subject string
---@param start? integer
---@return integer? first nil when nothing matches
---@return integer|string|nil last of its bytes, before `first` when it is empty; or a message
---@return moongate.regex.captures|string|nil captures or a code
function methods:find(subject, start)
  local at = check_start(subject, start, "pattern:find")
  if at > #subject then return nil end
  local rc = run(self.code, subject, #subject, at, 0, self.data, self.context)
  if rc < 0 then return failure(rc, self.data) end
  return tonumber(self.ovector[0]) + 1, tonumber(self.ovector[1]), captures_of(self, subject)
end

---Whether it matches: cheaper than the others, since nothing is taken out.
---@param subject string
---@param start? integer
---@return boolean? matches nil when it could not be found out
---@return string? message
---@return string? code
function methods:test(subject, start)
  local at = check_start(subject, start, "pattern:test")
  if at > #subject then return false end
  local rc = run(self.code, subject, #subject, at, 0, self.data, self.context)
  if rc >= 0 then return true end
  if rc == NO_MATCH then return false end
  return failure(rc, self.data)
end

-- One match after the other -------------------------------------------------------------------------------------------

local function next_character(self, subject, at)
  at = at + 1
  if self.utf then
    while at < #subject and bit.band(subject:byte(at + 1), 0xC0) == 0x80 do at = at + 1 end
  end
  return at
end

---The next match from offset `at`. After an empty one the same place may hold another that is not empty (as in Perl).
---@param checked integer 0 for the first match, then NO_UTF_CHECK
local function step(self, subject, at, was_empty, checked)
  if was_empty then
    local rc = run(self.code, subject, #subject, at, ANCHORED + NOT_EMPTY_AT_START + checked, self.data, self.context)
    if rc ~= NO_MATCH then return rc end
    if at >= #subject then return NO_MATCH end
    at = next_character(self, subject, at)
  end
  return run(self.code, subject, #subject, at, checked, self.data, self.context)
end

---Where the last match began and ended, and whether it is empty. (`\K` may put its beginning behind its end.)
local function span(self)
  local first, last = tonumber(self.ovector[0]), tonumber(self.ovector[1])
  if first > last then first = last end
  return first, last, first == last
end

local function iterate(state)
  local self, subject = state.pattern, state.subject
  local rc = step(self, subject, state.at, state.empty, state.checked)
  if rc < 0 then
    if rc == NO_MATCH then return nil end
    local _, message = failure(rc, self.data)
    error("pattern:gmatch: " .. message, 2)
  end
  local _
  _, state.at, state.empty = span(self)
  state.checked = NO_UTF_CHECK
  return captures_of(self, subject)
end

---Goes through all matches. As a loop has no place for a message, a match that fails is an error there.
---@param subject string
---@return fun(state: table): moongate.regex.captures?
---@return table state
function methods:gmatch(subject)
  check_start(subject, nil, "pattern:gmatch")
  return iterate, { pattern = self, subject = subject, at = 0, empty = false, checked = 0 }
end

local function has_group(self, group)
  if type(group) == "number" then return group <= self.groups end
  for i = 1, #self.names do
    if self.names[i] == group then return true end
  end
  return false
end

---Pieces of a replacement: texts, and names or numbers of groups in tables.
local function pieces_of(self, replacement)
  local pieces, at = {}, 1
  while true do
    local mark = replacement:find("$", at, true)
    pieces[#pieces + 1] = sub(replacement, at, (mark or 0) - 1)
    if not mark then return pieces end
    local name, after = replacement:match("^(%d%d?)()", mark + 1)
    if not name then name, after = replacement:match("^{([%w_]+)}()", mark + 1) end
    if name then
      local group = tonumber(name) or name
      if not has_group(self, group) then return nil, ("the pattern has no group '%s'"):format(name) end
      pieces[#pieces + 1] = { group }
    elseif sub(replacement, mark + 1, mark + 1) == "$" then
      pieces[#pieces + 1], after = "$", mark + 2
    else
      return nil, "'$' is followed by the number of a group, {name} or another '$'"
    end
    at = after
  end
end

---@return string|false|nil text false and nil keep what matched
local function replaced(replacement, pieces, captures)
  if type(replacement) == "function" then return replacement(captures) end
  if type(replacement) == "table" then
    local first = captures[1]
    if first == nil then first = captures[0] end
    return replacement[first]
  end
  local parts = {}
  for i = 1, #pieces do
    local piece = pieces[i]
    parts[i] = type(piece) == "table" and (captures[piece[1]] or "") or piece
  end
  return concat(parts)
end

local function check_replacement(self, replacement)
  local kind = type(replacement)
  if kind == "function" or kind == "table" then return nil end
  if kind ~= "string" then
    error("pattern:gsub takes a text, a function or a table as replacement, not a " .. kind, 3)
  end
  local pieces, message = pieces_of(self, replacement)
  if not pieces then error("pattern:gsub: " .. message, 3) end
  return pieces
end

---Replaces matches. A text may name groups: `$1`, `${name}`, `$0` for the whole, `$$` for a dollar. A function gets the
---captures, may wait, and returns the text; a table is asked for the first group, or the whole. False or nil keeps it.
---@param subject string
---@param replacement string|fun(captures: moongate.regex.captures): (string|number|false|nil)|table<string, string>
---@param most? integer how many at most
---@return string? text
---@return integer|string count how many, or a message
---@return string? code
function methods:gsub(subject, replacement, most)
  check_start(subject, nil, "pattern:gsub")
  local pieces = check_replacement(self, replacement)
  local out, copied, at, empty, count, checked = {}, 0, 0, false, 0, 0
  while not most or count < most do
    local rc = step(self, subject, at, empty, checked)
    if rc == NO_MATCH then break end
    if rc < 0 then return failure(rc, self.data) end
    local first
    first, at, empty = span(self)
    checked, count = NO_UTF_CHECK, count + 1
    local text = replaced(replacement, pieces, captures_of(self, subject)) or sub(subject, first + 1, at)
    if type(text) ~= "string" and type(text) ~= "number" then
      error("pattern:gsub: the replacement must be a text, not a " .. type(text), 2)
    end
    out[#out + 1] = sub(subject, copied + 1, first)
    out[#out + 1] = text
    copied = at
  end
  if count == 0 then return subject, 0 end
  out[#out + 1] = sub(subject, copied + 1)
  return concat(out), count
end

---The pieces between matches; empty matches divide characters.
---@param subject string
---@param most? integer how many pieces at most; the last holds the rest
---@return string[]? pieces
---@return string? message
---@return string? code
function methods:split(subject, most)
  check_start(subject, nil, "pattern:split")
  local pieces, copied, at, empty, checked = {}, 0, 0, false, 0
  while not most or #pieces + 1 < most do
    local rc = step(self, subject, at, empty, checked)
    if rc == NO_MATCH then break end
    if rc < 0 then return failure(rc, self.data) end
    local first
    first, at, empty = span(self)
    checked = NO_UTF_CHECK
    -- An empty match at either end divides nothing.
    if not empty or (first > copied and first < #subject) then
      pieces[#pieces + 1] = sub(subject, copied + 1, first)
      copied = at
    end
  end
  pieces[#pieces + 1] = sub(subject, copied + 1)
  return pieces
end

-- With the pattern as text --------------------------------------------------------------------------------------------

local function kept_pattern(pattern, flags, what)
  if type(pattern) ~= "string" then
    error(("%s takes a pattern after the text, not a %s"):format(what, type(pattern)), 3)
  end
  if flags ~= nil and type(flags) ~= "string" then
    error(("%s takes flags as text, not a %s"):format(what, type(flags)), 3)
  end
  return compile(pattern, flags or "") -- a tail call: the frame of this function is gone
end

---`pattern:match` with a pattern that is compiled and kept.
---@param subject string
---@param pattern string
---@param flags? string
---@return moongate.regex.captures? captures
---@return string? message
---@return string? code
function regex.match(subject, pattern, flags)
  arguments.text(subject, "regex.match takes a text")
  local found, message, code = kept_pattern(pattern, flags, "regex.match")
  if not found then return nil, message, code end
  return found:match(subject)
end

---`pattern:find` with a pattern that is compiled and kept.
---@param subject string
---@param pattern string
---@param flags? string
---@return integer? first
---@return integer|string|nil last or a message
---@return moongate.regex.captures|string|nil captures or a code
function regex.find(subject, pattern, flags)
  arguments.text(subject, "regex.find takes a text")
  local found, message, code = kept_pattern(pattern, flags, "regex.find")
  if not found then return nil, message, code end
  return found:find(subject)
end

---`pattern:test` with a pattern that is compiled and kept.
---@param subject string
---@param pattern string
---@param flags? string
---@return boolean? matches
---@return string? message
---@return string? code
function regex.test(subject, pattern, flags)
  arguments.text(subject, "regex.test takes a text")
  local found, message, code = kept_pattern(pattern, flags, "regex.test")
  if not found then return nil, message, code end
  return found:test(subject)
end

---`pattern:gmatch` with a pattern that is compiled and kept. A wrong pattern is an error.
---@param subject string
---@param pattern string
---@param flags? string
---@return fun(state: table): moongate.regex.captures?
---@return table state
function regex.gmatch(subject, pattern, flags)
  arguments.text(subject, "regex.gmatch takes a text")
  local found, message = kept_pattern(pattern, flags, "regex.gmatch")
  if not found then error("regex.gmatch: " .. message, 2) end
  return found:gmatch(subject)
end

---`pattern:gsub` with a pattern that is compiled and kept.
---@param subject string
---@param pattern string
---@param replacement string|fun(captures: moongate.regex.captures): (string|number|false|nil)|table<string, string>
---@param flags? string
---@return string? text
---@return integer|string count or a message
---@return string? code
function regex.gsub(subject, pattern, replacement, flags)
  arguments.text(subject, "regex.gsub takes a text")
  local found, message, code = kept_pattern(pattern, flags, "regex.gsub")
  if not found then return nil, message, code end
  return found:gsub(subject, replacement)
end

---`pattern:split` with a pattern that is compiled and kept.
---@param subject string
---@param pattern string
---@param flags? string
---@return string[]? pieces
---@return string? message
---@return string? code
function regex.split(subject, pattern, flags)
  arguments.text(subject, "regex.split takes a text")
  local found, message, code = kept_pattern(pattern, flags, "regex.split")
  if not found then return nil, message, code end
  return found:split(subject)
end

---The pattern that matches exactly this text.
---@param text string
---@return string pattern
function regex.escape(text)
  arguments.text(text, "regex.escape takes a text")
  local escaped = text:gsub("[%p%s%z]", function(character)
    return character == "\0" and "\\x00" or "\\" .. character
  end)
  return escaped
end

return regex
