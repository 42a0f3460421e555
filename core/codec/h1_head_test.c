#include "codec/h1_head.h"

#include "codec/h1_test.h"

/* ---- requests ------------------------------------------------------------------------------------ */

TEST("a request is taken apart into method, target, version and fields")
{
    struct outcome o = R("POST /a/b?c=d HTTP/1.1\r\nHost: example.com:81\r\nX-One:1\r\nEmpty:\r\n"
                         "Content-Length:  12 \t\r\nAccept: \ta, b \r\n\r\nhello");
    REQUIRE(o.rc == MG_OK);
    CHECK_INT(o.q.method, MG_METHOD_POST);
    CHECK_STR(o.q.method_name, MG_STR("POST"));
    CHECK_STR(o.q.target, MG_STR("/a/b?c=d"));
    CHECK_STR(o.q.uri.raw_path, MG_STR("/a/b"));
    CHECK_STR(o.q.uri.query, MG_STR("c=d"));
    CHECK_STR(o.q.host, MG_STR("example.com:81"));
    CHECK_INT(o.q.msg.minor, 1);
    CHECK_INT(o.q.msg.content_length, 12);
    CHECK_INT(o.q.msg.fields.count, 5);
    CHECK_STR(o.q.msg.fields.at[1].name, MG_STR("X-One"));
    CHECK_STR(o.q.msg.fields.at[1].value, MG_STR("1"));
    CHECK_STR(o.q.msg.fields.at[2].value, MG_STR(""));
    CHECK_STR(mg_fields_value(&o.q.msg.fields, MG_FIELD_ACCEPT), MG_STR("a, b"));
}

TEST("the head ends at the empty line, whatever follows it")
{
    CHECK_INT(R("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n").size, 18);
    CHECK_INT(R("GET / HTTP/1.0\r\n\r\n\0\1\2").size, 18);
}

TEST("a head that is not whole is waited for")
{
    CHECK_INT(R("").rc, MG_AGAIN);
    CHECK_INT(R("GET / HTTP/1.1\r\nHost: a\r\n\r").rc, MG_AGAIN);
    CHECK_INT(R("GET / HTTP/1.1\r\nHost").rc, MG_AGAIN);
}

TEST("at most two empty lines before a request are skipped (RFC 9112 section 2.2)")
{
    CHECK_INT(R("\r\nGET / HTTP/1.0\r\n\r\n").size, 20);
    TAKEN("\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    REFUSED(400, "\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    REFUSED(400, "\nGET / HTTP/1.0\r\n\r\n");
    REFUSED(400, "\r\n\rGET / HTTP/1.0\r\n\r\n");
}

TEST("bare CR is refused wherever it stands (RFC 9112 section 2.2)")
{
    REFUSED(400, "GET / HTTP/1.1\rHost: a\r\n\r\n");
    REFUSED(400, "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, FIELD("X: a\rb"));
    REFUSED(400, FIELD("X\r: a"));
    REFUSED(400, FIELD("X: a\r\r"));
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\n\rX");
}

TEST("bare LF is refused wherever it stands (RFC 9112 section 2.2)")
{
    REFUSED(400, "GET / HTTP/1.1\nHost: a\n\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\n\n");
    REFUSED(400, FIELD("X\n: a"));
}

TEST("NUL and other control bytes are refused in every place (RFC 9110 section 5.5)")
{
    char head[] = FIELD("X: a?b");
    char *at = strchr(head, '?');
    for (int c = 0; c < 256; c++) {
        *at = (char)c;
        struct outcome o = request((mg_str){head, sizeof head - 1});
        bool control = (c < 0x20 && c != '\t') || c == 0x7f;
        CHECK_INT(o.rc, control ? MG_BAD : MG_OK);
    }
    REFUSED(400, "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, FIELD("X\0: a"));
    REFUSED(400, FIELD("X:\0"));
}

TEST("HTAB stands only in values")
{
    TAKEN(FIELD("X: a\tb"));
    REFUSED(400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, FIELD("X\t: a"));
}

TEST("bytes past 0x7f stand only in values (RFC 9110 section 5.5)")
{
    TAKEN(FIELD("X: caf\xc3\xa9"));
    REFUSED(400, FIELD("X\xc3: a"));
    REFUSED(400, "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "G\xc3T / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST("a folded line is refused (RFC 9112 section 5.2)")
{
    REFUSED(400, FIELD("X: a\r\n b"));
    REFUSED(400, FIELD("X: a\r\n\tb"));
    REFUSED(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n");
}

TEST("a blank before the colon is refused (RFC 9112 section 5.1)")
{
    REFUSED(400, FIELD("X : a"));
    REFUSED(400, FIELD("Content-Length : 3"));
    REFUSED(400, FIELD("X\t: a"));
}

TEST("empty and invalid field names are refused (RFC 9110 section 5.1)")
{
    REFUSED(400, FIELD(": a"));
    REFUSED(400, FIELD("a b: c"));
    REFUSED(400, FIELD("a(b): c"));
    REFUSED(400, FIELD("a@b: c"));
    REFUSED(400, FIELD("\"a\": c"));
    TAKEN(FIELD("!#$%&'*+-.^_`|~09azAZ: c"));
}

TEST("a field line without a colon is refused")
{
    REFUSED(400, FIELD("X"));
    REFUSED(400, FIELD("Transfer-Encoding chunked"));
}

TEST("HTTP/1.1 needs exactly one valid Host (RFC 9112 section 3.2)")
{
    REFUSED(400, "GET / HTTP/1.1\r\n\r\n");
    REFUSED(400, FIELD("Host: a"));
    REFUSED(400, FIELD("hOST: b"));
    REFUSED(400, "GET / HTTP/1.1\r\nHost:\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n");
    TAKEN("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
}

TEST("HTTP/1.0 does without Host, but has no two and no invalid one")
{
    struct outcome o = R("GET / HTTP/1.0\r\n\r\n");
    CHECK_INT(o.rc, MG_OK);
    CHECK(!o.q.host.p);
    REFUSED(400, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.0\r\nHost: /\r\n\r\n");
}

TEST("the request line has one SP between its three parts and nothing around them (RFC 9112 section 3)")
{
    REFUSED(400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / a HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /\r\n\r\n");
    REFUSED(400, "GET\r\n\r\n");
    REFUSED(400, "GET HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST("the method is a token of at most 64 bytes (RFC 9110 section 9.1)")
{
#define SIXTY "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH"
    CHECK_INT(R(SIXTY "ABCD / HTTP/1.0\r\n\r\n").q.method, MG_METHOD_OTHER);
    TAKEN("M-SEARCH / HTTP/1.0\r\n\r\n");
    CHECK_INT(R("get / HTTP/1.0\r\n\r\n").q.method, MG_METHOD_OTHER);
    REFUSED(400, SIXTY "ABCDE / HTTP/1.0\r\n\r\n");
    REFUSED(400, SIXTY "ABCDE");
    REFUSED(400, "GE(T / HTTP/1.0\r\n\r\n");
}

TEST("garbage is refused at its first impossible byte")
{
    REFUSED(400, "\x16\x03\x01");
    REFUSED(400, "\x80");
    REFUSED(400, "GET / HTTQ");
    REFUSED(400, "GET / HTTP/x");
    REFUSED(400, "\r\n\r\n\r");
    REFUSED(400, "GET /\x7f");
}

TEST("an unknown major version is answered 505, a broken one 400 (RFC 9110 section 15.6.6)")
{
    REFUSED(505, "GET / HTTP/2.0\r\n");
    REFUSED(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    REFUSED(505, "GET / HTTP/0.9\r\n\r\n");
    REFUSED(400, "GET / HTTP/1\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.\r\n\r\n");
    REFUSED(400, "GET / HTTP/11.1\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.10\r\n\r\n");
    REFUSED(400, "GET / http/1.1\r\n\r\n");
    REFUSED(400, "GET / HTTP/2\r\n\r\n");
    REFUSED(400, "GET / HTTP/+1.1\r\n\r\n");
}

TEST("a later minor version is read as 1.1 (RFC 9110 section 2.5)")
{
    struct outcome o = R("GET / HTTP/1.7\r\nHost: a\r\n\r\n");
    CHECK_INT(o.rc, MG_OK);
    CHECK_INT(o.q.msg.minor, 1);
    CHECK(o.q.msg.keep_alive);
}

TEST("a fragment and a backslash in the path are refused, what clients send in queries is not")
{
    REFUSED(400, "GET /a#b HTTP/1.0\r\n\r\n");
    REFUSED(400, "GET /a\\b HTTP/1.0\r\n\r\n");
    TAKEN("GET /a?\"<>\\^`{|}[] HTTP/1.0\r\n\r\n");
    TAKEN("GET /a|b{c}^[d] HTTP/1.0\r\n\r\n");
}

TEST("an absolute target names the same authority as Host, or is refused (RFC 9112 section 3.2.2)")
{
    struct outcome o = R("GET http://Example.com/x?y HTTP/1.1\r\nHost: example.com:80\r\n\r\n");
    CHECK_INT(o.rc, MG_OK);
    CHECK_STR(o.q.host, MG_STR("Example.com"));
    CHECK_STR(o.q.uri.raw_path, MG_STR("/x"));
    TAKEN("GET HTTPS://a:443/ HTTP/1.1\r\nHost: a\r\n\r\n");
    TAKEN("GET http://a HTTP/1.0\r\n\r\n");
    REFUSED(400, "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n");
    REFUSED(400, "GET http://a/ HTTP/1.1\r\nHost: a:81\r\n\r\n");
    REFUSED(400, "GET http://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n");
    REFUSED(400, "GET http://a/ HTTP/1.1\r\n\r\n");
    REFUSED(400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST("userinfo in a target is refused (RFC 9110 section 4.2.4)")
{
    REFUSED(400, "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "CONNECT u@a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
}

TEST("the authority form belongs to CONNECT and the asterisk to OPTIONS (RFC 9112 section 3.2)")
{
    CHECK_INT(R("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n").q.uri.form, MG_TARGET_AUTHORITY);
    TAKEN("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    TAKEN("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_STR(R("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n").q.uri.raw_path, MG_STR("*"));
    CHECK_STR(R("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n").q.uri.raw_path, MG_STR("/"));
    REFUSED(400, "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
    REFUSED(400, "GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    REFUSED(400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST("a request line that is too long is answered 414, a head or field count that is too large 431")
{
    const mg_h1_limits small = {.line_most = 14, .head_most = 40, .fields_most = 2};
    CHECK_INT(read_all_ways(REQUEST, &small, MG_STR("GET / HTTP/1.0\r\n\r\n")).rc, MG_OK);
    struct outcome o = read_all_ways(REQUEST, &small, MG_STR("GET /x HTTP/1.0\r\n\r\n"));
    CHECK_INT(o.rc, MG_LIMIT);
    CHECK_INT(o.status, 414);
    o = read_all_ways(REQUEST, &small, MG_STR("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    CHECK_INT(o.status, 414);
    o = read_all_ways(REQUEST, &small, MG_STR("GET / HTTP/1.0\r\nA: 6789012345678901234\r\n\r\n"));
    CHECK_INT(o.status, 431);
    o = read_all_ways(REQUEST, &small, MG_STR("GET / HTTP/1.0\r\nA: 67890123456789012\r\n\r\n"));
    CHECK_INT(o.rc, MG_OK);
    CHECK_INT(o.size, 40);
    const mg_h1_limits tiny = {.line_most = 14, .head_most = 3, .fields_most = 2};
    CHECK_INT(read_all_ways(REQUEST, &tiny, MG_STR("\r\n\r\n")).status, 431);
    o = read_all_ways(REQUEST, &small, MG_STR("GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\n\r\n"));
    CHECK_INT(o.status, 431);
    CHECK_INT(read_all_ways(REQUEST, &small, MG_STR("GET / HTTP/1.0\r\nA:\r\nB:\r\n\r\n")).rc, MG_OK);
}

TEST("a fault before a limit is told as the fault")
{
    const mg_h1_limits small = {.line_most = 14, .head_most = 40, .fields_most = 2};
    struct outcome o =
        read_all_ways(REQUEST, &small, MG_STR("GET /\1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.0\r\n\r\n"));
    CHECK_INT(o.status, 400);
}

/* ---- answers ------------------------------------------------------------------------------------- */

TEST("an answer is taken apart into version, status, reason and fields")
{
    struct outcome o = A("HTTP/1.1 404 Not  Found \xe9\r\nContent-Length: 3\r\nServer: x\r\n\r\nabc");
    REQUIRE(o.rc == MG_OK);
    CHECK_INT(o.a.status, 404);
    CHECK_STR(o.a.reason, MG_STR("Not  Found \xe9"));
    CHECK_INT(o.a.msg.content_length, 3);
    CHECK_INT(o.a.msg.fields.count, 2);
    CHECK(o.a.msg.keep_alive);
    CHECK_INT(o.size, 59);
}

TEST("an answer may come without a reason, and without the SP before it")
{
    CHECK_STR(A("HTTP/1.1 200 \r\n\r\n").a.reason, MG_STR(""));
    CHECK_INT(A("HTTP/1.1 200\r\n\r\n").a.status, 200);
    CHECK_INT(A("HTTP/1.0 599\r\n\r\n").a.status, 599);
    CHECK_INT(A("HTTP/1.1 100 Continue\r\n\r\n").a.status, 100);
}

TEST("a bad status line is refused (RFC 9112 section 4)")
{
    ANSWER_REFUSED("HTTP/1.1  200 OK\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 20 OK\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 2000 OK\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 099 OK\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 600 OK\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 2x0 OK\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1\t200 OK\r\n\r\n");
    ANSWER_REFUSED("HTTP/2.0 200 OK\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 a\0b\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 a\rb\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 OK\n\n");
    ANSWER_REFUSED("\r\nHTTP/1.1 200 OK\r\n\r\n");
    ANSWER_REFUSED("ICY 200 OK\r\n\r\n");
    ANSWER_REFUSED("<html>");
}

TEST("answers are held to the same field rules as requests")
{
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n");
    ANSWER_REFUSED("HTTP/1.1 200 OK\r\nA : b\r\n\r\n");
}

TEST("an answer's head has limits of its own")
{
    const mg_h1_limits small = {.line_most = 14, .head_most = 40, .fields_most = 2};
    CHECK_INT(read_all_ways(RESPONSE, &small, MG_STR("HTTP/1.1 200 abcdefg\r\n\r\n")).rc, MG_LIMIT);
    CHECK_INT(read_all_ways(RESPONSE, &small, MG_STR("HTTP/1.1 200\r\nA:\r\nB:\r\nC:\r\n\r\n")).rc, MG_LIMIT);
    CHECK_INT(read_all_ways(RESPONSE, &small, MG_STR("HTTP/1.1 200\r\nA: 67890123456789012345678901234567890\r\n")).rc,
              MG_LIMIT);
}

/* ---- trailers ------------------------------------------------------------------------------------ */

static struct outcome trailers(mg_str text)
{
    return read_all_ways(TRAILERS, &usual, text);
}

TEST("a trailer section is read up to its empty line")
{
    struct outcome o = trailers(MG_STR("Grpc-Status: 0\r\nETag: \"x\"\r\n\r\nGET"));
    CHECK_INT(o.rc, MG_OK);
    CHECK_INT(o.size, 29);
    CHECK_INT(o.q.msg.fields.count, 2);
    CHECK_INT(trailers(MG_STR("\r\n")).size, 2);
    CHECK_INT(trailers(MG_STR("A: b\r\n")).rc, MG_AGAIN);
}

TEST("what frames, routes or authenticates may not stand in a trailer (RFC 9110 section 6.5.1)")
{
    static const char *const names[] = {"Transfer-Encoding",
                                        "content-length",
                                        "HOST",
                                        "Trailer",
                                        "TE",
                                        "Connection",
                                        "Expect",
                                        "Upgrade",
                                        "Authorization",
                                        "Proxy-Authenticate",
                                        "Proxy-Connection",
                                        "proxy-x",
                                        "Set-Cookie",
                                        "Cookie",
                                        "Cache-Control",
                                        "Content-Encoding",
                                        "Content-Type",
                                        "Content-Range",
                                        "Max-Forwards",
                                        "WWW-Authenticate",
                                        "Range",
                                        "If-Match",
                                        "If-None-Match",
                                        "If-X",
                                        "Pragma",
                                        "X-Forwarded-For",
                                        "X-Forwarded-Y",
                                        "Forwarded",
                                        "Via",
                                        "Keep-Alive"};
    for (size_t i = 0; i < MG_COUNT(names); i++) {
        char text[100];
        int n = snprintf(text, sizeof text, "A: b\r\n%s: x\r\n\r\n", names[i]);
        CHECK_FOR(trailers((mg_str){text, (size_t)n}).rc == MG_BAD, names[i]);
    }
}

TEST("a trailer section is held to the field rules and limits of a head")
{
    const mg_h1_limits small = {.line_most = 14, .head_most = 20, .fields_most = 2};
    CHECK_INT(trailers(MG_STR("A : b\r\n\r\n")).rc, MG_BAD);
    CHECK_INT(trailers(MG_STR(" A: b\r\n\r\n")).rc, MG_BAD);
    CHECK_INT(trailers(MG_STR("A: b\n\n")).rc, MG_BAD);
    CHECK_INT(read_all_ways(TRAILERS, &small, MG_STR("A: 678901234567890123\r\n\r\n")).rc, MG_LIMIT);
    CHECK_INT(read_all_ways(TRAILERS, &small, MG_STR("A:\r\nB:\r\nC:\r\n\r\n")).rc, MG_LIMIT);
}

TEST("a full arena is a limit, not a bug")
{
    mg_arena tiny;
    mg_h1_reader r = {0};
    struct outcome o = {0};
    mg_arena_init(&tiny, 0);
    mg_str text = MG_STR("GET / HTTP/1.0\r\nA: b\r\n\r\n");
    mg_rc rc = mg_h1_read_request(&r, &usual, text.p, text.n, &tiny, &o.q, &o.size, &o.status, &o.why);
    CHECK_INT(rc, MG_LIMIT);
    CHECK_INT(o.status, 431);
}

TEST("safe and idempotent methods are those of RFC 9110 section 9.2")
{
    CHECK(mg_method_is_safe(MG_METHOD_GET) && mg_method_is_safe(MG_METHOD_HEAD));
    CHECK(mg_method_is_safe(MG_METHOD_OPTIONS) && mg_method_is_safe(MG_METHOD_TRACE));
    CHECK(!mg_method_is_safe(MG_METHOD_POST) && !mg_method_is_safe(MG_METHOD_PUT));
    CHECK(mg_method_is_idempotent(MG_METHOD_PUT) && mg_method_is_idempotent(MG_METHOD_DELETE));
    CHECK(!mg_method_is_idempotent(MG_METHOD_POST) && !mg_method_is_idempotent(MG_METHOD_PATCH));
    CHECK(!mg_method_is_idempotent(MG_METHOD_OTHER) && !mg_method_is_idempotent(MG_METHOD_CONNECT));
}
