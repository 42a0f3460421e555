#include "exchange/exchange.h"

#include "exchange/world_test.h"

/* ---- kept connections ---------------------------------------------------------------------------- */

/* A connection to the origin that waits for its next request. */
static void keep_connection(wire *c, wire *o)
{
    connect_client(c);
    say(c, GET("/a"));
    CHECK(accept_origin(o));
    say(o, ANSWER(2, "ok"));
    CHECK(hears(c, "\r\n\r\nok"));
    CHECK(ended(1));
    CHECK_INT(mg_pool_idle(mg_world.pool), 1);
    forget(c);
    forget(o);
}

TEST("the next request goes over the connection that was kept")
{
    wire c, o;
    open_world();
    route("/a");
    keep_connection(&c, &o);
    say(&c, GET("/a"));
    CHECK(hears(&o, "GET /a HTTP/1.1\r\n"));
    say(&o, ANSWER(3, "new"));
    CHECK(hears(&c, "new"));
    wire other;
    CHECK(!has_knocked(&other));
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("a kept connection that its origin closes upon the next request is not the request's end")
{
    wire c, o, fresh;
    open_world();
    route("/a");
    world.upstream->options.attempts = 1; /* it is no other try */
    keep_connection(&c, &o);
    say(&c, GET("/a"));
    CHECK(hears(&o, "GET /a HTTP/1.1\r\n"));
    hang_up(&o);
    CHECK(accept_origin(&fresh));
    CHECK(hears(&fresh, "GET /a HTTP/1.1\r\n"));
    say(&fresh, ANSWER(3, "new"));
    CHECK(hears(&c, "new"));
    CHECK(ended(2));
    CHECK_END(1, DONE, 200);
    CHECK_INT(world.ends[1].tries, 1);
    CHECK_INT(world.upstream->peers[0].failures, 0);
    hang_up(&c);
    hang_up(&fresh);
    close_world();
}

TEST("what may not be repeated is not sent again once it has gone out")
{
    wire c, o, other;
    open_world();
    route("/a");
    keep_connection(&c, &o);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
    CHECK(hears(&o, "\r\n\r\nab"));
    hang_up(&o);
    CHECK(hears(&c, "502 Bad Gateway\n"));
    CHECK(ended(2));
    CHECK_END(1, ORIGIN_RESET, 502);
    CHECK(!has_knocked(&other));
    hang_up(&c);
    close_world();
}

static mg_hook_result waits_on_first_try(mg_exchange *x)
{
    (void)x;
    return world.runs[MG_PHASE_UPSTREAM_REQUEST] == 1 ? MG_HOOK_WAIT : MG_HOOK_DONE;
}

TEST("a kept connection that goes while a hook waits is replaced, whatever the method")
{
    static const char *const requests[] = {GET("/a"), "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"};
    for (size_t i = 0; i < MG_COUNT(requests); i++) {
        wire c, o, fresh;
        open_world();
        mg_route *r = route("/a");
        keep_connection(&c, &o);
        hook(r, MG_PHASE_UPSTREAM_REQUEST, waits_on_first_try);
        say(&c, requests[i]);
        settle();
        CHECK_INT(world.runs[MG_PHASE_UPSTREAM_REQUEST], 1);
        hang_up(&o);
        settle();
        mg_exchange_wake(world.x);
        CHECK(accept_origin(&fresh));
        CHECK(hears(&fresh, "\r\n\r\n"));
        say(&fresh, ANSWER(3, "new"));
        CHECK_FOR(hears(&c, "new"), requests[i]);
        CHECK(ended(2));
        CHECK_END(1, DONE, 200);
        hang_up(&c);
        hang_up(&fresh);
        close_world();
    }
}

/* ---- other tries --------------------------------------------------------------------------------- */

/* Another server of the upstream; the test hears of its connections through `world.listener`. */
static int add_server(void)
{
    char name[MG_ADDR_ROOM];
    mg_err err;
    int first = world.listener;
    listen_for_origins(name, sizeof name);
    CHECK(mg_upstream_add(world.upstream, mg_str_of(name), 1, false, &err) == MG_OK);
    return first;
}

/* Whichever server is asked. */
static bool accept_any(const int *two, wire *o)
{
    for (int i = 0; i < 2000; i++) {
        for (int n = 0; n < 2; n++) {
            world.listener = two[n];
            if (has_knocked(o))
                return true;
        }
        turns(1);
    }
    return false;
}

TEST("a request that its server resets is tried at another one, if it may be repeated and nothing was answered")
{
    static const char *const requests[] = {GET("/a"), "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab",
                                           "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"};
    for (size_t i = 0; i < MG_COUNT(requests); i++) {
        wire c, o, other;
        open_world();
        route("/a");
        int two[2] = {add_server()};
        two[1] = world.listener;
        connect_client(&c);
        say(&c, requests[i]);
        CHECK(accept_any(two, &o));
        CHECK(hears(&o, "\r\n\r\n"));
        settle();
        hang_up(&o);
        if (i == 0) {
            CHECK(accept_any(two, &other));
            say(&other, ANSWER(2, "ok"));
            CHECK(hears(&c, "\r\n\r\nok"));
            hang_up(&other);
        } else { /* not idempotent; or its body is gone */
            CHECK(hears(&c, "502 Bad Gateway\n"));
        }
        CHECK(ended(1));
        CHECK_INT(world.ends[0].tries, i == 0 ? 2 : 1);
        CHECK_INT(world.upstream->peers[0].failures + world.upstream->peers[1].failures, 1);
        CHECK_INT(world.upstream->peers[1].active, 0);
        hang_up(&c);
        mg_socket_close(two[0]);
        world.listener = two[1];
        close_world();
    }
}

TEST("an answer whose status is to be tried again is, and the last one is passed on whatever it is")
{
    wire c, o, other;
    open_world();
    route("/a");
    world.upstream->options.retry_statuses[0] = 1u << 3; /* 503 */
    int two[2] = {add_server()};
    two[1] = world.listener;
    connect_client(&c);
    say(&c, GET("/a"));
    CHECK(accept_any(two, &o));
    say(&o, "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nfirst");
    CHECK(accept_any(two, &other));
    say(&other, "HTTP/1.1 503 No\r\nContent-Length: 6\r\n\r\nsecond");
    CHECK(hears(&c, "second"));
    CHECK(!strstr(c.got, "first"));
    CHECK(ended(1));
    CHECK_END(0, DONE, 503);
    CHECK_INT(world.ends[0].tries, 2);
    hang_up(&c);
    hang_up(&o);
    hang_up(&other);
    mg_socket_close(two[0]);
    world.listener = two[1];
    close_world();
}

TEST("when nobody listens the answer is 502 and says so, when there is no server it is 503")
{
    for (int none = 0; none < 2; none++) {
        wire c;
        open_world();
        route("/a");
        (void)shutdown(world.listener, SHUT_RDWR); /* connections are refused from now on */
        if (none)
            world.upstream->peers[0].weight = 0;
        connect_client(&c);
        say(&c, GET("/a"));
        CHECK(hears(&c, none ? "503 Service Unavailable\n" : "502 Bad Gateway\n"));
        CHECK(strstr(c.got, none ? "error=destination_unavailable" : "error=connection_refused") != NULL);
        CHECK(ended(1));
        if (none)
            CHECK_END(0, NO_PEER, 503);
        else
            CHECK_END(0, ORIGIN_CONNECT, 502);
        hang_up(&c);
        close_world();
    }
}

TEST("an answer that makes no sense is a 502, and its connection is not used again")
{
    static const char *const answers[] = {"what?\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                                          "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"};
    for (size_t i = 0; i < MG_COUNT(answers); i++) {
        wire c, o;
        open_world();
        route("/a");
        connect_client(&c);
        say(&c, GET("/a"));
        CHECK(accept_origin(&o));
        say(&o, answers[i]);
        CHECK_FOR(hears(&c, "502 Bad Gateway\n"), answers[i]);
        CHECK(strstr(c.got, "error=http_protocol_error") && ends(&o));
        CHECK(ended(1));
        CHECK_END(0, ORIGIN_BAD, 502);
        CHECK_INT(world.settings.open, 1);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("an origin's refusal of Expect reaches the client, and its body is not awaited")
{
    wire c, o;
    open_world();
    route("/a");
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    CHECK(accept_origin(&o));
    CHECK(hears(&o, "expect: 100-continue\r\n"));
    say(&o, "HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno");
    CHECK(hears(&c, "\r\n\r\nno"));
    CHECK(strstr(c.got, "HTTP/1.1 417 ") == c.got && strstr(c.got, "connection: close\r\n"));
    hang_up(&c);
    CHECK(ended(1));
    hang_up(&o);
    close_world();
}
