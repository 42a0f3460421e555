/*
 * phase: the moments of a request's life at which a script may have a say, and the slots for it.
 *
 * The exchange owns an array of plain function pointers (mg_hooks) and calls them only where the route's
 * bit for the phase is set, so a phase without a hook costs one test. The script floor fills the slots; the
 * core runs and is tested without Lua.
 */
#ifndef MG_EXCHANGE_PHASE_H
#define MG_EXCHANGE_PHASE_H

#include "base/base.h"

/* X(ID, "name"). The order is the order of a request's life. */
#define MG_PHASES(X) \
    X(CONNECT, "connect") \
    X(TLS, "tls") \
    X(REWRITE, "rewrite") \
    X(WHEN, "when") /* a route's own condition */ \
    X(ACCESS, "access") \
    X(HANDLER, "handler") /* a route's own answer */ \
    X(REQUEST_BODY, "request_body") \
    X(BALANCE, "balance") \
    X(UPSTREAM_REQUEST, "upstream_request") \
    X(UPSTREAM_RESPONSE, "upstream_response") \
    X(FAILED, "failed") \
    X(RESPONSE, "response") \
    X(RESPONSE_BODY, "response_body") \
    X(MESSAGE, "message") \
    X(LOG, "log")

typedef enum {
#define MG_PHASE_ENUM(id, name) MG_PHASE_##id,
    MG_PHASES(MG_PHASE_ENUM)
#undef MG_PHASE_ENUM
    MG_PHASE_COUNT
} mg_phase;

const char *mg_phase_name(mg_phase p); /* static */

typedef struct mg_exchange mg_exchange;

/* What a hook came to. */
typedef enum {
    MG_HOOK_DONE,   /* go on (WHEN: the route is taken) */
    MG_HOOK_WAIT,   /* it waits; mg_exchange_wake() will say when, then run() is called again for that phase */
    MG_HOOK_ANSWER, /* it gave an answer: mg_exchange_answer_* have been called (WHEN: the route is not taken) */
    MG_HOOK_FAILED  /* script error, logged already: 500 */
} mg_hook_result;

typedef enum { MG_FLOW_DOWN, MG_FLOW_UP } mg_flow; /* of a body */

typedef struct {
    /* Start the route's hooks of that phase, or go on with them after a wait. */
    mg_hook_result (*run)(mg_exchange *x, mg_phase phase);
    /* Pull the next piece of a streamed answer into x->answer.body (iterator bodies). DONE: it was the last. */
    mg_hook_result (*pull)(mg_exchange *x);
    /* Start the body hooks of a direction (RESPONSE_BODY, REQUEST_BODY), or go on with them: they take pieces
     * and write others (filter.h). DONE: they have returned. */
    mg_hook_result (*filter)(mg_exchange *x, mg_flow flow);
    /* The exchange ends, maybe while a hook waits: forget it, wake nobody. Called once if x->script is set. */
    void (*end)(mg_exchange *x);
} mg_hooks;

#endif
