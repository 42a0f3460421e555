#include "shm/lock.h"

#include "base/test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    mg_lock lock;
    volatile long a, b; /* equal, but inside */
    volatile int inside;
} shared;

static shared *map_shared(void)
{
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MG_BUG_UNLESS(s != MAP_FAILED);
    mg_lock_init(&s->lock);
    return s;
}

static void add(shared *s, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        if (mg_lock_take(&s->lock)) {
            s->b = s->a;
            mg_lock_mended(&s->lock);
        }
        s->a = s->a + 1;
        s->b = s->b + 1;
        mg_lock_give(&s->lock);
    }
}

TEST("two processes exclude each other")
{
    enum { ROUNDS = 200000 };
    shared *s = map_shared();
    pid_t pid = fork();
    if (pid == 0) {
        add(s, ROUNDS);
        _exit(0);
    }
    add(s, ROUNDS);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK_INT(s->a, 2 * ROUNDS);
    CHECK_INT(s->b, 2 * ROUNDS);
    (void)munmap(s, sizeof *s);
}

static pid_t killed_inside(shared *s, bool repairing)
{
    s->inside = 0;
    pid_t pid = fork();
    if (pid == 0) {
        bool orphaned = mg_lock_take(&s->lock);
        if (orphaned && !repairing)
            mg_lock_mended(&s->lock);
        s->a = s->a + 1;
        s->inside = 1;
        for (;;)
            (void)pause();
    }
    while (!s->inside)
        (void)sched_yield();
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return pid;
}

TEST("who is killed inside leaves the lock to the next one, who is told")
{
    shared *s = map_shared();
    for (int i = 0; i < 20; i++) {
        (void)killed_inside(s, false);
        CHECK(mg_lock_take(&s->lock));
        CHECK_INT(s->a, s->b + 1);
        s->b = s->a;
        mg_lock_mended(&s->lock);
        mg_lock_give(&s->lock);
        CHECK(!mg_lock_take(&s->lock));
        mg_lock_give(&s->lock);
    }
    (void)munmap(s, sizeof *s);
}

TEST("who is killed while repairing leaves the repair to the next one")
{
    shared *s = map_shared();
    (void)killed_inside(s, false);
    (void)killed_inside(s, true);
    CHECK(mg_lock_take(&s->lock));
    mg_lock_mended(&s->lock);
    mg_lock_give(&s->lock);
    (void)munmap(s, sizeof *s);
}
