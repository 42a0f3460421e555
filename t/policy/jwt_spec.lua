-- Signed tokens in a real proxy.
local crypto = require "moongate.crypto"
local json = require "moongate.json"
local testing = require "moongate.testing"
local scenario = testing.scenario

local KEY = crypto.generate_key("ec", "P-256")

local function token(claims)
  local function pack(value) return crypto.encode_base64url(assert(json.encode(value))) end
  local signed = pack { alg = "ES256", kid = "k1" } .. "." .. pack(claims)
  return signed .. "." .. crypto.encode_base64url(assert(KEY:sign(signed, { format = "raw" })))
end

local function jwks()
  local jwk = KEY:to_jwk()
  jwk.kid = "k1"
  return assert(json.encode { keys = { jwk } })
end

describe("jwt", function()
  it("reads a key set, tells the origin who it is, and lets acl say what they may", scenario(function(w)
    local origin = w:http_origin(function(request) return tostring(request.headers["x-user"]) end)
    local path = w:dir { ["keys.json"] = jwks() } .. "/keys.json"
    local proxy = w:proxy {
      upstreams = { app = { servers = { origin } } },
      policies = {
        { "jwt", algorithms = { "ES256" }, key_files = { path }, issuer = { "us" }, claim_headers = { ["x-user"] = "sub" } },
        { "acl", rules = {
          { allow = true, roles = { "admin" } },
          { allow = true, methods = { "GET", "HEAD" }, paths = { "/shop/*" } },
        } },
      },
    }
    local client = proxy:client()
    local function status(method, target, claims, forged)
      local text = claims and token(claims) or "x"
      return client:request {
        method = method, path = target, headers = { authorization = "Bearer " .. text, ["x-user"] = forged },
      }
    end
    local now = os.time()
    local ann = { iss = "us", sub = "ann", exp = now + 300 }
    local root = { iss = "us", sub = "root", exp = now + 300, roles = { "admin", "dev" } }
    assert.equal("ann", status("GET", "/shop/1", ann, "forged").body)
    assert.equal(403, status("POST", "/shop/1", ann).status)
    assert.equal(403, status("GET", "/office", ann).status)
    assert.equal("root", status("POST", "/office", root).body)
    assert.equal(401, status("GET", "/shop/1", { iss = "us", exp = now - 300 }).status)
    assert.equal(401, status("GET", "/shop/1", nil).status)
    assert.equal(2, origin.requests)
  end))
end)
