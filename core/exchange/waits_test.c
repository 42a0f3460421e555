#include "exchange/world_test.h"

/* A request that comes to wait for something that never happens, with 20 ms for it. */
static void check_late(const char *request, const char *from_origin, void (*patience)(mg_route *), mg_end why, int status)
{
    wire c, o = {.fd = -1};
    open_world();
    mg_route *r = route("/a");
    patience(r);
    connect_client(&c);
    say(&c, request);
    if (CHECK(accept_origin(&o)) && from_origin)
        say(&o, from_origin);
    CHECK_FOR(ended(1), mg_end_name(why));
    CHECK_STR(mg_str_of(mg_end_name(world.ends[0].end)), mg_str_of(mg_end_name(why)));
    CHECK_INT(world.ends[0].status, status);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

static void response_20(mg_route *r)
{
    r->timeouts.response = 20;
}

static void body_20(mg_route *r)
{
    r->timeouts.body = 20;
}

static void client_body_20(mg_route *r)
{
    r->timeouts.client_body = 20;
}

static void request_20(mg_route *r)
{
    r->timeouts.request = 20;
}

#define UPLOAD "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"
#define BEGUN "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"

TEST("each wait has its own patience, its own end and its own status")
{
    check_late(GET("/a"), NULL, response_20, MG_END_ORIGIN_LATE, 504);
    check_late(GET("/a"), BEGUN, body_20, MG_END_ORIGIN_BODY_LATE, 200);
    check_late(UPLOAD, NULL, client_body_20, MG_END_CLIENT_LATE, 408);
    check_late(GET("/a"), NULL, request_20, MG_END_REQUEST_LATE, 504);
    check_late(GET("/a"), BEGUN, request_20, MG_END_REQUEST_LATE, 200);
}

TEST("while the client still uploads it is not the origin that is late")
{
    wire c, o;
    open_world();
    route("/a")->timeouts.response = 30;
    connect_client(&c);
    say(&c, UPLOAD);
    CHECK(accept_origin(&o));
    for (int64_t until = mg_clock_ms() + 80; mg_clock_ms() < until;)
        turns(1);
    CHECK_INT(world.end_count, 0);
    say(&c, "defghi");
    CHECK(ended(1));
    CHECK_END(0, ORIGIN_LATE, 504);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("bytes that come in time begin the wait for more of them anew, on either side")
{
    for (int up = 0; up < 2; up++) {
        wire c, o;
        open_world();
        mg_route *r = route("/a");
        world.gen->limits.min_rate = 0;
        r->timeouts.body = r->timeouts.client_body = 60;
        connect_client(&c);
        say(&c, up ? "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n" : GET("/a"));
        CHECK(accept_origin(&o));
        if (!up)
            say(&o, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        for (int i = 0; i < 10; i++) {
            for (int64_t until = mg_clock_ms() + 15; mg_clock_ms() < until;)
                turns(1);
            say(up ? &c : &o, "x");
        }
        CHECK(hears(up ? &o : &c, "xxxxxxxxxx"));
        if (up)
            say(&o, ANSWER(0, ""));
        CHECK(ended(1));
        CHECK_END(0, DONE, 200);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("an upload below the minimum rate is cut off though it never pauses for long")
{
    wire c, o;
    open_world();
    world.gen->limits.min_rate = 1000;
    route("/a")->timeouts.client_body = 50;
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    CHECK(accept_origin(&o));
    for (int64_t next = mg_clock_ms(); !world.end_count && mg_clock_ms() < next + 2000;) {
        turns(1);
        if (mg_clock_ms() >= next + 10) { /* 100 bytes a second */
            next += 10;
            (void)say(&c, "x");
        }
    }
    CHECK_END(0, CLIENT_SLOW, 408);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("a client that does not read its answer is cut off by its own patience, not by the origin's")
{
    wire c, o;
    open_world();
    world.gen->timeouts.client_write = 30;
    set_again();
    route("/a")->timeouts.body = 10;
    int near = wire_pair(&c);
    narrow(near);
    (void)take_client(near);
    say(&c, GET("/a"));
    CHECK(accept_origin(&o));
    say(&o, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n");
    static char much[65536];
    for (int i = 0; i < 100 && !world.end_count; i++) {
        (void)!send(o.fd, much, sizeof much, MSG_NOSIGNAL);
        turns(1);
    }
    CHECK(ended(1));
    CHECK_END(0, CLIENT_WRITE_LATE, 200);
    hang_up(&c);
    hang_up(&o);
    close_world();
}
