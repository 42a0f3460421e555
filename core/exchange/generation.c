#include "exchange/generation.h"

#include "base/clock.h"
#include "exchange/router.h"

/* A configuration is the operator's own, so its memory has no bound of its own. */
static const size_t ARENA_MOST = SIZE_MAX / 2;

static const mg_timeouts TIMEOUTS = {
    .client_header = 10000, .client_body = 30000, .client_write = 30000, .client_idle = 75000, .client_gone = 5000,
    .tunnel = 600000, .drain = 30000, .request = 0, .script = 60000, .connect = -1, .response = -1, .body = -1,
};

static const mg_limits LIMITS = {
    .connections = 10000, .header_bytes = 32 * 1024, .headers = 128, .request_line = 16 * 1024,
    .keepalive_requests = 10000, .min_rate = 100, .generations = 8, .body = (uint64_t)1 << 30, .buffer = 256 * 1024,
};

mg_generation *mg_generation_new(uint32_t id)
{
    mg_generation *g = mg_zalloc(sizeof *g);
    g->id = id;
    g->holds = 1;
    g->born_wall_ms = mg_clock_wall_ms();
    mg_arena_init(&g->arena, ARENA_MOST);
    mg_map_init(&g->upstreams);
    g->timeouts = TIMEOUTS;
    g->limits = LIMITS;
    g->forwarded = MG_FORWARDED_BOTH;
    g->via = MG_STR("moongate");
    g->nowhere.name = MG_STR("(no site)");
    g->nowhere.timeouts = g->timeouts;
    g->nowhere.body_limit = g->limits.body;
    return g;
}

void mg_generation_drop(mg_generation *g)
{
    MG_BUG_UNLESS(g->holds > 0);
    if (--g->holds)
        return;
    /* First, since what the upper floors kept may point into all the rest. */
    if (g->on_free)
        g->on_free(g);
    mg_router_free(g->router);
    mg_cidrs_free(g->trusted);
    mg_map_fini(&g->upstreams);
    mg_arena_fini(&g->arena);
    mg_free(g);
}
