/*
 * h1_server_fuzz: any bytes, in any pieces, from a client.
 *
 * The first byte chooses how the exchanges behave, the second seeds the pieces. Whatever the bytes: nothing
 * crashes, no block is left, the connection ends when the client does, every exchange hears of its request
 * once, and what is answered can be read as so many answers. Exchanges that take their time to take, answer
 * early or let go half-way are let off the rest; for all others, what they were told is what the codec says
 * of the same bytes at once.
 */
#include "http/h1_server.h"

#include "http/fuzz_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAKES_LATE = 1, ANSWERS_EARLY = 2, UNKNOWN_LENGTH = 4, SMALL = 8, LETS_GO = 16, TUNNELS = 32, KEEPS_ARENA = 64 };

static const mg_h1_limits wide = {.line_most = 8192, .head_most = 32768, .fields_most = 128};
static const mg_h1_limits narrow = {.line_most = 60, .head_most = 200, .fields_most = 5};

static struct {
    mg_h1_server_settings settings;
    unsigned how;
    mg_side *side;          /* of the exchange under way */
    bool noted;             /* how its body ended */
    mg_arena kept;
    diary heard;
    int exchanges, answers;
} near;

/* ---- exchanges ----------------------------------------------------------------------------------- */

static void let_go(bool clean)
{
    mg_side *s = near.side;
    near.side = NULL;
    if (near.how & KEEPS_ARENA)
        s->ops->take_arena(s, &near.kept);
    if (near.how & LETS_GO && s->in_total % 7 == 3)
        s->ops->abort(s);
    else
        s->ops->release(s, clean);
    mg_arena_fini(&near.kept);
}

static void answer(mg_side *s, int status)
{
    const mg_request_head *q = mg_h1_server_request(s);
    bool unknown = near.how & UNKNOWN_LENGTH;
    mg_response_head head = {.status = (uint16_t)status, .content_length = unknown ? -1 : 5, .minor = 1,
                             .has_body = !q || q->method != MG_METHOD_HEAD};
    mg_fields_init(&head.fields, s->arena, 4);
    mg_chain body = {0};
    mg_chain_add_static(&body, MG_STR("hello"));
    s->ops->send_response(s, &head);
    s->ops->send_body(s, &body, 5);
    s->ops->send_end(s, NULL);
    near.answers++;
    mg_side_flush(s);
}

static void become_tunnel(mg_side *s)
{
    mg_response_head head = {.status = 101, .content_length = -1, .minor = 1};
    mg_fields_init(&head.fields, s->arena, 4);
    s->ops->send_response(s, &head);
    s->ops->become_tunnel(s);
    mg_side_flush(s);
    near.how &= ~(unsigned)TAKES_LATE;
}

static void note_body(mg_side *s)
{
    note_chain(&near.heard, &s->in);
    mg_side_took(s);
    if (near.noted || s->got < MG_GOT_ALL)
        return;
    near.noted = true;
    note(&near.heard, s->got == MG_GOT_ALL ? WHOLE : s->broke == MG_BROKE_CLOSED ? CUT_OFF : BROKEN);
    note_trailers(&near.heard, s->got == MG_GOT_ALL ? s->trailers : NULL);
}

static void go_on(mg_side *s)
{
    note_body(s);
    bool ready = s->got == MG_GOT_ALL || (near.how & ANSWERS_EARLY && s->in_total > 2);
    const mg_request_head *q = mg_h1_server_request(s);
    if (s->sent == MG_SENT_NOTHING && near.how & TUNNELS && q && q->wants_upgrade && s->got == MG_GOT_ALL)
        become_tunnel(s);
    else if (s->sent == MG_SENT_NOTHING && (ready || (s->got == MG_GOT_BROKEN && s->broke == MG_BROKE_SYNTAX)))
        answer(s, s->got == MG_GOT_BROKEN ? 400 : 200);
    if (s->got == MG_GOT_BROKEN && s->sent < MG_SENT_ALL)
        let_go(false);
    else if (s->sent == MG_SENT_BROKEN)
        let_go(false);
    else if (s->sent == MG_SENT_HEAD && s->got == MG_GOT_ALL)
        let_go(false); /* a tunnel whose client has ended */
    else if (s->sent == MG_SENT_ALL && !s->queued)
        let_go(true);
}

static void on_change(mg_side *s)
{
    MG_BUG_UNLESS(s == near.side);
    if (near.how & TAKES_LATE && s->got == MG_GOT_HEAD && s->sent == MG_SENT_NOTHING)
        return; /* only when the far end has nothing more to say */
    go_on(s);
}

static void begin(mg_side *s)
{
    MG_BUG_UNLESS(!near.side && !s->on_change);
    near.side = s;
    near.noted = false;
    near.exchanges++;
    s->on_change = on_change;
}

static void on_request(mg_side *s)
{
    const mg_request_head *q = mg_h1_server_request(s);
    MG_BUG_UNLESS(q && s->got >= MG_GOT_HEAD && s->sent == MG_SENT_NOTHING);
    begin(s);
    note_number(&near.heard, 'R', q->content_length);
    note(&near.heard, q->method_name);
    note(&near.heard, q->target);
    if (q->expect_continue)
        mg_h1_server_continue(s);
    on_change(s);
}

static void on_refused(mg_side *s, int status, const char *why)
{
    MG_BUG_UNLESS(status >= 400 && status <= 505 && why && why[0] && s->got == MG_GOT_BROKEN);
    begin(s);
    near.noted = true;
    note_number(&near.heard, 'X', status);
    answer(s, status);
    let_go(s->sent == MG_SENT_ALL);
}

/* ---- what it should be --------------------------------------------------------------------------- */

/* The body behind a head: bytes it took; 0: nothing can follow. */
static size_t read_body(diary *d, const mg_h1_message *m, mg_str rest, const mg_h1_limits *limits, mg_arena *arena, bool *over)
{
    if (m->chunked) {
        size_t n = read_chunked(d, rest, limits, arena);
        *over = !n;
        return n;
    }
    uint64_t told = m->content_length > 0 ? (uint64_t)m->content_length : 0;
    size_t n = (size_t)MG_MIN(told, (uint64_t)rest.n);
    note(d, (mg_str){rest.p, n});
    note(d, n == told ? WHOLE : CUT_OFF);
    *over = n != told;
    return n;
}

static void read_at_once(diary *d, mg_str in, const mg_h1_limits *limits, mg_arena *arena)
{
    for (bool over = false; !over && in.n;) {
        mg_h1_reader r = {0};
        mg_h1_request q;
        size_t used;
        int status = 0;
        const char *why;
        mg_rc rc = mg_h1_read_request(&r, limits, in.p, in.n, arena, &q, &used, &status, &why);
        if (rc < 0)
            note_number(d, 'X', status);
        if (rc != MG_OK)
            return;
        note_number(d, 'R', q.msg.content_length);
        note(d, q.method_name);
        note(d, q.target);
        in = (mg_str){in.p + used, in.n - used};
        used = read_body(d, &q.msg, in, limits, arena, &over);
        in = (mg_str){in.p + used, in.n - used};
        over |= !q.msg.keep_alive;
    }
}

static void check_understood(mg_str in, const mg_h1_limits *limits)
{
    diary wanted = {0};
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    read_at_once(&wanted, in, limits, &arena);
    check_same_diary(&near.heard, &wanted);
    mg_arena_fini(&arena);
    mg_free(wanted.p);
}

/* So many answers and interim ones came that can be read, unless the connection was given up. */
static void check_answers(void)
{
    int finals = 0;
    mg_str in = {far.heard.p, far.heard.n};
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    while (in.n) {
        mg_h1_reader r = {0};
        mg_h1_response a;
        size_t used;
        const char *why;
        MG_BUG_UNLESS(mg_h1_read_response(&r, &wide, in.p, in.n, &arena, &a, &used, &why) == MG_OK);
        in = (mg_str){in.p + used, in.n - used};
        if (a.status < 200)
            continue;
        finals++;
        if (!a.msg.chunked && a.msg.content_length < 0) /* to the end; or to HEAD, which tells no length here */
            break;
        mg_str whole = a.msg.chunked ? MG_STR("5\r\nhello\r\n0\r\n\r\n") : MG_STR("hello");
        if (mg_str_starts(in, whole))
            in = (mg_str){in.p + whole.n, in.n - whole.n};
    }
    MG_BUG_UNLESS(near.how & (UNKNOWN_LENGTH | LETS_GO) || finals == near.answers);
    mg_arena_fini(&arena);
}

/* ---- one input ----------------------------------------------------------------------------------- */

static void open_near(unsigned how)
{
    mg_h1_server_settings *s = &near.settings;
    near.how = how;
    near.heard.n = 0;
    near.exchanges = near.answers = 0;
    mg_h1_server_settings_init(s);
    s->limits = how & SMALL ? narrow : wide;
    s->buffer = how & SMALL ? 32 : 65536;
    s->arena_most = 1 << 20;
    s->keepalive_requests = 100000;
    s->header_ms = s->idle_ms = s->write_ms = s->linger_ms = 1000000;
    s->on_request = on_request;
    s->on_refused = on_refused;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const mg_addr nobody;
    if (size < 2)
        return 0;
    mg_str in = {(const char *)data + 2, size - 2};
    size_t blocks = mg_block_count();
    open_near(data[0]);
    (void)mg_h1_server_new(open_far(), &nobody, &near.settings, NULL);
    say_in_pieces(in, data[1]);
    (void)shutdown(far.fd, SHUT_WR);
    for (int i = 0; i < 1000 && near.settings.open; i++) {
        if (near.side && near.how & TAKES_LATE)
            go_on(near.side);
        turn_loop(1);
    }
    MG_BUG_UNLESS(!near.settings.open && !near.side);
    check_answers();
    if (!(data[0] & (TAKES_LATE | ANSWERS_EARLY | LETS_GO | TUNNELS)) && !(data[0] & UNKNOWN_LENGTH))
        check_understood(in, &near.settings.limits);
    close_far();
    MG_BUG_UNLESS(mg_block_count() == blocks);
    return 0;
}
