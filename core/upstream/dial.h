/*
 * dial: from a peer to a connection that can carry one request: an idle one, or a new one after name
 * look-up and connect.
 *
 *      mg_dial_start ─► pool has an idle one? ─yes─► READY (reused)
 *                     └► name? ─► DNS ─► connect (next address when one fails) ─► READY (fresh)
 *                                                                            └─► FAILED
 *
 * One patience (`connect_ms`) is for all of it: look-up and every address. Where a name has several, each but
 * the last gets an even part of it at most. A name's addresses of the first kind take turns.
 *
 * Ownership: embedded in the exchange; mg_dial_cancel whenever the exchange ends first. What it hands out
 * belongs to the exchange until it releases the side.
 */
#ifndef MG_UPSTREAM_DIAL_H
#define MG_UPSTREAM_DIAL_H

#include "os/loop.h"
#include "upstream/pool.h"

enum { MG_DIAL_ADDRS_MOST = 8 }; /* addresses of a name that one dial tries */

typedef enum { MG_DIAL_READY, MG_DIAL_WAIT, MG_DIAL_FAILED } mg_dial_state;

typedef struct mg_dial mg_dial;
struct mg_dial {
    void (*on_done)(mg_dial *d);   /* after MG_DIAL_WAIT: state is READY or FAILED now */
    int64_t connect_ms;            /* set before start; <= 0: the upstream's, and with that <= 0 no bound */
    mg_dial_state state;
    mg_pool *pool;
    mg_peer *peer;
    mg_h1_client *client;          /* READY: the connection */
    bool reused;                   /* it carried requests before: it may be stale */
    bool late;                     /* FAILED because connecting took too long */
    bool is_ours;                  /* FAILED for want of descriptors or ports here: the peer is not to blame */
    const char *why;               /* FAILED: static sentence: "connection refused", "no such name", … */
    const char *error_type;        /* FAILED: static, of RFC 9209 section 2.3: "connection_refused", "dns_error", … */
    /* private */
    mg_dns_query query;
    mg_addr addrs[MG_DIAL_ADDRS_MOST];
    int addr_count, addr_at;
    int fd;
    mg_io io;
    mg_deadline deadline, part;    /* of all, and of this address */
};

void mg_dial_init(mg_dial *d, void (*on_done)(mg_dial *)); /* once; started as often as there are tries */
/* Never calls on_done before it returns. fresh: no idle one, please. */
mg_dial_state mg_dial_start(mg_dial *d, mg_pool *pool, mg_peer *peer, bool fresh);
/* Harmless when nothing is under way. A connection that was handed out stays with whom it was handed to. */
void mg_dial_cancel(mg_dial *d);

#endif
