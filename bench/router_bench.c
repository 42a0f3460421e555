/*
 * router_bench: what a look-up and a load cost in the router and in round robin, with few and with many.
 *
 *      make build/release/bench/router_bench && build/release/bench/router_bench
 *
 * Each line: the case, how many there are, nanoseconds per look-up (the best of several rounds; look-ups go
 * over all sites or routes in a random order, so that caches help no more than in life) and how long the load took.
 */
#include "base/clock.h"
#include "exchange/router.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOKUPS = 200000, ROUNDS = 7 };

typedef struct {
    mg_arena arena;
    mg_router *router;
    uint32_t count;
    mg_str *hosts, *paths; /* what is asked for, in a random order */
} bench;

static mg_err err;

static void must(bool fine)
{
    if (fine)
        return;
    fprintf(stderr, "router_bench: %s\n", err.text);
    exit(1);
}

static void open_bench(bench *b, uint32_t count)
{
    *b = (bench){.count = count};
    mg_arena_init(&b->arena, (size_t)4 << 30);
    b->router = mg_router_new(&b->arena);
    b->hosts = mg_arena_zalloc(&b->arena, count * sizeof *b->hosts);
    b->paths = mg_arena_zalloc(&b->arena, count * sizeof *b->paths);
}

static void close_bench(bench *b)
{
    mg_router_free(b->router);
    mg_arena_fini(&b->arena);
}

static void shuffle(bench *b)
{
    uint32_t seed = 1;
    for (uint32_t i = b->count - 1; i > 0; i--) {
        seed = seed * 1664525 + 1013904223;
        uint32_t k = (uint32_t)((uint64_t)seed * (i + 1) >> 32);
        mg_str host = b->hosts[i], path = b->paths[i];
        b->hosts[i] = b->hosts[k], b->paths[i] = b->paths[k];
        b->hosts[k] = host, b->paths[k] = path;
    }
}

static void add_route(bench *b, mg_site *site, mg_str path)
{
    mg_route *route = mg_arena_zalloc(&b->arena, sizeof *route);
    route->name = path;
    must(mg_router_add(b->router, site, route, &(mg_route_match){.path = path}, &err) == MG_OK);
}

/* The text with i for its "#". */
static mg_str numbered(bench *b, const char *text, uint32_t i)
{
    const char *mark = strchr(text, '#');
    return mg_arena_print(&b->arena, "%.*s%u%s", (int)(mark - text), text, i, mark + 1);
}

/* One route each. */
static void load_sites(bench *b, const char *host, const char *path)
{
    for (uint32_t i = 0; i < b->count; i++) {
        mg_site *site = mg_arena_zalloc(&b->arena, sizeof *site);
        mg_str name = numbered(b, host, i);
        must(mg_router_add_site(b->router, site, &name, 1, &err) == MG_OK);
        add_route(b, site, mg_str_of(path));
        b->hosts[i] = name.p[0] == '*' ? mg_arena_print(&b->arena, "www%.*s", (int)name.n - 1, name.p + 1) : name;
        b->paths[i] = MG_STR("/api/v1/users/42");
    }
}

static void load_routes(bench *b, const char *pattern, const char *asked)
{
    mg_site *site = mg_arena_zalloc(&b->arena, sizeof *site);
    must(mg_router_add_site(b->router, site, NULL, 0, &err) == MG_OK);
    for (uint32_t i = 0; i < b->count; i++) {
        add_route(b, site, numbered(b, pattern, i));
        b->hosts[i] = MG_STR("example.com");
        b->paths[i] = numbered(b, asked, i);
    }
}

static double look_up(const bench *b)
{
    static mg_router_search s;
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t before = mg_clock_precise_us();
        for (uint32_t i = 0, at = 0; i < LOOKUPS; i++, at = at + 1 == b->count ? 0 : at + 1) {
            memset(&s, 0, sizeof s);
            s.path = b->paths[at];
            s.method = MG_METHOD_GET;
            s.method_name = MG_STR("GET");
            mg_site *site = mg_router_site(b->router, b->hosts[at]);
            must(site && mg_router_next(b->router, site, &s));
        }
        best = MG_MIN(best, (double)(mg_clock_precise_us() - before) * 1000 / LOOKUPS);
    }
    return best;
}

static void measure(const char *what, uint32_t count, void (*load)(bench *, const char *, const char *), const char *first,
                    const char *second)
{
    bench b;
    open_bench(&b, count);
    int64_t before = mg_clock_precise_us();
    load(&b, first, second);
    double load_ms = (double)(mg_clock_precise_us() - before) / 1000;
    shuffle(&b);
    printf("%-28s %6u   %7.1f ns   loaded in %6.1f ms, %zu KiB\n", what, count, look_up(&b), load_ms, b.arena.used / 1024);
    close_bench(&b);
}

static void measure_picks(uint32_t servers, uint32_t weight_step)
{
    mg_arena arena;
    char name[32];
    mg_arena_init(&arena, (size_t)64 << 20);
    mg_upstream *u = mg_upstream_new(&arena, MG_STR("app"), NULL);
    for (uint32_t i = 0; i < servers; i++) {
        int n = snprintf(name, sizeof name, "10.0.%u.%u:80", i / 250, i % 250 + 1);
        must(mg_upstream_add(u, (mg_str){name, (size_t)n}, 1 + i * weight_step % 7, false, &err) == MG_OK);
    }
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t before = mg_clock_precise_us();
        for (int i = 0; i < LOOKUPS; i++)
            must(mg_upstream_pick(u, 0, false));
        best = MG_MIN(best, (double)(mg_clock_precise_us() - before) * 1000 / LOOKUPS);
    }
    printf("%-28s %6u   %7.1f ns\n", weight_step ? "pick, different weights" : "pick, equal weights", servers, best);
    mg_arena_fini(&arena);
}

int main(void)
{
    static const uint32_t counts[] = {10, 10000};
    for (size_t i = 0; i < MG_COUNT(counts); i++)
        measure("sites, prefix /*", counts[i], load_sites, "site#.example.com", "/*");
    for (size_t i = 0; i < MG_COUNT(counts); i++)
        measure("wildcard sites", counts[i], load_sites, "*.site#.example.com", "/api/*");
    for (size_t i = 0; i < MG_COUNT(counts); i++)
        measure("exact paths of one site", counts[i], load_routes, "/shop/item#", "/shop/item#");
    for (size_t i = 0; i < MG_COUNT(counts); i++)
        measure("prefixes of one site", counts[i], load_routes, "/shop#/*", "/shop#/a/b/c");
    for (size_t i = 0; i < MG_COUNT(counts); i++)
        measure("parameters of one site", counts[i], load_routes, "/shop#/:item/buy", "/shop#/42/buy");
    measure_picks(3, 0);
    measure_picks(200, 0);
    measure_picks(200, 1);
    return 0;
}
