/*
 * worker: the process that serves: one loop, its listeners, its generations, its pool of connections.
 *
 *      fork ─► load generation ─► READY ─► serve ─► DRAIN ─► let go ─► exit 0
 *               └► MISTAKE…, REFUSED, exit 1   └── STOP ──────┘
 *
 *      drain: no more connections (those that wait are taken first), idle ones are closed, busy ones
 *      answer with "Connection: close"; past its bound what is left is cut.
 *
 * It hears of the master through one channel (messages.h), dies with it, and tells its pulse through shared
 * memory: a timer stores the time, so a worker that is stuck in a script shows.
 *
 * Ownership: mg_worker_run never returns; it owns the process.
 */
#ifndef MG_SERVER_WORKER_H
#define MG_SERVER_WORKER_H

#include "server/binding.h"
#include "shm/dicts.h"

enum { MG_WORKER_BEAT_MS = 250, MG_WORKER_LAST_MS = 6000 /* for log hooks and stop() after all else ended */ };

typedef struct {
    int index;               /* from 0 */
    int channel;             /* its end */
    pid_t master;
    uint32_t generation;
    const char *library, *config;
    const char *user, *group; /* NULL: unchanged */
    mg_stats *stats;
    mg_dicts *dicts;         /* the process owns them from now on */
    mg_bindings *bindings;   /* sockets of other workers are closed already */
    mg_log_level level;
} mg_worker_job;

_Noreturn void mg_worker_run(const mg_worker_job *job);

#endif
