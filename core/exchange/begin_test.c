#include "exchange/world_test.h"

static mg_hook_result sees_refusal(mg_exchange *x)
{
    CHECK(x->refused && x->failure.status >= 400);
    CHECK_STR(x->req.method_name, MG_STR("-"));
    return MG_HOOK_DONE;
}

/* A head that is refused with that status, by a client that stays or is gone before it can be answered. */
static void check_refused(const char *text, int status, bool stays)
{
    wire c;
    open_world();
    world.gen->nowhere.hooks = 1u << MG_PHASE_FAILED;
    world.on[MG_PHASE_FAILED] = sees_refusal;
    connect_client(&c);
    say(&c, text);
    if (stays) {
        CHECK_FOR(ends(&c), text);
        char line[32];
        (void)snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
        CHECK_FOR(c.n && strstr(c.got, line) == c.got, text);
        CHECK(strstr(c.got, "connection: close\r\n") && strstr(c.got, "error=http_request_error"));
        CHECK(ended(1));
        CHECK_END(0, CLIENT_BAD, status);
    }
    hang_up(&c);
    CHECK_FOR(ended(1), text);
    if (!stays)
        CHECK_INT(world.ends[0].end, MG_END_CLIENT_GONE);
    CHECK_INT(world.runs[MG_PHASE_FAILED], 1);
    settle();
    CHECK_INT(world.settings.open, 0);
    close_world();
}

TEST("a head that is refused is an exchange of its own: answered, logged, seen by the hooks for failures")
{
    check_refused("\x01", 400, true);
    check_refused("GET / HTTP/1.1\r\n\r\n", 400, true);
    check_refused("GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505, true);
    check_refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, true);
}

TEST("a client that is gone before its refused head is answered costs nothing more")
{
    check_refused("\x01", 400, false);
}

TEST("a target or a host that cannot be is answered 400, CONNECT 501")
{
    static const char *const requests[] = {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
                                           "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n"};
    for (size_t i = 0; i < MG_COUNT(requests); i++) {
        wire c;
        open_world();
        route("/*");
        connect_client(&c);
        say(&c, requests[i]);
        CHECK_FOR(hears(&c, i < 2 ? "400 Bad Request\n" : "501 Not Implemented\n"), requests[i]);
        CHECK(ended(1));
        hang_up(&c);
        close_world();
    }
}

TEST("a host that no site serves is answered 421, a path 404, a method 405 with those that there are")
{
    wire c;
    mg_err err;
    open_world();
    mg_router_free(world.gen->router);
    world.gen->router = mg_router_new(&world.gen->arena);
    mg_str host = MG_STR("known.example"), get = MG_STR("GET");
    CHECK(mg_router_add_site(world.gen->router, world.site, &host, 1, &err) == MG_OK);
    mg_route *r = mg_arena_zalloc(&world.gen->arena, sizeof *r);
    *r = (mg_route){.site = world.site, .action = MG_ACTION_REPLY, .reply.status = 200, .timeouts = world.gen->timeouts};
    mg_route_match match = {.path = MG_STR("/a"), .methods = &get, .method_count = 1};
    CHECK(mg_router_add(world.gen->router, world.site, r, &match, &err) == MG_OK);
    connect_client(&c);
    say(&c, "GET /a HTTP/1.1\r\nHost: other\r\n\r\n");
    CHECK(hears(&c, "421 Misdirected Request\n"));
    say(&c, "GET /b HTTP/1.1\r\nHost: KNOWN.example.:80\r\n\r\n");
    CHECK(hears(&c, "404 Not Found\n"));
    say(&c, "DELETE /a HTTP/1.1\r\nHost: known.example\r\n\r\n");
    CHECK(hears(&c, "405 Method Not Allowed\n"));
    CHECK(strstr(c.got, "allow: GET, HEAD\r\n") != NULL);
    CHECK_INT(world.settings.open, 1);
    hang_up(&c);
    CHECK(ended(3));
    close_world();
}

TEST("connections go by the limits and timeouts of the generation")
{
    mg_h1_server_settings s;
    open_world();
    world.gen->limits.header_bytes = 5000;
    world.gen->limits.headers = 7;
    world.gen->limits.request_line = 100;
    world.gen->limits.buffer = 1234;
    world.gen->timeouts.client_idle = 11;
    world.gen->timeouts.client_header = 12;
    world.gen->timeouts.client_write = 13;
    mg_h1_server_settings_init(&s);
    mg_exchange_settings(&s, world.gen);
    CHECK_INT(s.limits.head_most, 5000);
    CHECK_INT(s.limits.fields_most, 7);
    CHECK_INT(s.limits.line_most, 100);
    CHECK_INT(s.buffer, 1234);
    CHECK_INT(s.idle_ms, 11);
    CHECK_INT(s.header_ms, 12);
    CHECK_INT(s.write_ms, 13);
    CHECK(s.arena_most > 4 * 5000 && s.linger_ms > 0);
    close_world();
}
