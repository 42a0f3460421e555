#include "script/hooks.h"

#include "os/loop.h"
#include "script/script_test.h"

static void use_loop(void)
{
    MG_BUG_UNLESS(mg_loop_open() == MG_OK);
}

static void stop_when_woken(void *arg)
{
    (void)arg;
    if (woken)
        mg_loop_stop();
}

/* Turns the loop until the exchange is woken. */
static void await_wake(void)
{
    woken = false;
    mg_loop_on_idle(stop_when_woken, NULL);
    while (!woken) /* a stop asked for in a turn's last moment may end the next run at once */
        mg_loop_run();
}

TEST("the hooks of a phase run in order until one answers")
{
    write_file("first.lua", "return { access = function(_, req) req.ctx.trail = 'first' end }\n");
    write_file("second.lua", "return { access = function(_, req) return { status = 403, body = req.ctx.trail } end }\n");
    write_file("third.lua", "return { access = function() error('never reached') end }\n");
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { 'first', 'second', 'third' } }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_ANSWER);
    CHECK_INT(x->res.status, 403);
    CHECK_STR(body(x), MG_STR("first"));
    CHECK_STR(sent(x, "content-type"), MG_STR("text/plain; charset=utf-8"));
    over(&r);
    mg_generation_drop(g);
}

TEST("an answer is a table, a text or a status, with headers that may be lists")
{
    mg_generation *g = load(CONF(
        "{ path = '/table', handler = function() return { status = 201, headers = { ['X-A'] = 'b', ['x-n'] = 7, ['x-l'] = { '1', '2' } }, body = 'c' } end },\n"
        "{ path = '/text', handler = function() return 'hello' end }, { path = '/status', handler = function() return 204 end },\n"
        "{ path = '/typed', handler = function() return { headers = { ['Content-Type'] = 'text/css' }, body = '' } end }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/table");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_INT(x->res.status, 201);
    CHECK_STR(sent(x, "x-a"), MG_STR("b"));
    CHECK_STR(sent(x, "x-n"), MG_STR("7"));
    CHECK_INT(x->res.fields.count, 5);
    CHECK_STR(body(x), MG_STR("c"));
    over(&r);
    x = ask(&r, g, "/text");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_INT(x->res.status, 200);
    CHECK_STR(body(x), MG_STR("hello"));
    over(&r);
    x = ask(&r, g, "/status");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_INT(x->res.status, 204);
    CHECK_INT(x->res.fields.count, 0);
    over(&r);
    x = ask(&r, g, "/typed");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_INT(x->res.fields.count, 1);
    CHECK_STR(sent(x, "content-type"), MG_STR("text/css"));
    over(&r);
    mg_generation_drop(g);
}

TEST("what is no answer fails the request and says what is wrong and which function returned it")
{
    static const struct { const char *given, *said; } rounds[] = {
        {"true", "an answer is a table, a text or a status, not a boolean"},
        {"{ 200 }", "an answer has status, headers and body, not list entries"},
        {"{ staus = 200 }", "an answer has status, headers and body, not 'staus'"},
        {"{ status = 99 }", "the answer's status must be a whole number from 200 to 599, not 99"},
        {"{ status = '200' }", "the answer's status must be a whole number from 200 to 599, not string"},
        {"{ headers = 'x' }", "the answer's headers must be a table, not a string"},
        {"{ headers = { 'x' } }", "the answer's headers must have names"},
        {"{ headers = { ['x-a'] = true } }", "the answer's header 'x-a' must be a text or a list of texts, not a boolean"},
        {"{ headers = { ['x-a'] = 'a\\r\\nb' } }", "the answer's header 'x-a' has a name or value that cannot be sent"},
        {"{ headers = { ['x a'] = 'b' } }", "the answer's header 'x a' has a name or value that cannot be sent"},
        {"{ headers = { connection = 'x' } }", "the answer's header 'connection' is written by the proxy itself"},
        {"{ body = {} }", "the answer's body must be a text or a function, not a table"},
        {"{ status = 304, body = 'x' }", "an answer with status 304 has no body"},
        {"nil", "a handler must return an answer; this one returned nothing"},
    };
    for (size_t i = 0; i < MG_COUNT(rounds); i++) {
        char text[1024];
        snprintf(text, sizeof text, CONF("{ handler = function() return %s end }"), rounds[i].given);
        mg_generation *g = load(text);
        REQUIRE(g);
        request r;
        mg_exchange *x = ask(&r, g, "/");
        CHECK_FOR(run(x, MG_PHASE_HANDLER) == MG_HOOK_FAILED, rounds[i].given);
        const char *line = logged();
        CHECK_FOR(says(line, rounds[i].said), rounds[i].given);
        CHECK_FOR(says(line, "conf.lua:4"), rounds[i].given);
        over(&r);
        mg_generation_drop(g);
    }
}

TEST("an error ends the request with one line that names policy, phase, place, trace and request")
{
    write_file("bad.lua", "local bad = {}\nlocal function deep(t)\n  return t.x.y\nend\n"
                          "function bad:access()\n  local y = deep({})\n  return y\nend\nreturn bad\n");
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { 'bad' } }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/some?thing");
    CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_FAILED);
    const char *line = logged();
    CHECK(says(line, "script error in policy 'bad' (access) at bad.lua:3: attempt to index field 'x' (a nil value)"));
    CHECK(says(line, "[bad.lua:3 in 'deep' < bad.lua:6] (request: GET /some?thing)"));
    const char *end = strchr(line, '\n');
    CHECK(end && !end[1]);
    over(&r);
    x = ask(&r, g, "/again");
    CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_FAILED);
    over(&r);
    mg_generation_drop(g);
}

TEST("with on_error open the other hooks of the phase go on")
{
    write_file("bad.lua", "return { access = function() error({}) end }\n");
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { { 'bad', on_error = 'open' }, function(req) return 202 end } }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_ANSWER);
    CHECK_INT(x->res.status, 202);
    CHECK(says(logged(), "(an error that is a table)"));
    over(&r);
    mg_generation_drop(g);
}

TEST("a hook that waits goes on where it was, and others run meanwhile")
{
    use_loop();
    mg_generation *g = load(CONF(
        "{ path = '/slow', handler = function(req) local own = req.path require('moongate.time').sleep(0.002)\n"
        "    local ok, more = pcall(function() require('moongate.time').sleep(0.001) return 'pcall' end)\n"
        "    return own .. ' ' .. req.args.a .. ' ' .. more end },\n"
        "{ path = '/fast', handler = function() return 'fast' end }"));
    REQUIRE(g);
    request slow, fast;
    mg_exchange *x = ask(&slow, g, "/slow?a=1");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_WAIT);
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_WAIT); /* asked too early: nothing happens */
    mg_exchange *y = ask(&fast, g, "/fast");
    CHECK_INT(run(y, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    over(&fast);
    await_wake();
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_WAIT);
    await_wake();
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_STR(body(x), MG_STR("/slow 1 pcall"));
    over(&slow);
    mg_generation_drop(g);
    mg_loop_close();
}

TEST("a request that ends while its hook waits is forgotten, and its slot serves the next")
{
    use_loop();
    mg_generation *g = load(CONF("{ path = '/wait', handler = function(req) req.ctx.mine = 1 require('moongate.time').sleep(60) end },\n"
                                 "{ path = '/next', handler = function(req) return tostring(req.ctx.mine) end }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/wait");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_WAIT);
    void *slot = x->script;
    over(&r);
    CHECK(!x->script);
    x = ask(&r, g, "/next");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK(x->script == slot);
    CHECK_STR(body(x), MG_STR("nil"));
    over(&r);
    mg_generation_drop(g);
    mg_loop_close();
}

TEST("a body that is a function is pulled piece by piece and may wait")
{
    use_loop();
    mg_generation *g = load(CONF("{ handler = function(req) local n = 0 return { body = function()\n"
                                 "  n = n + 1 if n == 2 then require('moongate.time').sleep(0.001) end\n"
                                 "  if n < 4 then return req.method .. n end end } end }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK(x->answer.pull && !x->answer.whole);
    CHECK_INT(g->hooks->pull(x), MG_HOOK_ANSWER);
    CHECK_INT(g->hooks->pull(x), MG_HOOK_WAIT);
    await_wake();
    CHECK_INT(g->hooks->pull(x), MG_HOOK_ANSWER);
    CHECK_INT(g->hooks->pull(x), MG_HOOK_ANSWER);
    CHECK_INT(g->hooks->pull(x), MG_HOOK_DONE);
    CHECK_STR(body(x), MG_STR("GET1GET2GET3"));
    over(&r);
    mg_generation_drop(g);
    mg_loop_close();
}

TEST("a function for a body that gives no text fails at its own line")
{
    mg_generation *g = load(CONF("{ handler = function()\n return { body = function() return {} end } end }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_INT(g->hooks->pull(x), MG_HOOK_FAILED);
    CHECK(says(logged(), "conf.lua:5: a body's function must return a text or nil, not a table"));
    over(&r);
    mg_generation_drop(g);
}

TEST("when says whether its route is taken")
{
    mg_generation *g = load(CONF("{ upstream = 'app', when = function(req) return req.headers.host == 'example.com' end },\n"
                                 "{ path = '/no', upstream = 'app', when = function() end }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_WHEN), MG_HOOK_DONE);
    over(&r);
    x = ask(&r, g, "/no");
    CHECK_INT(run(x, MG_PHASE_WHEN), MG_HOOK_ANSWER);
    over(&r);
    mg_generation_drop(g);
}

TEST("a yield outside of a coroutine of the script's own is an error, not a wait for ever")
{
    mg_generation *g = load(CONF("{ handler = function()\n coroutine.yield('x')\n return 200 end }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_FAILED);
    CHECK(says(logged(), "conf.lua:5: coroutine.yield was called outside of a coroutine"));
    over(&r);
    mg_generation_drop(g);
}

TEST("a module may wait while it is loaded, and whoever asks for it meanwhile waits too")
{
    use_loop();
    write_file("slowly.lua", "require('moongate.time').sleep(0.002) LOADS = (LOADS or 0) + 1 return { n = LOADS }\n");
    mg_generation *g = load(CONF("{ handler = function() return tostring(require('slowly').n) end }"));
    REQUIRE(g);
    request one, two;
    mg_exchange *x = ask(&one, g, "/"), *y = ask(&two, g, "/");
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_WAIT);
    CHECK_INT(run(y, MG_PHASE_HANDLER), MG_HOOK_WAIT);
    await_wake();
    CHECK_INT(run(x, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_INT(run(y, MG_PHASE_HANDLER), MG_HOOK_ANSWER);
    CHECK_STR(body(y), MG_STR("1"));
    over(&one);
    over(&two);
    mg_generation_drop(g);
    mg_loop_close();
}

TEST("hooks for a head that was refused find nothing in it, and break nothing")
{
    static mg_stats_beat beat;
    mg_generation *g = load(
        "return { upstreams = { app = { servers = { '127.0.0.1:1' } } }, access_log = { off = true },\n"
        "  policies = { { failed = function(self, req, failure)\n"
        "    return { status = 400, body = table.concat({ tostring(req.method), tostring(req.path), tostring(req.headers.host),\n"
        "      tostring(req.cookies.a), tostring(req.args.b), #req.headers:all('x'), failure.status, #req.id }, ' ') } end } },\n"
        "  sites = { { hosts = { 'example.com' }, routes = { { upstream = 'app' } } } } }\n");
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    memset(&x->req, 0, sizeof x->req);
    x->search = NULL;
    x->site = NULL;
    x->route = &g->nowhere;
    x->failure.status = 400;
    mg_world.beat = &beat;
    CHECK_INT(run(x, MG_PHASE_FAILED), MG_HOOK_ANSWER);
    CHECK_STR(body(x), MG_STR("nil nil nil nil nil 0 400 32"));
    CHECK_INT(beat.busy_with[0], 0);
    mg_world.beat = NULL;
    over(&r);
    mg_generation_drop(g);
}

TEST("while a script runs, the watchdog can read whose it is and for which request")
{
    static mg_stats_beat beat;
    mg_generation *g = load("local ffi = require 'ffi'\n"
                            "return { upstreams = { app = { servers = { '127.0.0.1:1' } } }, access_log = { off = true }, script_path = { '.' },\n"
                            "  sites = { { hosts = { 'example.com' }, routes = { { upstream = 'app', policies = { function(req)\n"
                            "    return ffi.string(ffi.cast('const char *', tonumber(req.headers['x-beat']))) end } } } } } }\n");
    REQUIRE(g);
    request r;
    char address[32];
    mg_exchange *x = ask(&r, g, "/some/where");
    snprintf(address, sizeof address, "%llu", (unsigned long long)(uintptr_t)beat.busy_with);
    add_field(x->req.fields, "x-beat", address);
    mg_world.beat = &beat;
    CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_ANSWER);
    mg_world.beat = NULL;
    CHECK(says(body(x).p, "conf.lua:3 (access) GET /some/where"));
    over(&r);
    mg_generation_drop(g);
}
