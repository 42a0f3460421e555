/*
 * crew: the workers as the master sees them: who runs, who died, who is stuck.
 *
 *      EMPTY ─► STARTING ──READY──► SERVING ──DRAIN, STOP──► LEAVING ─► EMPTY
 *        ▲         └── died ──┐        └── died ─┐
 *        │                    ▼                  ▼
 *        └──── size shrank ── WAITING (back-off: at once the first time, then 0.1 s doubling up to 5 s)
 *
 * A worker that served MG_CREW_HEALTHY_MS is healthy again: its next death is repaired at once. A worker
 * whose pulse is older than the watchdog allows is killed (SIGABRT, a second later SIGKILL), and the log says
 * what it was busy with.
 *
 * Ownership: embedded in the master.
 */
#ifndef MG_SERVER_CREW_H
#define MG_SERVER_CREW_H

#include "server/messages.h"
#include "shm/stats.h"

enum {
    MG_CREW_HEALTHY_MS = 30000, MG_CREW_BACKOFF_FIRST_MS = 100, MG_CREW_BACKOFF_MOST_MS = 5000,
    MG_CREW_WATCH_MS = 500, MG_CREW_KILL_MS = 1000
};

typedef enum { MG_CREW_EMPTY, MG_CREW_STARTING, MG_CREW_SERVING, MG_CREW_LEAVING, MG_CREW_WAITING } mg_crew_state;

typedef struct mg_crew mg_crew;

typedef struct {
    mg_crew *crew;
    int index;
    mg_crew_state state;
    pid_t pid;
    mg_channel channel;
    mg_child child;
    mg_timer again;       /* WAITING: when it is started anew */
    mg_timer kill;        /* when a process that should be gone is killed */
    int64_t started_ms, backoff_ms;
    uint32_t restarts;
    bool stuck;           /* the watchdog gave it up */
} mg_member;

struct mg_crew {
    mg_member at[MG_STATS_WORKERS];
    int size;             /* how many there shall be */
    bool repair;          /* the dead are replaced */
    bool hold;            /* nobody is started for now: a reload is under way */
    mg_stats *stats;
    int64_t watchdog_ms;
    mg_timer watch;
    int64_t watched_ms;
    void (*in_child)(int index, int channel); /* becomes the worker; does not return */
    void (*on_message)(mg_member *m, const mg_message *message); /* READY of a start is told, too */
    void (*on_died)(mg_member *m, const char *how); /* already EMPTY or WAITING; `how` is a sentence */
};

const char *mg_crew_state_name(mg_crew_state s);
void mg_crew_init(mg_crew *c);                         /* callbacks, stats and watchdog are filled before */
mg_rc mg_crew_start(mg_crew *c, int index) MG_MUST_CHECK; /* MG_FAIL: errno */
void mg_crew_grow(mg_crew *c, int size);               /* starts those that are missing; logs what fails */
void mg_crew_release(mg_crew *c);                      /* hold ends: those whose time has come are started */
/* Tells the members from `from` on to drain within most_ms. `leave`: what waits in queues is others' to take. */
void mg_crew_drain(mg_crew *c, int from, int64_t most_ms, bool leave);
void mg_crew_stop(mg_crew *c);                         /* now */
void mg_crew_tell(mg_crew *c, mg_say say, uint32_t number); /* all that serve or start */
int mg_crew_alive(const mg_crew *c);                   /* processes */
int mg_crew_count(const mg_crew *c, mg_crew_state s);
void mg_crew_fini(mg_crew *c);                         /* kills and reaps whoever is left */

#endif
