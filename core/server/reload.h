/*
 * reload: a new generation in every worker, or in none.
 *
 *      IDLE ─ask─► CHECKING ─plan─► PREPARING ─all READY─► commit ─► IDLE
 *                     │                 │
 *                  mistakes       REFUSED, a death, MG_RELOAD_MS ─► abort ─► IDLE
 *
 * While it prepares, nobody is started (mg_crew.hold), so that no worker misses the commit. Whoever asks
 * while a reload is under way gets the one after it, together with all others who do.
 *
 * Ownership: embedded in the master. An asker's mg_reload_wait is the asker's; mg_reload_forget when it goes
 * before it was answered.
 */
#ifndef MG_SERVER_RELOAD_H
#define MG_SERVER_RELOAD_H

#include "os/loop.h"
#include "server/binding.h"
#include "server/checker.h"
#include "server/crew.h"

enum { MG_RELOAD_MS = 30000 };

typedef struct mg_master mg_master;

typedef struct mg_reload_wait mg_reload_wait;
struct mg_reload_wait {
    mg_link link;
    /* `mistakes`: lines why it was refused; NULL: `generation` is in service now. */
    void (*on_done)(mg_reload_wait *w, uint32_t generation, const char *mistakes);
};

typedef struct {
    mg_master *master;
    enum { MG_RELOAD_IDLE, MG_RELOAD_CHECKING, MG_RELOAD_PREPARING } state;
    mg_link waiting, next;        /* who is answered by this reload; by the next */
    bool again;                   /* there is to be a next one */
    mg_checker checker;
    uint32_t generation;          /* that is being built */
    mg_plan plan;
    mg_bindings bindings;
    int control_fd;               /* a control socket of another path; -1: as before */
    bool missing[MG_STATS_WORKERS]; /* has not said READY yet */
    mg_page mistakes;
    mg_timer late;
    uint64_t taken, refused;
} mg_reload;

void mg_reload_init(mg_reload *r, mg_master *m); /* the checker's first fields are filled before */
void mg_reload_ask(mg_reload *r, mg_reload_wait *w); /* w NULL: nobody waits for the answer */
void mg_reload_forget(mg_reload_wait *w);
/* What a worker said belongs to a reload; true: it did. */
bool mg_reload_heed(mg_reload *r, const mg_member *m, const mg_message *message);
void mg_reload_member_died(mg_reload *r, const mg_member *m, const char *how);
void mg_reload_cancel(mg_reload *r, const char *why); /* the proxy ends: askers are told, nothing is started any more */
void mg_reload_fini(mg_reload *r);

#endif
