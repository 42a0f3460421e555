#include "script/api.h"

#include "script/script_test.h"

/* Each accessor with what it gives for the request below; run both compiled and interpreted. */
static const char *const reads =
    "local out = {} local function add(v) out[#out + 1] = tostring(v) end\n"
    "add(req.method) add(req.path) add(req.query) add(req.target) add(req.scheme) add(req.host) add(req.version)\n"
    "add(#req.id) add(req.route) add(req.site) add(req.upstream) add(req.client.ip) add(req.client.port)\n"
    "add(req.time > 1e9) add(req.deadline) add(req.headers.host) add(req.headers['X-Two']) add(req.headers.absent)\n"
    "add(#req.headers:all('x-two')) add(req.headers:get('x-two')) add(req.args.a) add(req.args['b c']) add(req.args.none)\n"
    "add(#req.args:all('a')) add(req.cookies.s) add(req.cookies.t) add(req.params.id) add(req.params['*'])\n"
    "local n = 0 for k, v in req.headers:each() do n = n + #k + #v end add(n)\n"
    "n = 0 for k, v in req.args:each() do n = n + #k + #v end add(n)\n"
    "return table.concat(out, '|')";

static const char *const read_so =
    "GET|/u/7/rest|a=1&b+c=%41&a=2&d|/u/7/rest?a=1&b+c=%41&a=2&d|http|example.com|1.1|32|example.com /u/:id/*|example.com|app|"
    "192.0.2.7|1234|true|nil|example.com|one|nil|2|one|1|A|nil|2|v|w|7|rest|54|9";

static void fill(mg_exchange *x)
{
    add_field(x->req.fields, "x-two", "one");
    add_field(x->req.fields, "X-Two", "two");
    add_field(x->req.fields, "cookie", "s=v; u=1");
    add_field(x->req.fields, "cookie", "t=w");
}

/* Runs the access phase of one route many times; what the function returns must be the same each time. */
static void check_reads(const char *first_line)
{
    char text[4096];
    snprintf(text, sizeof text, CONF("{ path = '/u/:id/*', upstream = 'app', policies = { function(req)\n%s\n%s end } }"), first_line, reads);
    mg_generation *g = load(text);
    REQUIRE(g);
    for (int i = 0; i < 300; i++) {
        request r;
        mg_exchange *x = ask(&r, g, "/u/7/rest?a=1&b+c=%41&a=2&d");
        fill(x);
        if (!CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_ANSWER) || !CHECK_STR(body(x), mg_str_of(read_so)))
            i = 300;
        over(&r);
    }
    mg_generation_drop(g);
}

TEST("every accessor gives the same compiled")
{
    check_reads("");
}

TEST("every accessor gives the same interpreted")
{
    check_reads("jit.off(true, true) jit.off()");
}

/* How many of the exported functions a trace calls: > 0 when compiled code takes the FFI. */
TEST("compiled hooks take the way through the FFI")
{
    mg_generation *g = load(
        "local util = require 'jit.util'\n" CONF("{ upstream = 'app', policies = { function(req)\n"
        "  if req.headers['x-count'] then local calls = 0\n"
        "    for t = 1, 100 do local info = util.traceinfo(t) if not info then break end\n"
        "      for i = 1, info.nins - 1 do local m, ot = util.traceir(t, i) if m and bit.rshift(ot, 8) == CALLXS then calls = calls + 1 end end end\n"
        "    return tostring(calls) end\n"
        "  req.headers['x-b'] = req.headers['x-a'] end } }"));
    REQUIRE(g);
    mg_generation_drop(g);
    g = load("local names = require('jit.vmdef').irnames\n"
             "for i = 0, #names / 6 do if names:sub(i * 6 + 1, i * 6 + 6) == 'CALLXS' then CALLXS = i end end\n"
             "local util, bit = require 'jit.util', require 'bit'\n" CONF(
        "{ upstream = 'app', policies = { function(req)\n"
        "  if req.args.count then local calls = 0\n"
        "    for t = 1, 100 do local info = util.traceinfo(t) if info then\n"
        "      for i = 1, info.nins - 1 do local m, ot = util.traceir(t, i)\n"
        "        if m and bit.rshift(ot, 8) == CALLXS then calls = calls + 1 end end end end\n"
        "    return tostring(calls) end\n"
        "  req.headers['x-b'] = req.headers['x-a'] end } }"));
    REQUIRE(g);
    request r;
    for (int i = 0; i < 300; i++) {
        mg_exchange *x = ask(&r, g, "/");
        add_field(x->req.fields, "x-a", "1");
        CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_DONE);
        over(&r);
    }
    mg_exchange *x = ask(&r, g, "/?count=1");
    CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_ANSWER);
    CHECK(body(x).n > 1 || *body(x).p >= '2');
    over(&r);
    mg_generation_drop(g);
}

TEST("a script that cannot be compiled does not slow the accessors of others")
{
    mg_generation *g = load("local util, bit = require 'jit.util', require 'bit'\n" CONF(
        "{ path = '/hostile', upstream = 'app', policies = { function(req)\n"
        "  local f = function() return req.path end for i = 1, 3 do req.headers['x-h'] = req.headers.host .. f() end end } },\n"
        "{ path = '/friendly', upstream = 'app', policies = { function(req)\n"
        "  req.headers['x-b'] = req.headers['x-a'] end } },\n"
        "{ path = '/traces', handler = function() local n = 0\n"
        "  for t = 1, 1000 do local info = util.traceinfo(t) if info and info.linktype == 'return' then n = n + 1 end end\n"
        "  return tostring(n) end }"));
    REQUIRE(g);
    request r;
    for (int i = 0; i < 5000; i++) {
        mg_exchange *x = ask(&r, g, "/hostile");
        CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_DONE);
        over(&r);
    }
    for (int i = 0; i < 500; i++) {
        mg_exchange *x = ask(&r, g, "/friendly");
        add_field(x->req.fields, "x-a", "1");
        CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_DONE);
        CHECK_STR(up(x, "x-b"), MG_STR("1"));
        over(&r);
    }
    mg_exchange *x = ask(&r, g, "/traces");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK(*body(x).p >= '1'); /* the friendly one, from its start to its return */
    over(&r);
    mg_generation_drop(g);
}

/* Runs one line of Lua in a phase, once interpreted and many times so that it is compiled, each time expecting
 * the same error at the line it stands on. */
static void check_refusal(mg_phase phase, const char *line, const char *said)
{
    char text[4096];
    const char *name = mg_phase_name(phase);
    snprintf(text, sizeof text,
             "return { upstreams = { app = { servers = { '127.0.0.1:1' } } }, access_log = { off = true },\n"
             "  policies = { { %s = function(self, req, res)\n%s\n  end } },\n"
             "  sites = { { hosts = { 'example.com' }, routes = { { upstream = 'app' } } } } }\n",
             name, line);
    mg_generation *g = load(text);
    REQUIRE(g);
    for (int i = 0; i < 120; i++) {
        request r;
        mg_exchange *x = ask(&r, g, "/");
        if (phase == MG_PHASE_REWRITE)
            x->route = NULL;
        else
            answer(x, 200);
        bool right = CHECK_FOR(run(x, phase) == MG_HOOK_FAILED, line);
        const char *written = logged();
        right = right && CHECK_FOR(says(written, "conf.lua:3: "), line) && CHECK_FOR(says(written, said), line);
        over(&r);
        if (!right)
            break;
    }
    mg_generation_drop(g);
}

TEST("what cannot be written is refused at the script's line, with what would be right")
{
    check_refusal(MG_PHASE_LOG, "req.path = '/x'", "req.path cannot be changed in phase 'log'; it can in: rewrite, access");
    check_refusal(MG_PHASE_ACCESS, "req.target = '/x'", "req.target cannot be changed");
    check_refusal(MG_PHASE_ACCESS, "req.path = 7", "req.path takes a text, not a number");
    check_refusal(MG_PHASE_ACCESS, "req.path = nil", "req.path = nil: a text is needed, not nil");
    check_refusal(MG_PHASE_ACCESS, "req.path = 'x'", "req.path = \"x\": ");
    check_refusal(MG_PHASE_ACCESS, "req.upstream = 'nobody'", "req.upstream = \"nobody\": no upstream has that name");
    check_refusal(MG_PHASE_ACCESS, "req.headers = {}", "req.headers cannot be replaced");
    check_refusal(MG_PHASE_ACCESS, "req.client.ip = '1.2.3.4'", "req.client.ip cannot be changed");
    check_refusal(MG_PHASE_ACCESS, "req.colour = 'red'", "req has no field 'colour'; what policies share goes into req.ctx");
    check_refusal(MG_PHASE_ACCESS, "local x = req.pth", "req has no field 'pth'; did you mean 'path'?");
    check_refusal(MG_PHASE_ACCESS, "req.args.x = '1'", "'x' was given by the client and cannot be changed");
    check_refusal(MG_PHASE_RESPONSE, "res.status = 99", "res.status must be a whole number from 200 to 599, not 99");
    check_refusal(MG_PHASE_RESPONSE, "res.status = 'ok'", "res.status takes a number, not a string");
    check_refusal(MG_PHASE_RESPONSE, "res.status = 204", "an answer with that status has no body");
    check_refusal(MG_PHASE_LOG, "res.status = 200", "res.status cannot be changed in phase 'log'; it can in: upstream_response, response");
}

TEST("header fields that would break the message are refused at the script's line")
{
    check_refusal(MG_PHASE_ACCESS, "req.headers['x-a'] = 'a\\r\\nx-b: c'", "the value of header 'x-a' has a control character");
    check_refusal(MG_PHASE_ACCESS, "req.headers['x-a'] = 'a\\0b'", "the value of header 'x-a' has a control character");
    check_refusal(MG_PHASE_ACCESS, "req.headers['x a'] = 'b'", "\"x a\" is not the name of a header");
    check_refusal(MG_PHASE_ACCESS, "req.headers[''] = 'b'", "\"\" is not the name of a header");
    check_refusal(MG_PHASE_ACCESS, "req.headers[{}] = 'b'", "a name must be a text, not a table");
    check_refusal(MG_PHASE_ACCESS, "req.headers['x-a'] = true", "the header 'x-a' takes a text, a number or a list of texts, not a boolean");
    check_refusal(MG_PHASE_ACCESS, "req.headers['x-a'] = { 'a', {} }", "the header 'x-a' takes a text, a number or a list of texts, not a table");
    check_refusal(MG_PHASE_ACCESS, "req.headers['Content-Length'] = '1'", "the header 'Content-Length' is written by the proxy itself");
    check_refusal(MG_PHASE_ACCESS, "req.headers['transfer-encoding'] = nil", "the header 'transfer-encoding' is written by the proxy itself");
    check_refusal(MG_PHASE_ACCESS, "req.headers.host = 'b'", "the header 'host' is changed by req.host");
    check_refusal(MG_PHASE_RESPONSE, "req.headers['x-a'] = 'b'", "req.headers cannot be changed in phase 'response'; it can in: rewrite, access, upstream_request");
    check_refusal(MG_PHASE_LOG, "res.headers:add('x-a', 'b')", "res.headers cannot be changed in phase 'log'; it can in: upstream_response, response");
    check_refusal(MG_PHASE_ACCESS, "req.headers.all('x')", "this is called with a colon");
}

TEST("what is written arrives, replaces, adds and removes, compiled and not")
{
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { { rewrite = nil, access = function(_, req)\n"
                                 "  local h = req.headers h['x-set'] = 'a' h['X-Set'] = 'b' h['x-n'] = 5 h['x-list'] = { 'p', 'q' }\n"
                                 "  h:add('x-list', 'r') h['x-gone'] = nil h['user-agent'] = 'u'\n"
                                 "  req.method = 'POST' req.path = '/new/../p' req.query = 'q=1' req.host = 'b.example' req.upstream = 'other'\n"
                                 "  req.id = 'abc' end, response = function(_, req, res)\n"
                                 "  res.status = 418 res.headers.server = nil res.headers['x-id'] = req.id end } } }"));
    REQUIRE(g);
    for (int i = 0; i < 150; i++) {
        request r;
        mg_exchange *x = ask(&r, g, "/");
        add_field(x->req.fields, "X-Gone", "1");
        add_field(x->req.fields, "x-gone", "2");
        if (!CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_DONE))
            puts(logged());
        CHECK_STR(up(x, "x-set"), MG_STR("b"));
        CHECK_STR(up(x, "x-n"), MG_STR("5"));
        CHECK_STR(up(x, "x-list"), MG_STR("p"));
        CHECK(!up(x, "x-gone").p);
        CHECK_STR(x->req.method_name, MG_STR("POST"));
        CHECK_STR(x->req.path, MG_STR("/p"));
        CHECK_STR(x->req.query, MG_STR("q=1"));
        CHECK_STR(x->req.host, MG_STR("b.example"));
        CHECK_STR(x->upstream->name, MG_STR("other"));
        answer(x, 200);
        add_field(&x->res.fields, "Server", "s");
        CHECK_INT(run(x, MG_PHASE_RESPONSE), MG_HOOK_DONE);
        CHECK_INT(x->res.status, 418);
        CHECK(!sent(x, "server").p);
        CHECK_STR(sent(x, "x-id"), MG_STR("abc"));
        over(&r);
    }
    mg_generation_drop(g);
}

TEST("a request that is kept beyond its end answers nothing, not even when its slot serves another")
{
    mg_generation *g = load(CONF("{ path = '/keep', handler = function(req) KEPT = req return 200 end },\n"
                                 "{ path = '/use', handler = function(req)\n  return KEPT.path\n end }"));
    REQUIRE(g);
    request one, two, three;
    mg_exchange *x = ask(&one, g, "/keep");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    mg_exchange *y = ask(&two, g, "/use"); /* in a slot of its own, while the first goes on */
    CHECK_INT(run(y, MG_PHASE_HANDLER), MG_HOOK_FAILED);
    CHECK(says(logged(), "conf.lua:6: this request is over, or is not the one that runs here"));
    over(&one);
    x = ask(&three, g, "/keep"); /* takes the first one's slot */
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_INT(run(y, MG_PHASE_HANDLER), MG_HOOK_FAILED);
    over(&two);
    over(&three);
    mg_generation_drop(g);
}

TEST("pairs and next go through every entry, however hot the loop")
{
    mg_generation *g = load("return { access_log = { off = true }, budgets = { cpu = '30s' }, sites = { { routes = { { handler = function()\n"
                                 "  local t = { 1, 2, 3, 4, 5 } local all = { a = t, b = t, c = t, d = t, e = t }\n"
                                 "  local function f(...) for j = 1, 100 do end end\n"
                                 "  for i = 1, 60000 do f() local c = 0 for _, v in pairs(all) do for _ in next, v do end c = c + 1 end\n"
                                 "    if c ~= 5 then return 'ended early after ' .. i end end\n"
                                 "  return 'whole' end } } } } }");
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_STR(body(x), MG_STR("whole"));
    over(&r);
    mg_generation_drop(g);
}
