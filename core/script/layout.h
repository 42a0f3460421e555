/*
 * layout: where LuaJIT keeps a few things that its interface does not offer, found by trying.
 *
 *      thread ── shared ─► what all threads of a state share ── hookmask   the byte that compiled code looks at
 *         └──── base                                         └── running  the thread that runs
 *                                                            └── compiled its base while compiled code runs
 *
 * Offsets differ between versions, so each process finds them anew in a state made for that: it tells the
 * interface something and looks where it has been written. What is not found is not used, and the state of
 * a script is then not compiled (budget.h).
 *
 * Ownership: numbers only.
 */
#ifndef MG_SCRIPT_LAYOUT_H
#define MG_SCRIPT_LAYOUT_H

#include "base/base.h"

#include <lua.h>

typedef struct {
    long hookmask;          /* in what is shared; -1: unknown */
    long running, compiled; /* in what is shared; -1: unknown */
    long base;              /* in a thread */
} mg_layout;

/* Both take some hundred microseconds. */
mg_layout mg_layout_find(void);

/* The shared part of a state, by any of its threads. */
char *mg_layout_shared(lua_State *L);

#endif
