/*
 * h1_test: reading one text in every way it can come, for the tests of heads and framing.
 *
 * Each text is read whole, byte by byte and in two pieces at each place, with the SSE2 scanners and the
 * portable ones; the outcomes must be the same. For the tests of this floor alone.
 */
#ifndef MG_CODEC_H1_TEST_H
#define MG_CODEC_H1_TEST_H

#include "base/test.h"
#include "codec/h1_head.h"
#include "codec/scan.h"

static const mg_h1_limits usual = {.line_most = 200, .head_most = 1000, .fields_most = 10};

struct outcome {
    mg_rc rc;
    int status;
    const char *why;
    size_t size;
    mg_h1_request q;
    mg_h1_response a;
};

enum kind { REQUEST, RESPONSE, TRAILERS };
static mg_arena arena; /* holds the fields of the last outcome */

static inline void read_once(enum kind kind, mg_h1_reader *r, const mg_h1_limits *limits, const char *p, size_t n,
                             struct outcome *o)
{
    switch (kind) {
    case REQUEST:
        o->rc = mg_h1_read_request(r, limits, p, n, &arena, &o->q, &o->size, &o->status, &o->why);
        break;
    case RESPONSE:
        o->rc = mg_h1_read_response(r, limits, p, n, &arena, &o->a, &o->size, &o->why);
        break;
    case TRAILERS:
        o->rc = mg_h1_read_trailers(r, limits, p, n, &arena, &o->q.msg.fields, &o->size, &o->why);
    }
}

/* Gives the text in steps of `step` bytes after `first` of them. Each time a copy of exactly so many bytes, so
 * that sanitizers see a look past them; the last copy stays until the next call. */
static inline struct outcome read_split(enum kind kind, const mg_h1_limits *limits, mg_str text, size_t first,
                                        size_t step)
{
    static char *copy;
    struct outcome o = {.rc = MG_AGAIN};
    mg_h1_reader r = {0};
    mg_arena_fini(&arena);
    mg_arena_init(&arena, 1 << 20);
    for (size_t n = MG_MIN(first, text.n);; n = MG_MIN(n + step, text.n)) {
        free(copy);
        copy = malloc(n ? n : 1);
        memcpy(copy, text.p, n);
        read_once(kind, &r, limits, copy, n, &o);
        if (o.rc != MG_AGAIN || n == text.n)
            return o;
    }
}

/* The same whatever the split and the scanners; the outcome of the whole is returned. */
static inline struct outcome read_all_ways(enum kind kind, const mg_h1_limits *limits, mg_str text)
{
    struct outcome whole = read_split(kind, limits, text, text.n, 1);
    for (int portable = 0; portable < 2; portable++) {
        mg_scan_use_portable(portable);
        for (size_t first = 0; first <= text.n; first++) {
            struct outcome o = read_split(kind, limits, text, first, first ? text.n : 1);
            if (!CHECK_INT(o.rc, whole.rc) || !CHECK_INT(o.status, whole.status) ||
                !CHECK(whole.rc >= 0 || o.why == whole.why) || !CHECK(whole.rc != MG_OK || o.size == whole.size)) {
                printf("# %s, split at %zu\n", mg_test_show(text), first);
                break;
            }
        }
    }
    mg_scan_use_portable(false);
    return read_split(kind, limits, text, text.n, 1);
}

static inline struct outcome request(mg_str text)
{
    return read_all_ways(REQUEST, &usual, text);
}

static inline struct outcome response(mg_str text)
{
    return read_all_ways(RESPONSE, &usual, text);
}

#define R(text) request(MG_STR(text))
#define A(text) response(MG_STR(text))

/* Refused, at the latest with the whole text. */
static inline void refused(mg_str text, int status)
{
    struct outcome o = request(text);
    if (!CHECK_FOR(o.rc < 0, mg_test_show(text)) || !CHECK_INT(o.status, status))
        printf("# %s: %s\n", mg_test_show(text), o.why ? o.why : "");
    else
        CHECK(o.why && o.why[0]);
}

#define REFUSED(status, text) refused(MG_STR(text), status)
#define FIELD(line) "GET / HTTP/1.1\r\nHost: a\r\n" line "\r\n\r\n"
#define POST(line) "POST / HTTP/1.1\r\nHost: a\r\n" line "\r\n\r\n"

static inline void taken(mg_str text)
{
    struct outcome o = request(text);
    if (!CHECK_INT(o.rc, MG_OK))
        printf("# %s: %s\n", mg_test_show(text), o.why ? o.why : "");
    else
        CHECK_INT(o.size, text.n);
}
#define TAKEN(text) taken(MG_STR(text))

static inline void answer_refused(mg_str text)
{
    struct outcome o = response(text);
    CHECK_FOR(o.rc < 0, mg_test_show(text));
}
#define ANSWER_REFUSED(text) answer_refused(MG_STR(text))

#endif
