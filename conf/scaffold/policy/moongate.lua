-- To try the policy @name@:  moongate run -c moongate.lua  and  curl -i http://127.0.0.1:8080/

---@type moongate.config
return {
  listeners = { { bind = "127.0.0.1:8080" } },
  script_path = { "scripts" },
  policies = { { "@name@", word = "hello" } },
  sites = { { routes = { { reply = { body = "it works\n" } } } } },
}
