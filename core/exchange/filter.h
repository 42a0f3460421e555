/*
 * filter: a body on its way through the body hooks of a route.
 *
 *      source ─► [ in ] ─take─► hooks of the script ─write─► [ out ] ─► the other side
 *
 * The script's coroutine pulls: it takes a piece, or waits until one has come; it writes, or waits until what
 * it wrote has gone on. So backpressure is the script's own loop, and each of the two chains is bounded by
 * limits.buffer. What a hook does not write is not sent; what it leaves untaken when it returns is thrown away.
 *
 * The length of what comes out is not known before its end: heads lose Content-Length, and a strong ETag
 * becomes a weak one.
 *
 * Ownership: the filter lies in the exchange's arena; mg_exchange_close_filters gives its chains back.
 */
#ifndef MG_EXCHANGE_FILTER_H
#define MG_EXCHANGE_FILTER_H

#include "exchange/exchange.h"

typedef struct mg_filter {
    mg_chain in, out;
    bool in_ended;               /* nothing follows what is in `in` */
    bool wants_in, wants_room;   /* what the hook waits for; neither: something else, or it has not begun */
    bool begun, ready, done;
    void *script;                /* the script floor's */
} mg_filter;

/* Whether the body of that flow goes through hooks; opens the filter when it does. NULL: it does not. */
mg_filter *mg_exchange_open_filter(mg_exchange *x, mg_flow flow);
/* Head fields that a changed body belies. */
void mg_exchange_filter_fields(mg_fields *f);

/* ---- for the script floor, while its hook runs ---- */

/* The next piece: MG_OK, borrowed until mg_exchange_filter_took; MG_AGAIN: none yet, wait; MG_EOF: no more. */
mg_rc mg_exchange_filter_take(mg_exchange *x, mg_flow flow, mg_str *piece) MG_MUST_CHECK;
void mg_exchange_filter_took(mg_exchange *x, mg_flow flow, size_t n);
/* Copied. MG_AGAIN: it is taken, but wait before the next one. MG_GONE: nobody will read it. */
mg_rc mg_exchange_filter_write(mg_exchange *x, mg_flow flow, mg_str bytes) MG_MUST_CHECK;
/* What else the hook waited for (a timer, a socket) is there: it goes on in a turn of its own. */
void mg_exchange_filter_wake(mg_exchange *x, mg_flow flow);

#endif
