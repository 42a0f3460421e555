#include "exchange/world_test.h"

/* ---- changes by hooks ---------------------------------------------------------------------------- */

static void (*examine)(mg_exchange *x);

static mg_hook_result examines(mg_exchange *x)
{
    examine(x);
    mg_exchange_answer(x, 204);
    return MG_HOOK_ANSWER;
}

/* Looks at the exchange of that request while a hook runs. */
static void look_at(const char *request, void (*fn)(mg_exchange *x))
{
    wire c;
    int ends = world.end_count;
    examine = fn;
    connect_client(&c);
    say(&c, request);
    CHECK_FOR(ended(ends + 1), request);
    CHECK_FOR(world.ends[ends].status == 204, request);
    hang_up(&c);
}

static void open_hooked(void)
{
    open_world();
    hook(route_to("/*", MG_ACTION_HANDLER), MG_PHASE_HANDLER, examines);
}

#define REFUSES(call) \
    do { \
        why = NULL; \
        CHECK((call) == MG_BAD); \
        CHECK(why && why[0]); \
    } while (0)

static void change_path(mg_exchange *x)
{
    const char *why;
    mg_str before = x->req.path;
    REFUSES(mg_exchange_set_path(x, MG_STR("a"), &why));
    REFUSES(mg_exchange_set_path(x, MG_STR(""), &why));
    REFUSES(mg_exchange_set_path(x, MG_STR("/a?b"), &why));
    REFUSES(mg_exchange_set_path(x, MG_STR("/a b"), &why));
    REFUSES(mg_exchange_set_path(x, MG_STR("/a\r\nb"), &why));
    REFUSES(mg_exchange_set_path(x, MG_STR("/%zz"), &why));
    REFUSES(mg_exchange_set_path(x, MG_STR("/%00"), &why));
    REFUSES(mg_exchange_set_path(x, MG_STR("http://h/a"), &why));
    REFUSES(mg_exchange_set_path(x, MG_STR("*"), &why));
    CHECK(x->req.path.p == before.p && !x->req.path_changed);
    char own[] = "/b/./../c%41";
    CHECK(mg_exchange_set_path(x, mg_str_of(own), &why) == MG_OK);
    memset(own, 'x', sizeof own - 1); /* it was copied */
    CHECK_STR(x->req.path, MG_STR("/cA"));
    CHECK(x->req.path_changed);
}

static void change_query(mg_exchange *x)
{
    const char *why;
    REFUSES(mg_exchange_set_query(x, MG_STR("a b"), &why));
    REFUSES(mg_exchange_set_query(x, MG_STR("a#b"), &why));
    REFUSES(mg_exchange_set_query(x, MG_STR("a\nb"), &why));
    REFUSES(mg_exchange_set_query(x, MG_STR("\xc3\xa9"), &why));
    CHECK_STR(x->req.query, MG_STR("q=1"));
    CHECK(mg_exchange_set_query(x, MG_STR("a=%20&b"), &why) == MG_OK);
    CHECK_STR(x->req.query, MG_STR("a=%20&b"));
    CHECK(mg_exchange_set_query(x, MG_STR(""), &why) == MG_OK);
    CHECK(x->req.query.p && !x->req.query.n);
    CHECK(mg_exchange_set_query(x, MG_STR_NONE, &why) == MG_OK);
    CHECK(!x->req.query.p);
}

static void change_method(mg_exchange *x)
{
    static char long_name[66];
    const char *why;
    memset(long_name, 'A', 65);
    REFUSES(mg_exchange_set_method(x, MG_STR(""), &why));
    REFUSES(mg_exchange_set_method(x, MG_STR("G T"), &why));
    REFUSES(mg_exchange_set_method(x, MG_STR("CONNECT"), &why));
    REFUSES(mg_exchange_set_method(x, MG_STR("TRACE"), &why));
    REFUSES(mg_exchange_set_method(x, mg_str_of(long_name), &why));
    CHECK_INT(x->req.method, MG_METHOD_GET);
    CHECK(mg_exchange_set_method(x, MG_STR("POST"), &why) == MG_OK);
    CHECK_INT(x->req.method, MG_METHOD_POST);
    CHECK(mg_exchange_set_method(x, MG_STR("post"), &why) == MG_OK);
    CHECK_INT(x->req.method, MG_METHOD_OTHER);
    CHECK_STR(x->req.method_name, MG_STR("post"));
}

static void change_host(mg_exchange *x)
{
    const char *why;
    REFUSES(mg_exchange_set_host(x, MG_STR(""), &why));
    REFUSES(mg_exchange_set_host(x, MG_STR("a b"), &why));
    REFUSES(mg_exchange_set_host(x, MG_STR("a:x"), &why));
    REFUSES(mg_exchange_set_host(x, MG_STR("a@b"), &why));
    CHECK_STR(x->req.host, MG_STR("example.com"));
    CHECK(mg_exchange_set_host(x, MG_STR("Other.Example.:81"), &why) == MG_OK);
    CHECK_STR(x->req.host, MG_STR("other.example"));
    CHECK_STR(x->req.authority, MG_STR("Other.Example.:81"));
}

static void change_upstream(mg_exchange *x)
{
    CHECK(mg_exchange_choose_upstream(x, MG_STR("nobody")) == MG_BAD);
    CHECK(!x->upstream);
    CHECK(mg_exchange_choose_upstream(x, MG_STR("app")) == MG_OK);
    CHECK(x->upstream == world.upstream);
}

TEST("what a hook sets is checked, copied and kept as it was where it cannot be")
{
    open_hooked();
    look_at("GET /a?q=1 HTTP/1.1\r\nHost: Example.COM.:80\r\n\r\n", change_path);
    look_at("GET /a?q=1 HTTP/1.1\r\nHost: Example.COM.:80\r\n\r\n", change_query);
    look_at("GET /a?q=1 HTTP/1.1\r\nHost: Example.COM.:80\r\n\r\n", change_method);
    look_at("GET /a?q=1 HTTP/1.1\r\nHost: Example.COM.:80\r\n\r\n", change_host);
    look_at("GET /a?q=1 HTTP/1.1\r\nHost: Example.COM.:80\r\n\r\n", change_upstream);
    close_world();
}

/* ---- what a head says ---------------------------------------------------------------------------- */

static void is_absolute(mg_exchange *x)
{
    CHECK_STR(x->req.host, MG_STR("h.example"));
    CHECK_STR(x->req.path, MG_STR("/a/b"));
    CHECK_STR(x->req.raw_path, MG_STR("/a/./b"));
    CHECK_STR(x->req.query, MG_STR("c=%41"));
    CHECK_STR(x->req.target, MG_STR("http://H.example/a/./b?c=%41"));
}

static void is_bare(mg_exchange *x)
{
    CHECK_STR(x->req.path, MG_STR("/"));
    CHECK(!x->req.query.p && !x->req.host.n && x->req.minor == 0);
}

TEST("target and host are taken apart: absolute forms, dots, letter case, none at all")
{
    open_hooked();
    look_at("GET http://H.example/a/./b?c=%41 HTTP/1.1\r\nHost: h.example\r\n\r\n", is_absolute);
    look_at("GET / HTTP/1.0\r\n\r\n", is_bare);
    close_world();
}

static mg_str ids[2];
static char id_bytes[2][32];
static int id_count;

static void makes_id(mg_exchange *x)
{
    mg_str id = mg_exchange_request_id(x);
    CHECK_INT(id.n, 32);
    CHECK(mg_exchange_request_id(x).p == id.p);
    for (size_t i = 0; i < id.n; i++)
        CHECK((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f'));
    memcpy(id_bytes[id_count % 2], id.p, 32);
    ids[id_count % 2] = (mg_str){id_bytes[id_count % 2], 32};
    id_count++;
}

TEST("request ids are 32 hexadecimal digits, one for each request and never twice")
{
    open_hooked();
    for (int i = 0; i < 200; i++) { /* more than are drawn at a time */
        look_at(GET("/a"), makes_id);
        CHECK(i == 0 || !mg_str_eq(ids[0], ids[1]));
    }
    close_world();
}

/* ---- who the client is --------------------------------------------------------------------------- */

static char client[MG_ADDR_ROOM], scheme[8];

static void notes_client(mg_exchange *x)
{
    (void)snprintf(client, sizeof client, "%.*s", MG_STR_ARG(mg_exchange_client_ip(x)));
    (void)snprintf(scheme, sizeof scheme, "%.*s", MG_STR_ARG(x->req.scheme));
}

static void check_client(const char *lines, const char *ip, const char *proto)
{
    char request[512];
    (void)snprintf(request, sizeof request, "GET /a HTTP/1.1\r\nHost: h\r\n%s\r\n", lines);
    look_at(request, notes_client);
    if (!CHECK_STR(mg_str_of(client), mg_str_of(ip)) || !CHECK_STR(mg_str_of(scheme), mg_str_of(proto)))
        printf("# for %s\n", lines);
}

TEST("nobody's word about the client counts unless the proxy before us is trusted")
{
    open_hooked();
    check_client("X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n", "192.0.2.1", "http");
    check_client("Forwarded: for=10.0.0.1;proto=https\r\n", "192.0.2.1", "http");
    close_world();
}

TEST("the client is the first address that no trusted proxy vouches for, seen from here")
{
    mg_err err;
    open_hooked();
    world.gen->trusted = mg_cidrs_new();
    CHECK(mg_cidrs_add(world.gen->trusted, MG_STR("192.0.2.0/24"), &err) == MG_OK);
    CHECK(mg_cidrs_add(world.gen->trusted, MG_STR("10.0.0.0/8"), &err) == MG_OK);
    check_client("", "192.0.2.1", "http");
    check_client("X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n", "198.51.100.7", "https");
    check_client("X-Forwarded-For: 1.1.1.1, 198.51.100.7, 10.0.0.1\r\n", "198.51.100.7", "http");
    check_client("X-Forwarded-For: 1.1.1.1, 198.51.100.7\r\nX-Forwarded-For: 10.0.0.1\r\n", "198.51.100.7", "http");
    check_client("X-Forwarded-For: 1.1.1.1, nonsense, 10.0.0.1\r\n", "10.0.0.1", "http");
    check_client("X-Forwarded-For: 10.0.0.2, 10.0.0.1\r\n", "10.0.0.2", "http");
    check_client("X-Forwarded-For: [2001:db8::1]:99\r\n", "2001:db8::1", "http");
    check_client("Forwarded: for=198.51.100.7;proto=https, for=10.0.0.1\r\n", "198.51.100.7", "https");
    check_client("Forwarded: for=unknown, for=10.0.0.1\r\n", "10.0.0.1", "http");
    close_world();
}
