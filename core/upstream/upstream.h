/*
 * upstream: a named set of servers, who of them is next, and which are left out for a while.
 *
 *      upstream "app" ─► peer 10.0.0.1:9000 ─► address(es), idle connections (pool.h)
 *                     └► peer 10.0.0.2:9000
 *
 * Picks are smooth weighted round robin over the peers that are neither down nor tried before; backups
 * only when no other is left. A peer that fails `fails` times in a row within `within_ms` is left out for
 * `pause_ms`; then one request may try it. When all are left out, all are tried (an answer late is better
 * than none). Counts here are one worker's own.
 *
 * Ownership: an upstream lives in its generation's arena (mg_upstream_new … mg_upstream_fini).
 */
#ifndef MG_UPSTREAM_UPSTREAM_H
#define MG_UPSTREAM_UPSTREAM_H

#include "base/arena.h"
#include "base/err.h"
#include "os/addr.h"
#include "shm/stats.h"

typedef struct mg_upstream mg_upstream;
typedef struct mg_peer mg_peer;
typedef struct mg_pool mg_pool; /* pool.h: idle connections by address, one per worker, outlives generations */

typedef struct {
    int64_t connect_ms, response_ms, body_ms;  /* patience */
    uint32_t attempts;                          /* tries in all, at least 1 */
    bool retry_connect, retry_reset, retry_timeout, retry_non_idempotent;
    uint64_t retry_statuses[2];                 /* bit per status 500..599 (bit 0 of [0] is 500) */
    uint32_t keepalive;                         /* idle connections kept per worker */
    int64_t keepalive_idle_ms;
    uint32_t keepalive_requests;
    uint32_t fails;                             /* 0: never left out */
    int64_t within_ms, pause_ms;
    mg_str host;                                /* Host sent: p == NULL the client's; n == 0 the server's name; else this */
} mg_upstream_options;

struct mg_peer {
    mg_upstream *upstream;
    uint32_t index;
    mg_str name;             /* "10.0.0.1:9000", as configured */
    mg_addr addr;            /* when given in numbers; family AF_UNSPEC: `host` must be resolved */
    mg_str host;             /* name to resolve */
    uint16_t port;
    uint32_t weight;
    bool backup;
    int32_t current;         /* smooth round robin's running weight */
    uint32_t failures;       /* in a row */
    int64_t failed_since_ms; /* first of them */
    int64_t paused_until_ms; /* 0: in service */
    uint32_t active;         /* exchanges with it now */
    mg_stats_row *stats;
};

struct mg_upstream {
    mg_str name;
    mg_upstream_options options;
    mg_peer *peers;
    uint32_t peer_count, peer_room;
    mg_stats_row *stats;
    mg_arena *arena;
};

mg_upstream *mg_upstream_new(mg_arena *arena, mg_str name, const mg_upstream_options *o);
/* "host:port", "1.2.3.4:80", "[::1]:80" or "unix:/path". */
mg_rc mg_upstream_add(mg_upstream *u, mg_str server, uint32_t weight, bool backup, mg_err *err) MG_MUST_CHECK;
void mg_upstream_use_stats(mg_upstream *u, mg_stats *stats, int worker); /* series "upstream" and "peer" */

/* The next peer; those whose bit is set in `tried` (peers past 63 share bits) only when no other is left
 * and `again` allows. NULL: nobody. */
mg_peer *mg_upstream_pick(mg_upstream *u, uint64_t tried, bool again);
void mg_peer_failed(mg_peer *p);  /* a try on it failed: connect, reset, late */
void mg_peer_worked(mg_peer *p);  /* an answer came */
bool mg_peer_is_paused(const mg_peer *p);

#endif
