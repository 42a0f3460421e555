#include "script/watchdog.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SIGNAL = SIGURG, /* harmless where nobody takes it */
    TICK_MOST_NS = 5000000,
    TICK_LEAST_NS = 500000,
    QUIET_TICKS = 20,  /* without an entry: it goes to sleep */
    STACK_BYTES = 256 * 1024
};

mg_watchdog_entry mg_watchdog_now = {.seq = 2}; /* not what no entry has tripped */

static struct {
    pthread_t main;
    clockid_t clock; /* processor time of the main thread */
    pid_t pid;       /* whose process it watches: a forked child has inherited no thread */
    int64_t tick_ns;
    void (*on_trip)(void);
} dog = {.tick_ns = TICK_MOST_NS};

static void on_signal(int number)
{
    (void)number;
    const mg_watchdog_entry *e = &mg_watchdog_now;
    if ((e->seq & 1) && __atomic_load_n(&e->trip, __ATOMIC_RELAXED) == e->seq)
        dog.on_trip();
}

static int64_t time_of_main(void)
{
    struct timespec t;
    (void)clock_gettime(dog.clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void nap(void)
{
    struct timespec t = {0, __atomic_load_n(&dog.tick_ns, __ATOMIC_RELAXED)};
    (void)nanosleep(&t, NULL);
}

/* An entry that begins just now may not see that its watchdog sleeps; so it looks by itself once a second. */
static void sleep_until_entry(uint64_t seen)
{
    static const struct timespec most = {1, 0};
    mg_watchdog_entry *e = &mg_watchdog_now;
    __atomic_store_n(&e->asleep, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&e->seq, __ATOMIC_SEQ_CST) == seen)
        (void)syscall(SYS_futex, &e->asleep, FUTEX_WAIT_PRIVATE, 1, &most, NULL, 0);
    __atomic_store_n(&e->asleep, 0, __ATOMIC_RELAXED);
}

void mg_watchdog_wake(void)
{
    int error = errno;
    __atomic_store_n(&mg_watchdog_now.asleep, 0, __ATOMIC_RELAXED);
    (void)syscall(SYS_futex, &mg_watchdog_now.asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = error;
}

typedef struct {
    uint64_t seen;  /* seq at the last look */
    int64_t began;  /* processor time when that entry was first seen */
    unsigned quiet; /* looks without an entry */
} looking;

/* false: look again at once. */
static bool look(looking *l)
{
    mg_watchdog_entry *e = &mg_watchdog_now;
    uint64_t seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
    if (seq != l->seen) {
        *l = (looking){.seen = seq, .began = seq & 1 ? time_of_main() : 0};
    } else if (!(seq & 1)) {
        if (++l->quiet == QUIET_TICKS) {
            sleep_until_entry(seq);
            l->quiet = 0;
            return false;
        }
    } else if (time_of_main() - l->began >= __atomic_load_n(&e->cpu_ns, __ATOMIC_RELAXED)) {
        __atomic_store_n(&e->trip, seq, __ATOMIC_RELAXED);
        (void)pthread_kill(dog.main, SIGNAL);
    }
    return true;
}

static void *watch(void *arg)
{
    looking l = {0};
    for (;;)
        if (look(&l))
            nap();
    return arg;
}

static void take_signal(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t only;
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGNAL, &act, NULL);
    (void)sigemptyset(&only);
    (void)sigaddset(&only, SIGNAL);
    (void)pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}

bool mg_watchdog_start(void (*on_trip)(void))
{
    if (dog.pid == getpid())
        return true;
    pthread_t thread;
    pthread_attr_t how;
    sigset_t all, before;
    dog.main = pthread_self();
    dog.on_trip = on_trip;
    mg_watchdog_now.asleep = 0;
    if (pthread_getcpuclockid(dog.main, &dog.clock) != 0)
        return false;
    take_signal();
    /* Signals are the main thread's: this one is born with all of them blocked. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    (void)pthread_attr_init(&how);
    (void)pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&how, STACK_BYTES);
    bool started = pthread_create(&thread, &how, watch, NULL) == 0;
    (void)pthread_attr_destroy(&how);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        dog.pid = getpid();
    return started;
}

void mg_watchdog_tick(int64_t ns)
{
    __atomic_store_n(&dog.tick_ns, MG_MIN(MG_MAX(ns, (int64_t)TICK_LEAST_NS), (int64_t)TICK_MOST_NS), __ATOMIC_RELAXED);
}
