---What the specs of modules share.
local support = {}

---Says `it` twice: with the compiler, after enough rounds that it has compiled the code, and without it.
---@param sentence string
---@param fn fun()
function support.both_ways(sentence, fn)
  local busted = require "busted"
  busted.it(sentence .. " (compiled)", function()
    jit.flush()
    for _ = 1, 150 do fn() end
  end)
  busted.it(sentence .. " (interpreted)", function()
    jit.off()
    local ok, why = pcall(fn)
    jit.on()
    if not ok then error(why, 0) end
  end)
end

---The line in the specs at which an error is said to be, and its text; fails when there is none.
---@param fn fun()
---@return string file
---@return string text
function support.misuse(fn)
  local ok, why = pcall(fn)
  if ok then error("no error was raised", 2) end
  local file, text = tostring(why):match "([%w_]+%.lua):%d+: (.*)"
  return file, text or tostring(why)
end

return support
