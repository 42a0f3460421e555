#include "http/h1_client.h"

#include "http/h1.h"
#include "http/wire_test.h"

/* ---- one exchange with an origin ----------------------------------------------------------------- */

static struct {
    mg_h1_client *client;
    mg_side *side; /* NULL: released */
    mg_arena arena;
    mg_h1_client_options options;
    wire w;
    int changes, idles, gones;
} t;

static void on_change(mg_side *s)
{
    (void)s;
    t.changes++;
}

static void on_idle(mg_h1_client *c, void *arg)
{
    CHECK(c == t.client && arg == &t);
    t.idles++;
}

static void on_gone(mg_h1_client *c, void *arg)
{
    CHECK(c == t.client && arg == &t);
    t.gones++;
    t.client = NULL;
}

static void open_origin_over(bool tcp)
{
    open_loop();
    memset(&t, 0, sizeof t);
    mg_arena_init(&t.arena, 256 * 1024);
    t.options = (mg_h1_client_options){
        .limits = {.line_most = 8192, .head_most = 32768, .fields_most = 128}, .buffer = 65536, .write_ms = 60000};
    t.client = mg_h1_client_new(tcp ? wire_tcp(&t.w) : wire_pair(&t.w));
    mg_h1_client_on_idle(t.client, on_idle, &t);
    mg_h1_client_on_gone(t.client, on_gone, &t);
}

static void open_origin(void)
{
    open_origin_over(false);
}

static void let_go(bool clean)
{
    mg_side *s = t.side;
    int idles = t.idles;
    t.side = NULL;
    s->ops->release(s, clean);
    if (t.idles == idles)
        t.client = NULL;
}

static void close_origin(void)
{
    if (t.side)
        let_go(false);
    if (t.client)
        mg_h1_client_close(t.client);
    hang_up(&t.w);
    mg_arena_fini(&t.arena);
    close_loop();
}

/* Begins an exchange and sends a request's head; length -1 with a body: chunked; -2: no body. */
static void ask_with(mg_method method, const char *name, int64_t length)
{
    t.side = mg_h1_client_begin(t.client, &t.options, &t.arena, method);
    t.side->on_change = on_change;
    mg_request_head head = {.method = method, .method_name = mg_str_of(name), .target = MG_STR("/"),
                            .content_length = MG_MAX(length, -1), .has_body = length > -2, .major = 1, .minor = 1};
    mg_fields_init(&head.fields, &t.arena, 4);
    CHECK(mg_fields_add(&head.fields, MG_FIELD_HOST, MG_STR("host"), MG_STR("o")) == MG_OK);
    t.side->ops->send_request(t.side, &head);
    if (length == -2)
        t.side->ops->send_end(t.side, NULL);
    mg_side_flush(t.side);
}

static void ask(void)
{
    ask_with(MG_METHOD_GET, "GET", -2);
}

static void send_text(const char *text)
{
    mg_chain body = {0};
    mg_chain_add_copy(&body, mg_str_of(text));
    t.side->ops->send_body(t.side, &body, body.n);
}

/* What has come of the answer's body so far, taken. */
static mg_str take_body(void)
{
    static char bytes[65536];
    size_t n = mg_chain_copy_out(&t.side->in, bytes, sizeof bytes);
    mg_chain_fini(&t.side->in);
    mg_side_took(t.side);
    return (mg_str){bytes, n};
}

/* ---- requests ------------------------------------------------------------------------------------ */

TEST("a request is sent with its length, in chunks, or without a body, as its head says")
{
    open_origin();
    ask();
    CHECK_STR(heard(&t.w), MG_STR("GET / HTTP/1.1\r\nhost: o\r\n\r\n"));
    CHECK_INT(t.side->sent, MG_SENT_ALL);
    close_origin();

    open_origin();
    ask_with(MG_METHOD_POST, "POST", 3);
    send_text("ab");
    send_text("c");
    t.side->ops->send_end(t.side, NULL);
    mg_side_flush(t.side);
    CHECK_STR(heard(&t.w), MG_STR("POST / HTTP/1.1\r\nhost: o\r\ncontent-length: 3\r\n\r\nabc"));
    close_origin();

    open_origin();
    ask_with(MG_METHOD_POST, "POST", -1);
    send_text("ab");
    t.side->ops->send_end(t.side, NULL);
    mg_side_flush(t.side);
    CHECK_STR(heard(&t.w), MG_STR("POST / HTTP/1.1\r\nhost: o\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"));
    close_origin();
}

TEST("a body of no bytes is told as such")
{
    open_origin();
    ask_with(MG_METHOD_POST, "POST", 0);
    t.side->ops->send_end(t.side, NULL);
    mg_side_flush(t.side);
    CHECK_STR(heard(&t.w), MG_STR("POST / HTTP/1.1\r\nhost: o\r\ncontent-length: 0\r\n\r\n"));
    close_origin();
}

/* ---- answers ------------------------------------------------------------------------------------- */

struct answer {
    int status, got, broke;
    int64_t length;
    bool has_body, kept;
    char body[256], trailers[64];
    int interim;
};

/* What is understood of an answer that comes in two pieces (byte by byte for cut 0), after which the origin
 * closes if it is to. */
static struct answer read_answer(mg_method method, mg_str text, size_t cut, bool closes)
{
    struct answer a = {0};
    open_origin();
    ask_with(method, "X", -2);
    (void)heard(&t.w);
    for (size_t at = 0; at < text.n;) {
        size_t n = !cut ? 1 : at ? text.n - at : cut;
        CHECK(say_bytes(&t.w, (mg_str){text.p + at, n}));
        at += n;
        turns(2);
        for (; t.side->got == MG_GOT_HEAD && mg_h1_client_response(t.side)->status < 200; a.interim++)
            mg_h1_client_next_head(t.side);
    }
    if (closes)
        end_saying(&t.w);
    settle();
    const mg_response_head *r = mg_h1_client_response(t.side);
    a.status = r->status;
    a.length = r->content_length;
    a.has_body = r->has_body;
    a.got = t.side->got;
    a.broke = t.side->broke;
    (void)mg_chain_copy_out(&t.side->in, a.body, sizeof a.body - 1);
    for (uint32_t i = 0; t.side->trailers && i < t.side->trailers->count; i++)
        (void)snprintf(a.trailers, sizeof a.trailers, "%.*s", MG_STR_ARG(t.side->trailers->at[i].value));
    let_go(true);
    a.kept = t.client != NULL;
    close_origin();
    return a;
}

static struct answer read_all_ways(mg_method method, const char *text, bool closes)
{
    mg_str all = mg_str_of(text);
    struct answer whole = read_answer(method, all, all.n, closes);
    for (size_t cut = 0; cut < all.n; cut++) {
        struct answer a = read_answer(method, all, cut, closes);
        if (!CHECK_FOR(memcmp(&a, &whole, sizeof a) == 0, text)) {
            printf("# cut at %zu\n", cut);
            break;
        }
    }
    return whole;
}

#define GET_READS(text, closes) read_all_ways(MG_METHOD_GET, text, closes)

static void check_body(struct answer a, int status, const char *body, bool kept)
{
    CHECK_INT(a.status, status);
    CHECK_INT(a.got, MG_GOT_ALL);
    CHECK_STR(mg_str_of(a.body), mg_str_of(body));
    CHECK_INT(a.kept, kept);
}

TEST("answers of every framing are read the same wherever they are cut")
{
    check_body(GET_READS("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false), 200, "abc", true);
    check_body(GET_READS("HTTP/1.1 404 Not\r\nContent-Length: 0\r\n\r\n", false), 404, "", true);
    check_body(GET_READS("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", false), 200, "abc", true);
    check_body(GET_READS("HTTP/1.1 200 OK\r\n\r\nuntil the end", true), 200, "until the end", false);
    check_body(GET_READS("HTTP/1.0 200 OK\r\n\r\nuntil the end", true), 200, "until the end", false);
}

TEST("trailers of an answer are kept")
{
    struct answer a = GET_READS("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 17\r\n\r\n", false);
    check_body(a, 200, "", true);
    CHECK_STR(mg_str_of(a.trailers), MG_STR("17"));
}

TEST("answers to HEAD, 204 and 304 have no body, whatever their fields say")
{
    check_body(read_all_ways(MG_METHOD_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false), 200, "", true);
    check_body(read_all_ways(MG_METHOD_HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false), 200, "", true);
    check_body(GET_READS("HTTP/1.1 204 No\r\n\r\n", false), 204, "", true);
    check_body(GET_READS("HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", false), 304, "", true);
    struct answer a = GET_READS("HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", false);
    CHECK(!a.has_body && a.length == 9);
}

TEST("a connection lives on by version and Connection field of the answer")
{
    CHECK(!GET_READS("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false).kept);
    CHECK(!GET_READS("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false).kept);
    CHECK(GET_READS("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", false).kept);
}

TEST("interim answers come one by one before the final one, however they are cut")
{
    struct answer a = GET_READS("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
                                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false);
    check_body(a, 200, "abc", true);
    CHECK_INT(a.interim, 2);
}

TEST("any number of interim answers takes no more memory than one")
{
    enum { MANY = 20000 };
    open_origin();
    ask();
    int came = 0;
    for (int i = 0; i < MANY && t.side->got != MG_GOT_BROKEN; i++) {
        CHECK(say(&t.w, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-B: 2\r\n\r\n"));
        if (i % 100 == 99)
            turns(1);
        for (; t.side->got == MG_GOT_HEAD; came++) {
            CHECK_STR(mg_fields_find_name(&mg_h1_client_response(t.side)->fields, MG_STR("x-b"), 0)->value, MG_STR("2"));
            mg_h1_client_next_head(t.side);
        }
    }
    CHECK_INT(t.side->got, MG_GOT_NOTHING);
    say(&t.w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Final: 1\r\n\r\n");
    settle();
    for (; t.side->got == MG_GOT_HEAD && mg_h1_client_response(t.side)->status < 200; came++)
        mg_h1_client_next_head(t.side);
    CHECK_INT(t.side->got, MG_GOT_ALL);
    CHECK_INT(came, MANY);
    CHECK(t.arena.used <= 4 * MG_ARENA_PAGE);
    /* The final head lies in the exchange's arena, which the connection does not take with it. */
    mg_fields fields = mg_h1_client_response(t.side)->fields;
    CHECK(fields.arena == &t.arena);
    mg_block *head = mg_block_hold(t.side->head);
    let_go(true);
    CHECK_STR(mg_fields_find_name(&fields, MG_STR("x-final"), 0)->value, MG_STR("1"));
    CHECK(mg_fields_add(&fields, MG_FIELD_OTHER, MG_STR("x"), MG_STR("y")) == MG_OK);
    mg_block_drop(head);
    close_origin();
}

/* ---- answers that are no good -------------------------------------------------------------------- */

static void check_broken(const char *text, bool closes, mg_broke how)
{
    struct answer a = GET_READS(text, closes);
    CHECK_INT(a.got, MG_GOT_BROKEN);
    CHECK_FOR(a.broke == (int)how, text);
    CHECK(!a.kept);
}

TEST("an answer that ends too early is broken, never whole")
{
    check_broken("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true, MG_BROKE_CLOSED);
    check_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true, MG_BROKE_CLOSED);
    check_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", true, MG_BROKE_CLOSED);
    check_broken("HTTP/1.1 200 OK\r\nContent-Le", true, MG_BROKE_CLOSED);
    check_broken("HTTP/1.1 103 Early Hints\r\n\r\n", true, MG_BROKE_CLOSED);
}

TEST("an answer that cannot be framed is broken")
{
    check_broken("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false, MG_BROKE_SYNTAX);
    check_broken("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false, MG_BROKE_SYNTAX);
    check_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", false, MG_BROKE_SYNTAX);
    check_broken("ICY 200 OK\r\n\r\n", false, MG_BROKE_SYNTAX);
}

TEST("an answer's head over the limit is broken by it")
{
    open_origin();
    ask();
    say(&t.w, "HTTP/1.1 200 OK\r\nX: ");
    static char much[40000];
    memset(much, 'x', sizeof much);
    (void)say_bytes(&t.w, (mg_str){much, sizeof much});
    settle();
    CHECK_INT(t.side->got, MG_GOT_BROKEN);
    CHECK_INT(t.side->broke, MG_BROKE_LIMIT);
    close_origin();
}

TEST("an answer of 30 KB of fields is taken")
{
    open_origin();
    ask();
    say(&t.w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ");
    static char much[30000];
    memset(much, 'x', sizeof much);
    CHECK(say_bytes(&t.w, (mg_str){much, sizeof much}) && say(&t.w, "\r\n\r\n"));
    settle();
    CHECK_INT(t.side->got, MG_GOT_ALL);
    close_origin();
}

TEST("a reset breaks both directions")
{
    open_origin_over(true);
    ask_with(MG_METHOD_POST, "POST", 10);
    settle();
    reset(&t.w);
    settle();
    CHECK_INT(t.side->got, MG_GOT_BROKEN);
    CHECK_INT(t.side->broke, MG_BROKE_RESET);
    CHECK_INT(t.side->sent, MG_SENT_BROKEN);
    CHECK(!t.side->heard);
    close_origin();
}

/* ---- both directions at once --------------------------------------------------------------------- */

static void send_much(size_t n)
{
    static char piece[65536];
    mg_chain body = {0};
    for (; n; n -= MG_MIN(n, sizeof piece))
        mg_chain_add_static(&body, (mg_str){piece, MG_MIN(n, sizeof piece)});
    t.side->ops->send_body(t.side, &body, body.n);
    mg_side_flush(t.side);
}

static bool is_broken_out(void *side)
{
    return ((mg_side *)side)->sent == MG_SENT_BROKEN;
}

TEST("what an origin has answered is read though it takes no more of the request")
{
    for (int tcp = 0; tcp < 2; tcp++) {
        open_origin_over(tcp);
        ask_with(MG_METHOD_POST, "POST", 10000000);
        send_much(5000000);
        CHECK(t.side->blocked);
        say(&t.w, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nabc");
        (void)close(t.w.fd); /* with bytes unread: over TCP a reset follows the answer */
        t.w.fd = -1;
        mg_side_flush(t.side);
        settle();
        CHECK_INT(t.side->got, MG_GOT_ALL);
        CHECK_INT(mg_h1_client_response(t.side)->status, 413);
        CHECK_STR(take_body(), MG_STR("abc"));
        CHECK(run_until(is_broken_out, t.side));
        settle();
        mg_h1 *h = MG_H1_OF_SIDE(t.side);
        CHECK_INT(mg_io_events(&h->io), 0);
        let_go(true);
        CHECK(t.client == NULL);
        close_origin();
    }
}

TEST("while a long answer is read after sending failed nothing else is watched")
{
    open_origin();
    ask_with(MG_METHOD_POST, "POST", 10000000);
    send_much(5000000);
    CHECK(t.side->blocked);
    (void)shutdown(t.w.fd, SHUT_RD); /* the origin takes no more */
    listen_to(&t.w);
    t.w.ended = false;
    CHECK(run_until(is_broken_out, t.side));
    CHECK_INT(t.side->queued, 0);
    mg_h1 *h = MG_H1_OF_SIDE(t.side);
    CHECK_INT(mg_io_events(&h->io), MG_READ);
    CHECK(!mg_deadline_is_armed(&h->deadline));
    t.changes = 0;
    turns(20);
    CHECK_INT(t.changes, 0);
    say(&t.w, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    settle();
    say(&t.w, "def");
    settle();
    CHECK_INT(t.side->got, MG_GOT_ALL);
    CHECK_STR(take_body(), MG_STR("abcdef"));
    close_origin();
}

TEST("an answer that ends before the request does not let the connection live on")
{
    open_origin();
    ask_with(MG_METHOD_POST, "POST", 10);
    say(&t.w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    settle();
    CHECK_INT(t.side->got, MG_GOT_ALL);
    let_go(true);
    CHECK_INT(t.idles, 0);
    CHECK(ends(&t.w));
    close_origin();
}

TEST("an origin that does not read for so long is late")
{
    open_origin();
    t.options.write_ms = 30;
    ask_with(MG_METHOD_POST, "POST", 10000000);
    send_much(5000000);
    CHECK(run_until(is_broken_out, t.side));
    CHECK_INT(t.side->broke, MG_BROKE_LATE);
    CHECK(t.changes > 0);
    close_origin();
}

TEST("an answer's body that nobody takes is read up to the buffer and no further")
{
    static const char *const heads[] = {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n900000\r\n"};
    static char piece[65536];
    for (size_t i = 0; i < MG_COUNT(heads); i++) {
        open_origin();
        ask();
        say(&t.w, heads[i]);
        for (int n = 0; n < 100; n++) {
            (void)send(t.w.fd, piece, sizeof piece, MSG_NOSIGNAL);
            turns(2);
        }
        CHECK(t.side->in.n >= t.options.buffer && t.side->in.n <= t.options.buffer + 8 * MG_BLOCK_SIZE);
        CHECK(mg_block_count() - wire_loop.blocks <= 16);
        uint64_t before = t.side->in_total;
        mg_chain_fini(&t.side->in);
        mg_side_took(t.side);
        settle();
        CHECK(t.side->in_total > before);
        close_origin();
    }
}

/* ---- idle ---------------------------------------------------------------------------------------- */

static void become_idle(void)
{
    ask();
    say(&t.w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    settle();
    CHECK_INT(t.side->got, MG_GOT_ALL);
    (void)take_body();
    let_go(true);
    CHECK_INT(t.idles, 1);
}

TEST("an idle connection carries the next request, and holds no block meanwhile")
{
    open_origin();
    become_idle();
    CHECK_INT(mg_block_count(), wire_loop.blocks);
    CHECK(mg_h1_client_is_fit(t.client));
    CHECK_INT(mg_h1_client_requests(t.client), 1);
    ask();
    say(&t.w, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    settle();
    CHECK_INT(mg_h1_client_response(t.side)->status, 201);
    CHECK_INT(mg_h1_client_requests(t.client), 2);
    let_go(true);
    CHECK_INT(t.idles, 2);
    close_origin();
}

TEST("an idle connection goes when its origin closes it, sends bytes unasked, or is waited for too long")
{
    for (int i = 0; i < 3; i++) {
        open_origin();
        become_idle();
        if (i == 0)
            end_saying(&t.w);
        if (i == 1)
            say(&t.w, "HTTP/1.1 408 Request Timeout\r\n\r\n");
        if (i == 2)
            mg_h1_client_idle_for(t.client, 20);
        CHECK(ends(&t.w));
        CHECK_INT(t.gones, 1);
        close_origin();
    }
}

TEST("bytes behind an answer make its connection unfit for another request")
{
    open_origin();
    ask();
    say(&t.w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
    settle();
    CHECK_STR(take_body(), MG_STR("ok"));
    let_go(true);
    CHECK_INT(t.idles, 0);
    CHECK(ends(&t.w));
    close_origin();
}

/* ---- tunnels, letting go ------------------------------------------------------------------------- */

TEST("bytes that come together with a 101 are the tunnel's first")
{
    open_origin();
    ask();
    say(&t.w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nfirst");
    settle();
    CHECK_INT(t.side->got, MG_GOT_HEAD);
    CHECK_INT(mg_h1_client_response(t.side)->status, 101);
    CHECK_INT(t.side->in.n, 0);
    t.side->ops->become_tunnel(t.side);
    CHECK_STR(take_body(), MG_STR("first"));
    (void)heard(&t.w);
    forget(&t.w);
    send_text("raw");
    mg_side_flush(t.side);
    CHECK_STR(heard(&t.w), MG_STR("raw"));
    say(&t.w, "HTTP/1.1 200 OK\r\n\r\n");
    settle();
    CHECK_STR(take_body(), MG_STR("HTTP/1.1 200 OK\r\n\r\n"));
    end_saying(&t.w);
    settle();
    CHECK_INT(t.side->got, MG_GOT_ALL);
    t.side->ops->send_end(t.side, NULL);
    CHECK(ends(&t.w));
    let_go(true);
    CHECK_INT(t.idles, 0);
    close_origin();
}

TEST("a side can be let go or aborted in any state without anything being left of it")
{
    for (int i = 0; i < 14; i++) {
        open_origin_over(true);
        if (i / 2 == 0)
            ask_with(MG_METHOD_POST, "POST", -1);
        else
            ask();
        if (i / 2 >= 1)
            say(&t.w, "HTTP/1.1 ");
        if (i / 2 >= 2)
            say(&t.w, i / 2 == 3 ? "103 X\r\n\r\n" : "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        if (i / 2 >= 4)
            say(&t.w, "3\r\nabc\r\n");
        if (i / 2 >= 5)
            say(&t.w, "0\r\nx-a: 1\r\n");
        if (i / 2 >= 6)
            say(&t.w, "\r\nmore");
        settle();
        if (i % 2) {
            let_go(true);
            CHECK(t.client == NULL);
        } else {
            mg_side *s = t.side;
            t.side = NULL;
            t.client = NULL;
            s->ops->abort(s);
            CHECK(ends(&t.w));
            CHECK(t.w.broken);
        }
        close_origin();
    }
}
