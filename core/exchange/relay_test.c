#include "exchange/world_test.h"

/* ---- bodies up ----------------------------------------------------------------------------------- */

TEST("a body goes on to the origin as it comes, in the framing it came in, with its trailers")
{
    static const char *const sent[] = {"Content-Length: 6\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};
    static const char *const rest[] = {"def", "3\r\ndef\r\n0\r\nX-Sum: 1\r\n\r\n"};
    static const char *const wanted[] = {"content-length: 6\r\n\r\nabcdef", "3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 1\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        wire c, o;
        open_world();
        route("/a");
        connect_client(&c);
        say(&c, "POST /a HTTP/1.1\r\nHost: h\r\n");
        say(&c, sent[i]);
        CHECK(accept_origin(&o));
        CHECK(hears(&o, "abc"));
        say(&c, rest[i]);
        CHECK(hears(&o, wanted[i]));
        say(&o, ANSWER(2, "ok"));
        CHECK(hears(&c, "\r\n\r\nok"));
        CHECK(ended(1));
        CHECK_END(0, DONE, 200);
        CHECK_INT(world.ends[0].up, 6);
        CHECK_INT(world.ends[0].down, 2);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("an upload to an origin that does not read stops its client, within bounded memory")
{
    wire c, o;
    open_world();
    route("/a");
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(accept_origin(&o));
    narrow(o.fd);
    static char chunk[65536 + 9] = "10000\r\n";
    memcpy(chunk + sizeof chunk - 2, "\r\n", 2);
    size_t sent = 0;
    for (int idle = 0; idle < 20;) {
        ssize_t n = send(c.fd, chunk + sent % sizeof chunk, sizeof chunk - sent % sizeof chunk, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        turns(2);
    }
    CHECK(sent < 20000000);
    CHECK((mg_block_count() - wire_loop.blocks) * MG_BLOCK_SIZE < 1000000);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("an answer that begins before the upload ends loses nothing of either")
{
    wire c, o;
    open_world();
    route("/a");
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    CHECK(accept_origin(&o));
    CHECK(hears(&o, "one"));
    say(&o, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nuno\r\n");
    CHECK(hears(&c, "uno"));
    say(&c, "3\r\ntwo\r\n");
    CHECK(hears(&o, "two"));
    say(&o, "3\r\ndos\r\n0\r\n\r\n");
    CHECK(hears(&c, "dos\r\n0\r\n\r\n"));
    say(&c, "5\r\nthree\r\n0\r\n\r\n");
    CHECK(hears(&o, "three\r\n0\r\n\r\n"));
    CHECK(ended(1));
    CHECK_END(0, DONE, 200);
    CHECK_INT(mg_pool_idle(mg_world.pool), 1);
    CHECK_INT(world.settings.open, 1);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("an early answer of an origin that then closes reaches the client while it uploads")
{
    wire c, o;
    open_world();
    route("/a");
    connect_client_tcp(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n");
    CHECK(accept_origin(&o));
    static char piece[65536];
    for (int i = 0; i < 20; i++) {
        (void)send(c.fd, piece, sizeof piece, MSG_NOSIGNAL);
        turns(2);
    }
    say(&o, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    (void)close(o.fd); /* unread bytes: a reset follows */
    o.fd = -1;
    for (int i = 0; i < 200 && !has_ended(&c); i++) {
        (void)send(c.fd, piece, sizeof piece, MSG_NOSIGNAL);
        settle();
    }
    CHECK(hears(&c, "\r\n\r\nbig"));
    CHECK(strstr(c.got, "HTTP/1.1 413 ") == c.got);
    CHECK(ended(1));
    CHECK_END(0, DONE, 413);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("a body over the route's limit is answered 413, told or counted, and never reaches the origin whole")
{
    for (int i = 0; i < 2; i++) {
        wire c, o = {.fd = -1};
        open_world();
        route("/a")->body_limit = 5;
        connect_client(&c);
        say(&c, i ? "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n"
                  : "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n");
        if (i) {
            CHECK(accept_origin(&o));
            CHECK(hears(&o, "abcd"));
            say(&c, "2\r\nef\r\n0\r\n\r\n");
        }
        CHECK(hears(&c, "413 Content Too Large\n"));
        CHECK(ended(1));
        CHECK_END(0, LIMIT, 413);
        if (i) {
            CHECK(ends(&o));
            CHECK(!strstr(o.got, "ef"));
        }
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("a client's broken framing is answered 400, whatever the origin or a hook is at")
{
    static const mg_phase phases[] = {MG_PHASE_COUNT, MG_PHASE_ACCESS, MG_PHASE_UPSTREAM_REQUEST,
                                      MG_PHASE_UPSTREAM_RESPONSE, MG_PHASE_RESPONSE};
    for (size_t i = 0; i < MG_COUNT(phases); i++) {
        wire c, o = {.fd = -1};
        open_world();
        mg_route *r = route("/a");
        if (phases[i] < MG_PHASE_COUNT)
            hook(r, phases[i], wait_on);
        connect_client(&c);
        say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        if (phases[i] != MG_PHASE_ACCESS)
            CHECK(accept_origin(&o));
        if (phases[i] == MG_PHASE_UPSTREAM_RESPONSE || phases[i] == MG_PHASE_RESPONSE)
            say(&o, ANSWER(2, "ok"));
        settle();
        say(&c, "xyz\r\n");
        CHECK_FOR(hears(&c, "400 Bad Request\n"), phases[i] < MG_PHASE_COUNT ? mg_phase_name(phases[i]) : "no hook");
        CHECK(strstr(c.got, "connection: close\r\n") && strstr(c.got, "error=http_request_error"));
        CHECK(ended(1));
        CHECK_END(0, CLIENT_BAD, 400);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("a client that goes away in the middle of its body takes the request to the origin with it")
{
    wire c, o;
    open_world();
    route("/a");
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    CHECK(accept_origin(&o));
    CHECK(hears(&o, "abc"));
    hang_up(&c);
    CHECK(ends(&o));
    CHECK(ended(1));
    CHECK_END(0, CLIENT_GONE, 0);
    CHECK_INT(mg_pool_idle(mg_world.pool), 0);
    hang_up(&o);
    close_world();
}

/* ---- whole bodies -------------------------------------------------------------------------------- */

static uint64_t most;
static mg_rc held_rc;
static char held[64];

static mg_hook_result holds_body(mg_exchange *x)
{
    held_rc = mg_exchange_hold_body(x, most);
    if (held_rc == MG_AGAIN)
        return MG_HOOK_WAIT;
    memset(held, 0, sizeof held);
    (void)mg_chain_copy_out(&x->held, held, sizeof held - 1);
    return MG_HOOK_DONE;
}

#define CHUNKED(path) "POST " path " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

TEST("a body that a hook has had collected still goes on to the origin, whole and once")
{
    static const char *const tails[] = {"", "3\r\nghi\r\n"};
    for (int i = 0; i < 2; i++) {
        wire c, o;
        open_world();
        hook(route("/a"), MG_PHASE_ACCESS, holds_body);
        most = i ? 5 : 1000; /* over the limit, what was collected is sent on as well */
        connect_client(&c);
        say(&c, CHUNKED("/a") "3\r\nabc\r\n");
        settle();
        CHECK_INT(held_rc, MG_AGAIN);
        say(&c, "3\r\ndef\r\n");
        settle();
        CHECK_INT(held_rc, i ? MG_LIMIT : MG_AGAIN);
        say(&c, tails[i]);
        say(&c, "0\r\nX-T: 1\r\n\r\n");
        CHECK(accept_origin(&o));
        CHECK(hears(&o, "0\r\nX-T: 1\r\n\r\n"));
        CHECK(strstr(o.got, i ? "abcdef" : "6\r\nabcdef\r\n0\r\n") != NULL);
        CHECK(!i || strstr(o.got, "ghi"));
        CHECK_STR(mg_str_of(held), MG_STR("abcdef"));
        say(&o, ANSWER(2, "ok"));
        CHECK(ended(1));
        CHECK_END(0, DONE, 200);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("a body whose told length is over the hook's limit is refused before it comes")
{
    wire c, o;
    open_world();
    hook(route("/a"), MG_PHASE_ACCESS, holds_body);
    most = 5;
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n");
    CHECK(accept_origin(&o));
    CHECK_INT(held_rc, MG_LIMIT);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("a collected body is sent again when another server is tried")
{
    wire c, first, second;
    char name[MG_ADDR_ROOM];
    mg_err err;
    open_world();
    mg_route *r = route("/a");
    hook(r, MG_PHASE_ACCESS, holds_body);
    most = 1000;
    int listener = world.listener;
    listen_for_origins(name, sizeof name);
    CHECK(mg_upstream_add(world.upstream, mg_str_of(name), 1, false, &err) == MG_OK);
    connect_client(&c);
    say(&c, "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabcdef");
    int other = world.listener;
    for (int i = 0; i < 100 && !has_knocked(&first); i++) { /* either may be the first */
        world.listener = world.listener == listener ? other : listener;
        turns(1);
    }
    CHECK(hears(&first, "\r\n\r\nabcdef"));
    (void)close(first.fd);
    first.fd = -1;
    world.listener = world.listener == listener ? other : listener;
    CHECK(accept_origin(&second));
    CHECK(hears(&second, "\r\n\r\nabcdef"));
    say(&second, ANSWER(2, "ok"));
    CHECK(hears(&c, "\r\n\r\nok"));
    CHECK(ended(1));
    CHECK_END(0, DONE, 200);
    CHECK_INT(world.ends[0].tries, 2);
    hang_up(&c);
    hang_up(&first);
    hang_up(&second);
    mg_socket_close(world.listener);
    world.listener = world.listener == listener ? other : listener;
    close_world();
}

TEST("a client that goes away while its body is collected leaves nothing that a log hook could trip over")
{
    for (int reset_it = 0; reset_it < 2; reset_it++) {
        wire c;
        open_world();
        mg_route *r = route("/a");
        hook(r, MG_PHASE_ACCESS, holds_body);
        hook(r, MG_PHASE_LOG, wait_on);
        most = 1000;
        connect_client_tcp(&c);
        say(&c, CHUNKED("/a") "3\r\nabc\r\n");
        settle();
        CHECK_INT(held_rc, MG_AGAIN);
        if (reset_it)
            reset(&c);
        else
            end_saying(&c);
        settle();
        CHECK_INT(world.runs[MG_PHASE_LOG], 1);
        mg_exchange_wake(world.x);
        settle();
        world.on[MG_PHASE_LOG] = NULL;
        mg_exchange_wake(world.x);
        CHECK(ended(1));
        CHECK_INT(world.ends[0].end, MG_END_CLIENT_GONE);
        hang_up(&c);
        close_world();
    }
}

TEST("a body that comes too slowly for the hook that awaits it is answered 408")
{
    wire c;
    open_world();
    mg_route *r = route("/a");
    hook(r, MG_PHASE_ACCESS, holds_body);
    r->timeouts.client_body = 20;
    most = 1000;
    connect_client(&c);
    say(&c, CHUNKED("/a") "3\r\nabc\r\n");
    CHECK(hears(&c, "408 Request Timeout\n"));
    CHECK(ended(1));
    CHECK_END(0, CLIENT_LATE, 408);
    CHECK_INT(world.hook_ends, 1);
    hang_up(&c);
    close_world();
}

TEST("a client that awaits 100 Continue gets it when a hook wants the body, and the origin is not asked again")
{
    wire c, o;
    open_world();
    hook(route("/a"), MG_PHASE_ACCESS, holds_body);
    most = 1000;
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(hears(&c, "HTTP/1.1 100 Continue\r\n\r\n"));
    say(&c, "abc");
    CHECK(accept_origin(&o));
    CHECK(hears(&o, "\r\n\r\nabc"));
    CHECK(!strstr(o.got, "xpect"));
    say(&o, "HTTP/1.1 100 Continue\r\n\r\n" ANSWER(2, "ok"));
    CHECK(hears(&c, "\r\n\r\nok"));
    CHECK(!strstr(c.got + 5, "HTTP/1.1 100"));
    hang_up(&c);
    hang_up(&o);
    close_world();
}

/* ---- answers of our own -------------------------------------------------------------------------- */

static int pieces, piece_size;

static mg_hook_result begins_stream(mg_exchange *x)
{
    mg_exchange_answer(x, 200);
    mg_exchange_answer_pull(x);
    return MG_HOOK_ANSWER;
}

static mg_hook_result gives_piece(mg_exchange *x)
{
    static char bytes[100000];
    if (!pieces)
        return MG_HOOK_DONE;
    pieces--;
    memset(bytes, 'a' + pieces % 26, sizeof bytes);
    mg_exchange_answer_body(x, (mg_str){bytes, (size_t)piece_size});
    return MG_HOOK_ANSWER;
}

TEST("a body that a script gives piece by piece is sent in chunks, to the last piece")
{
    wire c;
    open_world();
    hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, begins_stream);
    world.pull = gives_piece;
    pieces = 3;
    piece_size = 2;
    connect_client(&c);
    say(&c, GET("/a"));
    CHECK(hears(&c, "2\r\ncc\r\n2\r\nbb\r\n2\r\naa\r\n0\r\n\r\n"));
    CHECK(ended(1));
    CHECK_END(0, DONE, 200);
    CHECK_INT(world.ends[0].down, 6);
    hang_up(&c);
    close_world();
}

TEST("a script is asked for no more than its client takes")
{
    wire c;
    open_world();
    hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, begins_stream);
    world.pull = gives_piece;
    pieces = 200;
    piece_size = 20000;
    int near = wire_pair(&c);
    narrow(near);
    (void)take_client(near);
    say(&c, GET("/a"));
    settle();
    turns(20);
    CHECK(world.pulls > 0 && world.pulls < 20);
    CHECK((mg_block_count() - wire_loop.blocks) * MG_BLOCK_SIZE < 400000);
    CHECK(hears(&c, "\r\n0\r\n\r\n"));
    CHECK_INT(world.pulls, 201);
    CHECK(ended(1));
    CHECK_INT(world.ends[0].down, 4000000);
    hang_up(&c);
    close_world();
}

static mg_hook_result waits_then_gives(mg_exchange *x)
{
    world.x = x;
    if (world.pulls % 2)
        return MG_HOOK_WAIT;
    return gives_piece(x);
}

TEST("a script may wait between pieces, each time as long as a hook may wait")
{
    wire c;
    open_world();
    mg_route *r = route_to("/a", MG_ACTION_HANDLER);
    hook(r, MG_PHASE_HANDLER, begins_stream);
    r->timeouts.script = 60;
    world.pull = waits_then_gives;
    pieces = 6;
    piece_size = 1;
    connect_client(&c);
    say(&c, GET("/a"));
    settle();
    for (int64_t next = mg_clock_ms() + 20; !world.end_count && world.x;) {
        turns(1);
        if (mg_clock_ms() >= next) {
            mg_exchange_wake(world.x);
            next += 20;
        }
    }
    CHECK_END(0, DONE, 200);
    CHECK(mg_str_ends(heard(&c), MG_STR("1\r\na\r\n0\r\n\r\n")));
    hang_up(&c);
    close_world();
}

TEST("a script that waits too long between pieces, or fails, cuts the answer off: it does not look whole")
{
    for (int i = 0; i < 2; i++) {
        wire c;
        open_world();
        mg_route *r = route_to("/a", MG_ACTION_HANDLER);
        hook(r, MG_PHASE_HANDLER, begins_stream);
        r->timeouts.script = 20;
        world.pull = i ? fails : waits_then_gives;
        pieces = 5;
        piece_size = 1;
        connect_client(&c);
        say(&c, GET("/a"));
        CHECK(ends(&c));
        CHECK(ended(1));
        if (i)
            CHECK_END(0, SCRIPT, 200);
        else
            CHECK_END(0, SCRIPT_LATE, 200);
        CHECK(!mg_str_ends(heard(&c), MG_STR("0\r\n\r\n")));
        hang_up(&c);
        close_world();
    }
}

static mg_hook_result tells_length(mg_exchange *x)
{
    mg_exchange_answer(x, 200);
    CHECK(mg_exchange_answer_field(x, MG_STR("Content-Length"), MG_STR("10")) == MG_OK);
    mg_exchange_answer_pull(x);
    return MG_HOOK_ANSWER;
}

TEST("a script that tells a length is held to it")
{
    static const int sizes[] = {5, 3, 6};
    for (int i = 0; i < 3; i++) {
        wire c;
        open_world();
        hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, tells_length);
        world.pull = gives_piece;
        pieces = 2;
        piece_size = sizes[i];
        connect_client(&c);
        say(&c, GET("/a"));
        CHECK(ended(1));
        mg_str all = heard(&c);
        CHECK(mg_str_ends(all, MG_STR("bbbbbaaaaa")) == (i == 0));
        CHECK(c.ended == (i != 0));
        hang_up(&c);
        close_world();
    }
}

/* ---- answers from origins ------------------------------------------------------------------------ */

TEST("an answer that its origin cuts off is never passed on as whole")
{
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};
    for (size_t i = 0; i < 2 * MG_COUNT(answers); i++) {
        wire c, o;
        open_world();
        route("/a");
        connect_client_tcp(&c);
        say(&c, i % 2 ? "GET /a HTTP/1.0\r\nHost: h\r\n\r\n" : GET("/a"));
        CHECK(accept_origin(&o));
        say(&o, answers[i / 2]);
        CHECK(hears(&c, "abc"));
        if (i / 2 == 2)
            say(&o, "xx");
        end_saying(&o);
        CHECK(ends(&c));
        CHECK(ended(1));
        if (i / 2 == 2)
            CHECK_END(0, ORIGIN_BAD, 200);
        else
            CHECK_END(0, ORIGIN_TRUNCATED, 200);
        bool told = i / 2 == 0;
        CHECK(c.broken || told || (i % 2 == 0 && !mg_str_ends(heard(&c), MG_STR("0\r\n\r\n"))));
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("interim answers of an origin wait when the client does not read, within bounded memory")
{
    wire c, o;
    open_world();
    route("/a");
    int near = wire_pair(&c);
    narrow(near);
    (void)take_client(near);
    say(&c, GET("/a"));
    CHECK(accept_origin(&o));
    static char hints[100 * 1024 + 1];
    for (size_t n = 0; n + 128 < sizeof hints;)
        n += (size_t)snprintf(hints + n, sizeof hints - n, "HTTP/1.1 103 Early Hints\r\nLink: </%050zu>\r\n\r\n", n);
    size_t sent = 0, size = strlen(hints);
    for (int idle = 0; idle < 20 && sent < 100 * size;) {
        ssize_t n = send(o.fd, hints + sent % size, size - sent % size, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        turns(2);
    }
    CHECK((mg_block_count() - wire_loop.blocks) * MG_BLOCK_SIZE < 400000);
    while (sent % size) { /* to the end of a head, while the client reads */
        ssize_t n = send(o.fd, hints + sent % size, size - sent % size, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        (void)heard(&c);
    }
    CHECK(run_until(has_come, &(struct wire_wish){&c, MG_STR("Link: </")}));
    for (int i = 0; i < 1000 && !say(&o, ANSWER(2, "ok")); i++)
        (void)heard(&c);
    CHECK(hears(&c, "\r\n\r\nok"));
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("a download that is spliced arrives byte for byte, and its connections live on")
{
    enum { SIZE = 3000000 };
    wire c, o;
    open_world();
    route("/a");
    connect_client_tcp(&c);
    say(&c, GET("/a"));
    CHECK(accept_origin(&o));
    static char body[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)(i * 2654435761u >> 13);
    char head[128];
    (void)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    say(&o, head);
    for (size_t sent = 0; sent < SIZE;) {
        ssize_t n = send(o.fd, body + sent, SIZE - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        listen_to(&c);
        turns(1);
    }
    for (int i = 0; i < 10000 && world.end_count == 0; i++)
        (void)heard(&c);
    CHECK_END(0, DONE, 200);
    CHECK(c.n > SIZE && memcmp(c.got + c.n - SIZE, body, SIZE) == 0);
    CHECK_INT(world.ends[0].down, SIZE);
    CHECK_INT(mg_pool_idle(mg_world.pool), 1);
    CHECK_INT(world.settings.open, 1);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

/* ---- tunnels ------------------------------------------------------------------------------------- */

#define UPGRADE(path) "GET " path " HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
#define SWITCHED "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"

static void open_tunnel(wire *c, wire *o, int64_t patience)
{
    static mg_str protocol = {"chat", 4};
    open_world();
    mg_route *r = route("/a");
    r->upgrades = &protocol;
    r->upgrade_count = 1;
    r->timeouts.tunnel = patience;
    connect_client(c);
    say(c, UPGRADE("/a") "early");
    CHECK(accept_origin(o));
    CHECK(hears(o, "upgrade: chat\r\n"));
    CHECK(!strstr(o->got, "early"));
    say(o, SWITCHED "first");
    CHECK(hears(c, "first"));
    CHECK(strstr(c->got, "HTTP/1.1 101 Switching Protocols\r\n") == c->got);
    CHECK(hears(o, "early"));
}

TEST("a tunnel carries bytes both ways, those before the switch was known included, and ends direction by direction")
{
    wire c, o;
    open_tunnel(&c, &o, 60000);
    say(&c, "ping");
    CHECK(hears(&o, "earlyping"));
    say(&o, "pong");
    CHECK(hears(&c, "firstpong"));
    end_saying(&c);
    CHECK(ends(&o));
    say(&o, "bye");
    CHECK(hears(&c, "pongbye"));
    CHECK_INT(world.end_count, 0);
    hang_up(&o);
    CHECK(ends(&c));
    CHECK(ended(1));
    CHECK_END(0, DONE, 101);
    hang_up(&c);
    close_world();
}

TEST("a tunnel in which nothing moves for so long is closed")
{
    wire c, o;
    open_tunnel(&c, &o, 40);
    for (int64_t until = mg_clock_ms() + 100; mg_clock_ms() < until;) {
        say(&o, ".");
        (void)heard(&c);
    }
    CHECK_INT(world.end_count, 0);
    CHECK(ended(1));
    CHECK_END(0, TUNNEL_LATE, 101);
    CHECK(ends(&c) && ends(&o));
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("a tunnel whose reader is slow stops its writer")
{
    wire c, o;
    open_tunnel(&c, &o, 60000);
    static char piece[65536];
    size_t sent = 0;
    for (int idle = 0; idle < 20;) {
        ssize_t n = send(o.fd, piece, sizeof piece, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        turns(2);
    }
    CHECK((mg_block_count() - wire_loop.blocks) * MG_BLOCK_SIZE < 1000000);
    size_t before = c.n;
    for (int i = 0; i < 100000 && c.n < before + sent; i++) {
        listen_to(&c);
        turns(1);
    }
    CHECK_INT(c.n, before + sent);
    hang_up(&c);
    hang_up(&o);
    CHECK(ended(1));
    close_world();
}

TEST("a hook that waits too long, or fails, before a switch of protocols is an error like any other")
{
    for (int i = 0; i < 2; i++) {
        wire c, o;
        mg_str protocol = MG_STR("chat");
        open_world();
        mg_route *r = route("/a");
        r->upgrades = &protocol;
        r->upgrade_count = 1;
        r->timeouts.script = 20;
        hook(r, MG_PHASE_RESPONSE, i ? fails : wait_on);
        connect_client(&c);
        say(&c, UPGRADE("/a"));
        CHECK(accept_origin(&o));
        say(&o, SWITCHED);
        CHECK(hears(&c, i ? "500 Internal Server Error\n" : "504 Gateway Timeout\n"));
        CHECK(ends(&o));
        CHECK(ended(1));
        if (i)
            CHECK_END(0, SCRIPT, 500);
        else
            CHECK_END(0, SCRIPT_LATE, 504);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("a protocol that the route does not let pass is not asked for, and a switch unasked is a 502")
{
    wire c, o;
    open_world();
    route("/a");
    connect_client(&c);
    say(&c, UPGRADE("/a"));
    CHECK(accept_origin(&o));
    CHECK(hears(&o, "\r\n\r\n"));
    CHECK(!strstr(o.got, "pgrade"));
    say(&o, SWITCHED);
    CHECK(hears(&c, "502 Bad Gateway\n"));
    CHECK(ended(1));
    CHECK_END(0, ORIGIN_BAD, 502);
    hang_up(&c);
    hang_up(&o);
    close_world();
}
