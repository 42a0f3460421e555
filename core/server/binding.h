/*
 * binding: what the master holds of each listener: its sockets, one per worker.
 *
 *      "0.0.0.0:8080"   ─► socket of worker 0 │ socket of worker 1 │ …     SO_REUSEPORT: each has its own queue
 *      "127.0.0.1:0"    ─► the kernel chooses a port for the first, the others take the same
 *      "unix:run/x"     ─► one socket that all share
 *
 * The master keeps every socket open for as long as it is configured, so that connections that wait in the
 * queue of a worker that died are served by the one that takes its place.
 *
 * A reload makes a new set from the plan and the living set: sockets of listeners that stay are lent to the
 * new set, and only those that came are new. Then either the new set is kept, or it is dropped:
 *
 *      living ─┐                                  ┌─ mg_bindings_keep: living becomes the new one
 *              ├─► mg_bindings_make(new, plan) ──►┤
 *      plan ───┘                                  └─ mg_bindings_drop: what was new is closed again
 *
 * Ownership: a set owns its texts and the sockets that it did not borrow.
 */
#ifndef MG_SERVER_BINDING_H
#define MG_SERVER_BINDING_H

#include "os/addr.h"
#include "script/plan.h"
#include "shm/stats.h"

typedef struct {
    uint32_t id;                 /* how master and workers name it; never used twice */
    char *bind;                  /* as configured */
    char address[MG_ADDR_ROOM];  /* where it really is */
    mg_addr addr;                /* the same; a UNIX path is borrowed from `bind` */
    int backlog;
    unsigned mode;
    bool v6_only, shared;        /* shared: one socket for all workers, at index 0 */
    bool lent;                   /* its sockets belong to the living set, too */
    bool announced;              /* its address was printed */
    int fds[MG_STATS_WORKERS];   /* -1: none */
} mg_binding;

typedef struct {
    mg_binding *at;
    uint32_t count;
} mg_bindings;

/* The listeners of the plan, without sockets for those that `living` (may be NULL) has not. MG_FAIL: an address
 * that cannot be read. */
mg_rc mg_bindings_make(mg_bindings *new, const mg_plan *plan, const mg_bindings *living, mg_err *err) MG_MUST_CHECK;
/* Sockets for workers [0, workers) where there are none yet. MG_FAIL: with the sentence; drop the set then. */
mg_rc mg_bindings_open(mg_bindings *b, int workers, mg_err *err) MG_MUST_CHECK;
void mg_bindings_drop(mg_bindings *new);                    /* closes what is not lent */
/* `new` takes the place of `living`, and what it did not borrow is closed. */
void mg_bindings_keep(mg_bindings *living, mg_bindings *new);
void mg_bindings_close(mg_bindings *b, bool unlink);        /* all; `unlink`: files of UNIX sockets go as well */
void mg_bindings_close_worker(mg_bindings *b, int worker);  /* those of one worker only; shared ones stay */
static inline int mg_binding_fd(const mg_binding *b, int worker)
{
    return b->fds[b->shared ? 0 : worker];
}

/* For an upgrade: "fd worker bind|fd worker bind|…" in the arena, and back. mg_bindings_inherit gives the
 * sockets to the bindings of the same name and closes those that nobody wants. */
mg_str mg_bindings_print(const mg_bindings *b, mg_arena *arena);
void mg_bindings_inherit(mg_bindings *b, int workers, mg_str text);

#endif
