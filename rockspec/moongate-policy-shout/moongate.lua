-- To try the policy: luarocks --lua-version 5.1 --tree lua_modules make && moongate run -c moongate.lua
require("moongate.rocks").use "lua_modules"

---@type moongate.config
return {
  listeners = { { bind = "127.0.0.1:8080" } },
  upstreams = { app = { servers = { "127.0.0.1:9000" } } },
  policies = { { "shout", word = "hello" } },
  sites = { { routes = { { upstream = "app" } } } },
}
