/*
 * router_test: a router with one default site, and words to fill and ask it, for the tests of the router.
 *
 *      open_router() ─► ADD("/a", "/b/[*]", "~regex") ─► GET_IS("/a", "/a") ─► close_router()
 *
 * Routes are named as their paths, so that a test says what is found by what was asked for.
 */
#ifndef MG_EXCHANGE_ROUTER_TEST_H
#define MG_EXCHANGE_ROUTER_TEST_H

#include "base/test.h"
#include "exchange/router.h"

/* A router with one default site, and what a search in it finds, by name. */
static struct {
    mg_arena arena;
    mg_router *router;
    mg_site site;
    mg_fields fields;
    mg_router_search search;
    mg_err err;
} t;

static inline void open_router(void)
{
    memset(&t, 0, sizeof t);
    mg_arena_init(&t.arena, 64u << 20);
    t.router = mg_router_new(&t.arena);
    mg_fields_init(&t.fields, &t.arena, 64);
    CHECK(mg_router_add_site(t.router, &t.site, NULL, 0, &t.err) == MG_OK);
}

static inline void close_router(void)
{
    mg_router_free(t.router);
    mg_arena_fini(&t.arena);
}

static inline mg_route *make_route(const char *name)
{
    mg_route *r = mg_arena_zalloc(&t.arena, sizeof *r);
    r->name = mg_arena_copy(&t.arena, mg_str_of(name));
    return r;
}

static inline mg_rc add_match(const char *name, const mg_route_match *m)
{
    return mg_router_add(t.router, &t.site, make_route(name), m, &t.err);
}

/* Routes that are named as their paths; "~…" is a regex. */
static inline void add_paths(const char *const *paths)
{
    for (; *paths; paths++) {
        mg_route_match m = {.path = mg_str_of(*paths)};
        if (**paths == '~')
            m = (mg_route_match){.regex = mg_str_of(*paths + 1)};
        CHECK_FOR(add_match(*paths, &m) == MG_OK, *paths);
    }
}
#define ADD(...) add_paths((const char *const[]){__VA_ARGS__, NULL})

static inline void add_methods(const char *name, const char *path, const char *methods)
{
    mg_str list[16], rest = mg_str_of(methods);
    uint32_t n = 0;
    while (n < 16 && mg_str_next_item(&rest, &list[n]))
        n++;
    mg_route_match m = {.path = mg_str_of(path), .methods = list, .method_count = n};
    CHECK(add_match(name, &m) == MG_OK);
}

static inline void add_cond(const char *name, mg_cond cond)
{
    mg_route_match m = {.conds = &cond, .cond_count = 1};
    CHECK(add_match(name, &m) == MG_OK);
}

static inline void begin(const char *method, const char *target)
{
    mg_str path = mg_str_of(target), query = MG_STR_NONE;
    ptrdiff_t mark = mg_str_find(path, '?');
    if (mark >= 0) {
        query = (mg_str){path.p + mark + 1, path.n - (size_t)mark - 1};
        path.n = (size_t)mark;
    }
    mg_str name = mg_str_of(method);
    t.search = (mg_router_search){.path = path, .query = query, .method = mg_method_of(name), .method_name = name,
                                  .fields = &t.fields, .arena = &t.arena};
}

static inline mg_str next(void)
{
    mg_route *r = mg_router_next(t.router, &t.site, &t.search);
    return r ? r->name : MG_STR("none");
}

static inline mg_str find(const char *method, const char *target)
{
    begin(method, target);
    return next();
}

#define GET_IS(target, name) CHECK_STR(find("GET", (target)), mg_str_of(name))
#define ORDER_IS(target, ...) check_order((target), (const char *const[]){__VA_ARGS__, "none", NULL})
static inline void check_order(const char *target, const char *const *names)
{
    begin("GET", target);
    for (; *names; names++)
        CHECK_STR(next(), mg_str_of(*names));
    CHECK_STR(next(), MG_STR("none"));
}

static inline mg_str param(const char *name)
{
    for (uint32_t i = 0; i < t.search.param_count; i++)
        if (mg_str_eq(t.search.params[i].name, mg_str_of(name)))
            return t.search.params[i].value;
    return MG_STR_NONE;
}

#endif
