/*
 * runner: a coroutine of a script, running or waiting, and who may wake it.
 *
 *      begin ─► go ─► DONE                          a pooled thread per run; given back when it is done,
 *                └──► WAITS ─► wake ─► go ─► …      thrown away when it failed or was dropped
 *
 * A runner is either the one of a request's hooks (embedded in a slot), that of a body hook, or a task. What waits, waits in Lua
 * for a condition and asks again whenever it is woken, so one wake too many is harmless. Lua knows runners
 * by number. One runner runs at a time, and nothing it calls enters Lua again.
 *
 * Ownership: runners belong to their script; task runners are pooled. The exchange of `slot` may end before
 * a task that it spawned: `serial` tells.
 */
#ifndef MG_SCRIPT_RUNNER_H
#define MG_SCRIPT_RUNNER_H

#include "os/loop.h"
#include "script/state.h"

struct mg_runner {
    mg_script *script;
    uint32_t number;
    lua_State *co;          /* NULL: nothing under way */
    int ref;                /* anchors co */
    int args;               /* values on co for the first resume of a task */
    mg_slot *slot;          /* the request it works for; NULL: none */
    uint32_t serial;        /* of that request */
    bool waits, ready, is_task, cancelled, cancel_told, rang;
    bool is_body;           /* a body hook, of direction `flow` */
    uint8_t flow;           /* mg_flow */
    mg_timer alarm;
    mg_later later;         /* tasks: due to run */
    int task;               /* tasks: the Lua object, by reference */
    mg_runner *next_free;
};

typedef enum { MG_RUN_DONE, MG_RUN_WAITS, MG_RUN_ERROR } mg_run;

extern mg_runner *mg_runner_current; /* who runs now; NULL: nobody */

void mg_runner_init(mg_runner *r, mg_script *s);   /* gives it a number */
/* Takes a thread for a run; L is any thread of the state whose stack has room. */
void mg_runner_begin(mg_runner *r, lua_State *L);
/* Runs until it ends or waits. DONE: results are on r->co. ERROR: the message is on top of r->co, whose
 * frames still stand; say it, then drop. */
mg_run mg_runner_go(mg_runner *r, int args);
void mg_runner_rest(mg_runner *r);                 /* done: its thread goes back to the pool */
void mg_runner_drop(mg_runner *r);                 /* its thread is thrown away, whatever it was doing */
void mg_runner_wake(mg_runner *r);                 /* what it waits for may be there */
void mg_runner_sleep(mg_runner *r, int64_t ms);    /* wakes it then, once; `rang` says so */

/* A new task: the function and its `args` arguments are on L; they are popped. Runs soon. `task`, popped
 * from below them, is the Lua object that is told how it ended. Returns its number. */
uint32_t mg_runner_spawn(mg_script *s, lua_State *L, int args);
void mg_runner_cancel(mg_runner *r);               /* a task: raises an error where it waits; twice: drops it */
void mg_runner_end_tasks(mg_script *s, bool at_once); /* cancel or drop all */
void mg_runner_close(mg_script *s);                /* before the state is closed: nothing may fire any more */

/* Called whenever a task of the script is over. Set by script.c. */
extern void (*mg_runner_on_task_over)(mg_script *s);

/* The mark that a wait yields, so that it passes through coroutines of scripts. */
void *mg_runner_wait_mark(void);

#endif
