local crypto = require "moongate.crypto"
local json = require "moongate.json"
local support = dofile "spec/modules/support.lua"

local both_ways, misuse = support.both_ways, support.misuse
local hex, url = crypto.encode_hex, crypto.encode_base64url
local function bytes(text) return assert(crypto.decode_hex(text)) end

local function openssl(arguments, input)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(input or "")
  file:close()
  local pipe = assert(io.popen("openssl " .. arguments:gsub("INPUT", name) .. " 2>&1 </dev/null"))
  local output = pipe:read "*a"
  pipe:close()
  os.remove(name)
  return output
end

local pairs_of = setmetatable({}, { __index = function(t, name)
  local kind, choice = name:match "^(%w+) ?(.*)$"
  local made = crypto.generate_key(kind, choice ~= "" and (tonumber(choice) or choice) or nil)
  rawset(t, name, made)
  return made
end })
local ALL = { "rsa 2048", "ec P-256", "ec P-384", "ec P-521", "ed25519" }

describe("moongate.crypto: Ed25519", function()
  -- RFC 8032 section 7.1: secret, public, message, signature.
  local CASES = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
  }

  both_ways("signs and verifies as RFC 8032 says", function()
    for _, case in ipairs(CASES) do
      local private = assert(crypto.private_key {
        kty = "OKP", crv = "Ed25519", x = url(bytes(case[2])), d = url(bytes(case[1])),
      })
      local public = assert(crypto.public_key { kty = "OKP", crv = "Ed25519", x = url(bytes(case[2])) })
      assert.equal(case[4], hex(private:sign(bytes(case[3]))))
      assert.is_true(public:verify(bytes(case[4]), bytes(case[3])))
      assert.is_nil((public:verify(bytes(case[4]), bytes(case[3]) .. "x")))
    end
  end)
end)

describe("moongate.crypto: ECDSA", function()
  -- RFC 7515 appendix A.3.
  local JWK = {
    kty = "EC", crv = "P-256", x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", d = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
  }
  local TEXT = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
  local SIGNATURE = crypto.decode_base64url "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

  both_ways("verifies the example of RFC 7515", function()
    local key = assert(crypto.public_key(JWK))
    assert.equal("P-256", key.curve)
    assert.is_true(key:verify(SIGNATURE, TEXT, { format = "raw" }))
    local valid, message, code = key:verify(SIGNATURE, TEXT)
    assert.is_nil(valid)
    assert.equal("the signature does not fit", message)
    assert.equal("signature", code)
  end)

  it("signs in both formats with the private half", function()
    local key = assert(crypto.private_key(json.encode(JWK)))
    local raw = key:sign(TEXT, { format = "raw" })
    assert.equal(64, #raw)
    assert.is_true(key:verify(raw, TEXT, { format = "raw" }))
    assert.is_true(crypto.public_key(JWK):verify(key:sign(TEXT), TEXT))
  end)

  it("refuses raw signatures of another length and of zeros", function()
    local key = crypto.public_key(JWK)
    for _, wrong in ipairs { "", ("\0"):rep(64), SIGNATURE .. "\0", SIGNATURE:sub(1, 63), ("\255"):rep(64) } do
      assert.is_nil((key:verify(wrong, TEXT, { format = "raw" })))
    end
  end)

  it("refuses points that are not on the curve, halves that do not fit, other curves", function()
    local function with(changes)
      local key = {}
      for name, value in pairs(JWK) do key[name] = value end
      for name, value in pairs(changes) do key[name] = value end
      return key
    end
    local other = pairs_of["ec P-256"]:to_jwk()
    for _, wrong in ipairs {
      with { y = JWK.x }, with { x = "AA" }, with { x = JWK.x .. "=" }, with { crv = "secp256k1" }, with { crv = "P-384" },
      with { kty = "oct", k = "AAAA" }, with { kty = 7 }, with { x = 7 },
    } do
      local key, message, code = crypto.public_key(wrong)
      assert.is_nil(key)
      assert.equal("string", type(message))
      assert.equal("key", code)
    end
    local key, message = crypto.private_key(with { x = other.x, y = other.y })
    assert.is_nil(key)
    assert.equal("the halves of the JWK do not belong together", message)
  end)
end)

describe("moongate.crypto: keys", function()
  for _, name in ipairs(ALL) do
    it(("come back from PEM, DER and JWK: %s"):format(name), function()
      local private = pairs_of[name]
      local signature = assert(private:sign "hello")
      local publics = {
        private:public(), crypto.public_key(private:public():to_pem()), crypto.public_key(private:to_der()),
        crypto.public_key(private:to_jwk()), crypto.public_key(json.encode(private:to_jwk())),
        crypto.private_key(private:to_pem()),
      }
      assert.equal(6, #publics)
      for _, public in ipairs(publics) do
        assert.is_true(public:verify(signature, "hello"))
        assert.is_nil((public:verify(signature, "hallo")))
        assert.is_nil((public:verify("", "hello")))
        assert.is_nil((public:verify(signature:reverse(), "hello")))
        assert.equal(private.bits, public.bits)
        assert.equal(private.kind, public.kind)
        assert.equal(private.curve, public.curve)
      end
      assert.is_false(publics[1].private)
      assert.is_true(publics[6].private)
    end)

    it(("are understood by OpenSSL's own command: %s"):format(name), function()
      local pem = pairs_of[name]:to_pem()
      assert.equal(pairs_of[name]:public():to_pem(), openssl("pkey -in INPUT -pubout", pem))
    end)
  end

  it("are read from PKCS #1, SEC 1, encrypted PKCS #8 and certificates", function()
    local rsa, ec = pairs_of["rsa 2048"], pairs_of["ec P-256"]
    local pkcs1 = openssl("rsa -in INPUT -traditional", rsa:to_pem()):match "%-%-%-%-%-BEGIN.*"
    assert.is_truthy(pkcs1:find "BEGIN RSA PRIVATE KEY")
    assert.equal(rsa:to_der(), assert(crypto.private_key(pkcs1)):to_der())
    local public1 = openssl("rsa -in INPUT -RSAPublicKey_out", rsa:to_pem()):match "%-%-%-%-%-BEGIN.*"
    assert.is_truthy(public1:find "BEGIN RSA PUBLIC KEY")
    assert.equal(rsa:to_der(), assert(crypto.public_key(public1)):to_der())
    local sec1 = openssl("ec -in INPUT", ec:to_pem()):match "%-%-%-%-%-BEGIN.*"
    assert.is_truthy(sec1:find "BEGIN EC PRIVATE KEY")
    assert.equal(ec:to_der(), assert(crypto.private_key(sec1)):to_der())
    local certificate = openssl("req -x509 -new -key INPUT -subj /CN=test -days 2", ec:to_pem())
    assert.equal(ec:to_der(), assert(crypto.public_key(certificate)):to_der())

    local locked = openssl("pkcs8 -topk8 -in INPUT -passout pass:sesame", ec:to_pem())
    assert.is_truthy(locked:find "BEGIN ENCRYPTED PRIVATE KEY")
    assert.equal(ec:to_der(), assert(crypto.private_key(locked, "sesame")):to_der())
    for _, password in ipairs { false, "", "open" } do
      local key, _, code = crypto.private_key(locked, password or nil)
      assert.is_nil(key)
      assert.equal("key", code)
    end
  end)

  it("are not taken for what they are not", function()
    local private, public = pairs_of["ec P-256"]:to_pem(), pairs_of["ec P-256"]:public():to_pem()
    for _, read in ipairs { crypto.public_key, crypto.private_key } do
      for _, text in ipairs { "", "x", "{}", "{", "[1]", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----", ("\48\130\1\1"):rep(40), pairs_of["ec P-256"]:to_der() .. "x",
        read == crypto.public_key and private or public } do
        local key, message, code = read(text)
        assert.is_nil(key)
        assert.equal("string", type(message))
        assert.equal("key", code)
      end
    end
  end)

  it("sign only when they are private; verifying says what does not fit the kind of key", function()
    local public = pairs_of["ed25519"]:public()
    for _, wrong in ipairs {
      function() return (public:sign "x") end,
      function() return (public:verify("s", "x", { digest = "sha256" })) end,
      function() return (pairs_of["rsa 2048"]:sign("x", { format = "raw" })) end,
      function() return (pairs_of["rsa 2048"]:sign("x", { padding = "oaep" })) end,
      function() return (pairs_of["ec P-256"]:verify("s", "x", { padding = "pss" })) end,
      function() return (pairs_of["ec P-256"]:verify("s", "x", { digest = "sha3" })) end,
      function() return (pairs_of["ec P-256"]:verify("s", "x", { hash = "sha256" })) end,
      function() return (crypto.public_key(7)) end,
      function() return (crypto.generate_key("dsa")) end,
    } do
      assert.equal("crypto_keys_spec.lua", (misuse(wrong)))
    end
  end)

  it("are freed with their last reference", function()
    local pem = pairs_of["ec P-256"]:to_pem()
    local function resident()
      for line in io.lines "/proc/self/status" do
        local kb = line:match "^VmRSS:%s+(%d+)"
        if kb then return tonumber(kb) end
      end
    end
    local function rounds(n)
      for i = 1, n do
        local key = assert(crypto.private_key(pem))
        key:sign "x"
        if i % 50 == 0 then collectgarbage() end
      end
    end
    rounds(200)
    local before = resident()
    rounds(1000)
    assert.is_true(resident() - before < 2048, "grew by " .. resident() - before .. " kB")
  end)
end)

describe("moongate.crypto: RSA", function()
  it("signs with PKCS #1 v1.5 and PSS, which are not taken for each other", function()
    local key = pairs_of["rsa 2048"]
    for _, digest in ipairs { "sha256", "sha384", "sha512" } do
      local pkcs1, pss = { digest = digest }, { digest = digest, padding = "pss" }
      local one, two = key:sign("x", pkcs1), key:sign("x", pss)
      assert.equal(256, #one)
      assert.equal(one, key:sign("x", { digest = digest, padding = "pkcs1" }))
      assert.is_true(key:verify(one, "x", pkcs1))
      assert.is_true(key:verify(two, "x", pss))
      assert.is_nil((key:verify(one, "x", pss)))
      assert.is_nil((key:verify(two, "x", pkcs1)))
      assert.is_nil((key:verify(one, "x", { digest = "sha1" })))
    end
  end)

  it("refuses salts of PSS that are not as long as the digest", function()
    local key = pairs_of["rsa 2048"]
    local name = os.tmpname()
    local file = assert(io.open(name, "wb"))
    file:write(key:to_pem())
    file:close()
    local function sign(salt)
      return openssl(("dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:%d -sign %s INPUT"):format(salt,
        name), "text")
    end
    local right, wrong = sign(32), sign(20)
    os.remove(name)
    assert.is_true(key:verify(right, "text", { padding = "pss" }))
    assert.is_nil((key:verify(wrong, "text", { padding = "pss" })))
  end)

  it("leaves no error behind in OpenSSL's queue", function()
    local ffi = require "ffi"
    ffi.cdef "unsigned long ERR_peek_error(void);"
    local C = ffi.load "libcrypto.so.3"
    local key = pairs_of["rsa 2048"]
    key:verify("bad", "x")
    crypto.public_key "nonsense"
    crypto.private_key "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    crypto.public_key(pairs_of["ec P-256"]:to_der())
    crypto.cipher("aes-128-gcm", ("k"):rep(16)):open(("x"):rep(40))
    crypto.scrypt("p", "s", { n = 1000 })
    crypto.generate_key("rsa", 1024):sign("x", { digest = "sha512", padding = "pss" })
    assert.equal(0, tonumber(C.ERR_peek_error()))
  end)
end)
