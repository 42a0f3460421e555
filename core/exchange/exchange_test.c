#include "exchange/world_test.h"

/* ---- stages with hooks that wait ----------------------------------------------------------------- */

/* A GET that goes to the origin and back; the hook of that phase waits once on the way. */
static void check_waiting(mg_phase phase)
{
    wire c, o;
    open_world();
    mg_route *r = route("/a");
    hook(r, phase, wait_once);
    if (phase == MG_PHASE_REWRITE) /* before the route is known, the site's count */
        world.site->none.hooks |= 1u << phase;
    connect_client(&c);
    say(&c, GET("/a"));
    bool before = phase < MG_PHASE_UPSTREAM_RESPONSE;
    if (before) {
        settle();
        CHECK_INT(world.runs[phase], 1);
        mg_exchange_wake(world.x);
    }
    CHECK_FOR(accept_origin(&o), mg_phase_name(phase));
    CHECK(hears(&o, "GET /a HTTP/1.1\r\n"));
    say(&o, ANSWER(2, "ok"));
    if (!before) {
        settle();
        CHECK_INT(world.runs[phase], 1);
        if (phase != MG_PHASE_LOG)
            CHECK_STR(heard(&c), MG_STR(""));
        mg_exchange_wake(world.x);
    }
    CHECK_FOR(hears(&c, "\r\n\r\nok"), mg_phase_name(phase));
    CHECK(ended(1));
    CHECK_END(0, DONE, 200);
    CHECK_INT(world.runs[phase], 2);
    CHECK_INT(world.hook_ends, 1);
    CHECK_INT(mg_pool_idle(mg_world.pool), 1);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("a hook may wait in every phase of a request that goes to an origin")
{
    static const mg_phase phases[] = {MG_PHASE_REWRITE, MG_PHASE_ACCESS, MG_PHASE_UPSTREAM_REQUEST,
                                      MG_PHASE_UPSTREAM_RESPONSE, MG_PHASE_RESPONSE, MG_PHASE_LOG};
    for (size_t i = 0; i < MG_COUNT(phases); i++)
        check_waiting(phases[i]);
}

TEST("a hook is woken by its own wake alone, not by what its client or origin does meanwhile")
{
    wire c;
    open_world();
    hook(route("/a"), MG_PHASE_ACCESS, wait_on);
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
    settle();
    CHECK_INT(world.runs[MG_PHASE_ACCESS], 1);
    say(&c, "cd");
    settle();
    CHECK_INT(world.runs[MG_PHASE_ACCESS], 1);
    mg_exchange_wake(world.x);
    mg_exchange_wake(world.x);
    settle();
    CHECK_INT(world.runs[MG_PHASE_ACCESS], 2);
    hang_up(&c);
    close_world();
}

TEST("a handler, a hook that answers, and a failure's hook may wait and answer")
{
    static const mg_phase phases[] = {MG_PHASE_HANDLER, MG_PHASE_ACCESS, MG_PHASE_FAILED};
    for (size_t i = 0; i < MG_COUNT(phases); i++) {
        wire c;
        open_world();
        mg_route *r = route_to("/a", phases[i] == MG_PHASE_HANDLER ? MG_ACTION_HANDLER : MG_ACTION_NONE);
        hook(r, phases[i], wait_on);
        connect_client(&c);
        say(&c, GET("/a"));
        settle();
        CHECK_STR(heard(&c), MG_STR(""));
        world.on[phases[i]] = says_ok;
        mg_exchange_wake(world.x);
        CHECK_FOR(hears(&c, "x-by: hook\r\n"), mg_phase_name(phases[i]));
        CHECK(hears(&c, "by hook"));
        CHECK(ended(1));
        CHECK_INT(world.ends[0].status, 200);
        hang_up(&c);
        close_world();
    }
}

static int asked;

static mg_hook_result says_no_first(mg_exchange *x)
{
    (void)x;
    return ++asked == 1 ? MG_HOOK_WAIT : asked == 2 ? MG_HOOK_ANSWER : MG_HOOK_DONE;
}

TEST("a route's condition may wait; when it says no the next candidate is asked")
{
    wire c;
    open_world();
    mg_err err;
    for (int i = 0; i < 2; i++) {
        mg_route *r = mg_arena_zalloc(&world.gen->arena, sizeof *r);
        *r = (mg_route){.site = world.site, .name = i ? MG_STR("second") : MG_STR("first"), .action = MG_ACTION_REPLY,
                        .timeouts = world.gen->timeouts, .reply.status = i ? 202 : 201};
        hook(r, MG_PHASE_WHEN, says_no_first);
        mg_route_match match = {.path = MG_STR("/a"), .when = true};
        CHECK(mg_router_add(world.gen->router, world.site, r, &match, &err) == MG_OK);
    }
    asked = 0;
    connect_client(&c);
    say(&c, GET("/a"));
    settle();
    CHECK_INT(asked, 1);
    mg_exchange_wake(world.x);
    CHECK(hears(&c, "HTTP/1.1 202 Accepted\r\n"));
    CHECK_INT(asked, 3);
    hang_up(&c);
    close_world();
}

TEST("a hook that fails is a 500 with Proxy-Status, in whatever phase before the answer")
{
    static const mg_phase phases[] = {MG_PHASE_ACCESS, MG_PHASE_HANDLER, MG_PHASE_UPSTREAM_REQUEST,
                                      MG_PHASE_UPSTREAM_RESPONSE, MG_PHASE_RESPONSE};
    for (size_t i = 0; i < MG_COUNT(phases); i++) {
        wire c, o = {.fd = -1};
        open_world();
        hook(route_to("/a", phases[i] == MG_PHASE_HANDLER ? MG_ACTION_HANDLER : MG_ACTION_UPSTREAM), phases[i], fails);
        connect_client(&c);
        say(&c, GET("/a"));
        if (phases[i] >= MG_PHASE_UPSTREAM_REQUEST)
            CHECK(accept_origin(&o));
        if (phases[i] >= MG_PHASE_UPSTREAM_RESPONSE)
            say(&o, ANSWER(2, "ok"));
        CHECK_FOR(hears(&c, "500 Internal Server Error\n"), mg_phase_name(phases[i]));
        CHECK(strstr(c.got, "proxy-status: moongate; error=proxy_internal_error\r\n") != NULL);
        CHECK(ended(1));
        CHECK_END(0, SCRIPT, 500);
        CHECK_INT(world.runs[phases[i]], 1);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("a hook for failures that fails itself leaves the proxy's own answer")
{
    wire c;
    open_world();
    hook(route_to("/a", MG_ACTION_NONE), MG_PHASE_FAILED, fails);
    connect_client(&c);
    say(&c, GET("/a"));
    CHECK(hears(&c, "404 Not Found\n"));
    CHECK_INT(world.runs[MG_PHASE_FAILED], 1);
    hang_up(&c);
    close_world();
}

/* ---- hooks that wait too long or for nobody ------------------------------------------------------ */

TEST("a hook that waits longer than it may is ended, and the answer is 504")
{
    static const mg_phase phases[] = {MG_PHASE_REWRITE, MG_PHASE_ACCESS, MG_PHASE_HANDLER, MG_PHASE_FAILED,
                                      MG_PHASE_UPSTREAM_REQUEST, MG_PHASE_UPSTREAM_RESPONSE, MG_PHASE_RESPONSE};
    for (size_t i = 0; i < MG_COUNT(phases); i++) {
        wire c, o = {.fd = -1};
        open_world();
        mg_action action = phases[i] == MG_PHASE_HANDLER ? MG_ACTION_HANDLER
                         : phases[i] == MG_PHASE_FAILED  ? MG_ACTION_NONE : MG_ACTION_UPSTREAM;
        mg_route *r = route_to("/a", action);
        hook(r, phases[i], wait_on);
        r->timeouts.script = 20;
        if (phases[i] == MG_PHASE_REWRITE) {
            world.site->none.hooks |= 1u << MG_PHASE_REWRITE;
            world.site->none.timeouts.script = 20;
        }
        connect_client(&c);
        say(&c, GET("/a"));
        if (phases[i] == MG_PHASE_UPSTREAM_REQUEST || phases[i] > MG_PHASE_UPSTREAM_REQUEST)
            if (phases[i] != MG_PHASE_FAILED && CHECK(accept_origin(&o)))
                say(&o, ANSWER(2, "ok"));
        CHECK_FOR(hears(&c, "504 Gateway Timeout\n"), mg_phase_name(phases[i]));
        CHECK(ended(1));
        CHECK_END(0, SCRIPT_LATE, 504);
        CHECK_INT(world.hook_ends, 1);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

static int waits;

static mg_hook_result wait_and_wake(mg_exchange *x)
{
    if (waits-- == 0) {
        mg_exchange_answer(x, 200);
        return MG_HOOK_ANSWER;
    }
    return MG_HOOK_WAIT;
}

TEST("each wait of a hook has its own patience")
{
    wire c;
    open_world();
    mg_route *r = route_to("/a", MG_ACTION_HANDLER);
    hook(r, MG_PHASE_HANDLER, wait_and_wake);
    r->timeouts.script = 60;
    waits = 8;
    connect_client(&c);
    say(&c, GET("/a"));
    settle();
    for (int64_t next = mg_clock_ms() + 15; waits >= 0 && world.end_count == 0;) {
        turns(1);
        if (mg_clock_ms() >= next) {
            mg_exchange_wake(world.x);
            next += 15;
        }
    }
    CHECK(hears(&c, "HTTP/1.1 200 OK"));
    hang_up(&c);
    close_world();
}

TEST("a hook whose client is gone by a reset is ended, and nothing is answered")
{
    static const mg_phase phases[] = {MG_PHASE_ACCESS, MG_PHASE_HANDLER, MG_PHASE_FAILED, MG_PHASE_UPSTREAM_REQUEST,
                                      MG_PHASE_RESPONSE};
    for (size_t i = 0; i < MG_COUNT(phases); i++) {
        wire c, o = {.fd = -1};
        open_world();
        mg_action action = phases[i] == MG_PHASE_HANDLER ? MG_ACTION_HANDLER
                         : phases[i] == MG_PHASE_FAILED  ? MG_ACTION_NONE : MG_ACTION_UPSTREAM;
        hook(route_to("/a", action), phases[i], wait_on);
        connect_client_tcp(&c);
        say(&c, GET("/a"));
        if (phases[i] == MG_PHASE_UPSTREAM_REQUEST || phases[i] == MG_PHASE_RESPONSE)
            CHECK(accept_origin(&o));
        if (phases[i] == MG_PHASE_RESPONSE)
            say(&o, ANSWER(2, "ok"));
        settle();
        CHECK_INT(world.runs[phases[i]], 1);
        reset(&c);
        CHECK_FOR(ended(1), mg_phase_name(phases[i]));
        CHECK_END(0, CLIENT_GONE, 0);
        CHECK_INT(world.hook_ends, 1);
        CHECK_INT(world.settings.open, 0);
        hang_up(&c);
        hang_up(&o);
        close_world();
    }
}

TEST("a client that only ends its direction is answered, if an answer begins soon")
{
    for (int soon = 0; soon < 2; soon++) {
        wire c;
        open_world();
        world.gen->timeouts.client_gone = soon ? 5000 : 20;
        hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, wait_on);
        connect_client(&c);
        say(&c, GET("/a"));
        end_saying(&c);
        settle();
        CHECK_INT(world.runs[MG_PHASE_HANDLER], 1);
        if (soon) {
            world.on[MG_PHASE_HANDLER] = says_ok;
            mg_exchange_wake(world.x);
        }
        CHECK(ends(&c));
        CHECK(ended(1));
        if (soon)
            CHECK_END(0, DONE, 200);
        else
            CHECK_END(0, CLIENT_GONE, 0);
        hang_up(&c);
        close_world();
    }
}

TEST("a bound for the whole request holds also when the client has ended its direction")
{
    wire c, o;
    open_world();
    mg_route *r = route("/a");
    world.gen->timeouts.client_gone = 30;
    r->timeouts.request = 60;
    connect_client(&c);
    say(&c, GET("/a"));
    end_saying(&c);
    CHECK(accept_origin(&o));
    say(&o, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
    CHECK(hears(&c, "ok"));
    CHECK(ended(1));
    CHECK_END(0, REQUEST_LATE, 200);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

/* ---- log hooks ----------------------------------------------------------------------------------- */

TEST("a log hook that waits does not hold up its client's next request")
{
    wire c;
    open_world();
    hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, says_ok);
    world.site->none.hooks = 0;
    hook(route_to("/b", MG_ACTION_HANDLER), MG_PHASE_HANDLER, says_ok);
    mg_route *r = route_to("/c", MG_ACTION_HANDLER);
    hook(r, MG_PHASE_HANDLER, says_ok);
    hook(r, MG_PHASE_LOG, wait_on);
    connect_client(&c);
    say(&c, GET("/c"));
    CHECK(hears(&c, "by hook"));
    mg_exchange *logging = world.x;
    CHECK_INT(world.end_count, 0);
    forget(&c);
    say(&c, GET("/a"));
    CHECK(hears(&c, "by hook"));
    CHECK(ended(1));
    hang_up(&c);
    settle();
    CHECK_INT(world.settings.open, 0);
    CHECK_INT(mg_world.count, 1);
    CHECK_STR(logging->req.path, MG_STR("/c")); /* all it knew is still there */
    CHECK_STR(mg_fields_value(logging->req.fields, MG_FIELD_HOST), MG_STR("h"));
    world.on[MG_PHASE_LOG] = NULL;
    mg_exchange_wake(logging);
    CHECK(ended(2));
    CHECK_END(1, DONE, 200);
    close_world();
}

static int lines_in(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), n = 0;
    ssize_t got = fd < 0 ? 0 : read(fd, text, room - 1);
    if (fd >= 0)
        (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    for (const char *p = text; *p; p++)
        n += *p == '\n';
    return n;
}

TEST("a log hook that waits too long is ended, and the request stands in the access log all the same")
{
    char path[] = "/tmp/moongate-log-XXXXXX", text[4096];
    int fd = mkstemp(path);
    wire c;
    mg_err err;
    open_world();
    world.gen->access_log = mg_access_log_open(path, MG_ACCESS_LOG_COMBINED, &err);
    mg_route *r = route_to("/a", MG_ACTION_HANDLER);
    hook(r, MG_PHASE_HANDLER, says_ok);
    hook(r, MG_PHASE_LOG, wait_on);
    r->timeouts.script = 20;
    connect_client(&c);
    say(&c, GET("/a"));
    CHECK(hears(&c, "by hook"));
    CHECK(ended(1));
    CHECK_INT(world.hook_ends, 1);
    mg_access_log_flush_all();
    CHECK_INT(lines_in(path, text, sizeof text), 1);
    CHECK(strstr(text, "\"GET /a HTTP/1.1\" 200 7 ") != NULL);
    hang_up(&c);
    mg_access_log_close(world.gen->access_log);
    world.gen->access_log = NULL;
    close_world();
    (void)close(fd);
    (void)unlink(path);
}

TEST("a log hook that fails does no harm")
{
    wire c;
    open_world();
    mg_route *r = route_to("/a", MG_ACTION_HANDLER);
    hook(r, MG_PHASE_HANDLER, says_ok);
    hook(r, MG_PHASE_LOG, fails);
    connect_client(&c);
    say(&c, GET("/a") GET("/a"));
    CHECK(ended(2));
    CHECK_END(0, DONE, 200);
    hang_up(&c);
    close_world();
}

/* ---- the end of all ------------------------------------------------------------------------------ */

static void check_stopped(mg_phase phase)
{
    wire c, o = {.fd = -1};
    open_world();
    mg_action action = phase == MG_PHASE_HANDLER ? MG_ACTION_HANDLER : phase == MG_PHASE_FAILED ? MG_ACTION_NONE
                                                                                              : MG_ACTION_UPSTREAM;
    hook(route_to("/a", action), phase, wait_on);
    connect_client(&c);
    say(&c, GET("/a"));
    if (phase >= MG_PHASE_UPSTREAM_REQUEST && phase != MG_PHASE_FAILED)
        CHECK(accept_origin(&o));
    if (phase > MG_PHASE_UPSTREAM_REQUEST && phase != MG_PHASE_FAILED)
        say(&o, ANSWER(2, "ok"));
    settle();
    CHECK_INT(world.runs[phase], 1);
    mg_exchange_stop_all();
    CHECK_FOR(mg_world.count == 0, mg_phase_name(phase));
    CHECK_INT(world.end_count, 1);
    if (phase != MG_PHASE_LOG)
        CHECK_END(0, STOPPED, 0);
    CHECK_INT(world.hook_ends, 1);
    hang_up(&c);
    hang_up(&o);
    close_world();
}

TEST("a stop ends exchanges whose hooks wait, in every phase")
{
    static const mg_phase phases[] = {MG_PHASE_ACCESS, MG_PHASE_HANDLER, MG_PHASE_FAILED, MG_PHASE_UPSTREAM_REQUEST,
                                      MG_PHASE_UPSTREAM_RESPONSE, MG_PHASE_RESPONSE, MG_PHASE_LOG};
    for (size_t i = 0; i < MG_COUNT(phases); i++)
        check_stopped(phases[i]);
}

TEST("a stop ends exchanges that wait for their origin, for their client, or for the end of a tunnel")
{
    for (int i = 0; i < 5; i++) {
        wire c, o = {.fd = -1};
        open_world();
        mg_route *r = route("/a");
        mg_str protocol = MG_STR("x");
        r->upgrades = &protocol;
        r->upgrade_count = 1;
        connect_client(&c);
        say(&c, i == 4 ? "GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
                : i == 1 ? "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc" : GET("/a"));
        if (i)
            CHECK(accept_origin(&o));
        if (i == 3)
            say(&o, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        if (i == 4)
            say(&o, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc");
        if (i >= 3)
            CHECK(hears(&c, "abc"));
        settle();
        CHECK_INT(mg_world.count, 1);
        mg_exchange_stop_all();
        CHECK_INT(mg_world.count, 0);
        CHECK_INT(world.ends[0].end, MG_END_STOPPED);
        CHECK(ends(&c));
        if (i) {
            CHECK(ends(&o));
            hang_up(&o);
        }
        hang_up(&c);
        close_world();
    }
}

TEST("a generation goes with the last exchange that began in it, and the next requests begin in the newest")
{
    wire old, fresh;
    open_world();
    mg_generation *first = world.gen;
    hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, wait_on);
    connect_client(&old);
    say(&old, GET("/a"));
    settle();
    mg_exchange *x = world.x;
    mg_peer *peers = world.upstream->peers;
    world.gen = mg_world.current = make_generation("127.0.0.1:9");
    hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, says_ok);
    mg_generation_drop(first);
    CHECK_INT(world.freed, 0);
    CHECK_INT(first->exchanges, 1);
    CHECK(peers->active == 0);
    connect_client(&fresh);
    say(&fresh, GET("/a"));
    CHECK(hears(&fresh, "by hook"));
    CHECK(ended(1));
    CHECK_INT(world.freed, 0);
    mg_exchange_wake(x);
    CHECK(hears(&old, "by hook"));
    CHECK(ended(2));
    CHECK_INT(world.freed, 1);
    hang_up(&old);
    hang_up(&fresh);
    close_world();
}

TEST("the exchanges of one generation can be stopped alone")
{
    wire old, fresh;
    open_world();
    mg_generation *first = world.gen;
    hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, wait_on);
    connect_client(&old);
    say(&old, GET("/a"));
    settle();
    world.gen = mg_world.current = make_generation("127.0.0.1:9");
    hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, wait_on);
    connect_client(&fresh);
    say(&fresh, GET("/a"));
    settle();
    CHECK_INT(mg_world.count, 2);
    mg_exchange_stop_of(first);
    CHECK_INT(mg_world.count, 1);
    mg_generation_drop(first);
    CHECK_INT(world.freed, 1);
    CHECK(ends(&old));
    CHECK(!has_ended(&fresh));
    hang_up(&old);
    hang_up(&fresh);
    close_world();
}

/* ---- memory -------------------------------------------------------------------------------------- */

static mg_hook_result uses_all_memory(mg_exchange *x)
{
    while (mg_arena_try(x->arena, 1000))
        ;
    while (mg_arena_try(x->arena, 8))
        ;
    return MG_HOOK_DONE;
}

TEST("a request whose memory a script has used up is answered, and nobody else is harmed")
{
    static const mg_phase phases[] = {MG_PHASE_REWRITE, MG_PHASE_ACCESS, MG_PHASE_UPSTREAM_REQUEST,
                                      MG_PHASE_UPSTREAM_RESPONSE, MG_PHASE_RESPONSE, MG_PHASE_FAILED, MG_PHASE_LOG};
    char path[] = "/tmp/moongate-log-XXXXXX";
    int fd = mkstemp(path);
    for (size_t i = 0; i < MG_COUNT(phases); i++) {
        wire c, o = {.fd = -1};
        mg_err err;
        open_world();
        world.gen->access_log = mg_access_log_open(path, MG_ACCESS_LOG_JSON, &err);
        mg_route *r = route_to("/a", phases[i] == MG_PHASE_FAILED ? MG_ACTION_NONE : MG_ACTION_UPSTREAM);
        hook(r, phases[i], uses_all_memory);
        world.site->none.hooks |= r->hooks & 1u << MG_PHASE_REWRITE;
        connect_client(&c);
        say(&c, "GET /a?q HTTP/1.1\r\nHost: h\r\nVia: 1.0 x\r\nX-Forwarded-For: y\r\n\r\n");
        for (int turn = 0; turn < 100 && !world.end_count; turn++) {
            if (o.fd < 0 && has_knocked(&o))
                say(&o, ANSWER(2, "ok"));
            settle();
        }
        CHECK_FOR(ended(1), mg_phase_name(phases[i]));
        CHECK(hears(&c, "HTTP/1.1 "));
        hang_up(&c);
        hang_up(&o);
        mg_access_log_close(world.gen->access_log);
        world.gen->access_log = NULL;
        close_world();
    }
    (void)close(fd);
    (void)unlink(path);
}
