-- A sample extension of Moongate as a rock: a policy in Lua with a part in C.
rockspec_format = "3.0"
package = "moongate-policy-shout"
version = "scm-1"
source = {
  url = "git+https://moongate.example/moongate-policy-shout.git",
}
description = {
  summary = "A policy for Moongate that says a word in capitals in every answer.",
  detailed = "A sample of how an extension is written, tested, published and installed.",
  license = "All rights reserved, until its authors have chosen one.",
}
-- The proxy brings moongate.* itself, so a policy does not depend on the rock of that name.
dependencies = {
  "lua == 5.1", -- in fact LuaJIT 2.1
}
build = {
  type = "builtin",
  modules = {
    ["shout"] = "scripts/shout.lua",
    ["shout.native"] = { sources = { "src/shout.c" } },
  },
}
test = {
  type = "command",
  command = "moongate test",
}
