/*
 * lock: a mutual exclusion between processes that survives the death of its owner.
 *
 *      if (mg_lock_take(&l)) {        the last owner died inside: what it guards may be half-written
 *          repair or empty it;
 *          mg_lock_mended(&l);
 *      }
 *      …
 *      mg_lock_give(&l);
 *
 * A robust POSIX mutex in shared memory: uncontended it costs two atomic instructions and no system call,
 * and the kernel hands it on when its owner is killed. Whoever is killed while repairing leaves it to the
 * next one. Not recursive; held for a few hundred nanoseconds, never across a wait.
 *
 * Ownership: embedded in shared memory; initialised once, by who made the memory.
 */
#ifndef MG_SHM_LOCK_H
#define MG_SHM_LOCK_H

#include "base/base.h"

#include <pthread.h>

typedef struct {
    pthread_mutex_t mutex;
} mg_lock;

void mg_lock_init(mg_lock *l);
bool mg_lock_take(mg_lock *l) MG_MUST_CHECK; /* true: orphaned; repair, then mg_lock_mended */
void mg_lock_mended(mg_lock *l);
void mg_lock_give(mg_lock *l);

#endif
