local support = dofile "spec/modules/support.lua"
local template = require "moongate.template"

local both_ways, misuse = support.both_ways, support.misuse
local function render(...) return assert(template.render(...)) end

describe("moongate.template: writing", function()
  both_ways("escapes expressions unless they are raw", function()
    assert.equal("a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;", render("a {{ x }}", { x = [[<b> & "c" 'd']] }))
    assert.equal("<b>", render("{{{ x }}}", { x = "<b>" }))
    assert.equal("12true", render("{{ a }}{{b}}{{ c }}", { a = 1, b = 2, c = true }))
    assert.equal("[]", render("[{{ missing }}{{{ missing }}}]"))
    assert.equal("&lt;b&gt;7", template.escape "<b>" .. template.escape(7) .. template.escape(nil))
    local shown = setmetatable({}, { __tostring = function() return "<x>" end })
    assert.equal("&lt;x&gt;", render("{{ shown }}", { shown = shown }))
  end)

  both_ways("leaves text as it is", function()
    for _, text in ipairs { "", "plain", "a\r\nb\n", "{ } {x} }} %} #}", "]] \\n %d $1 \0 é", "{", "a {" } do
      assert.equal(text, render(text))
    end
  end)

  both_ways("runs Lua between texts", function()
    assert.equal("1,2,3,", render("{% for i = 1, 3 do %}{{ i }},{% end %}"))
    assert.equal("yes", render("{% if a then %}yes{% else %}no{% end %}", { a = true }))
    assert.equal("no", render("{% if a then %}yes{% else %}no{% end %}", {}))
    assert.equal("a", render("a{% if true then return end %}b"))
  end)

  it("writes no line for blocks and comments that have one of their own", function()
    assert.equal("<ul>\n  <li>a</li>\n  <li>b</li>\n</ul>\n", render([[
<ul>
  {% for _, x in ipairs(list) do %}
  {# each one #}
  <li>{{ x }}</li>
  {% end %}
</ul>
]], { list = { "a", "b" } }))
    assert.equal("a \nb", render "a {% local x %}\nb")
    assert.equal(" 1\n", render "{% local x = 1 %} {{ x }}\n")
    assert.equal("1  \n", render "{{ 1 }} {% local x %} \n")
  end)

  it("finds the end of a tag behind texts, tables and comments", function()
    assert.equal("}} %}", render [[{{ "}}" }} {{ '%}' }}]])
    assert.equal("2", render "{{ #{{1}, {2}} }}")
    assert.equal("]] }}", render "{{ [=[]] }}]=] }}")
    assert.equal([["]], render [[{{{ "\"" }}}]])
    assert.equal("1ab", render "{% local x = 1 -- a note %}{{ x }}{% --[[ }} %} ]] %}a{# {{ x }} #}b")
    assert.equal("3", render "{{ 1 + -- one\n 2 }}")
    assert.equal("1", render("{{ f({a={b=1}}) }}", { f = function(t) return t.a.b end }))
  end)

  it("keeps what it assigns to itself", function()
    assert.equal("1", render "{% seen_once = (seen_once or 0) + 1 %}{{ seen_once }}")
    assert.equal("1", render "{% seen_once = (seen_once or 0) + 1 %}{{ seen_once }}")
    assert.is_nil(rawget(_G, "seen_once"))
    local values = { a = 1 }
    render("{% a = 2 %}{{ a }}", values)
    assert.equal(1, values.a)
  end)

  it("may wait, while others render the same page", function()
    local page = assert(template.compile "{{ name }}{% wait() %}{{ name }}")
    local function start(name)
      return coroutine.wrap(function() return page:render { name = name, wait = coroutine.yield } end)
    end
    local a, b = start "a", start "b"
    a()
    b()
    assert.equal("aa", a())
    assert.equal("bb", b())
    assert.equal("cc", page:render { name = "c", wait = function() end })
  end)
end)

describe("moongate.template: mistakes", function()
  local function said(source, values)
    local text, message, code = template.render(source, values, { name = "page.html" })
    assert.is_nil(text)
    return message, code
  end

  it("are said with the line of the template", function()
    for source, line in pairs {
      ["a\nb {{ x.y }}"] = 2, ["{% for i = 1, 2 do %}\n\n{{ error('no') }}{% end %}"] = 3,
      ["{% --[[ long\ncomment ]] %}\n{% x() %}"] = 3, ["{#\n\n#}\n{{ x() }}"] = 4, ["{{ 1 +\n2 }}\n\n{{ x.y }}"] = 4,
      ["{% local a = [[\n\n]] %}\n{{ x.y }}\n"] = 4, ["\n  {% if true then %}  \n{{ x.y }}{% end %}"] = 3,
    } do
      local message, code = said(source)
      assert.equal("render", code)
      assert.equal(("page.html:%d:"):format(line), message:match "^page%.html:%d+:", message)
    end
  end)

  it("of syntax are found before anything is written", function()
    for source, start in pairs {
      ["a\n{{ x"] = "page.html:2: '}}' is missing", ["{% if"] = "page.html:1: '%}' is missing", ["\n{# x"] = "page.html:2: '#}' is missing",
      ["\n\n{{ 1 + }}"] = "page.html:3: ", ["{{ }}"] = "page.html:1: an expression is missing",
      ["{{ a) b( }}"] = "page.html:1: ", ["{% if x then %}\n\n"] = "page.html:3: 'end' expected", ["\n{% end %}"] = "page.html:2: ",
      ["{{ __o }}"] = "page.html:1: names that begin with '__'", ["\n{% x = = 1 %}"] = "page.html:2: ",
      ["{{{ x }}"] = "page.html:1: '}}}' is missing", ["{{ 'x }}"] = "page.html:1: '}}' is missing",
    } do
      local message, code = said(source)
      assert.equal("syntax", code)
      assert.equal(start, message:sub(1, #start))
    end
  end)

  it("blame the script where it called wrongly", function()
    for _, wrong in ipairs {
      function() return (template.compile(nil)) end,
      function() return (template.render("x", "y")) end,
      function() return (template.render("x", nil, { sandboxed = true })) end,
      function() return (template.new {}) end,
      function() return (template.new { folder = "x", load = print }) end,
      function() return (assert(template.compile "x"):render(7)) end,
    } do
      assert.equal("template_spec.lua", (misuse(wrong)))
    end
  end)
end)

describe("moongate.template: includes", function()
  local FILES = {
    ["page.html"] = "<{% include('part/row.html', { name = 'x' }) %}|{% include 'part/row.html' %}>",
    ["part/row.html"] = "{{ name }}", ["loop.html"] = "{% include 'loop.html' %}", ["deep.html"] = "\n{% include 'bad.html' %}",
    ["bad.html"] = "\n\n{{ nothing.at.all }}", ["broken.html"] = "{{ ", ["uses.html"] = "\n{% include 'broken.html' %}",
    ["gone.html"] = "{% include 'nowhere.html' %}",
  }
  local function load_file(name) return FILES[name] end

  both_ways("see the values they are given, else those of the page", function()
    local pages = template.new { load = load_file }
    assert.equal("<x|a&amp;b>", pages:render("page.html", { name = "a&b" }))
  end)

  it("say where they failed", function()
    local pages = template.new { load = load_file }
    for name, wanted in pairs {
      ["deep.html"] = { "bad.html:3: attempt to index", "render" },
      ["uses.html"] = { "uses.html:2: broken.html:1: '}}' is missing", "render" },
      ["gone.html"] = { "gone.html:1: there is no template 'nowhere.html'", "render" },
      ["loop.html"] = { "loop.html:1: templates include each other too deeply", "render" },
      ["nowhere.html"] = { "there is no template 'nowhere.html': not found", "load" },
      ["broken.html"] = { "broken.html:1: '}}'", "syntax" },
    } do
      local text, message, code = pages:render(name, {})
      assert.is_nil(text)
      assert.equal(wanted[1], message:sub(1, #wanted[1]))
      assert.equal(wanted[2], code)
    end
  end)

  it("are read from a folder and from nowhere else, until they are forgotten", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir -p " .. folder .. "/in") == 0)
    local function write(name, text)
      local file = assert(io.open(folder .. "/" .. name, "wb"))
      file:write(text)
      file:close()
    end
    finally(function() os.execute("rm -r " .. folder) end)
    write("in/a.html", "one")
    write("secret", "secret")
    local pages = template.new { folder = folder .. "/in" }
    assert.equal("one", pages:render "a.html")
    write("in/a.html", "two")
    assert.equal("one", pages:render "a.html")
    pages:forget()
    assert.equal("two", pages:render "a.html")
    for _, name in ipairs { "../secret", "x/../../secret", "/etc/passwd", "", ".", "./a.html", "a.html\0", "..\\secret" } do
      assert.equal("load", (select(3, pages:render(name))), name)
    end
  end)
end)

describe("moongate.template: the sandbox", function()
  local function sandboxed(source, values) return template.render(source, values, { sandbox = true }) end

  it("has what pages need", function()
    local source = "{{ ('a'):upper() }} {{ math.max(1, 3) }} {{ table.concat(list, ',') }} {{ tonumber('7') }} {{ n }}"
    assert.equal("A 3 x,y 7 2", sandboxed(source, { list = { "x", "y" }, n = 2 }))
  end)

  it("has nothing else", function()
    for _, name in ipairs {
      "_G", "io", "os.execute", "os.exit", "os.getenv", "require", "package", "debug", "load", "loadstring", "loadfile", "dofile",
      "getfenv", "setfenv", "getmetatable", "setmetatable", "rawset", "rawget", "collectgarbage", "newproxy", "string.dump", "jit", "ffi",
      "coroutine", "pcall", "print", "module",
    } do
      assert.equal("nil", sandboxed("{{ tostring(" .. name .. ") }}"), name)
    end
  end)

  it("cannot change what others see", function()
    assert.equal("render", (select(3, sandboxed "{% string.upper = nil %}")))
    assert.equal("render", (select(3, sandboxed "{% math.x = 1 %}")))
    sandboxed "{% tostring = nil %}"
    assert.equal("1", sandboxed "{{ tostring(1) }}")
    assert.equal("syntax", (select(3, sandboxed "{% __t[1] = 'x' %}")))
  end)
end)
