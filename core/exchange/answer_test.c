#include "exchange/world_test.h"

/* What the client gets for that request, all of it. */
static const char *got(const char *request)
{
    static char all[65536];
    wire c;
    int ends = world.end_count;
    connect_client(&c);
    say(&c, request);
    CHECK_FOR(ended(ends + 1), request);
    mg_str s = heard(&c);
    memcpy(all, s.p, MG_MIN(s.n, sizeof all - 1));
    all[MG_MIN(s.n, sizeof all - 1)] = '\0';
    hang_up(&c);
    settle();
    return all;
}

static bool body_is(const char *answer, const char *body)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end && strcmp(end + 4, body) == 0;
}

/* ---- from the configuration ---------------------------------------------------------------------- */

TEST("a reply has its status, fields and body, as text unless it says what it is")
{
    open_world();
    mg_route *r = route_to("/a", MG_ACTION_REPLY);
    r->reply.status = 202;
    r->reply.body = MG_STR("hello");
    const char *a = got(GET("/a"));
    CHECK(strstr(a, "HTTP/1.1 202 Accepted\r\n") == a && strstr(a, "content-type: text/plain; charset=utf-8\r\n"));
    CHECK(strstr(a, "content-length: 5\r\n") && strstr(a, "date: ") && body_is(a, "hello"));
    mg_fields_init(&r->reply.fields, &world.gen->arena, 4);
    CHECK(mg_fields_add(&r->reply.fields, MG_FIELD_CONTENT_TYPE, MG_STR("Content-Type"), MG_STR("x/y")) == MG_OK);
    a = got("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(strstr(a, "Content-Type: x/y\r\n") && !strstr(a, "text/plain"));
    CHECK(strstr(a, "content-length: 5\r\n") && body_is(a, ""));
    close_world();
}

TEST("a reply of 204 or 304 has no body and tells no length of it")
{
    open_world();
    mg_route *r = route_to("/a", MG_ACTION_REPLY);
    r->reply.body = MG_STR("hello");
    for (r->reply.status = 204; r->reply.status <= 304; r->reply.status += 100) {
        const char *a = got(GET("/a"));
        CHECK(body_is(a, ""));
        CHECK(r->reply.status != 204 || !strstr(a, "content-length"));
    }
    close_world();
}

TEST("a redirect goes to its target, with what the path matched and with the query when it keeps them")
{
    open_world();
    mg_route *r = route_to("/old/*", MG_ACTION_REDIRECT);
    r->redirect.status = 308;
    r->redirect.to = MG_STR("https://new.example/x/");
    CHECK(strstr(got(GET("/old/a/b?c=d")), "location: https://new.example/x/\r\n"));
    r->redirect.prefix = true;
    CHECK(strstr(got(GET("/old/a/b?c=d")), "location: https://new.example/x/a/b\r\n"));
    r->redirect.keep_query = true;
    CHECK(strstr(got(GET("/old/a/b?c=d")), "location: https://new.example/x/a/b?c=d\r\n"));
    CHECK(strstr(got(GET("/old/a")), "location: https://new.example/x/a\r\n"));
    r->redirect.prefix = false;
    r->redirect.to = MG_STR("/y?z");
    CHECK(strstr(got(GET("/old/a?c=d")), "location: /y?z&c=d\r\n"));
    close_world();
}

/* ---- errors -------------------------------------------------------------------------------------- */

TEST("an error is text, a page or problem+json, as the client accepts it")
{
    static const char *const accepts[] = {"", "Accept: */*\r\n", "Accept: text/html, */*;q=0.1\r\n", "Accept: application/json\r\n",
                                          "Accept: application/problem+json;q=0.5, text/html;q=0.4, text/plain;q=0.1\r\n",
                                          "Accept: image/png\r\n"};
    static const char *const types[] = {"text/plain", "text/plain", "text/html", "application/problem+json",
                                        "application/problem+json", "text/plain"};
    open_world();
    route_to("/a", MG_ACTION_NONE);
    for (size_t i = 0; i < MG_COUNT(accepts); i++) {
        char request[256], type[80];
        (void)snprintf(request, sizeof request, "GET /a HTTP/1.1\r\nHost: h\r\n%s\r\n", accepts[i]);
        (void)snprintf(type, sizeof type, "content-type: %s", types[i]);
        const char *a = got(request);
        CHECK_FOR(strstr(a, "HTTP/1.1 404 Not Found\r\n") == a && strstr(a, type), accepts[i]);
        if (strstr(types[i], "json"))
            CHECK(body_is(a, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}\n"));
    }
    close_world();
}

TEST("an error to HEAD tells its length and sends no body")
{
    open_world();
    route_to("/a", MG_ACTION_NONE);
    const char *a = got("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(body_is(a, ""));
    close_world();
}

TEST("an error keeps the connection when the request has ended, and closes it when a body may follow")
{
    wire c;
    open_world();
    route_to("/a", MG_ACTION_NONE);
    connect_client(&c);
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
    CHECK(hears(&c, "404 Not Found\n"));
    CHECK(!strstr(c.got, "connection: close") && !has_ended(&c));
    say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
    CHECK(ends(&c));
    CHECK(strstr(c.got, "connection: close\r\n") != NULL);
    hang_up(&c);
    close_world();
}

/* ---- from scripts -------------------------------------------------------------------------------- */

static void (*build)(mg_exchange *x);

static mg_hook_result builds(mg_exchange *x)
{
    build(x);
    return MG_HOOK_ANSWER;
}

static const char *built(const char *request, void (*fn)(mg_exchange *x))
{
    open_world();
    hook(route_to("/a", MG_ACTION_HANDLER), MG_PHASE_HANDLER, builds);
    build = fn;
    const char *a = got(request);
    close_world();
    return a;
}

static void with_bad_fields(mg_exchange *x)
{
    mg_exchange_answer(x, 200);
    CHECK(mg_exchange_answer_field(x, MG_STR("a b"), MG_STR("c")) == MG_BAD);
    CHECK(mg_exchange_answer_field(x, MG_STR(""), MG_STR("c")) == MG_BAD);
    CHECK(mg_exchange_answer_field(x, MG_STR("a"), MG_STR("b\r\nc: d")) == MG_BAD);
    CHECK(mg_exchange_answer_field(x, MG_STR("x-good"), MG_STR("")) == MG_OK);
}

static void with_own_framing(mg_exchange *x)
{
    mg_exchange_answer(x, 200);
    CHECK(mg_exchange_answer_field(x, MG_STR("Transfer-Encoding"), MG_STR("chunked")) == MG_OK);
    CHECK(mg_exchange_answer_field(x, MG_STR("Content-Length"), MG_STR("99")) == MG_OK);
    CHECK(mg_exchange_answer_field(x, MG_STR("Connection"), MG_STR("close, x-hop")) == MG_OK);
    CHECK(mg_exchange_answer_field(x, MG_STR("X-Hop"), MG_STR("1")) == MG_OK);
    mg_exchange_answer_body(x, MG_STR("ab"));
    mg_exchange_answer_body(x, MG_STR("c"));
}

static void twice(mg_exchange *x)
{
    mg_exchange_answer(x, 500);
    CHECK(mg_exchange_answer_field(x, MG_STR("x-first"), MG_STR("1")) == MG_OK);
    mg_exchange_answer_body(x, MG_STR("first"));
    mg_exchange_answer_pull(x);
    mg_exchange_answer(x, 200);
    mg_exchange_answer_body(x, MG_STR("second"));
}

static void with_too_many_fields(mg_exchange *x)
{
    mg_rc rc = MG_OK;
    mg_exchange_answer(x, 200);
    for (int i = 0; i < 100000 && rc == MG_OK; i++)
        rc = mg_exchange_answer_field(x, MG_STR("x-many"), MG_STR("1"));
    CHECK_INT(rc, MG_LIMIT);
}

TEST("a script's fields are checked one by one")
{
    const char *a = built(GET("/a"), with_bad_fields);
    CHECK(strstr(a, "x-good: \r\n") && !strstr(a, "c: d") && strstr(a, "content-length: 0\r\n"));
}

TEST("framing is the proxy's own, whatever a script says of it")
{
    const char *a = built(GET("/a"), with_own_framing);
    CHECK(strstr(a, "content-length: 3\r\n") && body_is(a, "abc"));
    CHECK(!strstr(a, "chunked") && !strstr(a, "99") && !strstr(a, "close") && !strstr(a, "Hop"));
    a = built("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", with_own_framing);
    CHECK(body_is(a, "") && !strstr(a, "chunked"));
}

TEST("a later answer takes the place of an earlier one")
{
    const char *a = built(GET("/a"), twice);
    CHECK(strstr(a, "HTTP/1.1 200 OK\r\n") == a && body_is(a, "second") && !strstr(a, "first"));
}

TEST("more fields than an answer may have are refused to the script, and the answer still goes out or is an error")
{
    const char *a = built(GET("/a"), with_too_many_fields);
    CHECK(strstr(a, "HTTP/1.1 ") == a && strstr(a, "\r\n\r\n"));
}
