#include "script/plan.h"

#include "base/test.h"

static mg_plan sample(void)
{
    static mg_plan_listener listeners[] = {{"127.0.0.1:8080", 4096, 0660, true}, {"unix:/run/a b%.sock", 1, 0600, false}};
    static mg_plan_dict dicts[] = {{"limits", 10485760}};
    static const char *servers[] = {"127.0.0.1:53", "[::1]:53"};
    mg_plan p;
    mg_plan_init(&p);
    p.config = "conf/moongate.lua";
    p.workers = 3;
    p.control = "/run/moon gate\n.sock";
    p.access_log.format = MG_PLAN_LOG_JSON;
    p.error_log.level = MG_LOG_WARN;
    p.listeners = listeners;
    p.listener_count = 2;
    p.dicts = dicts;
    p.dict_count = 1;
    p.resolver.nameservers = servers;
    p.resolver.nameserver_count = 2;
    p.resolver.max_ttl_ms = (int64_t)1 << 40;
    p.drain_ms = 12345;
    return p;
}

TEST("a plan that is printed and parsed is the same, whatever bytes are in it")
{
    mg_arena a;
    mg_plan q, p = sample();
    mg_err err;
    mg_arena_init(&a, 1 << 20);
    mg_plan_init(&q);
    mg_str text = mg_plan_print(&p, &a);
    REQUIRE(mg_plan_parse(&q, text, &err) == MG_OK);
    CHECK_STR(mg_str_of(q.control), mg_str_of(p.control));
    CHECK_STR(mg_str_of(q.listeners[1].bind), mg_str_of(p.listeners[1].bind));
    CHECK_INT(q.listeners[1].mode, 0600);
    CHECK_INT(q.resolver.max_ttl_ms, (int64_t)1 << 40);
    CHECK(!q.user);
    CHECK_STR(mg_plan_print(&q, &a), text);
    mg_plan_fini(&p);
    mg_plan_fini(&q);
    mg_arena_fini(&a);
}

TEST("a line that no plan has is refused by name")
{
    static const char *const bad[] = {"listener 127.0.0.1:80 1 2\n", "workers many\n", "colour blue\n", "control %zz\n", "control %00\n", "dict a -1\n"};
    for (size_t i = 0; i < MG_COUNT(bad); i++) {
        mg_plan p;
        mg_err err;
        mg_plan_init(&p);
        CHECK_FOR(mg_plan_parse(&p, mg_str_of(bad[i]), &err) == MG_BAD, bad[i]);
        CHECK_FOR(strncmp(err.text, "not a line of a plan: ", 22) == 0, bad[i]);
        mg_plan_fini(&p);
    }
}

TEST("any number of listeners survives the way through text")
{
    mg_arena a;
    mg_plan q, p = sample();
    mg_plan_listener many[37];
    mg_err err;
    for (size_t i = 0; i < MG_COUNT(many); i++)
        many[i] = (mg_plan_listener){"[::1]:80", (int)i, 0, false};
    p.listeners = many;
    p.listener_count = MG_COUNT(many);
    mg_arena_init(&a, 1 << 20);
    mg_plan_init(&q);
    REQUIRE(mg_plan_parse(&q, mg_plan_print(&p, &a), &err) == MG_OK);
    CHECK_INT(q.listener_count, 37);
    for (size_t i = 0; i < MG_COUNT(many); i++)
        CHECK_INT(q.listeners[i].backlog, i);
    mg_plan_fini(&p);
    mg_plan_fini(&q);
    mg_arena_fini(&a);
}
