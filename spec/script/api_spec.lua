---What follows from core/script/api.h is up to date, and the text keeps to the rules that make it usable.

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

---Runs the generator in a copy of the few files it reads and writes.
local function generate(folder)
  assert(os.execute(("mkdir -p %s/tools %s/core/script %s/lua/moongate/internal %s/lua/moongate/types"):gsub("%%s",
    folder)) == 0)
  assert(os.execute(("cp tools/gen-api %s/tools/ && cp core/script/api.h %s/core/script/"):gsub("%%s", folder)) == 0)
  assert(os.execute(folder .. "/tools/gen-api lua") == 0)
end

describe("core/script/api.h", function()
  local folder

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    generate(folder)
  end)

  teardown(function() os.execute("rm -rf " .. folder) end)

  for _, path in ipairs { "lua/moongate/internal/api.lua", "lua/moongate/types/api.lua" } do
    it("is what " .. path .. " was made of (run make api)", function()
      assert.equal(read(folder .. "/" .. path), read(path))
    end)
  end

  it("is text that LuaJIT's parser takes", function()
    local ffi = require "ffi"
    ffi.cdef(dofile(folder .. "/lua/moongate/internal/api.lua").cdef)
    assert.is_true(ffi.sizeof("mg_text") > 0)
  end)

  it("passes no struct by value and no callback, and takes no variable arguments", function()
    local declarations = read("core/script/api.h"):gsub("/%*.-%*/", "")
    for line in declarations:gmatch "(mg_api_[%w_]+%b())" do
      local arguments = line:match "%((.*)%)"
      assert.is_nil(arguments:find("...", 1, true), line)
      assert.is_nil(arguments:find("(", 1, true), line)
      assert.is_nil(arguments:find "mg_text%s+[^*]", line)
    end
  end)

  it("exports every function to the linker", function()
    local list = os.tmpname()
    assert(os.execute("tools/gen-api exports " .. list) == 0)
    local exports = read(list)
    os.remove(list)
    for name in read("core/script/api.h"):gsub("/%*.-%*/", ""):gmatch "[%s*](mg_api_[%w_]+)%(" do
      assert.is_not_nil(exports:find("    " .. name .. ";", 1, true), name)
    end
  end)

  it("describes every field that it gives a type", function()
    for line in read("lua/moongate/types/api.lua"):gmatch "%-%-%-@field [^\n]+" do
      assert.is_not_nil(line:match "^%-%-%-@field [%w_]+%?? .-[%w?>%]] [%u\"].*%.$", line)
    end
  end)
end)
