-- What luacheck holds the Lua of this tree against.
std = "luajit"
max_line_length = 120
codes = true
-- Methods of policies bear `self` and `req` whether they need them or not.
self = false
exclude_files = { "build/", "lua/moongate/types/" }

-- Specs quote messages whole.
files["spec/"] = { std = "+busted", max_line_length = 140 }
files["t/"] = { std = "+busted", max_line_length = 140 }
files["**/*_spec.lua"] = { std = "+busted", max_line_length = 140 }
