local crypto = require "moongate.crypto"
local json = require "moongate.json"
local testing = require "moongate.testing"

local NOW = 1700000000 -- where the clock of testing.policy stands
local SECRET = ("s"):rep(64)
local KEYS = {
  rsa = crypto.generate_key("rsa", 2048), p256 = crypto.generate_key("ec", "P-256"), p384 = crypto.generate_key("ec", "P-384"),
  p521 = crypto.generate_key("ec", "P-521"), ed = crypto.generate_key "ed25519",
}
local OTHER = { p256 = crypto.generate_key("ec", "P-256") }

local function pem(name)
  return KEYS[name]:public():to_pem()
end

local function pack(value)
  return crypto.encode_base64url(type(value) == "string" and value or assert(json.encode(value)))
end

---A token: header, claims, and what signs its text.
local function token(header, claims, sign)
  local signed = pack(header) .. "." .. pack(claims)
  return signed .. "." .. crypto.encode_base64url(sign(signed))
end

local function hs(digest, secret)
  return function(text) return crypto.hmac(digest, secret or SECRET, text) end
end

local function by(key, options)
  return function(text) return assert(key:sign(text, options)) end
end

local function claims(more)
  local all = { sub = "ann", exp = NOW + 60 }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

local function hs256(more, header)
  return token(header or { alg = "HS256" }, claims(more), hs "sha256")
end

local function bring(policy, text, headers)
  headers = headers or {}
  headers.authorization = "Bearer " .. text
  return policy:access { headers = headers }
end

local function why(policy, text)
  local answer = bring(policy, text)
  return answer and answer.status == 401 and answer.body:match "^the token is refused: (.*)\n$"
end

local HS = { algorithms = { "HS256" }, secret = SECRET }

local function hs_policy(more)
  local options = { algorithms = HS.algorithms, secret = HS.secret }
  for name, value in pairs(more or {}) do options[name] = value end
  return testing.policy("jwt", options)
end

describe("the policy jwt", function()
  it("lets in tokens of every algorithm with the key of its kind, and no others", function()
    local makers = {
      HS256 = hs "sha256", HS384 = hs "sha384", HS512 = hs "sha512", EdDSA = by(KEYS.ed),
      ES256 = by(KEYS.p256, { format = "raw" }), ES384 = by(KEYS.p384, { format = "raw" }),
      ES512 = by(KEYS.p521, { format = "raw" }),
    }
    local keys = { ES256 = "p256", ES384 = "p384", ES512 = "p521", EdDSA = "ed" }
    for _, digest in ipairs { "256", "384", "512" } do
      makers["RS" .. digest] = by(KEYS.rsa, { digest = "sha" .. digest })
      makers["PS" .. digest] = by(KEYS.rsa, { digest = "sha" .. digest, padding = "pss" })
      keys["RS" .. digest], keys["PS" .. digest] = "rsa", "rsa"
    end
    for name in pairs(makers) do
      local options = { algorithms = { name } }
      if keys[name] then options.keys = { pem(keys[name]) } else options.secret = SECRET end
      local policy = testing.policy("jwt", options)
      for other, make in pairs(makers) do
        local answer, req = bring(policy, token({ alg = other }, claims(), make))
        if other == name then
          assert.is_nil(answer, name)
          assert.equal("ann", req.ctx.user)
          assert.equal(NOW + 60, req.ctx.claims.exp)
        else
          assert.equal(401, answer.status)
          assert.equal(401, bring(policy, token({ alg = name }, claims(), make)).status, name .. " signed as " .. other)
        end
      end
    end
  end)

  it("never takes a public key for a secret, nor a token for signed that is not", function()
    local policy = testing.policy("jwt", { algorithms = { "RS256", "HS256" }, keys = { pem "rsa" }, secret = SECRET })
    for _, secret in ipairs { pem "rsa", pem("rsa"):gsub("\n$", ""), KEYS.rsa:to_der(), "" } do
      assert.equal("its signature does not fit", why(policy, token({ alg = "HS256" }, claims(), hs("sha256", secret))))
    end
    for _, alg in ipairs { "none", "None", "", "hs256", "HS1", json.null, 5 } do
      assert.equal("its algorithm is not accepted", why(policy, token({ alg = alg }, claims(), hs "sha256")))
    end
    local unsigned = pack { alg = "none" } .. "." .. pack(claims()) .. "."
    assert.equal("this is no signed token", why(policy, unsigned))
    assert.is_false((pcall(testing.policy, "jwt", { algorithms = { "HS256" }, secret = pem "rsa" })))
    assert.is_false((pcall(testing.policy, "jwt", { algorithms = { "HS256" }, keys = { pem "rsa" } })))
    assert.is_false((pcall(testing.policy, "jwt", { algorithms = { "none" }, secret = SECRET })))
  end)

  it("looks at no key that a token brings along, and at no extension that it demands", function()
    local policy = testing.policy("jwt", { algorithms = { "ES256" }, keys = { pem "p256" } })
    local own = { alg = "ES256", jwk = OTHER.p256:to_jwk(), jku = "https://evil.test/jwks" }
    assert.equal("its signature does not fit", why(policy, token(own, claims(), by(OTHER.p256, { format = "raw" }))))
    assert.equal("it demands an extension",
      why(policy, token({ alg = "ES256", crit = { "b64" }, b64 = false }, claims(), by(KEYS.p256, { format = "raw" }))))
  end)

  it("refuses what is changed, cut or no token", function()
    local policy = hs_policy()
    local good = hs256()
    assert.is_nil(why(policy, good))
    local head, body, mark = good:match "^(.-)%.(.-)%.(.-)$"
    for _, bad in ipairs {
      head .. "." .. pack(claims { sub = "root" }) .. "." .. mark, head .. "." .. body, head .. "." .. body .. ".",
      good .. ".x", good:sub(1, -3), "x", "..", "a.b.c", pack "[]" .. "." .. body .. "." .. mark, good .. "=",
    } do
      assert.equal(401, bring(policy, bad).status, bad)
    end
    assert.equal("its claims are no object", why(policy, token({ alg = "HS256" }, "[1]", hs "sha256")))
    assert.equal("it is too long", why(policy, hs256 { x = ("x"):rep(9000) }))
  end)

  it("judges times with some leeway", function()
    local policy = hs_policy { leeway = "10s" }
    assert.is_nil(why(policy, hs256 { exp = NOW - 9 }))
    assert.equal("it has expired", why(policy, hs256 { exp = NOW - 10 }))
    assert.is_nil(why(policy, hs256 { nbf = NOW + 10 }))
    assert.equal("it is not valid yet", why(policy, hs256 { nbf = NOW + 11 }))
    assert.equal("it was issued in the future", why(policy, hs256 { iat = NOW + 11 }))
    for _, wrong in ipairs { "soon", json.null, { 1 } } do
      assert.is_not_nil(why(policy, hs256 { exp = wrong }))
    end
    policy = hs_policy { leeway = 0, max_age = "1m" }
    assert.equal("it does not say when it was issued", why(policy, hs256()))
    assert.equal("it is too old", why(policy, hs256 { iat = NOW - 61 }))
    assert.is_nil(why(policy, hs256 { iat = NOW - 60 }))
  end)

  it("asks for claims, issuer and audience", function()
    local policy = hs_policy { required = { "exp", "org.id" }, issuer = { "a", "b" }, audience = { "shop", "api" } }
    local good = { iss = "b", aud = "api", org = { id = 5 } }
    local function with(name, value)
      local all = { iss = good.iss, aud = good.aud, org = good.org }
      all[name] = value
      return why(policy, hs256(all))
    end
    assert.is_nil(with("iss", "a"))
    assert.is_nil(with("aud", { "x", "shop" }))
    assert.equal("its issuer is not accepted", with("iss", "c"))
    assert.equal("its issuer is not accepted", with("iss", { "a" }))
    assert.equal("it is for somebody else", with("aud", "x"))
    assert.equal("it is for somebody else", with("aud", json.array {}))
    assert.equal("a claim is missing: org.id", with("org", {}))
    assert.equal("a claim is missing: exp", why(hs_policy(), token({ alg = "HS256" }, { sub = "a" }, hs "sha256")))
    assert.is_nil(why(hs_policy { required = {} }, token({ alg = "HS256" }, { sub = "a" }, hs "sha256")))
  end)

  it("finds the token in Authorization, another field or a cookie", function()
    local good = hs256()
    assert.is_nil(testing.policy("jwt", HS):access { headers = { authorization = "bEARER  " .. good } })
    local answer = hs_policy():access { headers = { authorization = good } }
    assert.equal("a token is needed\n", answer.body)
    assert.equal('Bearer realm="restricted"', answer.headers["www-authenticate"])
    assert.is_nil(hs_policy { header = "x-token" }:access { headers = { ["x-token"] = good } })
    assert.is_nil(hs_policy { cookie = "session" }:access { headers = { cookie = "a=1; session=" .. good } })
    answer = hs_policy { cookie = "session" }:access { headers = { cookie = "session=x" } }
    assert.equal('Bearer realm="restricted", error="invalid_token", error_description="this is no signed token"',
      answer.headers["www-authenticate"])
  end)

  it("tells the origin claims, and passes on nothing that a client says in their place", function()
    local policy = hs_policy { claim_headers = {
      ["x-user"] = "sub", ["x-roles"] = "realm.roles", ["x-org"] = "org", ["x-none"] = "none", ["x-n"] = "https://e.test/n",
    } }
    local _, req = bring(policy, hs256 { sub = "a\r\nx: y", realm = { roles = { "admin", "dev" } }, org = { id = 5 },
      ["https://e.test/n"] = 7 }, { ["x-none"] = "forged", ["x-user"] = "root" })
    assert.same({ "a  x: y" }, req.headers:all "x-user")
    assert.equal("admin,dev", req.headers["x-roles"])
    assert.equal('{"id":5}', req.headers["x-org"])
    assert.equal("7", req.headers["x-n"])
    assert.is_nil(req.headers["x-none"])
    policy = hs_policy { optional = true, claim_headers = { ["x-user"] = "sub" } }
    local answer
    answer, req = policy:access { headers = { ["x-user"] = "root" } }
    assert.is_nil(answer)
    assert.is_nil(req.headers["x-user"])
    assert.is_nil(req.ctx.claims)
    assert.equal(401, bring(policy, "wrong").status)
  end)

  it("keeps the token from the origin when it is told to", function()
    local policy = hs_policy { forward = false, cookie = "session" }
    local _, req = policy:access { headers = { cookie = "a=1; session=" .. hs256() .. "; b=2" } }
    assert.equal("a=1; b=2", req.headers.cookie)
    _, req = bring(policy, hs256())
    assert.is_nil(req.headers.authorization)
  end)

  it("chooses keys of a set by their names, and leaves out those that are not for signatures", function()
    local one, two = KEYS.p256:to_jwk(), OTHER.p256:to_jwk()
    one.kid, two.kid, two.alg = "one", "two", "ES256"
    local enc = KEYS.rsa:to_jwk()
    enc.use = "enc"
    local set = json.encode { keys = { one, two, enc, { kty = "new" }, KEYS.ed:to_jwk() } }
    local policy = testing.policy("jwt", { algorithms = { "ES256" }, keys = { set } })
    local function signed(key, id)
      return why(policy, token({ alg = "ES256", kid = id }, claims(), by(key, { format = "raw" })))
    end
    assert.is_nil(signed(KEYS.p256, "one"))
    assert.is_nil(signed(OTHER.p256, "two"))
    assert.is_nil(signed(OTHER.p256, nil))
    assert.equal("its signature does not fit", signed(KEYS.p256, "two"))
    assert.equal("its key is not known", signed(KEYS.p256, "three"))
    assert.is_false((pcall(testing.policy, "jwt", { algorithms = { "RS256" }, keys = { set } })))
  end)

  it("reads keys and secrets from files", function()
    local path = os.tmpname()
    local function write(text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
    end
    write(pem "ed")
    local policy = testing.policy("jwt", { algorithms = { "EdDSA" }, key_files = { path } })
    write(SECRET .. "\n")
    local by_secret = testing.policy("jwt", { algorithms = { "HS256" }, secret_file = path })
    os.remove(path)
    assert.is_nil(why(policy, token({ alg = "EdDSA" }, claims(), by(KEYS.ed))))
    assert.is_nil(why(by_secret, hs256()))
  end)

  it("refuses mistakes when it is set up", function()
    for said, given in pairs {
      ["jwks_url: fetching keys is not available in this version"] = { algorithms = { "HS256" }, jwks_url = "https://a" },
      ["algorithms[1]: 'none' is none"] = { algorithms = { "none" } },
      ["algorithms[1]: there is no key for RS256"] = { algorithms = { "RS256" } },
      ["secret: HS256 needs at least 32 bytes, this has 5"] = { algorithms = { "HS256" }, secret = "short" },
      ["secret: this is a key pair's half"] = { algorithms = { "HS256" }, secret = pem "rsa" },
      ["secret: none of the algorithms listed can use this key"] = { algorithms = { "EdDSA" }, keys = { pem "ed" }, secret = SECRET },
      ["keys[1]: no public key"] = { algorithms = { "RS256" }, keys = { "x" } },
      ["keys[1]: this is no JSON"] = { algorithms = { "RS256" }, keys = { "{x" } },
      ["keys[1]: RS256 needs at least 2048 bits"] = { algorithms = { "RS256" }, keys = { crypto.generate_key("rsa", 1024):to_jwk() } },
      ["keys[1]: has no key that could verify"] = { algorithms = { "RS256" }, keys = { { keys = {} } } },
      ["key_files[1]: cannot read"] = { algorithms = { "RS256" }, key_files = { "/nowhere/key.pem" } },
      ["claim_headers: 'x user' is not the name of a header"] =
        { algorithms = { "HS256" }, secret = SECRET, claim_headers = { ["x user"] = "sub" } },
      ["claim_headers: 'Host' is written by the proxy"] =
        { algorithms = { "HS256" }, secret = SECRET, claim_headers = { Host = "sub" } },
      ["algorithms: is required"] = {},
    } do
      local ok, message = pcall(testing.policy, "jwt", given)
      assert.is_false(ok, said)
      assert.is_not_nil(tostring(message):find(said, 1, true), tostring(message))
    end
  end)
end)
