#include "shm/lock.h"

#include <errno.h>

void mg_lock_init(mg_lock *l)
{
    pthread_mutexattr_t kind;
    MG_BUG_UNLESS(pthread_mutexattr_init(&kind) == 0);
    MG_BUG_UNLESS(pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0);
    MG_BUG_UNLESS(pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0);
    MG_BUG_UNLESS(pthread_mutex_init(&l->mutex, &kind) == 0);
    (void)pthread_mutexattr_destroy(&kind);
}

bool mg_lock_take(mg_lock *l)
{
    int rc = pthread_mutex_lock(&l->mutex);
    if (MG_LIKELY(rc == 0))
        return false;
    /* Anything else: given without mg_lock_mended, or not a lock at all. */
    MG_BUG_UNLESS(rc == EOWNERDEAD);
    return true;
}

void mg_lock_mended(mg_lock *l)
{
    MG_BUG_UNLESS(pthread_mutex_consistent(&l->mutex) == 0);
}

void mg_lock_give(mg_lock *l)
{
    MG_BUG_UNLESS(pthread_mutex_unlock(&l->mutex) == 0);
}
