/*
 * state: the Lua state of one generation and what the files of this floor share about it.
 *
 *      mg_generation ─► mg_script ─► lua_State
 *                           ├─► hook sets, by the number in mg_route.script: the hooks of each phase, in order
 *                           ├─► slots: the requests that scripts know (slot.h)
 *                           └─► runners: coroutines that run or wait (runner.h)
 *
 * Ownership: heap, by its generation; mg_script_close frees all of it. Hook sets lie in the generation's
 * arena, the functions they name are anchored in the state's registry until it closes.
 */
#ifndef MG_SCRIPT_STATE_H
#define MG_SCRIPT_STATE_H

#include "exchange/generation.h"
#include "os/loop.h"
#include "script/budget.h"
#include "shm/dicts.h"

#include <lua.h>

typedef struct {
    int fn, self;          /* registry references; self: LUA_NOREF when the function takes none */
    const char *policy;    /* as logs name it */
    mg_str busy;           /* "policy (phase) ", for the watchdog's word */
    bool open;             /* on_error = "open": an error in it does not end the request */
    bool writes_line;      /* what it returns is the line of the access log */
} mg_hook;

typedef struct {
    const mg_hook *at[MG_PHASE_COUNT];
    uint32_t count[MG_PHASE_COUNT];
    int64_t cpu_ns;        /* what a hook may take here; 0: as everywhere */
} mg_hookset;

typedef struct mg_slot mg_slot;
typedef struct mg_runner mg_runner;
typedef struct mg_body_stage mg_body_stage;

typedef struct mg_script mg_script;
struct mg_script {
    lua_State *L;
    mg_generation *gen;
    char *library;               /* folder of the Lua library, to tell a script's lines from ours */
    char *folder;                /* of the configuration, absolute; NULL: not known yet */
    mg_dicts *dicts, *own_dicts; /* those that all workers share, or its own; NULL: none yet */
    mg_hookset *sets;
    uint32_t set_count;

    /* Coroutines at rest, anchored by `refs` each. */
    struct { lua_State *co; int ref; } *rest;
    uint32_t rest_count, rest_room;

    mg_slot **slots;             /* all, by number; those not in use are listed by next_free */
    uint32_t slot_count, slot_room;
    mg_slot *free_slot;
    mg_runner **runners;         /* all, by number */
    uint32_t runner_count, runner_room;
    mg_runner *free_runner;
    mg_body_stage *stages, *free_stages; /* all; those not in use */
    uint32_t tasks;              /* runners that are tasks and not over */

    struct {
        int new_request;         /* makes the Lua objects of a slot */
        int start, stop;         /* functions that run every policy's start() and stop() */
        int chunks, write;       /* what body hooks get */
        int on_deep;             /* told when a stack gets deep, and when that is over */
        int finish;              /* tells a task object how its task ended */
    } refs;
    bool started, stopping, stopped;
    mg_timer stop_limit;         /* bound on stop() */
    mg_later let_go;             /* stopped: drops the hold on the generation */

    mg_budget budget;
    struct { int64_t hook, task, setup; } cpu_ns; /* what an entry may take; setup: all of loading */

    /* Collector. */
    mg_link link;                /* in the process's list of states */
    size_t begin_bytes;          /* a heap larger than that begins a cycle */
    bool collecting;             /* a cycle is under way */
};

#endif
