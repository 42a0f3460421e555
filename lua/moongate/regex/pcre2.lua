---PCRE2 as moongate.regex calls it: compiling, running, and what its answers mean. Nothing here is cached.
local ffi = require "ffi"
local libraries = require "moongate.internal.libraries"

local pcre2 = {}

ffi.cdef [[
struct pcre2_real_code_8 *pcre2_compile_8(const char *pattern, size_t n, uint32_t options, int *error, size_t *at,
                                          struct pcre2_real_compile_context_8 *context);
int pcre2_jit_compile_8(struct pcre2_real_code_8 *code, uint32_t options);
void pcre2_code_free_8(struct pcre2_real_code_8 *code);
int pcre2_pattern_info_8(const struct pcre2_real_code_8 *code, uint32_t what, void *where);
int pcre2_get_error_message_8(int code, char *out, size_t size);

struct pcre2_real_compile_context_8 *pcre2_compile_context_create_8(void *general);
int pcre2_set_max_pattern_length_8(struct pcre2_real_compile_context_8 *context, size_t n);

struct pcre2_real_match_context_8 *pcre2_match_context_create_8(void *general);
void pcre2_match_context_free_8(struct pcre2_real_match_context_8 *context);
int pcre2_set_match_limit_8(struct pcre2_real_match_context_8 *context, uint32_t limit);
int pcre2_set_heap_limit_8(struct pcre2_real_match_context_8 *context, uint32_t kilobytes);
struct pcre2_real_jit_stack_8 *pcre2_jit_stack_create_8(size_t first, size_t most, void *general);
void pcre2_jit_stack_free_8(struct pcre2_real_jit_stack_8 *stack);
void pcre2_jit_stack_assign_8(struct pcre2_real_match_context_8 *context, void *ask, void *stack);

struct pcre2_real_match_data_8 *pcre2_match_data_create_from_pattern_8(const struct pcre2_real_code_8 *code,
                                                                       void *general);
void pcre2_match_data_free_8(struct pcre2_real_match_data_8 *data);
ptrdiff_t *pcre2_get_ovector_pointer_8(struct pcre2_real_match_data_8 *data);
size_t pcre2_get_startchar_8(struct pcre2_real_match_data_8 *data);
int pcre2_match_8(const struct pcre2_real_code_8 *code, const char *subject, size_t n, size_t start, uint32_t options,
                  struct pcre2_real_match_data_8 *data, struct pcre2_real_match_context_8 *context);
]]

local C = libraries.load("libpcre2-8.so.0", "libpcre2-8.so")

pcre2.run = C.pcre2_match_8

local NEVER_BACKSLASH_C, UTF = 0x00100000, 0x00080000
local JIT_COMPLETE = 1
local INFO_ALL_OPTIONS, INFO_GROUPS, INFO_JIT_SIZE, INFO_SIZE = 0, 4, 10, 22
local INFO_NAMES, INFO_NAME_SIZE, INFO_NAME_TABLE = 17, 18, 19

local NO_MATCH, UTF_FIRST, UTF_LAST, BAD_UTF_OFFSET = -1, -3, -23, -36
local LIMITS = { [-46] = true, [-47] = true, [-53] = true, [-63] = true }

---Longest pattern in bytes, most memory of one match in kilobytes, most stack of compiled code.
local PATTERN_MOST, HEAP_MOST, STACK_MOST = 65536, 20480, 1024 * 1024

---What the flags of scripts are in PCRE2; `u` is UTF-8 with Unicode's classes of characters.
local FLAGS = { i = 0x00000008, m = 0x00000400, s = 0x00000020, x = 0x00000080, u = 0x00080000 + 0x00020000 }

pcre2.NO_MATCH = NO_MATCH

-- All matches of a worker run on this stack, one after the other.
local stack = C.pcre2_jit_stack_create_8(32 * 1024, STACK_MOST, nil)
if stack ~= nil then stack = ffi.gc(stack, C.pcre2_jit_stack_free_8) end

local compile_context = C.pcre2_compile_context_create_8(nil)
C.pcre2_set_max_pattern_length_8(compile_context, PATTERN_MOST)

---The bits of flags; nil and the letter that is none.
---@param flags string
---@return integer?
---@return string? wrong
function pcre2.options(flags)
  local options, seen = NEVER_BACKSLASH_C, {}
  for i = 1, #flags do
    local letter = flags:sub(i, i)
    if not FLAGS[letter] then return nil, letter end
    if not seen[letter] then options = options + FLAGS[letter] end
    seen[letter] = true
  end
  return options
end

local function message_of(code)
  local out = ffi.new "char[256]"
  local n = C.pcre2_get_error_message_8(code, out, 256)
  return n > 0 and ffi.string(out, n) or "error " .. code
end

local function number_info(code, what, kind)
  local out = ffi.new(kind or "uint32_t[1]")
  C.pcre2_pattern_info_8(code, what, out)
  return tonumber(out[0])
end

---Names of groups and their numbers, in the order of the table that PCRE2 keeps.
local function names_of(code)
  local names, numbers = {}, {}
  local count, size = number_info(code, INFO_NAMES), number_info(code, INFO_NAME_SIZE)
  local entries = ffi.new "const uint8_t *[1]"
  C.pcre2_pattern_info_8(code, INFO_NAME_TABLE, entries)
  for i = 0, count - 1 do
    local entry = entries[0] + i * size
    numbers[i + 1] = entry[0] * 256 + entry[1]
    names[i + 1] = ffi.string(entry + 2)
  end
  return names, numbers
end

---A compiled pattern: `code`, `data` and its `ovector`, `groups`, `names` and their `numbers`, `utf`, `size` in bytes.
---@param pattern string
---@param options integer
---@return table?
---@return string? message
function pcre2.compile(pattern, options)
  local why, at = ffi.new "int[1]", ffi.new "size_t[1]"
  local code = C.pcre2_compile_8(pattern, #pattern, options, why, at, compile_context)
  if code == nil then return nil, ("%s at byte %d"):format(message_of(why[0]), tonumber(at[0]) + 1) end
  code = ffi.gc(code, C.pcre2_code_free_8)
  -- What cannot be compiled (where memory may not be executable) is interpreted, under the same limits.
  C.pcre2_jit_compile_8(code, JIT_COMPLETE)
  local data = ffi.gc(C.pcre2_match_data_create_from_pattern_8(code, nil), C.pcre2_match_data_free_8)
  local names, numbers = names_of(code)
  return {
    code = code, data = data, ovector = C.pcre2_get_ovector_pointer_8(data), names = names, numbers = numbers,
    groups = number_info(code, INFO_GROUPS),
    utf = bit.band(number_info(code, INFO_ALL_OPTIONS), UTF) ~= 0,
    size = number_info(code, INFO_SIZE, "size_t[1]") + number_info(code, INFO_JIT_SIZE, "size_t[1]"),
  }
end

---What a match may use up.
---@param limit integer steps of the matcher
---@return ffi.cdata*
function pcre2.context(limit)
  local context = ffi.gc(C.pcre2_match_context_create_8(nil), C.pcre2_match_context_free_8)
  C.pcre2_set_match_limit_8(context, limit)
  C.pcre2_set_heap_limit_8(context, HEAP_MOST)
  C.pcre2_jit_stack_assign_8(context, nil, stack)
  return context
end

---What an answer of `run` that is no match means.
---@param rc integer
---@param data ffi.cdata*
---@return nil
---@return string? message nil when there was just no match
---@return string? code
function pcre2.failure(rc, data)
  if rc == NO_MATCH then return nil end
  if LIMITS[rc] then return nil, "match limit", "limit" end
  if rc <= UTF_FIRST and rc >= UTF_LAST then
    return nil, ("the text is not UTF-8 at byte %d"):format(tonumber(C.pcre2_get_startchar_8(data)) + 1), "utf"
  end
  if rc == BAD_UTF_OFFSET then return nil, "the start lies inside a character", "utf" end
  return nil, message_of(rc), "internal"
end

return pcre2
