/*
 * wire_test: a loop and the far end of a connection, for tests of connections and of what stands on them.
 *
 *      open_loop() ─► wire_pair(&w) ─► say(&w, "GET …") ─► heard(&w, "HTTP/1.1 200") ─► hang_up(&w) ─► close_loop()
 *
 * The test is the far end: it writes and reads the raw descriptor itself, and lets the loop turn in between.
 * Nothing waits for a time to pass but what is about a time; a loop that never meets what was awaited is ended
 * after WIRE_GUARD_MS. close_loop() checks that every block was given back.
 */
#ifndef MG_HTTP_WIRE_TEST_H
#define MG_HTTP_WIRE_TEST_H

#include "base/chain.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"
#include "os/loop.h"
#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIRE_GUARD_MS = 5000, WIRE_TICK_MS = 2 };

/* ---- the loop ------------------------------------------------------------------------------------ */

static struct {
    mg_timer guard, tick;
    bool stuck;
    bool (*until)(void *);
    void *arg;
    int turns; /* left to go; 0: until what is awaited holds */
    size_t blocks;
} wire_loop;

static inline void on_wire_guard(mg_timer *t)
{
    (void)t;
    wire_loop.stuck = true;
    mg_loop_stop();
}

static inline void on_wire_tick(mg_timer *t)
{
    mg_timer_start(t, wire_loop.turns ? 0 : WIRE_TICK_MS);
}

static inline void on_wire_idle(void *arg)
{
    (void)arg;
    if (wire_loop.turns ? --wire_loop.turns == 0 : wire_loop.until && wire_loop.until(wire_loop.arg))
        mg_loop_stop();
}

static inline void open_loop(void)
{
    memset(&wire_loop, 0, sizeof wire_loop);
    mg_log_threshold = MG_LOG_OFF;
    wire_loop.blocks = mg_block_count();
    MG_BUG_UNLESS(mg_loop_open() == MG_OK);
    mg_loop_on_idle(on_wire_idle, NULL);
    mg_timer_init(&wire_loop.guard, on_wire_guard);
    mg_timer_init(&wire_loop.tick, on_wire_tick);
}

static inline void close_loop(void)
{
    mg_timer_stop(&wire_loop.guard);
    mg_timer_stop(&wire_loop.tick);
    mg_loop_close();
    CHECK_INT(mg_block_count(), wire_loop.blocks);
    mg_block_trim_pool();
    mg_arena_trim_pool();
}

static inline void run_wire_loop(void)
{
    wire_loop.stuck = false;
    mg_timer_start(&wire_loop.guard, WIRE_GUARD_MS);
    mg_timer_start(&wire_loop.tick, 0);
    mg_loop_run();
    mg_timer_stop(&wire_loop.guard);
    mg_timer_stop(&wire_loop.tick);
}

/* So many turns of the loop, none of which waits: enough for all that can happen now to happen. */
static inline void turns(int n)
{
    wire_loop.turns = n + 1;
    run_wire_loop();
    wire_loop.turns = 0;
}

static inline void settle(void)
{
    turns(4);
}

static inline bool run_until(bool (*until)(void *), void *arg)
{
    wire_loop.until = until;
    wire_loop.arg = arg;
    run_wire_loop();
    wire_loop.until = NULL;
    return !wire_loop.stuck;
}

static inline bool is_true(void *flag)
{
    return *(bool *)flag;
}

/* ---- the far end --------------------------------------------------------------------------------- */

typedef struct {
    int fd;
    char *got; /* all that came so far */
    size_t n, room;
    bool ended;  /* the near end closed, or ended its direction */
    bool broken; /* … by a reset */
} wire;

/* Both over a UNIX pair: what is written is there at once. The near end is for the connection under test. */
static inline int wire_pair(wire *w)
{
    int fds[2];
    MG_BUG_UNLESS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    *w = (wire){.fd = fds[0]};
    return fds[1];
}

/* The same over TCP on the loopback interface, where ends and resets are told apart. */
static inline int wire_tcp(wire *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *w = (wire){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    MG_BUG_UNLESS(listener >= 0 && w->fd >= 0 && bind(listener, (struct sockaddr *)&a, sizeof a) == 0);
    MG_BUG_UNLESS(listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&a, &size) == 0);
    MG_BUG_UNLESS(connect(w->fd, (struct sockaddr *)&a, sizeof a) == 0);
    int near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    MG_BUG_UNLESS(near >= 0 && fcntl(w->fd, F_SETFL, O_NONBLOCK) == 0);
    mg_socket_no_delay(near);
    mg_socket_no_delay(w->fd);
    (void)close(listener);
    return near;
}

static inline void listen_to(wire *w) /* whatever is there */
{
    while (!w->ended) {
        if (w->room - w->n < 65536) {
            w->room = w->room * 2 + 131072;
            w->got = mg_realloc(w->got, w->room);
        }
        ssize_t n = read(w->fd, w->got + w->n, w->room - w->n - 1);
        if (n < 0 && errno == EAGAIN)
            break;
        w->ended = n <= 0;
        w->broken = n < 0;
        w->n += n > 0 ? (size_t)n : 0;
    }
    if (w->got)
        w->got[w->n] = '\0';
}

static inline bool has_ended(void *w)
{
    listen_to(w);
    return ((wire *)w)->ended;
}

/* The near end has closed its connection or ended its direction. */
static inline bool ends(wire *w)
{
    return run_until(has_ended, w);
}

struct wire_wish {
    wire *w;
    mg_str text;
};

static inline bool has_come(void *arg)
{
    struct wire_wish *wish = arg;
    listen_to(wish->w);
    return wish->w->n && memmem(wish->w->got, wish->w->n, wish->text.p, wish->text.n);
}

/* That text comes, sooner or later. */
static inline bool hears(wire *w, const char *text)
{
    struct wire_wish wish = {w, mg_str_of(text)};
    return run_until(has_come, &wish);
}

/* All that has come, once nothing more does at the moment. */
static inline mg_str heard(wire *w)
{
    settle();
    listen_to(w);
    return (mg_str){w->got ? w->got : "", w->n};
}

static inline void forget(wire *w)
{
    w->n = 0;
}

/* Writes all of it; the loop turns while the other side does not take it. False: it never does, or has closed. */
static inline bool say_bytes(wire *w, mg_str s)
{
    for (int tries = 0; s.n && tries < 100000;) {
        ssize_t n = send(w->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n < 0) {
            turns(1);
            tries++;
            continue;
        }
        s.p += n;
        s.n -= (size_t)n;
    }
    return s.n == 0;
}

static inline bool say(wire *w, const char *text)
{
    return say_bytes(w, mg_str_of(text));
}

static inline void end_saying(wire *w)
{
    (void)shutdown(w->fd, SHUT_WR);
}

static inline void hang_up(wire *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    mg_free(w->got);
    *w = (wire){.fd = -1};
}

static inline void reset(wire *w) /* over TCP */
{
    mg_socket_reset_on_close(w->fd);
    (void)close(w->fd);
    w->fd = -1;
}

/* Small buffers in the kernel, so that a reader that is slow is soon noticed. */
static inline void narrow(int fd)
{
    int bytes = 4096;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

#endif
