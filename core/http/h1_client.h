/*
 * h1_client: a connection to an origin, HTTP/1.1, one request at a time, kept for the next.
 *
 *      dial ─► BUSY ─► (both messages ended cleanly, nothing left over) ─► IDLE in the pool ─► BUSY …
 *                 └──────── anything else ────────────────────────────────► closed
 *
 * While idle the descriptor is watched: bytes or an end that nobody asked for close it at once.
 *
 * Ownership: heap. The exchange that was handed one owns it until it releases the side; the connection
 * then gives itself to `on_idle` (the pool) or closes and frees itself.
 */
#ifndef MG_HTTP_H1_CLIENT_H
#define MG_HTTP_H1_CLIENT_H

#include "base/list.h"
#include "http/side.h"
#include "os/addr.h"

typedef struct mg_h1_client mg_h1_client;

typedef struct {
    mg_h1_limits limits;          /* of answers' heads */
    size_t buffer;                /* most body bytes held per direction */
    uint32_t min_rate;
    int64_t write_ms;             /* patience with an origin that does not read */
} mg_h1_client_options;

/* Takes the connected descriptor over. */
mg_h1_client *mg_h1_client_new(int fd);
/* Begin an exchange on it: method decides whether the answer has a body. Answer heads go to the arena. */
mg_side *mg_h1_client_begin(mg_h1_client *c, const mg_h1_client_options *o, mg_arena *arena, mg_method method);
const mg_response_head *mg_h1_client_response(const mg_side *s); /* once got >= HEAD; the newest (1xx, then final) */
/* The exchange is done with a 1xx head (not 101): read the next one. */
void mg_h1_client_next_head(mg_side *s);
/* Who wants it when it is idle: called on release when it may be used again. NULL: it is closed. */
void mg_h1_client_on_idle(mg_h1_client *c, void (*fn)(mg_h1_client *c, void *arg), void *arg);
/* While idle: called right before it frees itself because the origin closed it or sent bytes unasked. */
void mg_h1_client_on_gone(mg_h1_client *c, void (*fn)(mg_h1_client *c, void *arg), void *arg);
uint32_t mg_h1_client_requests(const mg_h1_client *c); /* carried so far */
void mg_h1_client_close(mg_h1_client *c);              /* an idle one: closes and frees */
/* For the pool's lists and its idle deadline. */
mg_link *mg_h1_client_link(mg_h1_client *c);
mg_h1_client *mg_h1_client_of_link(mg_link *l);
void mg_h1_client_idle_for(mg_h1_client *c, int64_t most_ms); /* an idle one goes (on_gone, freed) after that */
bool mg_h1_client_is_fit(mg_h1_client *c);             /* idle and nothing has arrived (no system call) */
bool mg_h1_client_is_stale(const mg_h1_client *c);     /* asks the kernel: closed by the origin, or bytes came unasked */

#endif
