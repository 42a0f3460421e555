local crypto = require "moongate.crypto"
local testing = require "moongate.testing"

local base64 = crypto.encode_base64

local function pbkdf2(password, name)
  return ("pbkdf2:%s:50:%s:%s"):format(name or "sha256", base64 "saltsalt",
    base64(crypto.pbkdf2(name or "sha256", password, "saltsalt", 50, 32)))
end

local function scrypt(password)
  return ("scrypt:16:8:1:%s:%s"):format(base64 "saltsalt",
    base64((assert(crypto.scrypt(password, "saltsalt", { n = 16, length = 32 })))))
end

local USERS = {
  ann = pbkdf2 "secret", eve = pbkdf2("other", "sha512"), bob = scrypt "hush", bot = "sha256:" .. crypto.encode_hex(crypto.sha256 "k"),
}

local function with(policy, name, password)
  return policy:access { headers = { authorization = "Basic " .. base64(name .. ":" .. password) } }
end

describe("the policy basic_auth", function()
  it("lets in who knows the password, whichever way it is kept", function()
    local policy = testing.policy("basic_auth", { users = USERS, plain = { joe = "p:w" } })
    for name, password in pairs { ann = "secret", eve = "other", bob = "hush", bot = "k", joe = "p:w" } do
      for _ = 1, 2 do -- the second time it is remembered
        local answer, req = with(policy, name, password)
        assert.is_nil(answer)
        assert.equal(name, req.ctx.user)
      end
      assert.equal(401, with(policy, name, password .. "x").status)
      assert.equal(401, with(policy, name, "").status)
    end
  end)

  it("asks for name and password with its realm", function()
    local policy = testing.policy("basic_auth", { users = USERS, realm = "back office" })
    local answer = policy:access {}
    assert.equal(401, answer.status)
    assert.equal('Basic realm="back office", charset="UTF-8"', answer.headers["www-authenticate"])
    assert.equal("name and password are needed\n", answer.body)
    assert.equal("wrong name or password\n", with(policy, "nobody", "secret").body)
    assert.equal(401, with(policy, "ann", "hush").status)
  end)

  it("takes what is no such field for nothing", function()
    local policy = testing.policy("basic_auth", { users = USERS })
    for _, field in ipairs { "", "Basic", "Basic ", "Basic !!!", "Bearer " .. base64 "ann:secret", "Basic " .. base64 "ann",
      "Basic " .. base64 "ann:sec\nret", base64 "ann:secret" } do
      assert.equal("name and password are needed\n", policy:access({ headers = { authorization = field } }).body)
    end
    assert.is_nil(policy:access { headers = { authorization = "bAsIc  " .. base64 "ann:secret" } })
  end)

  it("lets no name in by what is remembered of another", function()
    local policy = testing.policy("basic_auth", { plain = { ["a"] = "b", ["c"] = "d" } })
    assert.is_nil(with(policy, "a", "b"))
    assert.equal(401, with(policy, "c", "b").status)
    assert.equal(401, with(policy, "nobody", "b").status)
  end)

  it("remembers a bounded number of passwords, each for a while", function()
    local derived = 0
    local counting = setmetatable({ pbkdf2 = function(...)
      derived = derived + 1
      return crypto.pbkdf2(...)
    end }, { __index = crypto })
    local policy = testing.policy("basic_auth", { users = { ann = USERS.ann }, remember = "1m" },
      { modules = { ["moongate.crypto"] = counting } })
    derived = 0
    with(policy, "ann", "secret")
    with(policy, "ann", "secret")
    assert.equal(1, derived)
    policy:advance(61)
    with(policy, "ann", "secret")
    assert.equal(2, derived)
    with(policy, "nobody", "secret") -- takes as long as a wrong password
    assert.equal(3, derived)
  end)

  it("keeps the password from the origin and tells it the name, unless told otherwise", function()
    local policy = testing.policy("basic_auth", { plain = { ann = "s" }, user_header = "x-user" })
    local field = "Basic " .. base64 "ann:s"
    local _, req = policy:access { headers = { authorization = field, ["x-user"] = "root" } }
    assert.is_nil(req.headers.authorization)
    assert.same({ "ann" }, req.headers:all "x-user")
    policy = testing.policy("basic_auth", { plain = { ann = "s" }, forward = true })
    _, req = policy:access { headers = { authorization = field, ["x-user"] = "root" } }
    assert.equal(field, req.headers.authorization)
    assert.equal("root", req.headers["x-user"])
  end)

  it("refuses mistakes when it is set up", function()
    for said, given in pairs {
      ["neither users nor plain names anybody"] = {},
      ["users.ann: expected pbkdf2:"] = { users = { ann = "secret" } },
      ["users.bob: expected pbkdf2:"] = { users = { bob = "pbkdf2:md17:10:c2FsdA==:" .. base64(("k"):rep(32)) } },
      ["users.cyd: expected pbkdf2:"] = { users = { cyd = "pbkdf2:sha256:9999999999:c2FsdA==:" .. base64(("k"):rep(32)) } },
      ["users.dan: expected pbkdf2:"] = { users = { dan = "scrypt:15:8:1:c2FsdA==:" .. base64(("k"):rep(32)) } },
      ["users.eve: expected pbkdf2:"] = { users = { eve = "sha256:abcd" } },
      ["users: a name is not empty"] = { users = { ["a:b"] = USERS.ann } },
      ["plain.ann: is among users, too"] = { users = USERS, plain = { ann = "x" } },
      ["plain.ann: the password is empty"] = { plain = { ann = "" } },
      ["user_header: 'x:y' is not the name"] = { plain = { ann = "x" }, user_header = "x:y" },
      ["realm: no quotes"] = { plain = { ann = "x" }, realm = 'a"b' },
    } do
      local ok, message = pcall(testing.policy, "basic_auth", given)
      assert.is_false(ok, said)
      assert.is_not_nil(tostring(message):find(said, 1, true), tostring(message))
    end
  end)
end)
