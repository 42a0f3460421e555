#include "http/h1.h"

#include "http/h1_client.h"
#include "http/server_test.h"

/* ---- the same bytes in any split ----------------------------------------------------------------- */

/* What the echo answers to `text`, sent up to `cut` and then the rest, or byte by byte for cut 0. */
static char *converse(mg_str text, size_t cut, size_t *size)
{
    wire w;
    open_loop();
    open_taker(true);
    serve(wire_pair(&w));
    if (cut) {
        CHECK(say_bytes(&w, (mg_str){text.p, cut}));
        settle();
        CHECK(say_bytes(&w, (mg_str){text.p + cut, text.n - cut}));
    } else {
        for (size_t i = 0; i < text.n; i++) {
            CHECK(say_bytes(&w, (mg_str){text.p + i, 1}));
            turns(2);
        }
    }
    end_saying(&w);
    CHECK(ends(&w));
    *size = w.n;
    char *all = w.got;
    w.got = NULL;
    hang_up(&w);
    CHECK(run_until(is_closed, NULL));
    close_taker();
    close_loop();
    return all;
}

static void check_splits(const char *text, const char *wanted)
{
    mg_str all = mg_str_of(text);
    size_t size;
    char *whole = converse(all, all.n, &size);
    CHECK_FOR(size && strstr(whole, wanted), text);
    for (size_t cut = 0; cut < all.n; cut++) {
        size_t n;
        char *got = converse(all, cut, &n);
        bool same = CHECK_STR(((mg_str){got, n}), ((mg_str){whole, size}));
        mg_free(got);
        if (!same)
            break;
    }
    mg_free(whole);
}

TEST("requests with every framing, pipelined, are understood the same wherever they are cut")
{
    check_splits("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
                 "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
                 "\r\nPUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3;x=\"y\"\r\nabc\r\n1\r\nd\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"
                 "HEAD /d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                 "POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                 "GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                 "PUT /c -1 [abcd]X-Sum=1X-More=2");
}

TEST("a body that breaks is answered 400 wherever it is cut, and nothing after it is taken for a request")
{
    check_splits("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
                 "HTTP/1.1 400 Bad Request\r\n");
    check_splits("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
                 "HTTP/1.1 400 Bad Request\r\n");
}

TEST("a head that is refused is answered the same wherever it is cut")
{
    check_splits("GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
    check_splits("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
}

/* ---- bodies in ----------------------------------------------------------------------------------- */

enum { BUFFER = 65536, ONE_READ = 8 * MG_BLOCK_SIZE };

static void open_upload(wire *w, const char *framing)
{
    open_loop();
    open_taker(false);
    taker.settings.buffer = BUFFER;
    serve(wire_pair(w));
    say(w, "POST / HTTP/1.1\r\nHost: h\r\n");
    say(w, framing);
    settle();
}

static void close_upload(wire *w)
{
    if (taker.side)
        let_go(false);
    close_taker();
    hang_up(w);
    close_loop();
}

/* Writes until nothing more is taken; how much was. */
static size_t fill(wire *w, mg_str piece)
{
    size_t sum = 0;
    for (int idle = 0; idle < 3;) {
        ssize_t n = send(w->fd, piece.p, piece.n, MSG_NOSIGNAL);
        if (n > 0) {
            sum += (size_t)n;
            idle = 0;
        } else {
            idle++;
        }
        settle();
    }
    return sum;
}

static void check_backpressure(const char *framing, mg_str piece)
{
    wire w;
    open_upload(&w, framing);
    size_t sent = fill(&w, piece);
    if (CHECK(taker.side != NULL)) {
        mg_h1 *h = MG_H1_OF_SIDE(taker.side);
        CHECK(taker.side->in.n >= BUFFER && taker.side->in.n <= BUFFER + ONE_READ);
        CHECK((mg_block_count() - wire_loop.blocks) * MG_BLOCK_SIZE <= 4 * (BUFFER + ONE_READ));
        CHECK_INT(mg_io_events(&h->io) & MG_READ, 0);
        /* What is taken makes room for as much. */
        uint64_t before = taker.side->in_total;
        mg_chain_fini(&taker.side->in);
        mg_side_took(taker.side);
        CHECK(mg_io_events(&h->io) & MG_READ);
        settle();
        CHECK(taker.side->in_total > before && taker.side->in.n <= BUFFER + ONE_READ);
        sent += fill(&w, piece);
        CHECK(sent > before);
    }
    close_upload(&w);
}

TEST("a body that nobody takes is read up to the buffer and no further, whatever its framing")
{
    static char many[48 * 1024], bytes[65536];
    for (size_t i = 0; i < sizeof many; i += 6)
        memcpy(many + i, "1\r\nx\r\n", 6);
    memset(bytes, 'x', sizeof bytes);
    check_backpressure("Content-Length: 1000000000\r\n\r\n", (mg_str){bytes, sizeof bytes});
    check_backpressure("Transfer-Encoding: chunked\r\n\r\n1000000\r\n", (mg_str){bytes, sizeof bytes});
    check_backpressure("Transfer-Encoding: chunked\r\n\r\n", (mg_str){many, sizeof many});
}

static size_t slices_of(const mg_chain *c)
{
    size_t n = 0;
    for (const mg_slice *s = c->first; s; s = s->next)
        n++;
    return n;
}

static size_t blocks_now(void)
{
    return mg_block_count() - wire_loop.blocks;
}

TEST("a body that drips in byte by byte while nobody takes it fills its blocks, whatever its framing")
{
    static const char *const framings[] = {"Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n",
                                           "Transfer-Encoding: chunked\r\n\r\n10000\r\n"};
    for (size_t i = 0; i < MG_COUNT(framings); i++) {
        wire w;
        open_upload(&w, framings[i]);
        for (int n = 0; n < 1000; n++) {
            say(&w, i == 1 ? "1\r\nx\r\n" : "x");
            turns(2);
        }
        CHECK_INT(taker.side->in.n, 1000);
        CHECK_FOR(blocks_now() <= 3, framings[i]);
        CHECK_FOR(slices_of(&taker.side->in) <= 3, framings[i]);
        CHECK_INT(take_body().n, 1000);
        settle();
        CHECK_FOR(blocks_now() <= 1, framings[i]); /* the head's */
        say(&w, i == 1 ? "1\r\ny\r\n" : "y");
        settle();
        CHECK_STR(take_body(), MG_STR("y"));
        close_upload(&w);
    }
}

TEST("many small chunks lie together in memory, so that they are sent on as one piece")
{
    wire w;
    open_upload(&w, "Transfer-Encoding: chunked\r\n\r\n");
    char chunks[2000 * 6 + 1];
    for (int i = 0; i < 2000; i++)
        (void)snprintf(chunks + 6 * i, 7, "1\r\n%c\r\n", 'a' + i % 26);
    say(&w, chunks);
    settle();
    REQUIRE(taker.side != NULL);
    CHECK_INT(taker.side->in.n, 2000);
    CHECK(slices_of(&taker.side->in) <= 4);
    mg_str body = take_body();
    for (size_t i = 0; i < body.n; i++)
        if (!CHECK_INT(body.p[i], 'a' + i % 26))
            break;
    close_upload(&w);
}

TEST("chunks of all sizes around the ones that are moved together come out as they went in")
{
    wire w;
    static char sent[200000], got[200000];
    size_t n = 0, at = 0;
    open_upload(&w, "Transfer-Encoding: chunked\r\n\r\n");
    REQUIRE(taker.side != NULL);
    for (size_t size = 1; size < 600; size++) {
        char head[24];
        (void)snprintf(head, sizeof head, "%zx\r\n", size);
        CHECK(say(&w, head));
        for (size_t i = 0; i < size; i++)
            sent[n + i] = (char)(size * 31 + i);
        CHECK(say_bytes(&w, (mg_str){sent + n, size}) && say(&w, "\r\n"));
        n += size;
        if (size % 7 == 0)
            settle();
        if (size % 50 == 0) {
            at += mg_chain_copy_out(&taker.side->in, got + at, sizeof got - at);
            mg_chain_fini(&taker.side->in);
            mg_side_took(taker.side);
        }
    }
    settle();
    at += mg_chain_copy_out(&taker.side->in, got + at, sizeof got - at);
    CHECK_INT(at, n);
    CHECK(memcmp(sent, got, n) == 0);
    close_upload(&w);
}

TEST("a body is never read past its end: the next request stays for its own turn")
{
    wire w;
    open_upload(&w, "Content-Length: 100000\r\n\r\n");
    static char body[100000];
    CHECK(say_bytes(&w, (mg_str){body, sizeof body}));
    CHECK(say(&w, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"));
    for (int i = 0; i < 100 && taker.side->got != MG_GOT_ALL; i++) {
        settle();
        mg_chain_fini(&taker.side->in);
        mg_side_took(taker.side);
    }
    CHECK_INT(taker.side->got, MG_GOT_ALL);
    CHECK_INT(taker.side->in_total, sizeof body);
    answer(200, "");
    settle();
    CHECK_INT(taker.requests, 2);
    close_upload(&w);
}

/* ---- bytes out ----------------------------------------------------------------------------------- */

static void open_download(wire *w, uint32_t min_rate, int64_t write_ms)
{
    open_loop();
    open_taker(false);
    taker.settings.min_rate = min_rate;
    taker.settings.write_ms = write_ms;
    int near = wire_pair(w);
    narrow(near);
    serve(near);
    say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    settle();
    if (CHECK(taker.side != NULL))
        send_head(200, -1, true);
}

static void send_much(size_t n)
{
    static char piece[65536];
    mg_chain body = {0};
    for (; n; n -= MG_MIN(n, sizeof piece))
        mg_chain_add_static(&body, (mg_str){piece, MG_MIN(n, sizeof piece)});
    taker.side->ops->send_body(taker.side, &body, body.n);
    mg_side_flush(taker.side);
}

TEST("a client that does not read blocks the side: there is no room until it does")
{
    wire w;
    open_download(&w, 0, 60000);
    size_t before = mg_side_room(taker.side);
    CHECK(before <= BUFFER);
    send_much(4000000);
    CHECK(taker.side->blocked);
    CHECK(taker.side->queued > BUFFER);
    CHECK_INT(mg_side_room(taker.side), 0);
    taker.changes = 0;
    for (int i = 0; i < 10000 && taker.side->queued; i++) {
        listen_to(&w);
        turns(1);
    }
    CHECK(taker.changes > 0);
    CHECK(!taker.side->blocked);
    CHECK_INT(taker.side->queued, 0);
    CHECK_INT(mg_side_room(taker.side), BUFFER);
    CHECK_INT(mg_io_events(&MG_H1_OF_SIDE(taker.side)->io) & MG_WRITE, 0);
    send_end();
    CHECK(hears(&w, "0\r\n\r\n"));
    CHECK_INT(taker.side->written, w.n);
    close_upload(&w);
}

static bool is_broken_out(void *side)
{
    return ((mg_side *)side)->sent == MG_SENT_BROKEN;
}

TEST("a client that reads nothing for so long is late, and is told from one that reads too slowly")
{
    for (int slow = 0; slow < 2; slow++) {
        wire w;
        open_download(&w, slow ? 1000000000 : 0, 30);
        send_much(8000000);
        CHECK(taker.side->blocked);
        for (int i = 0; slow && i < 100000 && taker.side->sent != MG_SENT_BROKEN; i++) {
            char some[512];
            (void)!read(w.fd, some, sizeof some);
            turns(1);
            usleep(100);
        }
        CHECK(run_until(is_broken_out, taker.side));
        CHECK_INT(taker.side->broke, slow ? MG_BROKE_SLOW : MG_BROKE_LATE);
        CHECK(taker.changes > 0);
        CHECK_INT(taker.side->queued, 0);
        CHECK_INT(mg_io_events(&MG_H1_OF_SIDE(taker.side)->io) & MG_WRITE, 0);
        close_upload(&w);
    }
}

TEST("a client that reads steadily may take longer than the patience for one write")
{
    wire w;
    open_download(&w, 1000, 40);
    send_much(3000000);
    int64_t began = mg_clock_ms();
    while (mg_clock_ms() < began + 150 && taker.side->sent != MG_SENT_BROKEN) {
        char some[2000];
        (void)!read(w.fd, some, sizeof some);
        turns(1);
        usleep(200);
    }
    CHECK_INT(taker.side->sent, MG_SENT_HEAD);
    CHECK(taker.side->blocked);
    close_upload(&w);
}

TEST("once writing has failed the descriptor is not watched for writing, and no deadline is left")
{
    wire w;
    open_download(&w, 0, 60000);
    send_much(4000000);
    CHECK(taker.side->blocked);
    mg_h1 *h = MG_H1_OF_SIDE(taker.side);
    hang_up(&w);
    CHECK(run_until(is_broken_out, taker.side));
    CHECK_INT(mg_io_events(&h->io), 0);
    CHECK(!mg_deadline_is_armed(&h->deadline));
    taker.changes = 0;
    turns(20);
    CHECK_INT(taker.changes, 0);
    close_upload(&w);
}

TEST("pieces that drip in behind others that wait to be written lie together, whatever the framing")
{
    for (int i = 0; i < 3; i++) {
        wire w;
        open_loop();
        open_taker(false);
        int near = wire_pair(&w);
        narrow(near);
        serve(near);
        say(&w, i == 1 ? "GET / HTTP/1.0\r\n\r\n" : i == 2 ? "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
                       : "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
        settle();
        REQUIRE(taker.side != NULL);
        send_head(i ? 200 : 101, -1, i != 0);
        if (!i)
            taker.side->ops->become_tunnel(taker.side);
        send_much(300000);
        CHECK(taker.side->blocked);
        size_t before = blocks_now(), queued = taker.side->queued;
        for (int n = 0; n < 1000; n++) { /* each in a block of its own, as it would be read */
            send_text("x");
            mg_side_flush(taker.side);
        }
        CHECK(taker.side->queued >= queued + 1000);
        CHECK(blocks_now() <= before + 2);
        (void)heard(&w);
        while (taker.side->queued)
            (void)heard(&w);
        send_end();
        mg_str all = heard(&w);
        CHECK(mg_str_ends(all, i == 2 ? MG_STR("1\r\nx\r\n1\r\nx\r\n0\r\n\r\n") : MG_STR("xxxxx")));
        close_upload(&w);
    }
}

TEST("a small body is written together with its head, in one piece")
{
    wire w;
    open_loop();
    open_taker(false);
    int near = wire_pair(&w);
    serve(near);
    say(&w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    settle();
    send_head(200, 5, true);
    send_text("hello");
    struct iovec iov[4];
    CHECK_INT(mg_chain_iov(&MG_H1_OF_SIDE(taker.side)->out, iov, 4), 1);
    send_end();
    let_go(true);
    CHECK(mg_str_ends(heard(&w), MG_STR("hello")));
    close_upload(&w);
}

/* ---- splicing ------------------------------------------------------------------------------------ */

TEST("a descriptor is handed out for splicing only when nothing is between it and the body")
{
    wire w;
    uint64_t left = 0;
    open_upload(&w, "Content-Length: 1000000\r\n\r\nabc");
    mg_side *s = taker.side;
    REQUIRE(s != NULL);
    CHECK_INT(s->ops->splice_in(s, &left), -1); /* bytes are in `in` */
    (void)take_body();
    CHECK(s->ops->splice_in(s, &left) >= 0);
    CHECK_INT(left, 999997);
    CHECK_INT(s->ops->splice_out(s, &left), -1); /* no head yet */
    send_head(200, 500, true);
    CHECK_INT(s->ops->splice_out(s, &left), -1); /* the head is queued */
    mg_side_flush(s);
    CHECK(s->ops->splice_out(s, &left) >= 0);
    CHECK_INT(left, 500);
    s->ops->spliced_in(s, 999997, MG_OK);
    CHECK_INT(s->got, MG_GOT_ALL);
    CHECK_INT(s->in_total, 1000000);
    s->ops->spliced_out(s, 500, MG_OK);
    send_end();
    CHECK_INT(s->sent, MG_SENT_ALL);
    close_upload(&w);
}

TEST("chunked bodies are not spliced")
{
    wire w;
    uint64_t left;
    open_upload(&w, "Transfer-Encoding: chunked\r\n\r\n");
    REQUIRE(taker.side != NULL);
    CHECK_INT(taker.side->ops->splice_in(taker.side, &left), -1);
    send_head(200, -1, true);
    mg_side_flush(taker.side);
    CHECK_INT(taker.side->ops->splice_out(taker.side, &left), -1);
    close_upload(&w);
}

TEST("while a body is spliced the connection reads nothing itself, and says when there is something")
{
    wire w;
    open_upload(&w, "Content-Length: 1000000\r\n\r\n");
    mg_side *s = taker.side;
    REQUIRE(s != NULL);
    s->splice_from = true;
    taker.changes = 0;
    say(&w, "abc");
    turns(1);
    CHECK(taker.changes > 0);
    CHECK_INT(s->in.n, 0);
    s->ops->pause(s, true);
    taker.changes = 0;
    settle();
    CHECK_INT(taker.changes, 0);
    s->ops->pause(s, false);
    s->splice_from = false;
    settle();
    CHECK_STR(take_body(), MG_STR("abc"));
    close_upload(&w);
}

TEST("a splice that ends early breaks the message")
{
    wire w;
    open_upload(&w, "Content-Length: 1000000\r\n\r\n");
    mg_side *s = taker.side;
    REQUIRE(s != NULL);
    s->splice_from = true;
    s->ops->spliced_in(s, 10, MG_OK);
    s->ops->spliced_in(s, 0, MG_EOF);
    CHECK_INT(s->got, MG_GOT_BROKEN);
    CHECK_INT(s->broke, MG_BROKE_CLOSED);
    s->splice_from = false;
    send_head(200, 100, true);
    mg_side_flush(s);
    s->splice_to = true;
    s->ops->spliced_out(s, 10, MG_AGAIN);
    CHECK(s->blocked && mg_deadline_is_armed(&MG_H1_OF_SIDE(s)->deadline));
    s->ops->spliced_out(s, 0, MG_GONE);
    CHECK_INT(s->sent, MG_SENT_BROKEN);
    CHECK(!mg_deadline_is_armed(&MG_H1_OF_SIDE(s)->deadline));
    s->splice_to = false;
    close_upload(&w);
}
