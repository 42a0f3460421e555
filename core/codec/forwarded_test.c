#include "codec/forwarded.h"

#include "base/test.h"

TEST("elements are cut from the right")
{
    mg_str rest = MG_STR("for=192.0.2.60;proto=http;by=203.0.113.43, For=\"[2001:db8::1]:1234\" ; Host=\"a:8080\"");
    mg_forwarded e;
    CHECK(mg_forwarded_prev(&rest, &e));
    CHECK_STR(e.for_, MG_STR("[2001:db8::1]:1234"));
    CHECK_STR(e.host, MG_STR("a:8080"));
    CHECK(!e.proto.p && !e.by.p);
    CHECK(mg_forwarded_prev(&rest, &e));
    CHECK_STR(e.for_, MG_STR("192.0.2.60"));
    CHECK_STR(e.proto, MG_STR("http"));
    CHECK_STR(e.by, MG_STR("203.0.113.43"));
    CHECK(!mg_forwarded_prev(&rest, &e));
}

TEST("empty elements are skipped, parameters of other names passed over")
{
    mg_str rest = MG_STR(" , ;x=y;for=_a; ,, ");
    mg_forwarded e;
    CHECK(mg_forwarded_prev(&rest, &e));
    CHECK_STR(e.for_, MG_STR("_a"));
    CHECK(!mg_forwarded_prev(&rest, &e));
    rest = MG_STR("");
    CHECK(!mg_forwarded_prev(&rest, &e));
}

TEST("an open quote that a client sent does not swallow what a proxy added")
{
    mg_str rest = MG_STR("for=\"evil, for=192.0.2.1");
    mg_forwarded e;
    CHECK(mg_forwarded_prev(&rest, &e));
    CHECK_STR(e.for_, MG_STR("192.0.2.1"));
    CHECK(mg_forwarded_prev(&rest, &e));
    CHECK(!e.for_.p);
}

TEST("commas and escapes inside quotes do not divide")
{
    mg_str rest = MG_STR("for=a, for=b;x=\"c,\\\", d\"");
    mg_forwarded e;
    CHECK(mg_forwarded_prev(&rest, &e));
    CHECK_STR(rest, MG_STR("for=a"));
    CHECK(!e.for_.p);
}

TEST("a malformed element says nothing")
{
    static const char *const bad[] = {"for",     "for=",    "for=a b",   "for=a;for=b", "=a",
                                      "for=\"a", "for=a\"", "for=[::1]", "for = a",     "for=\"a\\\"b\""};
    for (size_t i = 0; i < MG_COUNT(bad); i++) {
        mg_str rest = mg_str_of(bad[i]);
        mg_forwarded e;
        CHECK_FOR(mg_forwarded_prev(&rest, &e) && !e.for_.p, bad[i]);
    }
}

TEST("X-Forwarded-For is cut from the right")
{
    mg_str rest = MG_STR("a, 192.0.2.1 ,, ::1,"), node;
    CHECK(mg_forwarded_for_prev(&rest, &node));
    CHECK_STR(node, MG_STR("::1"));
    CHECK(mg_forwarded_for_prev(&rest, &node));
    CHECK_STR(node, MG_STR("192.0.2.1"));
    CHECK(mg_forwarded_for_prev(&rest, &node));
    CHECK_STR(node, MG_STR("a"));
    CHECK(!mg_forwarded_for_prev(&rest, &node));
}

static void node(const char *text, mg_node_kind kind, const char *host, int port)
{
    mg_str got;
    int got_port;
    CHECK_FOR(mg_forwarded_node(mg_str_of(text), &got, &got_port) == kind, text);
    if (kind != MG_NODE_BAD) {
        CHECK_STR(got, mg_str_of(host));
        CHECK_INT(got_port, port);
    }
}

TEST("a node is an address, unknown or obfuscated, with an optional port (RFC 7239 section 6)")
{
    node("192.0.2.1", MG_NODE_ADDRESS, "192.0.2.1", -1);
    node("192.0.2.1:80", MG_NODE_ADDRESS, "192.0.2.1", 80);
    node("192.0.2.1:_x", MG_NODE_ADDRESS, "192.0.2.1", -1);
    node("[2001:db8::1]", MG_NODE_ADDRESS, "2001:db8::1", -1);
    node("[2001:db8::1]:1234", MG_NODE_ADDRESS, "2001:db8::1", 1234);
    node("2001:db8::1", MG_NODE_ADDRESS, "2001:db8::1", -1);
    node("::ffff:192.0.2.1", MG_NODE_ADDRESS, "::ffff:192.0.2.1", -1);
    node("Unknown", MG_NODE_UNKNOWN, "Unknown", -1);
    node("unknown:80", MG_NODE_UNKNOWN, "unknown", 80);
    node("_SEVKISEK", MG_NODE_OBFUSCATED, "_SEVKISEK", -1);
}

TEST("what is no node is bad")
{
    static const char *const bad[] = {"",
                                      ":",
                                      "example.com",
                                      "1",
                                      "192.0.2.1:",
                                      "192.0.2.1:123456",
                                      "192.0.2.1:65536",
                                      "192.0.2.1:x",
                                      "[::1",
                                      "[::1]x",
                                      "[::1]:",
                                      "[]",
                                      "_",
                                      "_a b",
                                      "::1x",
                                      "[x::1]"};
    for (size_t i = 0; i < MG_COUNT(bad); i++)
        node(bad[i], MG_NODE_BAD, "", -1);
}

static void puts_node(const char *host, int port, const char *wanted)
{
    char to[100], *end = mg_forwarded_put_node(to, mg_str_of(host), port);
    CHECK_STR(((mg_str){to, (size_t)(end - to)}), mg_str_of(wanted));
    CHECK((size_t)(end - to) <= strlen(host) + MG_FORWARDED_NODE_ROOM);
}

TEST("a node is quoted where a token cannot hold it")
{
    puts_node("192.0.2.1", -1, "192.0.2.1");
    puts_node("192.0.2.1", 80, "\"192.0.2.1:80\"");
    puts_node("2001:db8::1", -1, "\"[2001:db8::1]\"");
    puts_node("2001:db8::1", 65535, "\"[2001:db8::1]:65535\"");
    puts_node("unknown", -1, "unknown");
    puts_node("_x", -1, "_x");
}

TEST("a value is quoted where it is no token")
{
    char to[100], *end = mg_forwarded_put_value(to, MG_STR("https"));
    CHECK_STR(((mg_str){to, (size_t)(end - to)}), MG_STR("https"));
    end = mg_forwarded_put_value(to, MG_STR("a:80"));
    CHECK_STR(((mg_str){to, (size_t)(end - to)}), MG_STR("\"a:80\""));
    end = mg_forwarded_put_value(to, MG_STR("a\"\\b"));
    CHECK_STR(((mg_str){to, (size_t)(end - to)}), MG_STR("\"a\\\"\\\\b\""));
    end = mg_forwarded_put_value(to, MG_STR(""));
    CHECK_STR(((mg_str){to, (size_t)(end - to)}), MG_STR("\"\""));
}
