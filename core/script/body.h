/*
 * body: a body on its way through the body hooks of a request, each of which pulls from the one before it.
 *
 *      filter (exchange) ─chunks─► [ hook 1 ] ─piece─► [ hook 2 ] ─write─► filter (exchange)
 *                                      before ◄─────────── after
 *
 * Each hook is a coroutine of its own. The last one runs until it wants a piece that is not there; then the
 * one before it runs until it has written one; and so on to the front. So one hook of a direction runs or waits
 * for something of its own at a time, and each piece exists once. What a hook was given last counts as used
 * when it asks for the next one, so a hook that fails and may ("open") is taken out of the row without a gap,
 * unless it had written something for that piece.
 *
 * Ownership: a mg_body lies in its slot. Stages are pooled by the script.
 */
#ifndef MG_SCRIPT_BODY_H
#define MG_SCRIPT_BODY_H

#include "exchange/phase.h"
#include "script/state.h"

#include <lauxlib.h>

typedef struct {
    mg_body_stage *last; /* NULL: none left, or not begun */
    bool begun;
} mg_body;

mg_hook_result mg_body_filter(mg_exchange *x, mg_flow flow); /* for mg_hooks */
void mg_body_end(mg_body *b);      /* the exchange is over: what waits is dropped */
void mg_body_close(mg_script *s);  /* frees all stages */

/* chunk() and put(text) for lua/moongate/internal/body.lua; the script is their upvalue. */
extern const luaL_Reg mg_body_functions[];

#endif
