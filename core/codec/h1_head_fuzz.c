/*
 * h1_head_fuzz: any bytes as the head of a request, of an answer, and as a trailer section.
 *
 * The first byte chooses kind and limits, the second seeds the splits. Whatever the bytes: every slice lies in
 * the input; any split and the portable scanners give the same result; nothing that was taken holds a byte that
 * could end a line; and the fields, written and read again, are the same.
 */
#include "codec/h1_head.h"

#include "codec/h1_write.h"
#include "codec/scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUEST, RESPONSE, TRAILERS, KINDS };

struct outcome {
    mg_rc rc;
    int status;
    const char *why;
    size_t size;
    mg_h1_request q;
    mg_h1_response a;
    mg_fields fields;
    mg_h1_message *msg; /* NULL for trailers */
    char *copy;         /* what the slices point into */
    mg_arena arena;
};

static void read_once(int kind, mg_h1_reader *r, const mg_h1_limits *limits, size_t n, struct outcome *o)
{
    if (kind == REQUEST) {
        o->rc = mg_h1_read_request(r, limits, o->copy, n, &o->arena, &o->q, &o->size, &o->status, &o->why);
        o->msg = &o->q.msg;
    } else if (kind == RESPONSE) {
        o->rc = mg_h1_read_response(r, limits, o->copy, n, &o->arena, &o->a, &o->size, &o->why);
        o->msg = &o->a.msg;
    } else {
        o->rc = mg_h1_read_trailers(r, limits, o->copy, n, &o->arena, &o->fields, &o->size, &o->why);
        o->msg = NULL;
    }
    if (o->msg)
        o->fields = o->msg->fields;
}

/* As many bytes as the seed says at a time; all at once for seed 0. Each time in memory of exactly that size. */
static void read_in_steps(int kind, const mg_h1_limits *limits, mg_str text, unsigned seed, struct outcome *o)
{
    mg_h1_reader r = {0};
    size_t n = 0;
    *o = (struct outcome){.rc = MG_AGAIN};
    mg_arena_init(&o->arena, 1 << 20);
    do {
        seed = seed * 1664525u;
        size_t step = seed ? (seed >> 16) % (text.n / 4 + 2) : text.n;
        n += MG_MIN(step, text.n - n);
        if (!step && n)
            n += n < text.n;
        free(o->copy);
        o->copy = malloc(n ? n : 1);
        if (n)
            memcpy(o->copy, text.p, n);
        read_once(kind, &r, limits, n, o);
    } while (o->rc == MG_AGAIN && n < text.n);
}

static void end(struct outcome *o)
{
    free(o->copy);
    mg_arena_fini(&o->arena);
}

static void check_slice(const struct outcome *o, mg_str s)
{
    MG_BUG_UNLESS(!s.n || (s.p >= o->copy && s.p + s.n <= o->copy + o->size));
    for (size_t i = 0; i < s.n; i++)
        MG_BUG_UNLESS(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0');
}

static void check_request(const struct outcome *o)
{
    check_slice(o, o->q.method_name);
    check_slice(o, o->q.target);
    check_slice(o, o->q.host);
    check_slice(o, o->q.uri.scheme);
    check_slice(o, o->q.uri.authority);
    check_slice(o, o->q.uri.query);
    if (o->q.uri.form == MG_TARGET_ORIGIN || o->q.uri.form == MG_TARGET_ASTERISK)
        check_slice(o, o->q.uri.raw_path);
    MG_BUG_UNLESS(o->q.method_name.n && o->q.target.n);
    MG_BUG_UNLESS(o->q.host.p || o->q.msg.minor == 0);
}

static void check_framing(const mg_h1_message *m)
{
    MG_BUG_UNLESS(m->minor <= 1 && m->content_length >= -1);
    MG_BUG_UNLESS(!m->chunked || (m->content_length < 0 && m->minor == 1));
    MG_BUG_UNLESS(!m->upgrade || m->minor == 1);
}

static void check(int kind, const struct outcome *o, const mg_h1_limits *limits, size_t n)
{
    if (o->rc < 0)
        MG_BUG_UNLESS(o->why && (kind != REQUEST || (o->status >= 400 && o->status <= 505)));
    if (o->rc != MG_OK)
        return;
    MG_BUG_UNLESS(o->size <= n && o->size <= limits->head_most && o->size >= 2);
    MG_BUG_UNLESS(o->fields.count <= limits->fields_most);
    for (uint32_t i = 0; i < o->fields.count; i++) {
        const mg_field *f = &o->fields.at[i];
        check_slice(o, f->name);
        check_slice(o, f->value);
        MG_BUG_UNLESS(mg_field_name_is_valid(f->name) && mg_field_value_is_valid(f->value));
        MG_BUG_UNLESS(f->id == mg_field_id_of(f->name));
    }
    if (o->msg)
        check_framing(o->msg);
    if (kind == REQUEST)
        check_request(o);
    if (kind == RESPONSE)
        check_slice(o, o->a.reason);
}

static bool is_same_slice(const struct outcome *a, mg_str x, const struct outcome *b, mg_str y)
{
    return x.n == y.n && (!x.n || x.p - a->copy == y.p - b->copy);
}

static void check_same(int kind, const struct outcome *a, const struct outcome *b)
{
    MG_BUG_UNLESS(a->rc == b->rc);
    MG_BUG_UNLESS(a->rc >= 0 || (a->why == b->why && a->status == b->status));
    if (a->rc != MG_OK)
        return;
    MG_BUG_UNLESS(a->size == b->size && a->fields.count == b->fields.count && a->fields.seen == b->fields.seen);
    for (uint32_t i = 0; i < a->fields.count; i++) {
        const mg_field *x = &a->fields.at[i], *y = &b->fields.at[i];
        MG_BUG_UNLESS(x->id == y->id && x->flags == y->flags && is_same_slice(a, x->name, b, y->name) &&
                      is_same_slice(a, x->value, b, y->value));
    }
    if (kind == REQUEST)
        MG_BUG_UNLESS(is_same_slice(a, a->q.method_name, b, b->q.method_name) &&
                      is_same_slice(a, a->q.target, b, b->q.target) && is_same_slice(a, a->q.host, b, b->q.host) &&
                      a->q.expect_continue == b->q.expect_continue && a->q.method == b->q.method);
    if (kind == RESPONSE)
        MG_BUG_UNLESS(a->a.status == b->a.status && is_same_slice(a, a->a.reason, b, b->a.reason));
    if (a->msg)
        MG_BUG_UNLESS(a->msg->content_length == b->msg->content_length && a->msg->chunked == b->msg->chunked &&
                      a->msg->keep_alive == b->msg->keep_alive && a->msg->minor == b->msg->minor &&
                      a->msg->upgrade == b->msg->upgrade);
}

/* What is sent on says what was read. */
static void check_written(const struct outcome *o)
{
    static const mg_h1_limits wide = {.line_most = 1 << 20, .head_most = 1 << 20, .fields_most = 10000};
    size_t room = mg_h1_head_room(&o->fields);
    char *text = malloc(room + 21), *at = mg_h1_put(text, MG_STR("HTTP/1.1 200 OK\r\n"));
    at = mg_h1_put_fields(at, &o->fields);
    MG_BUG_UNLESS((size_t)(at - text) == room + 17);
    at = mg_h1_put(at, MG_STR("\r\n"));
    struct outcome again = {.copy = text};
    mg_h1_reader r = {0};
    mg_arena_init(&again.arena, 1 << 20);
    read_once(RESPONSE, &r, &wide, (size_t)(at - text), &again);
    MG_BUG_UNLESS(again.rc == MG_OK || again.rc == MG_BAD); /* BAD: fields that an answer may not have */
    MG_BUG_UNLESS(again.fields.count == o->fields.count && (again.rc == MG_BAD || again.size == room + 19));
    for (uint32_t i = 0; i < o->fields.count; i++)
        MG_BUG_UNLESS(mg_str_eq(again.fields.at[i].name, o->fields.at[i].name) &&
                      mg_str_eq(again.fields.at[i].value, o->fields.at[i].value));
    end(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const mg_h1_limits limits[] = {
        {.line_most = 8192, .head_most = 32768, .fields_most = 128},
        {.line_most = 40, .head_most = 120, .fields_most = 4},
    };
    if (size < 2)
        return 0;
    int kind = data[0] % KINDS;
    const mg_h1_limits *l = &limits[data[0] / KINDS % 2];
    mg_str text = {(const char *)data + 2, size - 2};
    struct outcome whole, other;
    read_in_steps(kind, l, text, 0, &whole);
    check(kind, &whole, l, text.n);
    for (unsigned i = 0; i < 4; i++) {
        mg_scan_use_portable(i % 2);
        read_in_steps(kind, l, text, i / 2 * (data[1] * 2u + 1u), &other);
        mg_scan_use_portable(false);
        check_same(kind, &whole, &other);
        end(&other);
    }
    if (whole.rc == MG_OK)
        check_written(&whole);
    end(&whole);
    return 0;
}
