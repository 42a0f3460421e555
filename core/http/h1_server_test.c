#include "http/h1_server.h"

#include "http/server_test.h"

/* ---- requests ------------------------------------------------------------------------------------ */

static void open_all(wire *w)
{
    open_loop();
    open_taker(false);
    serve(wire_pair(w));
}

static void close_all(wire *w)
{
    close_taker();
    hang_up(w);
    close_loop();
}

TEST("a request reaches its exchange with method, target, host, fields and framing")
{
    wire w;
    open_all(&w);
    say(&w, "POST /a?b HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabc");
    settle();
    REQUIRE(taker.side != NULL);
    const mg_request_head *q = mg_h1_server_request(taker.side);
    CHECK_INT(q->method, MG_METHOD_POST);
    CHECK_STR(q->target, MG_STR("/a?b"));
    CHECK_STR(q->authority, MG_STR("h:1"));
    CHECK_INT(q->content_length, 3);
    CHECK(q->has_body && q->minor == 1 && !q->expect_continue && !q->wants_upgrade);
    CHECK_STR(mg_fields_find_name(&q->fields, MG_STR("x-a"), 0)->value, MG_STR("1"));
    CHECK_INT(taker.side->got, MG_GOT_ALL);
    CHECK_STR(take_body(), MG_STR("abc"));
    answer(200, "ok");
    CHECK_STR(heard(&w), MG_STR("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    close_all(&w);
}

TEST("pipelined requests come one after the other, each when the answer before it is out")
{
    wire w;
    open_all(&w);
    say(&w, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    settle();
    CHECK_INT(taker.requests, 1);
    say(&w, "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 1; i <= 3; i++) {
        char target[] = {'/', (char)('0' + i), 0};
        settle();
        CHECK_INT(taker.requests, i);
        REQUIRE(taker.side != NULL);
        CHECK_STR(mg_h1_server_request(taker.side)->target, mg_str_of(target));
        answer(200, target);
    }
    CHECK(hears(&w, "/1HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n/2HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n/3"));
    CHECK_INT(taker.settings.open, 1);
    close_all(&w);
}

TEST("a client that sends many requests at once gets all answers, though their bytes wait in the kernel meanwhile")
{
    enum { MANY = 4000 };
    wire w;
    int answers = 0;
    open_loop();
    open_taker(true);
    taker.settings.keepalive_requests = MANY + 1;
    int near = wire_pair(&w);
    serve(near);
    for (int i = 0; i < MANY; i++) {
        CHECK(say(&w, "GET / HTTP/1.1\r\nHost: h\r\nX-Filling: 0123456789012345678901234567890123456789\r\n\r\n"));
        listen_to(&w);
    }
    end_saying(&w);
    CHECK(ends(&w));
    for (const char *p = w.got; (p = strstr(p, "HTTP/1.1 200")); p++)
        answers++;
    CHECK_INT(answers, MANY);
    CHECK(run_until(is_closed, NULL));
    close_all(&w);
}

static void check_kept(const char *request, bool kept, const char *line)
{
    wire w;
    open_all(&w);
    say(&w, request);
    settle();
    if (CHECK_FOR(taker.side != NULL, request)) {
        (void)take_body();
        answer(200, "");
        (void)heard(&w);
        if (line)
            CHECK_FOR(strstr(w.got, line) != NULL, request);
        else
            CHECK_FOR(strstr(w.got, "connection:") == NULL, request);
        CHECK_FOR(w.ended == !kept, request);
    }
    close_all(&w);
}

TEST("a connection lives on by version and Connection field, and the answer says so where it must")
{
    check_kept("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true, NULL);
    check_kept("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false, "connection: close\r\n");
    check_kept("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", false, "connection: close\r\n");
    check_kept("GET / HTTP/1.0\r\n\r\n", false, "connection: close\r\n");
    check_kept("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, "connection: keep-alive\r\n");
    check_kept("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", true, NULL);
    check_kept("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, NULL);
}

TEST("after so many requests as the settings allow the answer says close")
{
    wire w;
    open_all(&w);
    taker.settings.keepalive_requests = 2;
    for (int i = 0; i < 2; i++) {
        say(&w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        settle();
        REQUIRE(taker.side != NULL);
        CHECK(taker.side->will_close == (i == 1));
        answer(200, "");
    }
    CHECK(hears(&w, "connection: close"));
    CHECK(ends(&w));
    close_all(&w);
}

/* ---- draining ------------------------------------------------------------------------------------ */

TEST("a server that drains says close in the next answer and ends the connection")
{
    wire w;
    open_all(&w);
    say(&w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    settle();
    taker.settings.draining = true;
    answer(200, "");
    CHECK(hears(&w, "connection: close"));
    CHECK(ends(&w));
    close_all(&w);
}

TEST("a connection whose answer had begun when the server started to drain is closed when it is idle")
{
    wire w;
    open_all(&w);
    say(&w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    settle();
    send_head(200, 2, true);
    mg_side_flush(taker.side);
    taker.settings.draining = true;
    send_text("ok");
    send_end();
    let_go(true);
    CHECK_INT(taker.settings.open, 0);
    CHECK(ends(&w));
    CHECK_STR(heard(&w), MG_STR("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    close_all(&w);
}

TEST("idle connections can be closed without those that are busy")
{
    wire idle, busy;
    open_all(&busy);
    serve(wire_pair(&idle));
    say(&busy, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    settle();
    mg_h1_server_close_idle(&taker.settings);
    CHECK_INT(taker.settings.open, 1);
    CHECK(ends(&idle));
    answer(200, "");
    CHECK(hears(&busy, "200 OK"));
    hang_up(&idle);
    close_all(&busy);
}

TEST("all that carry no exchange can be closed: idle, with half a head, with a next head that waits, lingering")
{
    wire w[4];
    open_loop();
    open_taker(true);
    for (int i = 0; i < 4; i++)
        serve(wire_pair(&w[i]));
    say(&w[1], "GET / HT");
    say(&w[2], "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / ");
    say(&w[3], "\x01");
    settle();
    CHECK_INT(taker.settings.open, 4);
    mg_h1_server_close_all(&taker.settings);
    CHECK_INT(taker.settings.open, 0);
    for (int i = 0; i < 4; i++) {
        CHECK(ends(&w[i]));
        hang_up(&w[i]);
    }
    close_taker();
    close_loop();
}

/* ---- framing of answers -------------------------------------------------------------------------- */

/* The answer of `status` with that length and body to that request, as it is on the wire. */
static void check_answer(const char *request, int status, int64_t length, bool has_body, const char *body, const char *wanted)
{
    wire w;
    open_all(&w);
    say(&w, request);
    settle();
    if (CHECK_FOR(taker.side != NULL, request)) {
        send_head(status, length, has_body);
        if (body)
            send_text(body);
        send_end();
        CHECK_INT(taker.side->sent, MG_SENT_ALL);
        CHECK_INT(taker.side->queued, 0);
        let_go(true);
        CHECK_STR(heard(&w), mg_str_of(wanted));
    }
    close_all(&w);
}

#define GET11 "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET10 "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
#define HEAD11 "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"

TEST("a body of known length is told and sent plain")
{
    check_answer(GET11, 200, 2, true, "ab", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab");
    check_answer(GET11, 404, 0, true, NULL, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    check_answer(GET10, 200, 2, true, "ab", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nab");
}

TEST("a body of unknown length is chunked for 1.1 and ends with the connection for 1.0")
{
    check_answer(GET11, 200, -1, true, "ab", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    check_answer(GET11, 200, -1, true, NULL, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    check_answer(GET10, 200, -1, true, "ab", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab");
}

TEST("an answer without a body tells the length that was told, except with 204, and sends none of it")
{
    check_answer(HEAD11, 200, 7, false, "ab", "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
    check_answer(HEAD11, 200, -1, false, "ab", "HTTP/1.1 200 OK\r\n\r\n");
    check_answer(GET11, 304, 7, false, NULL, "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n");
    check_answer(GET11, 204, 7, false, "ab", "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST("a status without a reason of its own is sent, and a reason of its own is kept")
{
    wire w;
    check_answer(GET11, 299, 0, true, NULL, "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n");
    open_all(&w);
    say(&w, GET11);
    settle();
    mg_response_head head = head_of(404, 0, true);
    head.reason = MG_STR("Nix");
    taker.side->ops->send_response(taker.side, &head);
    send_end();
    let_go(true);
    CHECK_STR(heard(&w), MG_STR("HTTP/1.1 404 Nix\r\ncontent-length: 0\r\n\r\n"));
    close_all(&w);
}

TEST("trailers go behind a chunked body, and nowhere else")
{
    static const char *const requests[] = {GET11, GET10};
    static const char *const wanted[] = {"2\r\nab\r\n0\r\nx-sum: 1\r\n\r\n", "ab"};
    for (int i = 0; i < 2; i++) {
        wire w;
        open_all(&w);
        say(&w, requests[i]);
        settle();
        send_head(200, -1, true);
        send_text("ab");
        mg_fields trailers;
        mg_fields_init(&trailers, taker.side->arena, 4);
        CHECK(mg_fields_add(&trailers, MG_FIELD_OTHER, MG_STR("x-sum"), MG_STR("1")) == MG_OK);
        taker.side->ops->send_end(taker.side, &trailers);
        mg_side_flush(taker.side);
        let_go(true);
        mg_str all = heard(&w);
        CHECK_FOR(mg_str_ends(all, mg_str_of(wanted[i])), mg_test_show(all));
        close_all(&w);
    }
}

TEST("more bytes than were told are never sent, and fewer never look whole")
{
    static const char *const bodies[] = {"abc", "a"};
    for (int i = 0; i < 2; i++) {
        wire w;
        open_all(&w);
        say(&w, GET11);
        settle();
        send_head(200, 2, true);
        send_text(bodies[i]);
        send_end();
        CHECK_INT(taker.side->sent, MG_SENT_BROKEN);
        CHECK(taker.side->will_close);
        let_go(false);
        CHECK(ends(&w));
        CHECK(!mg_str_ends(heard(&w), MG_STR("\r\n\r\nab")));
        CHECK_INT(taker.settings.open, 0);
        close_all(&w);
    }
}

TEST("an answer that is cut off while it goes until the end of the connection is reset, not ended")
{
    for (int i = 0; i < 3; i++) {
        wire w;
        open_loop();
        open_taker(false);
        int near = wire_tcp(&w);
        narrow(near);
        narrow(w.fd);
        serve(near);
        say(&w, "GET / HTTP/1.0\r\n\r\n");
        settle();
        REQUIRE(taker.side != NULL);
        send_head(200, -1, true);
        send_text("part");
        mg_side_flush(taker.side);
        CHECK(hears(&w, "part"));
        if (i) { /* … or its end waits to be written; or writing it has taken too long */
            mg_chain body = {0};
            for (int n = 0; n < 100000; n++)
                mg_chain_add_static(&body, MG_STR("0123456789"));
            taker.side->ops->send_body(taker.side, &body, body.n);
            send_end();
            CHECK(taker.side->queued);
            if (i == 2)
                mg_h1_break_out(MG_H1_OF_SIDE(taker.side), MG_BROKE_LATE);
        }
        let_go(false);
        CHECK(ends(&w));
        CHECK(w.broken);
        close_taker();
        hang_up(&w);
        close_loop();
    }
}

TEST("interim answers are no answers: as many as come go before the final one")
{
    wire w;
    open_all(&w);
    say(&w, GET11);
    settle();
    for (int i = 0; i < 3; i++) {
        send_head(103, -1, false);
        mg_side_flush(taker.side);
        CHECK_INT(taker.side->sent, MG_SENT_NOTHING);
    }
    answer(200, "ok");
    CHECK_STR(heard(&w), MG_STR("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
                                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    close_all(&w);
}

/* ---- 100-continue -------------------------------------------------------------------------------- */

#define EXPECTS "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"

TEST("100 Continue is sent once, when it is asked for and the client awaits it")
{
    wire w;
    open_all(&w);
    say(&w, EXPECTS);
    settle();
    CHECK_STR(heard(&w), MG_STR(""));
    mg_h1_server_continue(taker.side);
    mg_h1_server_continue(taker.side);
    CHECK_STR(heard(&w), MG_STR("HTTP/1.1 100 Continue\r\n\r\n"));
    say(&w, "ab");
    settle();
    CHECK_STR(take_body(), MG_STR("ab"));
    forget(&w);
    answer(200, "");
    CHECK_STR(heard(&w), MG_STR("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    say(&w, GET11);
    settle();
    CHECK_INT(taker.requests, 2);
    forget(&w);
    mg_h1_server_continue(taker.side);
    CHECK_STR(heard(&w), MG_STR(""));
    answer(200, "");
    close_all(&w);
}

TEST("100 Continue is not sent to a client that has begun its body already")
{
    wire w;
    open_all(&w);
    say(&w, EXPECTS "a");
    settle();
    mg_h1_server_continue(taker.side);
    CHECK_STR(heard(&w), MG_STR(""));
    close_all(&w);
}

TEST("a client that sends its body without waiting for 100 Continue is kept once all of it has come")
{
    wire w;
    open_all(&w);
    say(&w, EXPECTS "ab");
    settle();
    CHECK_STR(take_body(), MG_STR("ab"));
    answer(200, "");
    CHECK_STR(heard(&w), MG_STR("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    CHECK_INT(taker.settings.open, 1);
    close_all(&w);
}

TEST("a final answer to a client that awaits 100 Continue ends the connection, since its body may come or not")
{
    wire w;
    open_all(&w);
    say(&w, EXPECTS);
    settle();
    answer(417, "");
    CHECK(ends(&w));
    CHECK(strstr(w.got, "connection: close") != NULL);
    CHECK_INT(taker.settings.open, 1); /* it lingers */
    hang_up(&w);
    CHECK(run_until(is_closed, NULL));
    close_all(&w);
}

/* ---- limits of heads ----------------------------------------------------------------------------- */

static void check_size(size_t field, int status)
{
    wire w;
    open_loop();
    open_taker(true);
    serve(wire_pair(&w));
    say(&w, "GET / HTTP/1.1\r\nHost: h\r\nX-Long: ");
    char *text = mg_alloc(field);
    memset(text, 'x', field);
    CHECK(say_bytes(&w, (mg_str){text, field}) || field > 300 * 1024);
    mg_free(text);
    (void)say(&w, "\r\n\r\n");
    CHECK(hears(&w, status == 200 ? "GET / -1 []" : "HTTP/1.1 431 "));
    CHECK_INT(taker.refusals, status != 200);
    if (status != 200)
        CHECK_INT(taker.status, status);
    hang_up(&w);
    CHECK(run_until(is_closed, NULL));
    close_taker();
    close_loop();
}

TEST("a head of 12 KB is normal, one of 30 KB is taken, one of more than the limit is answered 431")
{
    check_size(12 * 1024, 200);
    check_size(30 * 1024, 200);
    check_size(33 * 1024, 431);
    check_size(400 * 1024, 431);
}

static void check_refused(const char *request, int status)
{
    wire w;
    open_all(&w);
    say(&w, request);
    settle();
    CHECK_FOR(taker.side == NULL, request);
    CHECK_INT(taker.status, status);
    CHECK_FOR(has_ended(&w), request);
    CHECK_FOR(strstr(w.got, "connection: close") != NULL, request);
    close_all(&w);
}

TEST("a head that is refused is answered with its status, and the connection ends")
{
    check_refused("GET / HTTP/1.1\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\nHost: h\n\n", 400);
    check_refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505);
    check_refused("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501);
    check_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    check_refused("\x16\x03\x01", 400);
    check_refused("\r\n\r\n\r\n", 400);
    check_refused("\r\r", 400);
    check_refused("\n", 400);
}

TEST("a head that needs more memory than an exchange may have is answered 431")
{
    wire w;
    open_all(&w);
    taker.settings.arena_most = 8192;
    char head[8192];
    size_t n = (size_t)snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 120; i++) /* fields take more room in memory than on the wire */
        n += (size_t)snprintf(head + n, sizeof head - n, "A: 1\r\n");
    (void)snprintf(head + n, sizeof head - n, "\r\n");
    say(&w, head);
    settle();
    CHECK_INT(taker.status, 431);
    close_all(&w);
}

/* ---- times --------------------------------------------------------------------------------------- */

TEST("a head that does not come in time is answered 408, however busily it comes")
{
    wire w;
    open_all(&w);
    taker.settings.header_ms = 40;
    say(&w, "G");
    for (int i = 0; i < 1000 && !taker.refusals; i++) {
        (void)say(&w, i ? "x" : "ET /");
        turns(1);
        usleep(500);
    }
    CHECK_INT(taker.status, 408);
    CHECK(ends(&w));
    CHECK(strstr(w.got, "HTTP/1.1 408 ") == w.got);
    close_all(&w);
}

TEST("a client that says nothing, or only blank lines, is closed in time without a word")
{
    static const char *const texts[] = {"", "\r", "\r\n", "\r\n\r\n"};
    for (size_t i = 0; i < MG_COUNT(texts); i++) {
        wire w;
        open_loop();
        open_taker(false);
        taker.settings.header_ms = 20;
        serve(wire_pair(&w));
        say(&w, texts[i]);
        CHECK(ends(&w));
        CHECK_INT(w.n, 0);
        CHECK_INT(taker.refusals, 0);
        close_all(&w);
    }
}

TEST("an idle connection has its own patience, and blank lines behind a body do not make it a head")
{
    wire w;
    open_loop();
    open_taker(false);
    taker.settings.header_ms = 10;
    taker.settings.idle_ms = 10000;
    serve(wire_pair(&w));
    say(&w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na\r\n");
    settle();
    (void)take_body();
    answer(200, "");
    int64_t began = mg_clock_ms();
    while (mg_clock_ms() < began + 30)
        turns(1);
    CHECK_INT(taker.settings.open, 1);
    forget(&w);
    say(&w, GET11);
    settle();
    REQUIRE(taker.side != NULL);
    CHECK_INT(taker.requests, 2);
    answer(200, "");
    CHECK(hears(&w, "200 OK"));
    close_all(&w);
}

TEST("an idle connection is closed when its patience ends")
{
    wire w;
    open_loop();
    open_taker(true);
    taker.settings.idle_ms = 20;
    serve(wire_pair(&w));
    say(&w, GET11);
    CHECK(hears(&w, "GET / -1 []"));
    CHECK(ends(&w));
    CHECK_INT(taker.settings.open, 0);
    close_all(&w);
}

/* ---- ends ---------------------------------------------------------------------------------------- */

TEST("a client that ends its direction gets the answers to all it has asked, then the connection closes")
{
    wire w;
    open_loop();
    open_taker(true);
    serve(wire_pair(&w));
    say(&w, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    end_saying(&w);
    CHECK(ends(&w));
    CHECK_INT(taker.requests, 2);
    CHECK(mg_str_ends((mg_str){w.got, w.n}, MG_STR("GET /2 -1 []")));
    CHECK_INT(taker.settings.open, 0);
    close_all(&w);
}

TEST("a client that goes away in the middle of a head is closed without a word")
{
    wire w;
    open_all(&w);
    say(&w, "GET / HTTP/1.1\r\nHo");
    end_saying(&w);
    CHECK(ends(&w));
    CHECK_INT(w.n, 0);
    CHECK_INT(taker.requests + taker.refusals, 0);
    CHECK_INT(taker.settings.open, 0);
    close_all(&w);
}

static void check_broken(const char *request, mg_broke how, bool by_reset)
{
    wire w;
    open_loop();
    open_taker(false);
    serve(wire_tcp(&w));
    say(&w, request);
    settle();
    if (by_reset)
        reset(&w);
    else
        end_saying(&w);
    settle();
    if (CHECK_FOR(taker.side != NULL, request)) {
        CHECK_INT(taker.side->got, MG_GOT_BROKEN);
        CHECK_INT(taker.side->broke, how);
        CHECK(taker.side->why && taker.changes);
        let_go(false);
    }
    CHECK_INT(taker.settings.open, 0);
    close_all(&w);
}

TEST("a body that ends before its length is broken, by an end or by a reset")
{
    check_broken("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", MG_BROKE_CLOSED, false);
    check_broken("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", MG_BROKE_CLOSED, false);
    check_broken("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n", MG_BROKE_CLOSED, false);
    check_broken("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", MG_BROKE_RESET, true);
}

TEST("a reset while the answer is awaited breaks sending, and nothing more can be sent")
{
    wire w;
    open_loop();
    open_taker(false);
    serve(wire_tcp(&w));
    say(&w, GET11);
    settle();
    reset(&w);
    settle();
    REQUIRE(taker.side != NULL);
    CHECK_INT(taker.side->sent, MG_SENT_BROKEN);
    CHECK_INT(taker.side->got, MG_GOT_ALL);
    send_head(200, 2, true);
    send_text("ok");
    send_end();
    CHECK_INT(taker.side->sent, MG_SENT_BROKEN);
    CHECK_INT(taker.side->queued, 0);
    let_go(false);
    CHECK_INT(taker.settings.open, 0);
    close_all(&w);
}

TEST("a chunked body that is not well made breaks with its reason, and the answer to it says close")
{
    wire w;
    open_all(&w);
    say(&w, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nZ\r\n");
    settle();
    CHECK_INT(taker.side->got, MG_GOT_BROKEN);
    CHECK_INT(taker.side->broke, MG_BROKE_SYNTAX);
    CHECK_STR(take_body(), MG_STR("ab"));
    answer(400, "no");
    CHECK(ends(&w));
    CHECK(strstr(w.got, "connection: close") != NULL);
    close_all(&w);
}

/* ---- lingering ----------------------------------------------------------------------------------- */

TEST("an early answer to an upload can be read though the client goes on sending")
{
    wire w;
    open_loop();
    open_taker(false);
    serve(wire_tcp(&w));
    say(&w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    settle();
    answer(413, "too large");
    static char piece[1000];
    for (int i = 0; i < 100; i++)
        CHECK(say_bytes(&w, (mg_str){piece, sizeof piece}));
    CHECK(ends(&w));
    CHECK(!w.broken && mg_str_ends((mg_str){w.got, w.n}, MG_STR("too large")));
    CHECK_INT(taker.settings.open, 1);
    end_saying(&w);
    CHECK(run_until(is_closed, NULL));
    close_all(&w);
}

TEST("lingering ends after a bounded time and after a bounded number of bytes")
{
    for (int i = 0; i < 2; i++) {
        wire w;
        open_loop();
        open_taker(false);
        taker.settings.linger_ms = i ? 60000 : 20;
        serve(wire_tcp(&w));
        say(&w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
        settle();
        answer(413, "too large");
        static char piece[65536];
        for (int n = 0; i && n < 1000 && taker.settings.open; n++) {
            (void)send(w.fd, piece, sizeof piece, MSG_NOSIGNAL);
            turns(1);
        }
        CHECK(run_until(is_closed, NULL));
        close_all(&w);
    }
}

TEST("a lingering connection goes on reading however much it had read before")
{
    wire w;
    open_loop();
    open_taker(false);
    serve(wire_pair(&w));
    say(&w, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    settle();
    static char piece[65536];
    CHECK(send(w.fd, piece, sizeof piece, MSG_NOSIGNAL) > 40000); /* more than is read ahead of an answer */
    settle();
    answer(200, "ok");
    CHECK(ends(&w));
    end_saying(&w);
    CHECK(run_until(is_closed, NULL));
    close_all(&w);
}

/* ---- tunnels, letting go ------------------------------------------------------------------------- */

#define UPGRADES "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"

TEST("after 101 bytes pass raw both ways, also those that came together with the request")
{
    wire w;
    open_all(&w);
    say(&w, UPGRADES "early");
    settle();
    CHECK(mg_h1_server_request(taker.side)->wants_upgrade);
    send_head(101, -1, false);
    taker.side->ops->become_tunnel(taker.side);
    mg_side_flush(taker.side);
    CHECK_STR(take_body(), MG_STR("early"));
    say(&w, " late");
    settle();
    CHECK_STR(take_body(), MG_STR(" late"));
    send_text("back");
    mg_side_flush(taker.side);
    CHECK_STR(heard(&w), MG_STR("HTTP/1.1 101 Switching Protocols\r\n\r\nback"));
    end_saying(&w);
    settle();
    CHECK_INT(taker.side->got, MG_GOT_ALL);
    send_text("!");
    mg_side_flush(taker.side);
    send_end();
    CHECK(ends(&w));
    CHECK(mg_str_ends((mg_str){w.got, w.n}, MG_STR("back!")));
    let_go(false);
    CHECK_INT(taker.settings.open, 0);
    close_all(&w);
}

TEST("an aborted side resets its connection, whatever it was at")
{
    for (int i = 0; i < 4; i++) {
        wire w;
        open_loop();
        open_taker(false);
        serve(wire_tcp(&w));
        say(&w, i == 3 ? UPGRADES "early" : "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc");
        settle();
        REQUIRE(taker.side != NULL);
        if (i == 1 || i == 2)
            send_head(200, 2, true);
        if (i == 2)
            mg_side_flush(taker.side);
        if (i == 3) {
            send_head(101, -1, false);
            taker.side->ops->become_tunnel(taker.side);
        }
        mg_side *s = taker.side;
        taker.side = NULL;
        s->ops->abort(s);
        CHECK_INT(taker.settings.open, 0);
        CHECK(ends(&w));
        CHECK(w.broken);
        close_all(&w);
    }
}

TEST("a side can be let go in any state without anything being left of it")
{
    for (int i = 0; i < 12; i++) {
        wire w;
        open_all(&w);
        say(&w, i % 2 ? "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" : GET11 GET11);
        settle();
        REQUIRE(taker.side != NULL);
        if (i / 2 >= 1)
            send_head(200, i / 2 == 1 ? 2 : -1, true);
        if (i / 2 >= 2)
            send_text("part");
        if (i / 2 >= 3)
            mg_side_flush(taker.side);
        if (i / 2 == 4)
            send_end();
        if (i / 2 == 5)
            mg_h1_break_out(MG_H1_OF_SIDE(taker.side), MG_BROKE_LATE);
        let_go(false);
        if (taker.side)
            let_go(false);
        close_all(&w);
    }
}

TEST("an exchange that outlives its connection keeps the arena, with all that lay in it")
{
    wire w;
    open_all(&w);
    say(&w, "GET /kept HTTP/1.1\r\nHost: h\r\n\r\n");
    settle();
    REQUIRE(taker.side != NULL);
    mg_arena kept;
    mg_fields *fields = &mg_h1_server_request_mut(taker.side)->fields;
    mg_block *head = mg_block_hold(taker.side->head);
    taker.side->ops->take_arena(taker.side, &kept);
    CHECK(mg_h1_server_request(taker.side) == NULL);
    answer(200, "");
    say(&w, "GET /next HTTP/1.1\r\nHost: other\r\n\r\n");
    settle();
    CHECK_INT(taker.requests, 2);
    CHECK_STR(mg_fields_value(fields, MG_FIELD_HOST), MG_STR("h"));
    CHECK_STR(mg_h1_server_request(taker.side)->authority, MG_STR("other"));
    mg_block_drop(head);
    mg_arena_fini(&kept);
    answer(200, "");
    close_all(&w);
}

TEST("an idle connection holds no block")
{
    wire w;
    open_loop();
    open_taker(true);
    serve(wire_pair(&w));
    say(&w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(hears(&w, "[abc]"));
    settle();
    CHECK_INT(mg_block_count(), wire_loop.blocks);
    close_all(&w);
}
