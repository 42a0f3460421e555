---What the specs of the configuration share: texts in, plans or complaints out.
package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
local config = require "moongate.config"

local support = {}

---Where the texts pretend to come from.
support.FILE = "/srv/conf/moongate.lua"

---Checks a text as if it were a file.
function support.check(source)
  local chunk = assert(loadstring(source, "@conf/moongate.lua"))
  return config.check(chunk(), { file = "conf/moongate.lua", source = source, folder = "/srv/conf" })
end

---The plan of a text that must be without mistakes.
function support.plan(source)
  local plan, errors = support.check(source)
  assert(plan, errors and errors[1] and errors[1].full)
  return plan
end

---Every complaint about a text, in order.
function support.complaints(source)
  local plan, errors = support.check(source)
  assert(not plan, "the text was accepted")
  local full = {}
  for i, mistake in ipairs(errors) do full[i] = mistake.full end
  return full
end

---Complaints about a part of an otherwise right configuration, without the file's name and the line.
function support.about(part)
  local text = "local app = { servers = { '127.0.0.1:1' } }\nreturn {\n" .. part .. "\n}"
  local short = {}
  for i, full in ipairs(support.complaints(text)) do short[i] = full:gsub("^conf/moongate%.lua:%d+: ", "") end
  return short
end

---Complaints about the one route of the one site; `upstreams.app` is there.
function support.about_route(route)
  local found = support.about("upstreams = { app = app }, sites = { { routes = {\n{" .. route .. "}\n} } }")
  for i, text in ipairs(found) do found[i] = text:gsub("^sites%[1%]%.routes%[1%]", "route", 1) end
  return found
end

---Complaints about the one upstream.
function support.about_upstream(keys)
  local found = support.about("upstreams = { app = {\n" .. keys .. "\n} }")
  for i, text in ipairs(found) do found[i] = text:gsub("^upstreams%.app", "app", 1) end
  return found
end

---The plan of the one route of the one site.
function support.route(route)
  return support.plan("return { upstreams = { app = { servers = { '127.0.0.1:1' } } }, sites = { { routes = { {"
    .. route .. "} } } } }").sites[1].routes[1]
end

---A temporary folder with files in it: { ["moongate.lua"] = text }. Returns its path and what removes it.
function support.folder(files)
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir -p '%s'"):format(path)) == 0)
  for name, text in pairs(files) do
    local inner = name:match("^(.*)/[^/]*$")
    if inner then assert(os.execute(("mkdir -p '%s/%s'"):format(path, inner)) == 0) end
    local file = assert(io.open(path .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end
  return path, function() os.execute(("rm -r '%s'"):format(path)) end
end

return support
