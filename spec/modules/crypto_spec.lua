local crypto = require "moongate.crypto"
local support = dofile "spec/modules/support.lua"

local both_ways, misuse = support.both_ways, support.misuse
local hex = crypto.encode_hex
local function bytes(text) return assert(crypto.decode_hex((text:gsub("%s", "")))) end

local ABC = {
  md5 = "900150983cd24fb0d6963f7d28e17f72",
  sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
  sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  sha384 = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
  sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  blake2b = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
    .. "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
}
local NAMES = { "md5", "sha1", "sha256", "sha384", "sha512", "blake2b" }

describe("moongate.crypto: digests", function()
  both_ways("give the known digests of abc", function()
    for _, name in ipairs(NAMES) do assert.equal(ABC[name], hex(crypto.digest(name, "abc"))) end
    assert.equal(ABC.sha1, hex(crypto.sha1 "abc"))
    assert.equal(ABC.sha256, hex(crypto.sha256 "abc"))
    assert.equal(ABC.sha512, hex(crypto.sha512 "abc"))
  end)

  it("digest the empty text and texts with zero bytes", function()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", hex(crypto.sha256 ""))
    assert.not_equal(crypto.sha256 "a\0b", crypto.sha256 "a\0c")
  end)

  both_ways("are the same in pieces as at once", function()
    for _, name in ipairs(NAMES) do
      local hasher = crypto.hasher(name):update("a"):update(""):update("b")
      local copy = hasher:copy()
      assert.equal(ABC[name], hex(hasher:update("c"):finish()))
      assert.equal(crypto.digest(name, "abx"), copy:update("x"):finish())
    end
  end)

  it("refuse a hasher that is finished, at the script's line", function()
    local hasher = crypto.hasher "sha256"
    hasher:finish()
    for _, method in ipairs { "update", "finish", "copy" } do
      local file, text = misuse(function() hasher[method](hasher, "x") end)
      assert.equal("crypto_spec.lua", file)
      assert.equal(("hasher:%s: this hasher is finished"):format(method), text)
    end
  end)

  it("blame the script for a digest that does not exist and for what is no text", function()
    local file, text = misuse(function() return (crypto.digest("sha3", "x")) end)
    assert.equal("crypto_spec.lua", file)
    assert.is_truthy(text:find("no digest 'sha3'", 1, true))
    file, text = misuse(function() return (crypto.sha256(nil)) end)
    assert.equal("crypto_spec.lua", file)
    assert.equal("crypto.sha256 takes a text, not nil", text)
  end)
end)

describe("moongate.crypto: HMAC", function()
  -- RFC 4231 section 4: key, data, SHA-256, first half of SHA-512.
  local CASES = {
    { ("0b"):rep(20), "4869205468657265", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde" },
    { "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554" },
    { ("aa"):rep(20), ("dd"):rep(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
      "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39" },
    { ("aa"):rep(131), hex "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352" },
  }

  both_ways("gives what RFC 4231 says", function()
    for _, case in ipairs(CASES) do
      local key, data = bytes(case[1]), bytes(case[2])
      assert.equal(case[3], hex(crypto.hmac("sha256", key, data)))
      assert.equal(case[4], hex(crypto.hmac("sha512", key, data):sub(1, 32)))
      local hasher = crypto.hmac_hasher("sha256", key):update(data:sub(1, 3))
      local copy = hasher:copy()
      assert.equal(case[3], hex(hasher:update(data:sub(4)):finish()))
      assert.equal(case[3], hex(copy:update(data:sub(4)):finish()))
    end
  end)

  it("takes an empty key", function()
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", hex(crypto.hmac("sha256", "", "")))
  end)
end)

describe("moongate.crypto: random bytes and comparison", function()
  it("give as many bytes as were asked for, never the same", function()
    assert.equal("", crypto.random(0))
    assert.equal(32, #crypto.random(32))
    assert.is_truthy(crypto.random_hex(16):match("^" .. ("[0-9a-f]"):rep(32) .. "$"))
    local seen = {}
    for _ = 1, 1000 do
      local drawn = crypto.random(16)
      assert.is_nil(seen[drawn])
      seen[drawn] = true
    end
    assert.equal("crypto_spec.lua", (misuse(function() crypto.random(-1) end)))
    assert.equal("crypto_spec.lua", (misuse(function() crypto.random(1.5) end)))
  end)

  both_ways("tell equal texts from others", function()
    assert.is_true(crypto.equal("", ""))
    assert.is_true(crypto.equal("a\0b", "a\0" .. "b"))
    assert.is_false(crypto.equal("abc", "abd"))
    assert.is_false(crypto.equal("abc", "ab"))
    assert.is_false(crypto.equal("", "a"))
  end)
end)

describe("moongate.crypto: encodings", function()
  -- RFC 4648 section 10.
  local VECTORS = {
    { "", "", "" }, { "f", "Zg==", "66" }, { "fo", "Zm8=", "666f" }, { "foo", "Zm9v", "666f6f" },
    { "foob", "Zm9vYg==", "666f6f62" }, { "fooba", "Zm9vYmE=", "666f6f6261" }, { "foobar", "Zm9vYmFy", "666f6f626172" },
  }

  both_ways("give what RFC 4648 says", function()
    for _, vector in ipairs(VECTORS) do
      local plain, base64, digits = vector[1], vector[2], vector[3]
      local url = base64:gsub("=", "")
      assert.equal(base64, crypto.encode_base64(plain))
      assert.equal(plain, crypto.decode_base64(base64))
      assert.equal(url, crypto.encode_base64url(plain))
      assert.equal(plain, crypto.decode_base64url(url))
      assert.equal(digits, crypto.encode_hex(plain))
      assert.equal(plain, crypto.decode_hex(digits))
    end
  end)

  it("use the alphabets of their own", function()
    assert.equal("+/+/", crypto.encode_base64 "\251\255\191")
    assert.equal("-_-_", crypto.encode_base64url "\251\255\191")
    assert.is_nil((crypto.decode_base64 "-_-_"))
    assert.is_nil((crypto.decode_base64url "+/+/"))
  end)

  it("come back as they were, whatever the bytes and the length", function()
    for length = 0, 70 do
      local plain = crypto.random(length)
      assert.equal(plain, crypto.decode_base64(crypto.encode_base64(plain)))
      assert.equal(plain, crypto.decode_base64url(crypto.encode_base64url(plain)))
      assert.equal(plain, crypto.decode_hex(crypto.encode_hex(plain)))
    end
  end)

  it("refuse what is not exactly so", function()
    for _, text in ipairs { "Zg", "Zg=", "Zg==\n", " Zg==", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9v\0", "Z=g=",
      "Zm9v=", "Zm9\255" } do
      local value, message, code = crypto.decode_base64(text)
      assert.is_nil(value, text)
      assert.equal("string", type(message))
      assert.equal("encoding", code)
    end
    for _, text in ipairs { "Zg==", "Z", "Zh", "Zm9", "Zm9v\n", "Zm9vYmFyZ" } do
      assert.is_nil((crypto.decode_base64url(text)), text)
    end
    for _, text in ipairs { "0", "0g", "0x", "00 ", " 00", "0\0" } do
      assert.is_nil((crypto.decode_hex(text)), text)
    end
    assert.equal("\171\205", crypto.decode_hex "aBCd")
  end)
end)

describe("moongate.crypto: sealing", function()
  local PLAIN = [[d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525
    b16aedf5aa0de657ba637b39]]
  -- name, key, nonce, plain, additional data, sealed and tag: GCM specification, cases 1, 4 and 16; RFC 8439 section 2.8.2.
  local CASES = {
    { "aes-128-gcm", ("00"):rep(16), ("00"):rep(12), "", "", "58e2fccefa7e3061367f1d57a4e7455a" },
    { "aes-128-gcm", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", PLAIN,
      "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      [[42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05
        1ba30b396a0aac973d58e091 5bc94fbc3221a5db94fae95ae7121a47]] },
    { "aes-256-gcm", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
      PLAIN, "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      [[522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838
        c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b]] },
    { "chacha20-poly1305", "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
      hex("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        .. "sunscreen would be it."), "50515253c0c1c2c3c4c5c6c7",
      [[d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b
        1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
        3ff4def08e4b7a9de576d26586cec64b6116 1ae10b594f09e26a7e902ecbd0600691]] },
  }

  both_ways("gives the vectors of the specifications", function()
    for _, case in ipairs(CASES) do
      local cipher = crypto.cipher(case[1], bytes(case[2]))
      local nonce, plain, aad, sealed = bytes(case[3]), bytes(case[4]), bytes(case[5]), bytes(case[6])
      assert.equal(hex(sealed), hex(cipher:seal_with(nonce, plain, aad)))
      assert.equal(plain, cipher:open_with(nonce, sealed, aad))
    end
  end)

  for _, name in ipairs { "aes-128-gcm", "aes-256-gcm", "chacha20-poly1305" } do
    it(name .. " opens what it sealed, under a new nonce each time", function()
      local cipher = crypto.cipher(name, crypto.random(name == "aes-128-gcm" and 16 or 32))
      for _, plain in ipairs { "", "x", ("long"):rep(10000), "a\0b" } do
        local one, two = cipher:seal(plain, "aad"), cipher:seal(plain, "aad")
        assert.not_equal(one, two)
        assert.equal(#plain + 28, #one)
        assert.equal(plain, cipher:open(one, "aad"))
        assert.equal(plain, cipher:open(two, "aad"))
      end
    end)

    it(name .. " refuses a text in which any bit was changed, or that was cut", function()
      local key = crypto.random(name == "aes-128-gcm" and 16 or 32)
      local cipher = crypto.cipher(name, key)
      local sealed = cipher:seal("attack at dawn", "aad")
      for i = 1, #sealed do
        local forged = sealed:sub(1, i - 1) .. string.char(bit.bxor(sealed:byte(i), 1)) .. sealed:sub(i + 1)
        local plain, _, code = cipher:open(forged, "aad")
        assert.is_nil(plain)
        assert.equal("forged", code)
        assert.is_nil((cipher:open(sealed:sub(1, i - 1), "aad")))
      end
      assert.is_nil((cipher:open(sealed, "other")))
      assert.is_nil((cipher:open(sealed)))
      assert.is_nil((crypto.cipher(name, crypto.random(#key)):open(sealed, "aad")))
      assert.equal("attack at dawn", cipher:open(sealed, "aad"))
    end)
  end

  it("blames the script for keys and nonces of a wrong length", function()
    for _, wrong in ipairs {
      function() return (crypto.cipher("aes-256-gcm", "short")) end,
      function() return (crypto.cipher("aes-256-cbc", ("k"):rep(32))) end,
      function() return (crypto.cipher("aes-128-gcm", ("k"):rep(16)):seal_with("nonce", "x")) end,
      function() return (crypto.cipher("aes-128-gcm", ("k"):rep(16)):seal(7)) end,
    } do
      assert.equal("crypto_spec.lua", (misuse(wrong)))
    end
  end)
end)

describe("moongate.crypto: derived keys", function()
  it("are those of RFC 5869", function()
    local secret = ("\11"):rep(22)
    assert.equal("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
      hex(crypto.hkdf("sha256", secret, {
        salt = bytes "000102030405060708090a0b0c", info = bytes "f0f1f2f3f4f5f6f7f8f9", length = 42,
      })))
    assert.equal("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
      hex(crypto.hkdf("sha256", secret, { length = 42 })))
    assert.equal(32, #crypto.hkdf("sha256", secret))
  end)

  it("are those of RFC 6070 and RFC 7914 for passwords", function()
    assert.equal("0c60c80f961f0e71f3a9b524af6012062fe037a6", hex(crypto.pbkdf2("sha1", "password", "salt", 1, 20)))
    assert.equal("4b007901b765489abead49d926f721d065a429c1", hex(crypto.pbkdf2("sha1", "password", "salt", 4096, 20)))
    assert.equal("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
      hex(crypto.pbkdf2("sha256", "passwd", "salt", 1, 32)))
    assert.equal("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
      .. "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
      hex(crypto.scrypt("", "", { n = 16, r = 1, p = 1, length = 64 })))
  end)

  it("are refused when scrypt would take too much memory or its parameters make no sense", function()
    local key, _, code = crypto.scrypt("p", "s", { n = 2 ^ 30 })
    assert.is_nil(key)
    assert.equal("limit", code)
    key, _, code = crypto.scrypt("p", "s", { n = 1000 })
    assert.is_nil(key)
    assert.equal("parameters", code)
  end)

  it("blame the script for options that do not exist", function()
    local file, text = misuse(function() return (crypto.hkdf("sha256", "s", { lenght = 3 })) end)
    assert.equal("crypto_spec.lua", file)
    assert.equal("crypto.hkdf has no option 'lenght'", text)
    assert.equal("crypto_spec.lua", (misuse(function() return (crypto.hkdf("sha1", "s", { length = 6000 })) end)))
  end)
end)
