/*
 * dial: from a peer to a connection that can carry one request: an idle one, or a new one after name
 * look-up and connect.
 *
 *      mg_dial_start ─► pool has an idle one? ─yes─► READY (reused)
 *                     └► name? ─► DNS ─► connect (next address when one fails) ─► READY (fresh)
 *                                                                            └─► FAILED
 *
 * Ownership: embedded in the exchange; mg_dial_cancel whenever the exchange ends first. What it hands out
 * belongs to the exchange until it releases the side.
 */
#ifndef MG_UPSTREAM_DIAL_H
#define MG_UPSTREAM_DIAL_H

#include "http/h1_client.h"
#include "os/dns.h"
#include "os/loop.h"
#include "upstream/upstream.h"

enum { MG_POOL_SHARDS = 256 };

/* One per worker: the idle connections of all generations, by address. */
mg_pool *mg_pool_new(mg_dns *dns); /* dns is borrowed, may be NULL when all servers are given in numbers */
void mg_pool_free(mg_pool *p);     /* closes what is idle */
uint32_t mg_pool_idle(const mg_pool *p);
void mg_pool_drop_idle(mg_pool *p); /* closes what is idle now (drain) */

typedef enum { MG_DIAL_READY, MG_DIAL_WAIT, MG_DIAL_FAILED } mg_dial_state;

typedef struct mg_dial mg_dial;
struct mg_dial {
    void (*on_done)(mg_dial *d);   /* after MG_DIAL_WAIT: state is READY or FAILED now */
    mg_dial_state state;
    mg_pool *pool;
    mg_peer *peer;
    mg_h1_client *client;          /* READY: the connection */
    bool reused;                   /* it carried requests before: it may be stale */
    bool late;                     /* FAILED because connecting took too long */
    const char *why;               /* FAILED: static sentence: "connection refused", "no such name", … */
    /* private */
    mg_dns_query query;
    mg_addr addrs[8];
    int addr_count, addr_at;
    int fd;
    mg_io io;
    mg_deadline deadline;
    bool asking;
};

void mg_dial_init(mg_dial *d, void (*on_done)(mg_dial *));
mg_dial_state mg_dial_start(mg_dial *d, mg_pool *pool, mg_peer *peer, bool fresh); /* fresh: no idle one, please */
void mg_dial_cancel(mg_dial *d); /* harmless when nothing is under way */

#endif
