#include "exchange/world_test.h"

/* ---- heads for the origin ------------------------------------------------------------------------ */

/* What the origin is sent for a request with these lines, answered, or "" when it is not asked at all. */
static mg_str sent_for(const char *request)
{
    static char head[200000];
    wire c, o;
    connect_client(&c);
    int ends = world.end_count;
    say(&c, request);
    head[0] = '\0';
    if (CHECK_FOR(accept_origin(&o), request)) {
        CHECK_FOR(hears(&o, "\r\n\r\n"), request);
        (void)snprintf(head, sizeof head, "%.*s", (int)o.n, o.got);
        say(&o, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        CHECK(hears(&c, "HTTP/1.1 200"));
        CHECK(ended(ends + 1));
    }
    hang_up(&c);
    hang_up(&o);
    return mg_str_of(head);
}

static bool holds(mg_str s, const char *text)
{
    return s.n && memmem(s.p, s.n, text, strlen(text));
}

/* All of this test's clients are proxies in front of us. */
static void trust_clients(void)
{
    mg_err err;
    world.gen->trusted = mg_cidrs_new();
    CHECK(mg_cidrs_add(world.gen->trusted, MG_STR("192.0.2.0/24"), &err) == MG_OK);
}

#define REQUEST(lines) "GET /a HTTP/1.1\r\nHost: h\r\n" lines "\r\n"

TEST("what is between two neighbours stays there: Connection, what it names, and the fields of its kind")
{
    open_world();
    route("/*");
    mg_str got = sent_for(REQUEST("Connection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n"
                                  "Proxy-Authorization: y\r\nUpgrade: h2c\r\nHTTP2-Settings: z\r\nX-Other: 2\r\nTE: gzip\r\n"));
    CHECK(holds(got, "X-Other: 2\r\n"));
    static const char *const gone[] = {"onnection", "X-Mine", "eep-", "roxy-", "pgrade", "ettings", "TE:", "te:"};
    for (size_t i = 0; i < MG_COUNT(gone); i++)
        CHECK_FOR(!holds(got, gone[i]), gone[i]);
    close_world();
}

TEST("a Connection field cannot take away what the next hop relies on")
{
    open_world();
    route("/*");
    mg_str got = sent_for(REQUEST("Connection: Host, X-Forwarded-For, Via, Cookie, Authorization, Content-Type\r\n"
                                  "Cookie: c\r\nAuthorization: a\r\nContent-Type: t\r\n"));
    CHECK(holds(got, "host: h\r\n"));
    CHECK(holds(got, "x-forwarded-for: 192.0.2.1\r\n"));
    CHECK(holds(got, "via: 1.1 moongate\r\n"));
    CHECK(holds(got, "Cookie: c\r\n") && holds(got, "Authorization: a\r\n") && holds(got, "Content-Type: t\r\n"));
    close_world();
}

TEST("TE goes on as trailers alone")
{
    open_world();
    route("/*");
    mg_str got = sent_for(REQUEST("TE: gzip;q=0.5, trailers\r\nConnection: TE\r\n"));
    CHECK(holds(got, "te: trailers\r\n") && holds(got, "connection: te\r\n"));
    CHECK(!holds(got, "gzip"));
    close_world();
}

TEST("a client that nobody trusts has its word about who it is replaced, a trusted proxy has its own added to")
{
    open_world();
    route("/*");
    static const char request[] = REQUEST("X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 198.51.100.8\r\n"
                                          "X-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\nX-Real-IP: 1.2.3.4\r\n"
                                          "Forwarded: for=198.51.100.7\r\n");
    mg_str got = sent_for(request);
    CHECK(holds(got, "x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: h\r\n"));
    CHECK(holds(got, "forwarded: for=192.0.2.1;host=h;proto=http\r\n"));
    CHECK(!holds(got, "198.51.100") && !holds(got, "1.2.3.4"));
    trust_clients();
    got = sent_for(request);
    CHECK(holds(got, "x-forwarded-for: 198.51.100.7, 198.51.100.8, 192.0.2.1\r\n"));
    CHECK(holds(got, "x-forwarded-proto: https\r\nx-forwarded-host: outer\r\n"));
    CHECK(holds(got, "forwarded: for=198.51.100.7, for=192.0.2.1;host=h;proto=https\r\n"));
    close_world();
}

TEST("Via is added to those that are there, and names the version that was received")
{
    open_world();
    route("/*");
    mg_str got = sent_for(REQUEST("Via: 1.0 a\r\nX: y\r\nVia: 1.1 b, 1.1 c\r\n"));
    CHECK(holds(got, "via: 1.0 a, 1.1 b, 1.1 c, 1.1 moongate\r\n"));
    got = sent_for("GET /a HTTP/1.0\r\nHost: h\r\n\r\n");
    CHECK(holds(got, "via: 1.0 moongate\r\n"));
    close_world();
}

/* So many lines of that name and size. */
static const char *many_lines(const char *name, int count, int size)
{
    static char text[40000];
    char *end = text + sizeof text;
    char *to = text + snprintf(text, sizeof text, "GET /a HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < count; i++)
        to += snprintf(to, (size_t)(end - to), "%s: %0*d\r\n", name, size, i);
    (void)snprintf(to, (size_t)(end - to), "\r\n");
    return text;
}

TEST("a head full of fields that are joined into one is sent on, and costs memory once")
{
    static const char *const names[] = {"Via", "X-Forwarded-For", "Forwarded"};
    open_world();
    route("/*");
    trust_clients();
    for (size_t i = 0; i < MG_COUNT(names); i++) {
        mg_str got = sent_for(many_lines(names[i], 120, 240));
        CHECK_FOR(holds(got, "0000118, ") && holds(got, "0000119"), names[i]);
    }
    close_world();
}

TEST("the path goes on normalised, or as the route rewrites it, with the query as it came")
{
    open_world();
    mg_route *r = route("/a/:id/*");
    route("/*");
    r->rewrite = MG_STR("/new/:id/x/*");
    CHECK(mg_str_starts(sent_for("GET /b/../c%41?q=%41 HTTP/1.1\r\nHost: h\r\n\r\n"), MG_STR("GET /cA?q=%41 HTTP/1.1\r\n")));
    CHECK(mg_str_starts(sent_for("GET /a/7/b/c?d HTTP/1.1\r\nHost: h\r\n\r\n"), MG_STR("GET /new/7/x/b/c?d HTTP/1.1\r\n")));
    CHECK(mg_str_starts(sent_for("GET /b? HTTP/1.1\r\nHost: h\r\n\r\n"), MG_STR("GET /b? HTTP/1.1\r\n")));
    close_world();
}

TEST("Host is the client's, the server's name, or what the upstream says")
{
    open_world();
    route("/*");
    CHECK(holds(sent_for(REQUEST("")), "host: h\r\n"));
    world.upstream->options.host = MG_STR("inner");
    CHECK(holds(sent_for(REQUEST("")), "host: inner\r\n"));
    world.upstream->options.host = MG_STR("");
    CHECK(holds(sent_for(REQUEST("")), "host: 127.0.0.1:"));
    close_world();
}

/* ---- heads for the client ------------------------------------------------------------------------ */

TEST("an answer goes on without what was for the proxy alone, with Date and Via")
{
    wire c, o;
    open_world();
    route("/*");
    connect_client(&c);
    say(&c, GET("/"));
    CHECK(accept_origin(&o));
    say(&o, "HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: x\r\nTransfer-Encoding: chunked\r\n"
            "Set-Cookie: a\r\nSet-Cookie: b\r\nX-Other: 2\r\n\r\n0\r\n\r\n");
    CHECK(hears(&c, "\r\n\r\n0\r\n\r\n"));
    CHECK(strstr(c.got, "Set-Cookie: a\r\nSet-Cookie: b\r\nX-Other: 2\r\n") && strstr(c.got, "via: 1.1 moongate\r\n"));
    CHECK(strstr(c.got, "date: ") && !strstr(c.got, "Mine") && !strstr(c.got, "eep-"));
    hang_up(&c);
    hang_up(&o);
    close_world();
}
