#include "os/loop.h"

#include "base/clock.h"
#include "base/test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends a loop that waits for what does not come. */
static mg_timer guard;
static bool guarded;

static void on_guard(mg_timer *t)
{
    (void)t;
    guarded = true;
    mg_loop_stop();
}

static void open_loop(void)
{
    MG_BUG_UNLESS(mg_loop_open() == MG_OK);
    guarded = false;
    mg_timer_init(&guard, on_guard);
    mg_timer_start(&guard, 10000);
}

static void run_loop(void)
{
    mg_loop_run();
    CHECK(!guarded);
}

static void close_loop(void)
{
    mg_timer_stop(&guard);
    mg_loop_close();
}

/* ---- descriptors ---- */

static int seen_events, ready_count, pair[2];

static void on_ready_once(mg_io *io, int events)
{
    (void)io;
    seen_events = events;
    ready_count++;
    mg_loop_stop();
}

static void open_pair(void)
{
    MG_BUG_UNLESS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    seen_events = ready_count = 0;
}

static void close_pair(void)
{
    (void)close(pair[0]);
    (void)close(pair[1]);
}

TEST("a descriptor's watcher is told what is possible, and only what it waits for")
{
    mg_io io;
    open_loop();
    open_pair();
    mg_io_init(&io, on_ready_once);
    CHECK_INT(mg_io_events(&io), 0);
    mg_io_start(&io, pair[0], MG_WRITE);
    CHECK_INT(mg_io_events(&io), MG_WRITE);
    CHECK_INT(mg_io_fd(&io), pair[0]);
    run_loop();
    CHECK_INT(seen_events, MG_WRITE);
    mg_io_start(&io, pair[0], MG_READ);
    CHECK_INT(mg_io_events(&io), MG_READ);
    CHECK(write(pair[1], "x", 1) == 1);
    run_loop();
    CHECK_INT(seen_events, MG_READ);
    mg_io_start(&io, pair[0], MG_READ | MG_WRITE);
    run_loop();
    CHECK_INT(seen_events, MG_READ | MG_WRITE);
    mg_io_stop(&io);
    mg_io_stop(&io);
    CHECK_INT(mg_io_events(&io), 0);
    close_pair();
    close_loop();
}

static mg_later ender;

static void on_end(mg_later *l)
{
    (void)l;
    mg_loop_stop();
}

static void on_short(mg_timer *t)
{
    (void)t;
    mg_loop_stop();
}

TEST("a watcher that was paused hears nothing until it goes on, and then of what came meanwhile")
{
    mg_io io;
    mg_timer soon;
    open_loop();
    open_pair();
    mg_io_init(&io, on_ready_once);
    mg_io_start(&io, pair[0], MG_READ);
    mg_io_start(&io, pair[0], 0);
    CHECK_INT(mg_io_events(&io), 0);
    CHECK(write(pair[1], "x", 1) == 1);
    mg_timer_init(&soon, on_short);
    mg_timer_start(&soon, 5);
    run_loop();
    CHECK_INT(ready_count, 0);
    mg_io_start(&io, pair[0], MG_READ);
    run_loop();
    CHECK_INT(ready_count, 1);
    mg_io_stop(&io);
    close_pair();
    close_loop();
}

static mg_io first, second;

static void on_ready_stop_both(mg_io *io, int events)
{
    (void)io, (void)events;
    ready_count++;
    mg_io_stop(&first);
    mg_io_stop(&second);
    mg_later_do(&ender);
}

TEST("a watcher that another one stops in the same turn is not called any more")
{
    open_loop();
    open_pair();
    mg_later_init(&ender, on_end);
    mg_io_init(&first, on_ready_stop_both);
    mg_io_init(&second, on_ready_stop_both);
    mg_io_start(&first, pair[0], MG_WRITE);
    mg_io_start(&second, pair[1], MG_WRITE);
    run_loop();
    CHECK_INT(ready_count, 1);
    close_pair();
    close_loop();
}

/* ---- timers ---- */

static char order[64];
static mg_timer timers[3];

static void note(char c)
{
    size_t n = strlen(order);
    MG_BUG_UNLESS(n + 1 < sizeof order);
    order[n] = c;
    order[n + 1] = '\0';
}

static void on_timer(mg_timer *t)
{
    note((char)('0' + (t - timers)));
    if (t == &timers[2])
        mg_loop_stop();
}

TEST("timers run in the order of their times, once, and a stopped one never")
{
    open_loop();
    order[0] = '\0';
    for (int i = 0; i < 3; i++)
        mg_timer_init(&timers[i], on_timer);
    int64_t before = mg_clock_precise_us();
    mg_timer_start(&timers[2], 20);
    mg_timer_start(&timers[0], 10);
    mg_timer_start(&timers[1], 5);
    CHECK(mg_timer_is_running(&timers[1]));
    mg_timer_stop(&timers[1]);
    CHECK(!mg_timer_is_running(&timers[1]));
    run_loop();
    CHECK_STR(mg_str_of(order), MG_STR("02"));
    CHECK(mg_clock_precise_us() - before >= 19000);
    CHECK(!mg_timer_is_running(&timers[0]) && !mg_timer_is_running(&timers[2]));
    close_loop();
}

static void on_timer_again(mg_timer *t)
{
    note('t');
    if (strlen(order) == 3)
        mg_loop_stop();
    else
        mg_timer_start(t, 1);
}

TEST("a timer may start itself again, and starting a running one moves it")
{
    mg_timer t;
    open_loop();
    order[0] = '\0';
    mg_timer_init(&t, on_timer_again);
    mg_timer_start(&t, 5000);
    mg_timer_start(&t, 1);
    run_loop();
    CHECK_STR(mg_str_of(order), MG_STR("ttt"));
    close_loop();
}

/* ---- deadlines ---- */

enum { WAITS = 6 };
static mg_deadline waits[WAITS];
static int64_t late_at_us[WAITS];
static int last_wait;

static void on_late(mg_deadline *d)
{
    long i = d - waits;
    CHECK(!mg_deadline_is_armed(d));
    late_at_us[i] = mg_clock_precise_us();
    note((char)('0' + i));
    if (i == last_wait)
        mg_loop_stop();
}

static void init_waits(void (*fn)(mg_deadline *), int last)
{
    order[0] = '\0';
    last_wait = last;
    for (int i = 0; i < WAITS; i++)
        mg_deadline_init(&waits[i], fn);
}

TEST("deadlines of equal and different durations come in the order of their times, not before them")
{
    open_loop();
    init_waits(on_late, 3);
    int64_t start = mg_clock_precise_us();
    mg_deadline_arm(&waits[3], 30);
    mg_deadline_arm(&waits[0], 10);
    mg_deadline_arm(&waits[1], 10);
    mg_deadline_arm(&waits[2], 20);
    mg_deadline_arm(&waits[4], 10);
    mg_deadline_disarm(&waits[4]);
    mg_deadline_disarm(&waits[4]);
    mg_deadline_arm(&waits[5], 5);
    mg_deadline_arm(&waits[5], 0); /* never late */
    CHECK(!mg_deadline_is_armed(&waits[5]));
    run_loop();
    CHECK_STR(mg_str_of(order), MG_STR("0123"));
    static const int64_t wanted_ms[] = {10, 10, 20, 30};
    for (int i = 0; i < 4; i++)
        CHECK(late_at_us[i] - start >= (wanted_ms[i] - 1) * 1000); /* the clock of the turn may lag by a millisecond */
    close_loop();
}

static mg_timer nudge;
static int nudges;

static void on_nudge(mg_timer *t)
{
    mg_deadline_arm(&waits[0], 20); /* there is news: patience begins anew */
    if (++nudges < 8)
        mg_timer_start(t, 5);
}

TEST("a deadline that is armed again and again is late only after the last time")
{
    open_loop();
    init_waits(on_late, 0);
    nudges = 0;
    int64_t start = mg_clock_precise_us();
    mg_deadline_arm(&waits[0], 20);
    mg_deadline_arm(&waits[1], 20);
    mg_timer_init(&nudge, on_nudge);
    mg_timer_start(&nudge, 5);
    run_loop();
    CHECK_STR(mg_str_of(order), MG_STR("10"));
    CHECK(late_at_us[0] - start >= (8 * 5 + 20 - 2) * 1000);
    CHECK(late_at_us[1] < late_at_us[0]);
    close_loop();
}

static void on_late_moves_others(mg_deadline *d)
{
    note((char)('0' + (d - waits)));
    if (d == &waits[0]) {
        mg_deadline_disarm(&waits[1]);  /* due in this very moment */
        mg_deadline_arm(&waits[2], 10); /* due as well: has time again */
        mg_deadline_arm(&waits[0], 10); /* and so has this one */
        d->on_late = on_late;
        last_wait = 0;
    }
}

TEST("a late one may disarm and arm others that are due in the same moment, and itself")
{
    open_loop();
    init_waits(on_late_moves_others, -1);
    mg_deadline_arm(&waits[0], 10);
    mg_deadline_arm(&waits[1], 10);
    mg_deadline_arm(&waits[2], 10);
    run_loop();
    CHECK_STR(mg_str_of(order), MG_STR("020"));
    close_loop();
}

static void on_late_changes_patience(mg_deadline *d)
{
    note((char)('0' + (d - waits)));
    if (strlen(order) == 1)
        mg_deadline_arm(d, 7);
    else
        mg_loop_stop();
}

TEST("a deadline moves from one duration to another, also inside its callback")
{
    open_loop();
    init_waits(on_late_changes_patience, -1);
    mg_deadline_arm(&waits[0], 5000);
    mg_deadline_arm(&waits[0], 3);
    run_loop();
    CHECK_STR(mg_str_of(order), MG_STR("00"));
    close_loop();
}

TEST("closing the loop disarms what is armed")
{
    open_loop();
    init_waits(on_late, -1);
    mg_deadline_arm(&waits[0], 50);
    close_loop();
    CHECK(!mg_deadline_is_armed(&waits[0]));
    mg_deadline_disarm(&waits[0]);
}

/* ---- later ---- */

static mg_later laters[3];

static void on_later(mg_later *l)
{
    note((char)('0' + (l - laters)));
    if (l == &laters[0])
        mg_later_do(&laters[2]); /* from within: in this turn as well */
    if (l == &laters[2])
        mg_loop_stop();
}

TEST("later work runs once in the order it was asked for, before the loop waits again")
{
    open_loop();
    order[0] = '\0';
    for (int i = 0; i < 3; i++)
        mg_later_init(&laters[i], on_later);
    mg_later_do(&laters[0]);
    mg_later_do(&laters[1]);
    mg_later_do(&laters[0]);
    run_loop();
    CHECK_STR(mg_str_of(order), MG_STR("012"));
    close_loop();
}

TEST("later work that was cancelled does not run")
{
    open_loop();
    order[0] = '\0';
    mg_later_init(&laters[0], on_later);
    mg_later_init(&laters[2], on_later);
    mg_later_cancel(&laters[0]);
    mg_later_do(&laters[0]);
    mg_later_cancel(&laters[0]);
    mg_later_do(&laters[2]);
    run_loop();
    CHECK_STR(mg_str_of(order), MG_STR("2"));
    close_loop();
}

static int idles;

static void on_idle(void *arg)
{
    CHECK(arg == &idles);
    if (++idles == 3)
        mg_loop_stop();
    else
        mg_timer_start(&timers[0], 0);
}

TEST("the idle function runs each turn before the loop waits")
{
    open_loop();
    idles = 0;
    mg_timer_init(&timers[0], on_timer);
    mg_loop_on_idle(on_idle, &idles);
    run_loop();
    CHECK_INT(idles, 3);
    close_loop();
}

/* ---- signals and children ---- */

static int heard;

static void on_signal(mg_signal *s, int number)
{
    (void)s;
    heard = number;
    mg_loop_stop();
}

TEST("a signal is heard by the loop while it is watched for")
{
    mg_signal s;
    open_loop();
    heard = 0;
    mg_signal_start(&s, SIGUSR1, on_signal);
    CHECK(raise(SIGUSR1) == 0);
    run_loop();
    CHECK_INT(heard, SIGUSR1);
    mg_signal_stop(&s);
    mg_signal_stop(&s);
    close_loop();
}

static pid_t gone[2];
static int statuses[2], exits;

static void on_exit_of(mg_child *c, pid_t pid, int status)
{
    (void)c;
    gone[exits] = pid;
    statuses[exits++] = status;
    if (exits == 2)
        mg_loop_stop();
}

TEST("the end of each child is told with its status")
{
    mg_child a, b;
    open_loop();
    exits = 0;
    pid_t one = fork();
    if (one == 0)
        _exit(7);
    pid_t two = fork();
    if (two == 0)
        for (;;)
            (void)pause();
    mg_child_start(&a, one, on_exit_of);
    mg_child_start(&b, two, on_exit_of);
    CHECK(kill(two, SIGKILL) == 0);
    run_loop();
    for (int i = 0; i < 2; i++) {
        bool first_child = gone[i] == one;
        CHECK(first_child || gone[i] == two);
        CHECK(first_child ? WIFEXITED(statuses[i]) && WEXITSTATUS(statuses[i]) == 7
                          : WIFSIGNALED(statuses[i]) && WTERMSIG(statuses[i]) == SIGKILL);
    }
    close_loop();
}

TEST("a loop can be opened again after it was closed")
{
    for (int i = 0; i < 3; i++) {
        mg_timer t;
        open_loop();
        mg_timer_init(&t, on_short);
        mg_timer_start(&t, 0);
        run_loop();
        close_loop();
    }
}
