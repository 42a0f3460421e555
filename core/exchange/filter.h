/*
 * filter: a body on its way through the body hooks of a route.
 *
 *      source ─► [ in ] ─take─► hooks of the script ─write─► [ out ] ─► the other side
 *
 * The script's coroutine pulls: it takes a piece, or waits until one has come; it writes, or waits until what
 * it wrote has gone on. So backpressure is the script's own loop, and each of the two chains is bounded by
 * limits.buffer. What a hook does not write is not sent; what it leaves untaken when it returns is thrown away.
 *
 * A hook begins on what is there already before the head is sent: if it fails then, there can be a proper error,
 * and if it is over then, the length of what came out is known. Otherwise heads lose Content-Length. A strong
 * ETag becomes a weak one, and origins are not asked for ranges: hooks see whole answers.
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
    bool begun, ready, done;     /* done: the hook has returned */
    bool held_given;             /* the body that a script had collected is in `in` */
    mg_exchange *exchange;
    mg_timer turn;               /* others have had theirs: it goes on */
} mg_filter;

/* Whether bodies of that flow go through hooks. */
bool mg_exchange_has_filter(const mg_exchange *x, mg_flow flow);
/* Opens the filter and lets the hook begin on what is there. MG_OK: the head may be sent, with this length
 * (-1: not known). MG_FAIL: the hook failed, and so does the exchange by now. */
mg_rc mg_exchange_begin_filter(mg_exchange *x, mg_flow flow, int64_t *length) MG_MUST_CHECK;
/* Head fields that a changed body belies. */
void mg_exchange_filter_fields(mg_fields *f);

/* ---- for the script floor, while its hook runs ---- */

/* The next piece: MG_OK, borrowed until mg_exchange_filter_took; MG_AGAIN: none yet, wait; MG_EOF: no more. */
mg_rc mg_exchange_filter_take(mg_exchange *x, mg_flow flow, mg_str *piece) MG_MUST_CHECK;
void mg_exchange_filter_took(mg_exchange *x, mg_flow flow, size_t n);
/* Copied. MG_AGAIN: it is taken, but wait before the next one, also when nobody will ever read it. */
mg_rc mg_exchange_filter_write(mg_exchange *x, mg_flow flow, mg_str bytes) MG_MUST_CHECK;
bool mg_exchange_filter_has_room(mg_exchange *x, mg_flow flow); /* false: wait */
/* What else the hook waited for (a timer, a socket) is there: it goes on in a turn of its own. */
void mg_exchange_filter_wake(mg_exchange *x, mg_flow flow);

#endif
