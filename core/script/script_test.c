#include "script/script.h"

#include "os/loop.h"
#include "script/script_test.h"

TEST("a configuration without scripts makes a generation that never enters Lua")
{
    mg_generation *g = load(CONF("{ upstream = 'app' }"));
    REQUIRE(g);
    request r;
    CHECK(!g->hooks);
    CHECK_INT(mg_script_heap_bytes(g), 0);
    const mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(x->route->hooks, 0);
    CHECK_INT(x->route->action, MG_ACTION_UPSTREAM);
    CHECK_STR(x->route->upstream->name, MG_STR("app"));
    mg_arena_fini(&r.arena);
    mg_script_start(g);
    mg_script_stop(g);
    mg_generation_drop(g);
}

TEST("every mistake of a configuration is told, each with its line")
{
    CHECK(!load("return {\n  upstreams = { app = { server = {} } },\n  sitess = {},\n}\n"));
    CHECK(says(mistakes, "conf.lua:2: "));
    CHECK(says(mistakes, "conf.lua:3: "));
    CHECK(!load("return {\n"));
    CHECK(says(mistakes, "conf.lua:"));
}

TEST("settings, upstreams and routes arrive as they were configured")
{
    mg_generation *g = load(
        "return { upstreams = { app = { servers = { { '10.0.0.1:80', weight = 3 }, { '10.0.0.2:80', backup = true } },\n"
        "    retry = { attempts = 4, on = { 'timeout', 503, 599 } }, timeouts = { connect = '250ms' }, host = 'server' } },\n"
        "  timeouts = { request = '9s', tunnel = '1m' }, limits = { body = '2m', headers = 7 }, via = false,\n"
        "  forwarded = 'x-forwarded', trusted_proxies = { '10.0.0.0/8' }, access_log = { off = true },\n"
        "  sites = { { hosts = { 'example.com' }, timeouts = { response = '7s' }, routes = {\n"
        "    { path = '/old/*', redirect = { to = '/new/*', status = 308 } },\n"
        "    { path = '/r', reply = { status = 202, headers = { ['x-a'] = { '1', '2' } }, body = 'b' } },\n"
        "    { path = '/a/*', upstream = 'app', rewrite = '/b/*', timeouts = { body = '1s' }, limits = { body = 5 } } } } } }\n");
    REQUIRE(g);
    request r;
    CHECK_INT(g->timeouts.request, 9000);
    CHECK_INT(g->limits.headers, 7);
    CHECK_INT(g->limits.body, 2 << 20);
    CHECK_INT(g->forwarded, MG_FORWARDED_X);
    CHECK(!g->via.p);
    CHECK(g->trusted);
    const mg_upstream *app = mg_map_get(&g->upstreams, MG_STR("app"));
    REQUIRE(app);
    CHECK_INT(app->peer_count, 2);
    CHECK_INT(app->peers[0].weight, 3);
    CHECK(app->peers[1].backup);
    CHECK_INT(app->options.attempts, 4);
    CHECK(app->options.retry_timeout && !app->options.retry_connect && !app->options.retry_reset);
    CHECK(app->options.retry_statuses[0] == 1 << 3 && app->options.retry_statuses[1] == (uint64_t)1 << 35);
    CHECK_INT(app->options.connect_ms, 250);
    CHECK(app->options.host.p && app->options.host.n == 0);

    const mg_route *route = ask(&r, g, "/old/x")->route;
    CHECK_INT(route->action, MG_ACTION_REDIRECT);
    CHECK_INT(route->redirect.status, 308);
    CHECK(route->redirect.prefix && route->redirect.keep_query);
    CHECK_STR(route->redirect.to, MG_STR("/new/"));
    mg_arena_fini(&r.arena);
    route = ask(&r, g, "/r")->route;
    CHECK_INT(route->action, MG_ACTION_REPLY);
    CHECK_INT(route->reply.fields.count, 2);
    CHECK_STR(route->reply.body, MG_STR("b"));
    mg_arena_fini(&r.arena);
    route = ask(&r, g, "/a/c")->route;
    CHECK_STR(route->rewrite, MG_STR("/b/*"));
    CHECK_INT(route->timeouts.body, 1000);
    CHECK_INT(route->timeouts.response, 7000);
    CHECK_INT(route->timeouts.connect, -1);
    CHECK_INT(route->timeouts.tunnel, 60000);
    CHECK_INT(route->body_limit, 5);
    CHECK_INT(route->upgrade_count, 1);
    CHECK(says(route->where.p, "conf.lua:8"));
    mg_arena_fini(&r.arena);
    mg_generation_drop(g);
}

TEST("a policy that is not there, or has no phase, or a later one, is refused at its line")
{
    write_file("empty.lua", "return {}\n");
    write_file("later.lua", "return { message = function() end, access = function() end }\n");
    write_file("broken.lua", "local a\n\nreturn a.b\n");
    CHECK(!load(CONF("{ upstream = 'app',\n policies = { 'api_kay' } }")));
    CHECK(says(mistakes, "conf.lua:5: no policy is named 'api_kay'; did you mean 'api_key'?"));
    CHECK(!load(CONF("{ upstream = 'app', policies = { 'empty' } }")));
    CHECK(says(mistakes, "conf.lua:4: policy 'empty' has no phase"));
    CHECK(!load(CONF("{ upstream = 'app', policies = { 'later' } }")));
    CHECK(says(mistakes, "policy 'later': phase 'message' is not available in this version"));
    CHECK(!load(CONF("{ upstream = 'app', policies = { 'broken' } }")));
    CHECK(says(mistakes, "broken.lua:3: attempt to index local 'a' (a nil value)"));
}

TEST("options are checked, with every mistake told")
{
    CHECK(!load(CONF("{ upstream = 'app', policies = { { 'api_key', key = 'a', header = 1 } } }")));
    CHECK(says(mistakes, "conf.lua:4: policy 'api_key': unknown option 'key'"));
    CHECK(says(mistakes, "policy 'api_key': header: "));
    CHECK(says(mistakes, "policy 'api_key': keys: is required"));
}

TEST("a policy of a route that would rewrite is refused, since the route is chosen then")
{
    write_file("moves.lua", "return { rewrite = function() end }\n");
    CHECK(!load(CONF("{ upstream = 'app', policies = { 'moves' } }")));
    CHECK(says(mistakes, "conf.lua:4: policy 'moves' has a 'rewrite' phase"));
}

TEST("an error in setup refuses the generation and says where")
{
    write_file("fails.lua", "local fails = {}\nfunction fails:access() end\nfunction fails:setup()\n  error('no luck')\nend\nreturn fails\n");
    CHECK(!load(CONF("{ upstream = 'app', policies = { 'fails' } }")));
    CHECK(says(mistakes, "conf.lua:4: policy 'fails': setup: fails.lua:4: no luck"));
}

TEST("whoever waits in setup is told that it cannot")
{
    write_file("sleepy.lua", "local time = require 'moongate.time'\nreturn { access = function() end, setup = function()\n  time.sleep(1) end }\n");
    CHECK(!load(CONF("{ upstream = 'app', policies = { 'sleepy' } }")));
    CHECK(says(mistakes, "sleepy.lua:3: time.sleep waits, which is not possible"));
}

TEST("a user's own script wins over a policy that ships under the same name")
{
    write_file("api_key.lua", "return { access = function() return 418 end }\n");
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { 'api_key' } }"));
    REQUIRE(g);
    request r;
    mg_exchange *x = ask(&r, g, "/");
    CHECK_INT(run(x, MG_PHASE_ACCESS), MG_HOOK_ANSWER);
    CHECK_INT(x->res.status, 418);
    over(&r);
    mg_generation_drop(g);
    remove("api_key.lua");
    write_file("api_key.lua", "return require 'moongate.policy.api_key'\n");
}

TEST("the policies of a route are listed by phase in the order global, site, route")
{
    write_file("one.lua", "return { access = function() end }\n");
    write_file("two.lua", "return { access = function() end, log = function() end }\n");
    mg_generation *g = load(
        "return { upstreams = { app = { servers = { '127.0.0.1:1' } } }, script_path = { '.' }, access_log = { off = true },\n"
        "  policies = { 'one' }, sites = { { hosts = { 'example.com' }, policies = { 'two' },\n"
        "    routes = { { upstream = 'app', policies = { { 'api_key', keys = { 'k' } } } } } } } }\n");
    REQUIRE(g);
    request r;
    const mg_route *route = ask(&r, g, "/")->route;
    CHECK_STR(mg_str_of(mg_script_policy(g, route, MG_PHASE_ACCESS, 0)), MG_STR("one"));
    CHECK_STR(mg_str_of(mg_script_policy(g, route, MG_PHASE_ACCESS, 1)), MG_STR("two"));
    CHECK_STR(mg_str_of(mg_script_policy(g, route, MG_PHASE_ACCESS, 2)), MG_STR("api_key"));
    CHECK(!mg_script_policy(g, route, MG_PHASE_ACCESS, 3));
    CHECK_INT(route->hooks, 1 << MG_PHASE_ACCESS | 1 << MG_PHASE_LOG);
    CHECK_INT(route->site->none.hooks, 1 << MG_PHASE_ACCESS | 1 << MG_PHASE_LOG);
    CHECK_INT(g->nowhere.hooks, 1 << MG_PHASE_ACCESS);
    mg_arena_fini(&r.arena);
    mg_generation_drop(g);
}

/* ---- start, stop, tasks ---- */

static void stop_when_still(void *arg)
{
    (void)arg;
    if (!mg_script_stopping())
        mg_loop_stop();
}

/* Starts and stops the generation, and turns the loop until it has stopped. */
static void live_and_die(mg_generation *g)
{
    MG_BUG_UNLESS(mg_loop_open() == MG_OK);
    mg_script_start(g);
    mg_script_stop(g);
    mg_loop_on_idle(stop_when_still, NULL);
    mg_loop_run();
    mg_generation_drop(g);
    mg_loop_close();
}

TEST("start and stop run as tasks that may wait, and timers end with their generation")
{
    write_file("lives.lua",
               "local task, time, log = require 'moongate.task', require 'moongate.time', require 'moongate.log'\n"
               "local lives = {}\n"
               "function lives:start() task.every(0.001, function() log.info 'tick' end) log.info 'started' end\n"
               "function lives:stop() time.sleep(0.01) log.info('stopped', { after = 'a wait' }) end\n"
               "return lives\n");
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { 'lives' } }"));
    REQUIRE(g);
    live_and_die(g);
    const char *text = logged();
    CHECK(says(text, "stopped after=\"a wait\""));
}

TEST("tasks wait for each other, fail alone and can be cancelled")
{
    write_file("tasks.lua",
               "local task, time, log = require 'moongate.task', require 'moongate.time', require 'moongate.log'\n"
               "local function slow(seconds, value) return function() time.sleep(seconds) return value end end\n"
               "local tasks = {}\n"
               "function tasks:stop()\n"
               "  local a = task.spawn(function(...) time.sleep(0.002) return select('#', ...), ... end, 1, nil, 3)\n"
               "  local n, x, y, z = a:wait()\n"
               "  log.info('spawned', { n = n, x = x, y = tostring(y), z = z })\n"
               "  log.info('all', { list = table.concat(task.all { slow(0.003, 'p'), slow(0.001, 'q') }, ',') })\n"
               "  log.info('any', { first = select(2, task.any { slow(5, 'late'), slow(0.001, 'early') }) })\n"
               "  local bad = task.spawn(function() error('on purpose') end)\n"
               "  log.info('failed', { message = select(2, bad:wait()) })\n"
               "  local kept = task.spawn(function() local ok, why = pcall(time.sleep, 5) log.info('cleanup', { why = why }) time.sleep(5) end)\n"
               "  time.sleep(0.001) kept:cancel() log.info('cancelled', { why = select(2, kept:wait()) })\n"
               "  local co = coroutine.wrap(function() for i = 1, 3 do time.sleep(0.001) coroutine.yield(i) end end)\n"
               "  log.info('own coroutine', { sum = co() + co() + co() })\n"
               "end\n"
               "return tasks\n");
    mg_generation *g = load(CONF("{ upstream = 'app', policies = { 'tasks' } }"));
    REQUIRE(g);
    live_and_die(g);
    const char *text = logged();
    CHECK(says(text, "spawned n=3 x=1 y=nil z=3"));
    CHECK(says(text, "all list=p,q"));
    CHECK(says(text, "any first=early"));
    CHECK(says(text, "script error in a task at tasks.lua:10: on purpose"));
    CHECK(says(text, "failed message="));
    CHECK(says(text, "cleanup why=\"task was cancelled\""));
    CHECK(says(text, "cancelled why=\"task was cancelled\""));
    CHECK(says(text, "own coroutine sum=6"));
}
