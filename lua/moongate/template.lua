---Small pages: text with Lua in it, compiled once.
---
---     <h1>{{ title }}</h1>                       an expression, escaped for HTML; nil is nothing
---     {{{ trusted }}}                            an expression as it is
---     {% for _, item in ipairs(items) do %}      Lua; alone on its line, the line is not written
---       <li>{{ item }}</li>
---     {% end %}
---     {% include("footer.html", { year = 2026 }) %}
---     {# a comment #}
---
---Escaping makes a value safe between tags and inside quoted attributes; not inside scripts, styles and URLs. Names are
---looked for among the values first, then among Lua's globals, or with `sandbox = true` a harmless choice of them. What
---a template assigns stays in that rendering.
---
---What goes wrong in a template is nil, a message with the template's line, and a code: "syntax", "render" or "load".
local arguments = require "moongate.internal.arguments"
local caches = require "moongate.internal.bounded_cache"
local sandbox = require "moongate.template.sandbox"
local translator = require "moongate.template.translator"

local template = {}

local INCLUDES_MOST = 20
local KEPT = 200

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function raw(value)
  if value == nil then return "" end
  return tostring(value)
end

local function escape(value)
  if value == nil then return "" end
  local text = tostring(value)
  if not text:find "[&<>\"']" then return text end
  return (text:gsub("[&<>\"']", ENTITIES))
end

---A value as text that is safe in HTML, between tags and inside quoted attributes.
---@param value any nil is ""
---@return string
function template.escape(value)
  return escape(value)
end

-- Pages ---------------------------------------------------------------------------------------------------------------

---A compiled template.
---@class moongate.template.page
---@field name string
---@field private chunk function
---@field private texts string[]
---@field private trusted boolean
---@field private find? fun(name: string): moongate.template.page?, string?, string?
local page_methods = {}
local Page = { __index = page_methods, __metatable = "moongate.template.page" }

---Where a template's environment keeps the values it was given.
local VALUES = {}

local function environment_kind(globals)
  return { __index = function(environment, name)
    local value = rawget(environment, VALUES)[name]
    if value ~= nil then return value end
    return globals[name]
  end, __metatable = false }
end

local TRUSTED, SANDBOXED = environment_kind(_G), environment_kind(sandbox.globals())

local function run(page, values, out, depth)
  local environment = setmetatable({ [VALUES] = values }, page.trusted and TRUSTED or SANDBOXED)
  environment.include = function(name, given)
    if depth >= INCLUDES_MOST then error("templates include each other too deeply", 2) end
    if not page.find then error("this template has no folder to include from", 2) end
    local included, message = page.find(name)
    if not included then error(message, 2) end
    run(included, given or environment, out, depth + 1)
  end
  -- Each rendering has globals of its own, and renderings may wait and so overlap: a chunk is never shared by two.
  local chunk = page.spare
  page.spare = nil
  chunk = chunk or loadstring(page.code, "=" .. page.name)
  setfenv(chunk, environment)(out, page.texts, escape, raw)
  page.spare = chunk
end

---The page with these values.
---@param values? table
---@return string? text
---@return string? message with the template's line
---@return string? code "render"
function page_methods:render(values)
  if values ~= nil then arguments.table(values, "page:render takes a table of values") end
  local out = {}
  local ok, why = pcall(run, self, values or {}, out, 1)
  if not ok then return nil, tostring(why), "render" end
  return table.concat(out)
end

local function compile(source, name, trusted, find)
  local code, texts = translator.translate(source, name)
  if not code then return nil, texts, "syntax" end
  local chunk, why = loadstring(code, "=" .. name)
  if not chunk then return nil, why, "syntax" end
  return setmetatable({
    name = name, code = code, spare = chunk, texts = texts, trusted = trusted, find = find,
  }, Page)
end

---@class moongate.template.options
---@field name? string how it is called in messages, "template" unless given
---@field sandbox? boolean whether it gets no more than harmless functions

local COMPILE_OPTIONS = { name = true, sandbox = true }

---A page from its text.
---@param source string
---@param options? moongate.template.options
---@return moongate.template.page?
---@return string? message with the template's line
---@return string? code "syntax"
function template.compile(source, options)
  arguments.text(source, "template.compile takes a text")
  arguments.options(options, COMPILE_OPTIONS, "template.compile")
  local name = options and options.name
  arguments.optional_text(name, "template.compile: name is a text")
  return compile(source, name or "template", not (options and options.sandbox))
end

local kept = caches.new(KEPT)

---A page from its text, rendered at once; what was compiled is kept.
---@param source string
---@param values? table
---@param options? moongate.template.options
---@return string? text
---@return string? message
---@return string? code "syntax" or "render"
function template.render(source, values, options)
  arguments.text(source, "template.render takes a text")
  if values ~= nil then arguments.table(values, "template.render takes a table of values") end
  arguments.options(options, COMPILE_OPTIONS, "template.render")
  local name, trusted = options and options.name or "template", not (options and options.sandbox)
  local room = (trusted and "trusted " or "sandboxed ") .. name
  local page = kept:get(room, source)
  if not page then
    local message, code
    page, message, code = compile(source, name, trusted)
    if not page then return nil, message, code end
    kept:put(room, source, page)
  end
  return page:render(values)
end

-- Folders -------------------------------------------------------------------------------------------------------------

---Templates that can include each other.
---@class moongate.template.set
---@field private load fun(name: string): string?, string?
---@field private trusted boolean
---@field private pages table<string, moongate.template.page>
local set_methods = {}
local Set = { __index = set_methods, __metatable = "moongate.template.set" }

---A name may lead into folders below, never out of the one it belongs to.
local function is_inside(name)
  if name == "" or name:find "[%z\\]" or name:sub(1, 1) == "/" then return false end
  for part in (name .. "/"):gmatch "([^/]*)/" do
    if part == ".." or part == "." or part == "" then return false end
  end
  return true
end

local function load_from(folder)
  return function(name)
    if not is_inside(name) then return nil, ("'%s' is no name inside the folder"):format(name) end
    local file, why = io.open(folder .. "/" .. name, "rb")
    if not file then return nil, why end
    local source, reason = file:read "*a"
    file:close()
    return source, reason
  end
end

local SET_OPTIONS = { folder = true, load = true, sandbox = true }

---Templates by name: the files of a folder, or what `load` returns (nil and a message when there is none).
---@param options { folder?: string, load?: (fun(name: string): string?, string?), sandbox?: boolean }
---@return moongate.template.set
function template.new(options)
  arguments.table(options, "template.new takes a table { folder = … }")
  arguments.options(options, SET_OPTIONS, "template.new")
  local folder, load = options.folder, options.load
  if (folder == nil) == (load == nil) then error("template.new takes either a folder or a load function", 2) end
  if folder ~= nil then arguments.text(folder, "template.new: folder is a text") end
  if load ~= nil and type(load) ~= "function" then error("template.new: load is a function", 2) end
  return setmetatable({ load = load or load_from(folder), trusted = not options.sandbox, pages = {} }, Set)
end

---The page of that name; read and compiled once.
---@param name string
---@return moongate.template.page?
---@return string? message
---@return string? code "load" or "syntax"
function set_methods:page(name)
  arguments.text(name, "templates:page takes a name")
  local page = self.pages[name]
  if page then return page end
  local source, why = self.load(name)
  if not source then return nil, ("there is no template '%s': %s"):format(name, why or "not found"), "load" end
  local message, code
  page, message, code = compile(source, name, self.trusted, function(other)
    if type(other) ~= "string" then return nil, "include takes a name" end
    return self:page(other)
  end)
  if not page then return nil, message, code end
  self.pages[name] = page
  return page
end

---Renders the page of that name.
---@param name string
---@param values? table
---@return string? text
---@return string? message
---@return string? code "load", "syntax" or "render"
function set_methods:render(name, values)
  arguments.text(name, "templates:render takes a name")
  if values ~= nil then arguments.table(values, "templates:render takes a table of values") end
  local page, message, code = self:page(name)
  if not page then return nil, message, code end
  return page:render(values)
end

---Forgets what was compiled, so that files are read again.
function set_methods:forget()
  self.pages = {}
end

return template
