/*
 * slot: one request as scripts see it, from its first hook to its end.
 *
 *      mg_exchange.script ─► slot ─► Lua objects req, res (made once per slot, used by many requests in turn)
 *                              ├───► runner: the hook that runs or waits
 *                              └───► bodies: the body hooks of each direction (body.h), which run beside it
 *
 * Slots have stable addresses, so that compiled Lua may keep a pointer. A script that keeps `req` beyond the
 * request holds a slot that is free or serves another one: `x` and the running runner's slot and serial
 * tell, and every access is refused.
 *
 * Ownership: slots belong to the script and are pooled; taken at an exchange's first hook, given back by
 * mg_slot_release.
 */
#ifndef MG_SCRIPT_SLOT_H
#define MG_SCRIPT_SLOT_H

#include "exchange/exchange.h"
#include "script/body.h"
#include "script/runner.h"

struct mg_slot {
    mg_exchange *x;         /* NULL: free */
    uint32_t serial;        /* counts the requests it served */
    uint32_t number;
    mg_script *script;
    mg_phase phase;         /* that runs, or ran last */
    const mg_hookset *set;  /* whose hooks of that phase run */
    uint32_t hook;          /* which of them */
    bool waits_body;        /* the hook waits for the whole request body */
    bool has_ctx;           /* req.ctx was made */
    int request, response;  /* the Lua objects, by reference */
    int pull;               /* the function that gives the answer's body; LUA_NOREF: none */
    const char *pulled_from; /* whose function that is */
    mg_runner runner;
    mg_body bodies[2];      /* by mg_flow */
    mg_slot *next_free;
};

mg_slot *mg_slot_of(mg_exchange *x); /* its slot, taken at the first call */

void mg_slot_release(mg_slot *slot); /* the exchange is over: what waits is dropped */
void mg_slot_close(mg_script *s);    /* frees all */

/* Whose request runs now: NULL unless the slot's request is alive and the running runner works for it. */
static inline mg_exchange *mg_slot_exchange(const mg_slot *slot)
{
    const mg_runner *now = mg_runner_current;
    return MG_LIKELY(now && now->slot == slot && now->serial == slot->serial) ? slot->x : NULL;
}

/* The phase of the hook that runs now. */
static inline mg_phase mg_slot_phase(const mg_slot *slot)
{
    const mg_runner *now = mg_runner_current;
    if (MG_LIKELY(!now || !now->is_body))
        return slot->phase;
    return now->flow == MG_FLOW_DOWN ? MG_PHASE_RESPONSE_BODY : MG_PHASE_REQUEST_BODY;
}

#endif
