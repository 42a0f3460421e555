std = "luajit"
max_line_length = 120
-- Phases bear `self` and `req` whether they need them or not.
self = false
files["spec/"] = { std = "+busted", max_line_length = 140 }
