#include "exchange/generation.h"

#include "base/test.h"
#include "exchange/router.h"

static int freed;
static mg_generation *freed_one;

static void on_free(mg_generation *g)
{
    freed++;
    freed_one = g;
    /* What upper floors give back may still look at the rest. */
    CHECK(mg_map_get(&g->upstreams, MG_STR("app")) != NULL);
    CHECK(mg_router_site(g->router, MG_STR("example.com")) != NULL);
}

static mg_generation *make(void)
{
    mg_err err;
    mg_generation *g = mg_generation_new(7);
    mg_upstream *u = mg_upstream_new(&g->arena, MG_STR("app"), NULL);
    CHECK(mg_upstream_add(u, MG_STR("127.0.0.1:80"), 1, false, &err) == MG_OK);
    mg_map_put(&g->upstreams, u->name, u);
    g->router = mg_router_new(&g->arena);
    mg_site *site = mg_arena_zalloc(&g->arena, sizeof *site);
    mg_str host = MG_STR("example.com");
    CHECK(mg_router_add_site(g->router, site, &host, 1, &err) == MG_OK);
    CHECK(mg_router_add(g->router, site, &site->none, &(mg_route_match){.regex = MG_STR("^/a")}, &err) == MG_OK);
    g->trusted = mg_cidrs_new();
    g->on_free = on_free;
    return g;
}

TEST("a generation lives until its last holder lets it go")
{
    freed = 0;
    mg_generation *g = make();
    CHECK(mg_generation_hold(g) == g);
    mg_generation_drop(g);
    CHECK_INT(freed, 0);
    mg_generation_drop(g);
    CHECK_INT(freed, 1);
    CHECK(freed_one == g);
}

TEST("a generation that nothing was built into can be dropped")
{
    mg_generation *g = mg_generation_new(1);
    CHECK_INT(g->id, 1);
    CHECK_INT(g->holds, 1);
    mg_generation_drop(g);
}

TEST("every wait but that for the whole request has a bound from the start")
{
    mg_generation *g = mg_generation_new(1);
    const mg_timeouts *w = &g->timeouts;
    CHECK(w->client_header > 0 && w->client_body > 0 && w->client_write > 0 && w->client_idle > 0);
    CHECK(w->client_gone > 0 && w->tunnel > 0 && w->drain > 0 && w->script > 0);
    CHECK_INT(w->request, 0);
    CHECK(w->connect == -1 && w->response == -1 && w->body == -1);
    CHECK(g->limits.connections && g->limits.header_bytes && g->limits.headers && g->limits.request_line);
    CHECK(g->limits.body && g->limits.buffer && g->limits.generations && g->limits.keepalive_requests);
    mg_generation_drop(g);
}
