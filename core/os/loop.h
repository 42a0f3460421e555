/*
 * loop: the one event loop of a process, on libev with epoll.
 *
 *      wait ─► clock update ─► ready watchers ─► deadlines ─► after-turn work ─► wait …
 *
 * The only file that includes <ev.h> is loop.c; watchers are opaque room of the right size. What fires
 * is a plain function with the watcher; MG_OWNER leads to its owner.
 *
 * Watchers stay started: a connection whose bytes nobody wants at the moment pauses its watcher only
 * when an event really arrives (mg_io_pause is cheap, but a system call each time adds up).
 *
 * Deadlines ("patience"): a wait with a duration lives on one list per distinct duration. Members of a
 * list share the duration, so the list is ordered by age, arming again is a move to the tail, and one
 * lazy timer per list looks only at the head:
 *
 *      30 s:  oldest ⇄ … ⇄ newest        75 s:  oldest ⇄ … ⇄ newest
 *
 * Ownership: watchers and deadlines are embedded; their owner stops them before it goes. One loop per
 * process, made after fork.
 */
#ifndef MG_OS_LOOP_H
#define MG_OS_LOOP_H

#include "base/list.h"

enum { MG_READ = 1, MG_WRITE = 2 };

typedef struct mg_io mg_io;
struct mg_io {
    uint64_t room[6]; /* an ev_io */
    void (*on_ready)(mg_io *io, int events);
};

typedef struct mg_timer mg_timer;
struct mg_timer {
    uint64_t room[7]; /* an ev_timer */
    void (*on_time)(mg_timer *t);
};

typedef struct mg_signal mg_signal;
struct mg_signal {
    uint64_t room[8]; /* an ev_signal */
    void (*on_signal)(mg_signal *s, int number);
};

typedef struct mg_child mg_child;
struct mg_child {
    uint64_t room[9]; /* an ev_child */
    void (*on_exit)(mg_child *c, pid_t pid, int status); /* status as waitpid gives it */
};

typedef struct mg_patience mg_patience; /* one per distinct duration, shared */

typedef struct mg_deadline mg_deadline;
struct mg_deadline {
    mg_link link;
    mg_patience *patience; /* NULL: not armed */
    int64_t since_ms;
    void (*on_late)(mg_deadline *d);
};

/* Work that wants a turn of its own soon: run once after the watchers of this turn. What it puts off in turn
 * runs before the loop waits again, so a `run` that always puts itself back keeps the loop from waiting. */
typedef struct mg_later mg_later;
struct mg_later {
    mg_link link; /* init with mg_later_init; in the list while due */
    void (*run)(mg_later *l);
};

mg_rc mg_loop_open(void) MG_MUST_CHECK; /* errno when epoll is not to be had */
void mg_loop_close(void);
const char *mg_loop_library(void); /* what runs it, with its version: "libev 4.33" */
void mg_loop_run(void);  /* until mg_loop_stop */
void mg_loop_stop(void);
/* Called each turn right before the loop waits, when set (the collector works there). */
void mg_loop_on_idle(void (*fn)(void *), void *arg);

void mg_io_init(mg_io *io, void (*on_ready)(mg_io *, int));
void mg_io_start(mg_io *io, int fd, int events); /* also changes the events of a started one */
void mg_io_stop(mg_io *io);                      /* harmless when not started; before close(fd) */
int mg_io_events(const mg_io *io);               /* what is waited for; 0: stopped */
int mg_io_fd(const mg_io *io);

void mg_timer_init(mg_timer *t, void (*on_time)(mg_timer *));
void mg_timer_start(mg_timer *t, int64_t after_ms); /* once; anew when it ran already */
void mg_timer_stop(mg_timer *t);
bool mg_timer_is_running(const mg_timer *t);

void mg_signal_start(mg_signal *s, int number, void (*on_signal)(mg_signal *, int));
void mg_signal_stop(mg_signal *s);
void mg_child_start(mg_child *c, pid_t pid, void (*on_exit)(mg_child *, pid_t, int));
void mg_child_stop(mg_child *c);

void mg_deadline_init(mg_deadline *d, void (*on_late)(mg_deadline *));
void mg_deadline_arm(mg_deadline *d, int64_t patience_ms); /* anew when armed; <= 0: never late (disarms) */
void mg_deadline_disarm(mg_deadline *d);
static inline bool mg_deadline_is_armed(const mg_deadline *d)
{
    return d->patience != NULL;
}

void mg_later_init(mg_later *l, void (*run)(mg_later *));
void mg_later_do(mg_later *l);     /* harmless when due already */
void mg_later_cancel(mg_later *l); /* harmless when not due */

#endif
