/*
 * collector: when garbage is collected: never while a script runs, in slices while the loop is idle.
 *
 *      floor ── heap grows ──► 1.3 x floor, at least 2 MB more ─► slices of about 200 us per turn ─► new floor
 *
 * LuaJIT's longest pauses are the growing and shrinking of its table of strings; a state that serves
 * requests has that table grown once and kept from shrinking by anchored strings (mg_collector_pin).
 *
 * Ownership: states are listed while they are open.
 */
#ifndef MG_SCRIPT_COLLECTOR_H
#define MG_SCRIPT_COLLECTOR_H

#include "script/state.h"

void mg_collector_add(mg_script *s);    /* stops its automatic collection */
void mg_collector_remove(mg_script *s);
/* The generation is built: everything that only its building needed is collected, the first floor found. */
void mg_collector_settle(mg_script *s);
void mg_collector_pin(mg_script *s);    /* grows the table of strings and keeps it */
void mg_collector_all(mg_script *s);    /* everything at once; errors of finalizers pass through */
void mg_collector_idle(void);           /* a slice for every state that needs one */

#endif
