/*
 * watchdog: a thread that notices when one entry into scripts takes more processor time than it may.
 *
 *      main thread   seq 6 ──► 7 (runs) ──────────────────────────► 8        two stores per entry
 *      watchdog      ·····5 ms····· 7? ··· 7? ··· 7 for 50 ms: trip = 7, signal; again each tick until 8
 *
 * It looks at the sequence number each tick. Where the same entry is seen twice it asks for the processor
 * time of the main thread, so that a script is not blamed for what other programs do. An entry is ended
 * after its budget, at most about two ticks later, never before. When no script runs for a while it sleeps,
 * and the next entry wakes it: the only system call that an entry ever makes.
 *
 * Ownership: one per process, started once, ends with it. A forked child has none until it starts its own.
 */
#ifndef MG_SCRIPT_WATCHDOG_H
#define MG_SCRIPT_WATCHDOG_H

#include "base/base.h"

typedef struct {
    uint64_t seq;    /* of the entry; odd: it goes on */
    uint64_t trip;   /* the entry whose budget is over */
    int64_t cpu_ns;  /* its budget */
    uint32_t asleep; /* the watchdog is */
    volatile int tripped; /* the entry was told */
    volatile int armed;   /* hooks are set that must go when it ends */
    void *of;        /* whose entry */
} mg_watchdog_entry;

extern mg_watchdog_entry mg_watchdog_now;

/* Starts the thread for the thread that calls; false: there can be none. `on_trip` runs in that thread's
 * signal handler while the overdue entry goes on, once per tick until it ends. */
bool mg_watchdog_start(void (*on_trip)(void));
void mg_watchdog_tick(int64_t ns); /* how often it looks: kept between 0.5 and 5 ms */
void mg_watchdog_wake(void);

static inline void mg_watchdog_enter(void *of, int64_t cpu_ns)
{
    mg_watchdog_entry *e = &mg_watchdog_now;
    e->of = of;
    e->tripped = 0;
    __atomic_store_n(&e->cpu_ns, cpu_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&e->seq, e->seq + 1, __ATOMIC_RELEASE);
    if (MG_UNLIKELY(__atomic_load_n(&e->asleep, __ATOMIC_RELAXED)))
        mg_watchdog_wake();
}

static inline void mg_watchdog_leave(void)
{
    mg_watchdog_entry *e = &mg_watchdog_now;
    __atomic_store_n(&e->seq, e->seq + 1, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* from here on the signal handler does nothing */
}

static inline bool mg_watchdog_is_inside(void)
{
    return mg_watchdog_now.seq & 1;
}

#endif
