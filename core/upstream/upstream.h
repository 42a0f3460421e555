/*
 * upstream: a named set of servers, who of them is next, and which are left out for a while.
 *
 *      upstream "app" ─► peer 10.0.0.1:9000 ─► address(es), idle connections (pool.h)
 *                     └► peer 10.0.0.2:9000
 *
 * Picks are smooth weighted round robin over the peers that are neither left out nor tried before; backups
 * only when no other is left. Weight 0 is never picked. Who is asked, in this order: servers in service,
 * backups in service, then those that are left out (when all are, all are tried: an answer late is better
 * than none), and at last, when the caller agrees, those that were tried before.
 *
 * A peer that fails `fails` times in a row within `within_ms` is left out for `pause_ms`; then one request
 * may try it: when that fails as well, or does not end within `pause_ms`, it is left out as long again, and
 * an answer brings it back. Counts here are one worker's own.
 *
 * A pick looks at one peer when all weights are equal and none is left out; otherwise it runs once over an
 * array of 12 bytes per peer.
 *
 * Ownership: an upstream lies in its generation's arena and holds nothing else.
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
    uint32_t keepalive;                         /* idle connections kept per server and worker; 0: none */
    int64_t keepalive_idle_ms;                  /* 0: as long as the server keeps them */
    uint32_t keepalive_requests;                /* 0: any number */
    uint32_t fails;                             /* 0: never left out */
    int64_t within_ms, pause_ms;
    mg_str host;                                /* Host sent: p == NULL the client's; n == 0 the server's name; else this */
} mg_upstream_options;

struct mg_peer {
    mg_upstream *upstream;
    uint32_t index;
    mg_str name;             /* "10.0.0.1:9000", as configured; NUL-terminated */
    mg_addr addr;            /* when given in numbers; family AF_UNSPEC: `host` must be resolved */
    mg_str host;             /* name to resolve, lower case */
    uint16_t port;
    uint32_t weight;
    bool backup;
    uint32_t failures;       /* in a row */
    int64_t failed_since_ms; /* first of them */
    int64_t paused_until_ms; /* 0: in service */
    uint32_t active;         /* exchanges with it now: counted by them */
    uint32_t turn;           /* which of its name's addresses is next: the dial's */
    struct mg_pool_place *place; /* its idle connections: the pool's; NULL: not dialled yet */
    mg_stats_row *stats;
};

/* Peers of one kind (servers, or backups) as the round robin sees them. */
typedef struct {
    struct mg_seat {
        uint32_t peer, weight;
        int32_t current;     /* smooth round robin's running weight */
    } *seats;
    uint32_t count, next;    /* next: whose turn it is while all weights are equal */
    bool equal;
} mg_ring;

struct mg_upstream {
    mg_str name;
    mg_upstream_options options;
    mg_peer *peers;
    uint32_t peer_count, peer_room;
    uint32_t paused;         /* peers whose paused_until_ms is set */
    mg_ring servers, backups;
    bool seated;             /* the rings are as the peers are */
    mg_stats_row *stats;
    mg_arena *arena;
};

/* name is borrowed. NULL options: those of docs/configuration.md. */
mg_upstream *mg_upstream_new(mg_arena *arena, mg_str name, const mg_upstream_options *o);
/* "host:port", "1.2.3.4:80", "[::1]:80" or "unix:/path". Moves the peers: none may be held meanwhile. */
mg_rc mg_upstream_add(mg_upstream *u, mg_str server, uint32_t weight, bool backup, mg_err *err) MG_MUST_CHECK;
/* Series "upstream" by name and "peer" as "name server". Workers begin their rounds at different servers. */
void mg_upstream_use_stats(mg_upstream *u, mg_stats *stats, int worker);

/* The next peer; those whose bit is set in `tried` only when no other is left and `again` allows. NULL: nobody. */
mg_peer *mg_upstream_pick(mg_upstream *u, uint64_t tried, bool again);
/* A peer's bit in such a mask; with more than 64 peers some share one. */
static inline uint64_t mg_peer_bit(const mg_peer *p)
{
    return (uint64_t)1 << (p->index & 63);
}
void mg_peer_failed(mg_peer *p);  /* a try on it failed: connect, reset, late */
void mg_peer_worked(mg_peer *p);  /* an answer came */
bool mg_peer_is_paused(const mg_peer *p);

#endif
