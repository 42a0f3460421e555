/*
 * h1_chunked_fuzz: any bytes as a chunked body.
 *
 * The first byte seeds the splits. Whatever the bytes: data lies in what was given, all that was said to be
 * used was there, any split gives the same body and the same end, and the body, encoded anew in other chunks,
 * decodes to itself.
 */
#include "codec/h1_chunked.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    mg_rc rc;
    const char *why;
    size_t used, n;
    char *body;
};

/* 1 to sides, and no more than most. */
static size_t roll(unsigned *seed, size_t sides, size_t most)
{
    *seed = *seed * 1664525u + 1013904223u;
    size_t rolled = 1 + (*seed >> 8) % sides;
    return MG_MIN(rolled, most);
}

static struct outcome decode(mg_str text, unsigned seed)
{
    struct outcome o = {.rc = MG_AGAIN, .body = malloc(text.n + 1)};
    mg_h1_chunked c = {0};
    while (o.used < text.n && (o.rc == MG_AGAIN || o.rc == MG_OK)) {
        size_t left = text.n - o.used, n = seed ? roll(&seed, 1 + text.n / 3, left) : left, used;
        char *copy = memcpy(malloc(n), text.p + o.used, n);
        mg_str piece;
        o.rc = mg_h1_chunked_step(&c, copy, n, &used, &piece, &o.why);
        MG_BUG_UNLESS(used <= n && (used || o.rc != MG_OK) && (o.rc != MG_AGAIN || used == n));
        MG_BUG_UNLESS(!piece.n || (piece.p >= copy && piece.p + piece.n <= copy + used));
        if (piece.n)
            memcpy(o.body + o.n, piece.p, piece.n);
        o.n += piece.n;
        o.used += used;
        free(copy);
    }
    return o;
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    bool a_waits = a->rc == MG_AGAIN || a->rc == MG_OK, b_waits = b->rc == MG_AGAIN || b->rc == MG_OK;
    MG_BUG_UNLESS(a->rc == b->rc || (a_waits && b_waits));
    MG_BUG_UNLESS(a->used == b->used && a->n == b->n && !memcmp(a->body, b->body, a->n));
    MG_BUG_UNLESS(a->rc != MG_BAD || (a->why && a->why == b->why));
}

static void check_encoded(const struct outcome *o, unsigned seed)
{
    char *text = malloc(o->n * 8 + 8), *at = text;
    for (size_t done = 0; done < o->n;) {
        size_t n = roll(&seed, 40, o->n - done);
        at += mg_h1_chunk_head(n, at);
        memcpy(at, o->body + done, n);
        memcpy(at + n, "\r\n", 2);
        at += n + 2;
        done += n;
    }
    at += mg_h1_chunk_head(0, at);
    struct outcome again = decode((mg_str){text, (size_t)(at - text)}, seed);
    MG_BUG_UNLESS(again.rc == MG_EOF && again.n == o->n && !memcmp(again.body, o->body, o->n));
    free(text);
    free(again.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    mg_str text = {(const char *)data + 1, size - 1};
    struct outcome whole = decode(text, 0), split = decode(text, data[0] + 1u);
    check_same(&whole, &split);
    check_encoded(&whole, data[0]);
    free(whole.body);
    free(split.body);
    return 0;
}
