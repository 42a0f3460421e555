-- What luacheck holds the Lua of this tree against.
std = "luajit"
max_line_length = 120
codes = true
-- Methods of policies bear `self` and `req` whether they need them or not.
self = false
exclude_files = { "build/", "lua/moongate/types/" }

files["spec/"] = { std = "+busted" }
files["t/"] = { std = "+busted" }
files["**/*_spec.lua"] = { std = "+busted" }
