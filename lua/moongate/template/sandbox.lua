---What templates may use besides the values they are given, when they are not trusted: no files, no modules, no way to
---change anything that other templates see.
local sandbox = {}

local function frozen(from, names)
  local copy = {}
  for i = 1, #names do copy[names[i]] = from[names[i]] end
  return setmetatable({}, {
    __index = copy,
    __newindex = function() error("this table cannot be changed", 2) end,
    __metatable = false,
  })
end

---The globals of a sandboxed template.
---@return table
function sandbox.globals()
  return {
    ipairs = ipairs, pairs = pairs, select = select, tonumber = tonumber, tostring = tostring, type = type,
    unpack = unpack,
    math = frozen(math, { "abs", "ceil", "floor", "fmod", "huge", "max", "min", "modf", "pi", "pow", "sqrt" }),
    os = frozen(os, { "date", "time" }),
    string = frozen(string, {
      "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub", "upper",
    }),
    table = frozen(table, { "concat", "insert", "maxn", "remove", "sort" }),
  }
end

return sandbox
