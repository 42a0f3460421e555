/*
 * script: the public door of the Lua bridge. It reads the configuration, builds generations from it, and
 * fills the slots that the exchange left open.
 *
 *      mg_script_load ─► [ LuaJIT state: configuration, policies, setup() ] ─► mg_generation
 *      mg_script_start ─► start() of each policy, as tasks          hooks->run ─► rewrite, access, …
 *      mg_script_stop ─► tasks and timers end, stop() of each policy, then the state is closed
 *
 * Each generation has a state of its own; nothing is shared between two. Hooks run in pooled coroutines
 * and may wait in every phase. The collector works in slices while the loop is idle (collector.h).
 *
 * Ownership: the state belongs to its generation and dies with it (on_free). Everything here is called by
 * the one thread of a process; no function may be called from inside a hook.
 */
#ifndef MG_SCRIPT_SCRIPT_H
#define MG_SCRIPT_SCRIPT_H

#include "exchange/exchange.h"
#include "script/plan.h"
#include "shm/dicts.h"

/* Where a generation comes from. */
typedef struct {
    const char *library;  /* folder in which "moongate/boot.lua" lies */
    const char *config;   /* the configuration file, as the user named it */
    uint32_t generation;  /* its number */
    mg_stats *stats;      /* may be NULL (check, explain, tests) */
    mg_dicts *dicts;      /* that all workers share; NULL: it gets its own, which go with it */
    int worker;           /* whose row of stats; 0 when there are none */
    void (*tell)(void *arg, const char *line); /* called for each mistake: one line, "file:line: where: what" */
    void *tell_arg;
} mg_script_source;

/*
 * Reads and checks the configuration, loads its policies, runs their setup() and builds a generation that
 * is ready to serve. `out` (held once by the caller) or `plan` (initialised by the caller) may be NULL when
 * it is not wanted. MG_FAIL: every mistake was told; nothing is left behind. No I/O but files. Needs no
 * loop (mg_loop_open) until mg_script_start. The access log is not opened: that is the worker's, from the plan.
 */
mg_rc mg_script_load(const mg_script_source *source, mg_generation **out, mg_plan *plan) MG_MUST_CHECK;

/* The generation is in service in this worker: runs start() of its policies, which may wait. Needs the loop. */
void mg_script_start(mg_generation *g);
/*
 * The generation is retired and its last exchange has ended (or the process ends): its tasks and timers are
 * ended, stop() of its policies runs. These may wait a bounded while: the generation is held until they are
 * done. Harmless when called again, or without mg_script_start.
 */
void mg_script_stop(mg_generation *g);
/* How many generations still run stop(): a process that ends lets the loop turn until it is 0. */
uint32_t mg_script_stopping(void);

/* For mg_loop_on_idle: a slice of garbage collection, at most about 200 us. `arg` is not used. */
void mg_script_idle(void *arg);

/* The policies that run in a phase of a route, in order, by name; NULL past the last (for `explain`). */
const char *mg_script_policy(const mg_generation *g, const mg_route *route, mg_phase phase, uint32_t index);
size_t mg_script_heap_bytes(const mg_generation *g); /* memory of its Lua state */

#endif
