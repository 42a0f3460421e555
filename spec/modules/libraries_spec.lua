local libraries = require "moongate.internal.libraries"

---Runs Lua in a process of its own, where nothing else keeps a library loaded.
local function run(source)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(source)
  file:close()
  local status = os.execute("luajit " .. name)
  os.remove(name)
  return status
end

describe("moongate.internal.libraries", function()
  it("keeps libraries whose objects live longer than the modules that made them", function()
    assert.equal(0, run [[
      local crypto, regex = require "moongate.crypto", require "moongate.regex"
      kept = {}
      for i = 1, 50 do
        kept[i] = {
          crypto.generate_key "ed25519", crypto.hasher "sha256", crypto.hmac_hasher("sha256", "k"),
          crypto.cipher("aes-128-gcm", ("k"):rep(16)), regex.compile("a" .. i),
        }
        regex.match("aaa", "^(a+)+$")
      end
      crypto, regex = nil, nil
      for name in pairs(package.loaded) do
        if name:find "^moongate" then package.loaded[name] = nil end
      end
      for round = 1, 4 do
        if round == 3 then kept = nil end
        collectgarbage()
      end
    ]])
  end)

  it("takes the first that is there, and names all when there is none", function()
    assert.is_truthy(libraries.load("libnowhere.so.1", "libcrypto.so.3"))
    local ok, why = pcall(libraries.load, "libnowhere.so.1", "libneither.so.2")
    assert.is_false(ok)
    assert.is_truthy(why:find("libnowhere.so.1, libneither.so.2", 1, true))
  end)
end)
