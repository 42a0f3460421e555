/*
 * pool: connections to origins that wait for their next request, one pool per worker.
 *
 *      pool ─► place "10.0.0.1:9000" ─► newest ⇄ … ⇄ oldest      idle connections
 *           └► place "app.internal:80" ─► …
 *
 * Kept by the server's address (by name and port where a name is configured), whatever the upstream or the
 * generation: a reload loses none. The newest is used first, so that the others grow old and go when there
 * is less to do. How many a place keeps, how long, and for how many requests, says the upstream that dialled
 * it last. A connection that its origin closes, or on which bytes come unasked, leaves by itself.
 *
 * Ownership: the pool owns idle connections; the exchange that took one owns it until it releases the side,
 * which brings it back. Places live as long as the pool (some 200 bytes for each server that was ever
 * asked), since connections under way lead back to them: exchanges end before the pool does.
 */
#ifndef MG_UPSTREAM_POOL_H
#define MG_UPSTREAM_POOL_H

#include "http/h1_client.h"
#include "os/dns.h"
#include "upstream/upstream.h"

mg_pool *mg_pool_new(mg_dns *dns); /* dns is borrowed, may be NULL when all servers are given in numbers */
void mg_pool_free(mg_pool *p);     /* closes what is idle; NULL is fine */
uint32_t mg_pool_idle(const mg_pool *p);
void mg_pool_drop_idle(mg_pool *p); /* closes what is idle now (drain) */
void mg_pool_use_dns(mg_pool *p, mg_dns *dns); /* from the next dial on; the old one still answers what it was asked */
mg_dns *mg_pool_dns(const mg_pool *p);

/* The peer's newest idle connection, which is the caller's now; NULL: none. */
mg_h1_client *mg_pool_take(mg_pool *p, mg_peer *peer);
/* A new connection to the peer: when it becomes idle it comes here. */
mg_h1_client *mg_pool_make(mg_pool *p, mg_peer *peer, int fd);

#endif
