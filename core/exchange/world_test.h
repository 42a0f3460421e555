/*
 * world_test: exchanges without scripts: a generation made by hand, hooks that are C functions, clients and
 * origins that the test itself is.
 *
 *      test ═ wire ═► [ h1_server ] exchange [ h1_client ] ◄═ wire ═ test
 *
 *      open_world() ─► route("/a") ─► connect_client(&c) ─► say(&c, GET("/a")) ─► accept_origin(&o) ─► … ─► close_world()
 *
 * Hooks: world.on[phase] is what the hooks of that phase do, for all routes that have the phase's bit. How each
 * exchange ended is kept in world.ends. close_world() checks that nothing is left: exchanges, generations, blocks.
 */
#ifndef MG_EXCHANGE_WORLD_TEST_H
#define MG_EXCHANGE_WORLD_TEST_H

#include "exchange/access_log.h"
#include "exchange/filter.h"
#include "exchange/inside.h"
#include "http/wire_test.h"

enum { ENDS_MOST = 256 };

static struct {
    mg_generation *gen;
    mg_site *site;
    mg_upstream *upstream;
    mg_h1_server_settings settings;
    mg_hook_result (*on[MG_PHASE_COUNT])(mg_exchange *x);
    mg_hook_result (*pull)(mg_exchange *x);
    mg_hook_result (*filter)(mg_exchange *x, mg_flow flow);
    int runs[MG_PHASE_COUNT], pulls, hook_ends;
    mg_exchange *x;            /* of the newest hook */
    struct {
        mg_end end;
        int status;
        uint32_t tries;
        uint64_t up, down;
    } ends[ENDS_MOST];
    int end_count, freed;
    int listener;
    uint32_t ids;
} world;

/* ---- hooks --------------------------------------------------------------------------------------- */

static inline mg_hook_result run_test_hook(mg_exchange *x, mg_phase phase)
{
    world.runs[phase]++;
    world.x = x;
    x->script = &world;
    return world.on[phase] ? world.on[phase](x) : MG_HOOK_DONE;
}

static inline mg_hook_result pull_test_hook(mg_exchange *x)
{
    world.pulls++;
    x->script = &world;
    return world.pull(x);
}

static inline mg_hook_result filter_test_hook(mg_exchange *x, mg_flow flow)
{
    x->script = &world;
    world.x = x;
    return world.filter(x, flow);
}

static inline void end_test_hook(mg_exchange *x)
{
    CHECK(x->script == &world);
    world.hook_ends++;
}

static const mg_hooks test_hooks = {run_test_hook, pull_test_hook, filter_test_hook, end_test_hook};

/* Waits once, then is done: world.on[…] that most tests begin with. */
static inline mg_hook_result wait_once(mg_exchange *x)
{
    static mg_exchange *waiting;
    if (waiting == x) {
        waiting = NULL;
        return MG_HOOK_DONE;
    }
    waiting = x;
    return MG_HOOK_WAIT;
}

static inline mg_hook_result wait_on(mg_exchange *x)
{
    (void)x;
    return MG_HOOK_WAIT;
}

static inline mg_hook_result fails(mg_exchange *x)
{
    (void)x;
    return MG_HOOK_FAILED;
}

static inline mg_hook_result says_ok(mg_exchange *x)
{
    mg_exchange_answer(x, 200);
    CHECK(mg_exchange_answer_field(x, MG_STR("x-by"), MG_STR("hook")) == MG_OK);
    mg_exchange_answer_body(x, MG_STR("by hook"));
    return MG_HOOK_ANSWER;
}

/* ---- the world ----------------------------------------------------------------------------------- */

static inline void on_test_end(mg_exchange *x)
{
    if (world.end_count < ENDS_MOST) {
        world.ends[world.end_count].end = (mg_end)x->end;
        world.ends[world.end_count].status = x->at.response_sent ? x->res.status : 0;
        world.ends[world.end_count].tries = x->tries;
        world.ends[world.end_count].up = x->bytes_up;
        world.ends[world.end_count].down = x->bytes_down;
    }
    world.end_count++;
}

static inline void on_test_free(mg_generation *g)
{
    (void)g;
    world.freed++;
}

static inline void listen_for_origins(char *name, size_t room)
{
    mg_addr any, got;
    mg_err err;
    MG_BUG_UNLESS(mg_addr_parse("127.0.0.1:0", &any) == MG_OK);
    world.listener = mg_socket_listen(&any, &(mg_listen_options){0}, &got, &err);
    MG_BUG_UNLESS(world.listener >= 0);
    char text[MG_ADDR_ROOM];
    size_t n = mg_addr_print(&got, text);
    MG_BUG_UNLESS(n < room);
    memcpy(name, text, n + 1);
}

static inline mg_generation *make_generation(const char *origin)
{
    static const mg_upstream_options options = {
        .connect_ms = 2000, .response_ms = 60000, .body_ms = 60000, .attempts = 2, .retry_connect = true, .retry_reset = true,
        .keepalive = 8, .keepalive_idle_ms = 60000};
    mg_err err;
    mg_generation *g = mg_generation_new(++world.ids);
    g->router = mg_router_new(&g->arena);
    g->hooks = &test_hooks;
    g->on_free = on_test_free;
    g->limits.buffer = 65536;
    world.site = mg_arena_zalloc(&g->arena, sizeof *world.site);
    world.site->name = MG_STR("default");
    world.site->none.timeouts = g->timeouts;
    world.site->none.body_limit = g->limits.body;
    MG_BUG_UNLESS(mg_router_add_site(g->router, world.site, NULL, 0, &err) == MG_OK);
    world.upstream = mg_upstream_new(&g->arena, MG_STR("app"), &options);
    mg_map_put(&g->upstreams, world.upstream->name, world.upstream);
    MG_BUG_UNLESS(mg_upstream_add(world.upstream, mg_str_of(origin), 1, false, &err) == MG_OK);
    return g;
}

static inline void open_world(void)
{
    char origin[MG_ADDR_ROOM];
    memset(&world, 0, sizeof world);
    open_loop();
    mg_exchange_world_init(mg_pool_new(NULL));
    mg_world.on_end = on_test_end;
    listen_for_origins(origin, sizeof origin);
    world.gen = mg_world.current = make_generation(origin);
    mg_h1_server_settings_init(&world.settings);
    mg_exchange_settings(&world.settings, world.gen);
}

/* The limits and timeouts of the generation as they are now, for the connections that follow. */
static inline void set_again(void)
{
    mg_exchange_settings(&world.settings, world.gen);
}

static inline void close_world(void)
{
    mg_exchange_stop_all();
    mg_h1_server_close_all(&world.settings);
    CHECK_INT(mg_world.count, 0);
    CHECK_INT(world.settings.open, 0);
    CHECK_INT(world.upstream->peers[0].active, 0);
    CHECK_INT(world.gen->holds, 1);
    CHECK_INT(world.gen->exchanges, 0);
    mg_pool_free(mg_world.pool);
    mg_generation_drop(world.gen);
    mg_socket_close(world.listener);
    close_loop();
}

/* ---- routes -------------------------------------------------------------------------------------- */

static inline mg_route *route_to(const char *path, mg_action action)
{
    mg_err err;
    mg_route *r = mg_arena_zalloc(&world.gen->arena, sizeof *r);
    r->site = world.site;
    r->name = mg_str_of(path);
    r->action = action;
    r->upstream = world.upstream;
    r->timeouts = world.gen->timeouts;
    r->body_limit = world.gen->limits.body;
    mg_route_match match = {.path = mg_str_of(path)};
    MG_BUG_UNLESS(mg_router_add(world.gen->router, world.site, r, &match, &err) == MG_OK);
    return r;
}

static inline mg_route *route(const char *path)
{
    return route_to(path, MG_ACTION_UPSTREAM);
}

static inline void hook(mg_route *r, mg_phase phase, mg_hook_result (*fn)(mg_exchange *))
{
    r->hooks |= 1u << phase;
    world.on[phase] = fn;
}

/* ---- both ends ----------------------------------------------------------------------------------- */

static inline mg_h1_server *take_client(int fd)
{
    mg_addr peer;
    MG_BUG_UNLESS(mg_addr_parse("192.0.2.1:1234", &peer) == MG_OK);
    return mg_h1_server_new(fd, &peer, &world.settings, NULL);
}

static inline void connect_client(wire *c)
{
    (void)take_client(wire_pair(c));
}

static inline void connect_client_tcp(wire *c)
{
    (void)take_client(wire_tcp(c));
}

static inline bool has_knocked(void *o)
{
    int fd = accept4(world.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        *(wire *)o = (wire){.fd = fd};
    return fd >= 0;
}

/* The proxy connects to its origin, which the test is from now on. */
static inline bool accept_origin(wire *o)
{
    *o = (wire){.fd = -1};
    return run_until(has_knocked, o);
}

static inline bool has_ended_count(void *count)
{
    return world.end_count >= *(int *)count;
}

/* So many exchanges have ended. */
static inline bool ended(int count)
{
    return run_until(has_ended_count, &count);
}

#define CHECK_END(at, why, answered) \
    do { \
        CHECK_STR(mg_str_of(mg_end_name(world.ends[at].end)), mg_str_of(mg_end_name(MG_END_##why))); \
        CHECK_INT(world.ends[at].status, answered); \
    } while (0)

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define ANSWER(body_size, body) "HTTP/1.1 200 OK\r\nContent-Length: " #body_size "\r\n\r\n" body

#endif
