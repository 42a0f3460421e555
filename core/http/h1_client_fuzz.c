/*
 * h1_client_fuzz: any bytes, in any pieces, from an origin.
 *
 * The first byte chooses the request and how the exchange behaves, the second seeds the pieces. Whatever the
 * bytes: nothing crashes, no block is left, an answer that is cut off is never whole, a connection lives on only
 * after an answer that is and behind which nothing came; and what the exchange was told is what the codec says of
 * the same bytes at once.
 */
#include "http/h1_client.h"

#include "http/fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IS_HEAD = 1, UPLOADS = 2, SMALL = 4, TAKES_LATE = 8, TWICE = 16 };

static const mg_h1_limits wide = {.line_most = 8192, .head_most = 32768, .fields_most = 128};
static const mg_h1_limits narrow = {.line_most = 60, .head_most = 200, .fields_most = 5};

static struct {
    mg_h1_client *client; /* NULL: closed */
    mg_side *side;
    mg_arena arena;
    unsigned how;
    int idles;
    diary heard;
} near;

static void on_idle(mg_h1_client *c, void *arg)
{
    (void)arg;
    MG_BUG_UNLESS(c == near.client);
    near.idles++;
}

static void on_gone(mg_h1_client *c, void *arg)
{
    (void)arg;
    MG_BUG_UNLESS(c == near.client);
    near.client = NULL;
}

/* ---- the exchange -------------------------------------------------------------------------------- */

static void note_head(diary *d, unsigned status, mg_str reason, const mg_fields *f)
{
    note_number(d, 'A', status);
    note(d, reason);
    note_trailers(d, f);
    note(d, MG_STR("\n"));
}

static bool head_noted;

static void go_on(mg_side *s)
{
    const mg_response_head *r = mg_h1_client_response(s);
    while (!head_noted && (s->got == MG_GOT_HEAD || s->got == MG_GOT_ALL)) {
        note_head(&near.heard, r->status, r->reason, &r->fields);
        head_noted = r->status >= 200 || r->status == 101;
        if (r->status == 101)
            s->ops->become_tunnel(s);
        else if (r->status < 200)
            mg_h1_client_next_head(s);
    }
    note_chain(&near.heard, &s->in);
    mg_side_took(s);
}

static void on_change(mg_side *s)
{
    MG_BUG_UNLESS(s == near.side);
    if (!(near.how & TAKES_LATE))
        go_on(s);
}

static void upload(mg_side *s)
{
    mg_chain body = {0};
    for (int i = 0; i < 100; i++)
        mg_chain_add_static(&body, MG_STR("0123456789"));
    s->ops->send_body(s, &body, body.n);
    s->ops->send_end(s, NULL);
}

static void ask(void)
{
    mg_h1_client_options o = {.limits = near.how & SMALL ? narrow : wide, .buffer = near.how & SMALL ? 32 : 65536,
                              .write_ms = 1000000};
    mg_method method = near.how & IS_HEAD ? MG_METHOD_HEAD : MG_METHOD_GET;
    bool uploads = near.how & UPLOADS;
    mg_arena_init(&near.arena, SIZE_MAX / 2);
    near.side = mg_h1_client_begin(near.client, &o, &near.arena, method);
    near.side->on_change = on_change;
    head_noted = false;
    near.heard.n = 0;
    mg_request_head head = {.method = method, .method_name = MG_STR("X"), .target = MG_STR("/"), .content_length = -1,
                            .has_body = uploads, .major = 1, .minor = 1};
    mg_fields_init(&head.fields, &near.arena, 4);
    near.side->ops->send_request(near.side, &head);
    if (uploads)
        upload(near.side);
    else
        near.side->ops->send_end(near.side, NULL);
    mg_side_flush(near.side);
}

/* The origin has said all; then it closes, if the answer waits for that. */
static void end_answer(void)
{
    mg_side *s = near.side;
    for (int i = 0; i < 1000 && s->got < MG_GOT_ALL; i++) {
        if (i == 100)
            (void)shutdown(far.fd, SHUT_WR);
        go_on(s);
        turn_loop(1);
    }
    go_on(s);
    MG_BUG_UNLESS(s->got >= MG_GOT_ALL);
    note(&near.heard, s->got == MG_GOT_ALL ? WHOLE : s->broke == MG_BROKE_CLOSED ? CUT_OFF : BROKEN);
    note_trailers(&near.heard, s->got == MG_GOT_ALL ? s->trailers : NULL);
}

/* ---- what it should be --------------------------------------------------------------------------- */

/* Bytes that the answer took; all of them when it goes to the end. *lives: the connection may carry another one. */
static size_t read_final(diary *d, const mg_h1_response *a, mg_str rest, const mg_h1_limits *limits, mg_arena *arena, bool *lives)
{
    bool none = near.how & IS_HEAD || a->status == 204 || a->status == 304;
    if (a->status != 101 && (none || a->msg.content_length == 0)) {
        note(d, WHOLE);
        return 0;
    }
    if (a->status != 101 && a->msg.chunked) {
        size_t n = read_chunked(d, rest, limits, arena);
        *lives &= n > 0;
        return n;
    }
    bool told = a->status != 101 && a->msg.content_length > 0;
    size_t n = told ? (size_t)MG_MIN((uint64_t)a->msg.content_length, (uint64_t)rest.n) : rest.n;
    note(d, (mg_str){rest.p, n});
    bool whole = !told || n == (uint64_t)a->msg.content_length;
    note(d, whole ? WHOLE : CUT_OFF);
    *lives &= told && whole;
    return n;
}

/* What is left behind the answer. */
static mg_str read_at_once(diary *d, mg_str in, const mg_h1_limits *limits, mg_arena *arena, bool *lives)
{
    for (;;) {
        mg_h1_reader r = {0};
        mg_h1_response a;
        size_t used;
        const char *why;
        mg_rc rc = in.n ? mg_h1_read_response(&r, limits, in.p, in.n, arena, &a, &used, &why) : MG_AGAIN;
        *lives = false;
        if (rc != MG_OK) {
            note(d, rc < 0 ? BROKEN : CUT_OFF);
            return in;
        }
        note_head(d, a.status, a.reason, &a.msg.fields);
        in = (mg_str){in.p + used, in.n - used};
        if (a.status < 200 && a.status != 101)
            continue;
        *lives = a.msg.keep_alive;
        used = read_final(d, &a, in, limits, arena, lives);
        return (mg_str){in.p + used, in.n - used};
    }
}

static mg_str check_understood(mg_str in, bool *lives)
{
    diary wanted = {0};
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    mg_str rest = read_at_once(&wanted, in, near.how & SMALL ? &narrow : &wide, &arena, lives);
    /* A body that breaks in the same read as its head comes: the exchange then never hears of the head. */
    if (head_noted || near.side->broke == MG_BROKE_CLOSED)
        check_same_diary(&near.heard, &wanted);
    else
        MG_BUG_UNLESS(mg_str_ends((mg_str){wanted.p, wanted.n}, BROKEN));
    mg_arena_fini(&arena);
    mg_free(wanted.p);
    return rest;
}

/* ---- one input ----------------------------------------------------------------------------------- */

/* Lets the side go; whether the connection lives on. */
static bool let_go(void)
{
    mg_side *s = near.side;
    int idles = near.idles;
    near.side = NULL;
    s->ops->release(s, true);
    mg_arena_fini(&near.arena);
    if (near.idles == idles)
        near.client = NULL;
    return near.client != NULL;
}

static bool converse(mg_str in, unsigned seed)
{
    bool lives;
    ask();
    say_in_pieces(in, seed);
    end_answer();
    mg_str rest = check_understood(in, &lives);
    bool kept = let_go();
    MG_BUG_UNLESS(!kept || lives);
    MG_BUG_UNLESS(kept || !lives || rest.n);
    turn_loop(2);
    MG_BUG_UNLESS(!near.client || !rest.n); /* bytes unasked */
    return near.client != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    mg_str in = {(const char *)data + 2, size - 2};
    size_t blocks = mg_block_count();
    near.how = data[0];
    near.client = mg_h1_client_new(open_far());
    mg_h1_client_on_idle(near.client, on_idle, NULL);
    mg_h1_client_on_gone(near.client, on_gone, NULL);
    bool again = converse(in, data[1]);
    if (again && near.how & TWICE)
        again = converse(in, data[1] + 1u);
    if (again)
        mg_h1_client_close(near.client);
    close_far();
    MG_BUG_UNLESS(mg_block_count() == blocks);
    return 0;
}
