/*
 * fuzz_wire: a loop, the far end of a connection and a diary, for the fuzzers of connections.
 *
 *      input bytes ─► pieces ─► [ the connection under test ] ─► what it understood: the diary
 *           └────────────────► [ the codec, all at once     ] ─► what it should have: another one
 *
 * The far end writes the input in pieces that a seed chooses, reads all that comes, and lets the loop turn after
 * each step. Whatever the pieces, both diaries must say the same.
 */
#ifndef MG_HTTP_FUZZ_WIRE_H
#define MG_HTTP_FUZZ_WIRE_H

#include "base/chain.h"
#include "base/log.h"
#include "codec/h1_chunked.h"
#include "codec/h1_head.h"
#include "os/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a diary ------------------------------------------------------------------------------------- */

typedef struct {
    char *p;
    size_t n, room;
} diary;

static inline void note(diary *d, mg_str s)
{
    if (d->room - d->n < s.n + 1) {
        d->room = 2 * d->room + s.n + 256;
        d->p = mg_realloc(d->p, d->room);
    }
    if (s.n)
        memcpy(d->p + d->n, s.p, s.n);
    d->n += s.n;
}

static inline void note_number(diary *d, char mark, int64_t number)
{
    char text[32];
    note(d, (mg_str){text, (size_t)snprintf(text, sizeof text, "\n%c%lld ", mark, (long long)number)});
}

static inline void note_trailers(diary *d, const mg_fields *f)
{
    for (uint32_t i = 0; f && i < f->count; i++) {
        note(d, f->at[i].name);
        note(d, MG_STR("="));
        note(d, f->at[i].value);
    }
}

static inline void note_chain(diary *d, mg_chain *c)
{
    for (const mg_slice *s = c->first; s; s = s->next)
        note(d, (mg_str){s->p, s->n});
    mg_chain_fini(c);
}

/* How a body ended. */
#define WHOLE MG_STR("\n.")
#define BROKEN MG_STR("\n!")
#define CUT_OFF MG_STR("\n<")

static inline void check_same_diary(const diary *got, const diary *wanted)
{
    if (got->n == wanted->n && (!got->n || !memcmp(got->p, wanted->p, got->n)))
        return;
    fprintf(stderr, "got:    %.*s\nwanted: %.*s\n", (int)got->n, got->p, (int)wanted->n, wanted->p);
    MG_BUG_UNLESS(!"the pieces changed what was understood");
}

/* A chunked body that is all there: noted; how many bytes it took, 0 when nothing after it can be read. */
static inline size_t read_chunked(diary *d, mg_str in, const mg_h1_limits *limits, mg_arena *arena)
{
    mg_h1_chunked c = {0};
    size_t at = 0, used;
    mg_rc rc = MG_OK;
    const char *why;
    while (at < in.n && (rc == MG_OK || rc == MG_AGAIN)) {
        mg_str data;
        rc = mg_h1_chunked_step(&c, in.p + at, in.n - at, &used, &data, &why);
        note(d, data);
        at += used;
    }
    if (rc == MG_EOF && at < in.n) {
        mg_h1_reader r = {0};
        mg_fields trailers;
        rc = mg_h1_read_trailers(&r, limits, in.p + at, in.n - at, arena, &trailers, &used, &why);
        if (rc == MG_OK) {
            note(d, WHOLE);
            note_trailers(d, &trailers);
            return at + used;
        }
    }
    note(d, rc < 0 ? BROKEN : CUT_OFF);
    return 0;
}

/* ---- the far end --------------------------------------------------------------------------------- */

static struct {
    int fd;
    bool ended;
    int turns;
    diary heard;
} far;

static inline void on_turn(void *arg)
{
    (void)arg;
    if (--far.turns <= 0)
        mg_loop_stop();
}

static inline void on_nothing(mg_timer *t)
{
    mg_timer_start(t, 0);
}

static inline void hear(void)
{
    char bytes[16384];
    ssize_t n;
    while (!far.ended && (n = read(far.fd, bytes, sizeof bytes)) >= 0) {
        far.ended = n == 0;
        note(&far.heard, (mg_str){bytes, (size_t)n});
    }
}

static inline void turn_loop(int turns)
{
    static mg_timer never_idle; /* so that no turn waits */
    mg_timer_init(&never_idle, on_nothing);
    mg_timer_start(&never_idle, 0);
    far.turns = turns + 1;
    mg_loop_run();
    mg_timer_stop(&never_idle);
    hear();
}

static inline unsigned roll(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* All of it, in pieces; false when the near end has closed before. */
static inline void say_in_pieces(mg_str s, unsigned seed)
{
    for (int idle = 0; s.n && idle < 200;) {
        size_t piece = seed ? 1 + roll(&seed) % (roll(&seed) % 4 ? 16 : 4096) : s.n;
        ssize_t n = send(far.fd, s.p, MG_MIN(piece, s.n), MSG_NOSIGNAL | MSG_DONTWAIT);
        idle = n > 0 ? 0 : idle + 1;
        s.p += MG_MAX(n, 0);
        s.n -= (size_t)MG_MAX(n, 0);
        turn_loop(2);
    }
}

/* The near end's descriptor. */
static inline int open_far(void)
{
    static bool begun;
    int fds[2];
    if (!begun) {
        begun = true;
        mg_log_threshold = MG_LOG_OFF;
        MG_BUG_UNLESS(mg_loop_open() == MG_OK);
        mg_loop_on_idle(on_turn, NULL);
    }
    MG_BUG_UNLESS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    far.fd = fds[0];
    far.ended = false;
    far.heard.n = 0;
    return fds[1];
}

static inline void close_far(void)
{
    (void)close(far.fd);
    turn_loop(3);
}

#endif
