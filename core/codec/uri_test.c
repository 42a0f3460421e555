#include "codec/uri.h"

#include "base/test.h"

static mg_arena arena;
static const char *why;

static void renew(void)
{
    mg_arena_fini(&arena);
    mg_arena_init(&arena, 1 << 20);
}

static mg_rc normalize(mg_str raw, mg_str *out)
{
    renew();
    why = NULL;
    return mg_path_normalize(raw, &arena, out, &why);
}

static void becomes(const char *raw, const char *wanted)
{
    mg_str out, again;
    if (!CHECK_FOR(normalize(mg_str_of(raw), &out) == MG_OK, raw))
        return;
    CHECK_STR(out, mg_str_of(wanted));
    CHECK_INT(mg_path_normalize(out, &arena, &again, &why), MG_OK);
    CHECK(again.p == out.p && again.n == out.n);
}

static void stays(const char *raw)
{
    mg_str out = MG_STR_NONE;
    CHECK_FOR(normalize(mg_str_of(raw), &out) == MG_OK && out.p == raw && out.n == strlen(raw), raw);
}

static void no_path(mg_str raw)
{
    mg_str out;
    CHECK_FOR(normalize(raw, &out) == MG_BAD, mg_test_show(raw));
    CHECK(why && why[0]);
}
#define NO_PATH(raw) no_path(MG_STR(raw))

TEST("a normal path is handed back as it is and takes no memory")
{
    stays("/");
    stays("/a/b.c/d-e_f~g");
    stays("/a//b/");
    stays("//");
    stays("/!$&'()*+,;=:@");
    stays("/...");
    stays("/a.");
    stays("/a..b");
    stays("*");
    CHECK(arena.used == 0);
    stays("/.well-known/x");
    stays("/..a");
    stays("/%2F%20%C3%A9");
}

TEST("escapes of unreserved characters are decoded, others upper-cased (RFC 3986 section 6.2.2)")
{
    becomes("/%7eb%41%2d%30", "/~bA-0");
    becomes("/a%2fb%3a%c3", "/a%2Fb%3A%C3");
    becomes("/%25%32%65", "/%252e");
    becomes("/%21", "/%21");
}

TEST("what a path may not hold but clients send is escaped")
{
    becomes("/a|b{c}^`<>\"[d]", "/a%7Cb%7Bc%7D%5E%60%3C%3E%22%5Bd%5D");
    becomes("/a%7cb", "/a%7Cb");
}

TEST("dot segments are resolved, also when escaped (RFC 3986 section 5.2.4)")
{
    becomes("/a/./b", "/a/b");
    becomes("/a/../b", "/b");
    becomes("/a/b/..", "/a/");
    becomes("/a/b/.", "/a/b/");
    becomes("/a/..", "/");
    becomes("/.", "/");
    becomes("/a/b/c/../../d", "/a/d");
    becomes("/a/%2e%2E/b", "/b");
    becomes("/a/.%2e/b", "/b");
    becomes("/a//../b", "/a/b");
    becomes("//..", "/");
    becomes("/a/%2e", "/a/");
}

TEST("a path above the root is refused")
{
    NO_PATH("/..");
    NO_PATH("/../a");
    NO_PATH("/a/../..");
    NO_PATH("/%2e%2e/a");
    NO_PATH("/a/../../b");
}

TEST("dot segments in disguise are refused")
{
    NO_PATH("/a/..%2fb");
    NO_PATH("/a/..%2Fb");
    NO_PATH("/a/..%5cb");
    NO_PATH("/a/%2e%2e%2fb");
    NO_PATH("/a%2f..");
    NO_PATH("/a%2f../b");
    NO_PATH("/a%2f..%2fb");
    NO_PATH("/a%5c.%5cb");
    NO_PATH("/a/..;/b");
    NO_PATH("/a/..;x=y/b");
    NO_PATH("/a/..%3bx/b");
    NO_PATH("/a/.;/b");
    NO_PATH("/a%2f..;x");
}

TEST("dots that no reader takes for a segment stay")
{
    becomes("/a%2f..b", "/a%2F..b");
    becomes("/a..%2fb", "/a..%2Fb");
    becomes("/...%2fb", "/...%2Fb");
    stays("/a;..");
    stays("/a;x=../b");
}

TEST("%00, broken escapes and bytes outside the grammar are refused")
{
    NO_PATH("/a%00b");
    NO_PATH("/a%0");
    NO_PATH("/a%");
    NO_PATH("/a%g0");
    NO_PATH("/a%0g");
    NO_PATH("/a%%30");
    NO_PATH("/a\\b");
    NO_PATH("/a#b");
    NO_PATH("/a?b");
    NO_PATH("/a b");
    NO_PATH("/a\x7f");
    NO_PATH("/a\xc3");
    NO_PATH("/a\0");
}

TEST("a path begins with a slash")
{
    NO_PATH("");
    NO_PATH("a/b");
    NO_PATH("**");
    NO_PATH("./a");
}

TEST("a full arena is a limit for a path that must change")
{
    mg_arena none;
    mg_str out;
    mg_arena_init(&none, 0);
    CHECK_INT(mg_path_normalize(MG_STR("/a/../b"), &none, &out, &why), MG_LIMIT);
}

/* ---- targets ------------------------------------------------------------------------------------- */

static mg_target target(const char *text)
{
    mg_target t = {0};
    CHECK_FOR(mg_target_parse(mg_str_of(text), &t, &why) == MG_OK, text);
    return t;
}

static void no_target(mg_str text)
{
    mg_target t;
    why = NULL;
    CHECK_FOR(mg_target_parse(text, &t, &why) == MG_BAD, mg_test_show(text));
    CHECK(why && why[0]);
}
#define NO_TARGET(text) no_target(MG_STR(text))

TEST("the origin form is a path and perhaps a query")
{
    mg_target t = target("/a/b?c=d?e/f");
    CHECK_INT(t.form, MG_TARGET_ORIGIN);
    CHECK_STR(t.raw_path, MG_STR("/a/b"));
    CHECK_STR(t.query, MG_STR("c=d?e/f"));
    CHECK(!t.authority.p);
    CHECK(!target("/a").query.p);
    t = target("/a?");
    CHECK(t.query.p && t.query.n == 0);
    CHECK_STR(target("//a/b").raw_path, MG_STR("//a/b"));
    CHECK_STR(target("/a?http://b/").raw_path, MG_STR("/a"));
}

TEST("the absolute form has scheme, authority, path and query")
{
    mg_target t = target("HTTP://a.b:8080/c?d");
    CHECK_INT(t.form, MG_TARGET_ABSOLUTE);
    CHECK_STR(t.scheme, MG_STR("HTTP"));
    CHECK_STR(t.authority, MG_STR("a.b:8080"));
    CHECK_STR(t.raw_path, MG_STR("/c"));
    CHECK_STR(t.query, MG_STR("d"));
    t = target("https://a");
    CHECK_STR(t.raw_path, MG_STR("/"));
    CHECK(!t.query.p);
    t = target("https://[::1]?x");
    CHECK_STR(t.authority, MG_STR("[::1]"));
    CHECK_STR(t.raw_path, MG_STR("/"));
    CHECK_STR(t.query, MG_STR("x"));
}

TEST("the authority form is host and port, the asterisk form an asterisk")
{
    mg_target t = target("a.b:443");
    CHECK_INT(t.form, MG_TARGET_AUTHORITY);
    CHECK_STR(t.authority, MG_STR("a.b:443"));
    CHECK_INT(t.raw_path.n, 0);
    CHECK_INT(target("[::1]:1").form, MG_TARGET_AUTHORITY);
    t = target("*");
    CHECK_INT(t.form, MG_TARGET_ASTERISK);
    CHECK_STR(t.raw_path, MG_STR("*"));
}

TEST("a target of no form is refused")
{
    NO_TARGET("");
    NO_TARGET("a");
    NO_TARGET("a/b");
    NO_TARGET("?a");
    NO_TARGET("a:b");
    NO_TARGET("a:");
    NO_TARGET("**");
    NO_TARGET("ftp://a/");
    NO_TARGET("http:/a");
    NO_TARGET("http:a");
    NO_TARGET("http://");
    NO_TARGET("http://?a");
    NO_TARGET("http://:80/");
    NO_TARGET("http://a:b/");
    NO_TARGET("http://u@a/");
    NO_TARGET("http://u:p@a/");
    NO_TARGET("http://a\\@b/");
    NO_TARGET("://a/");
}

TEST("blanks, control bytes, bytes past 0x7e, fragments and backslashes in the path are refused")
{
    NO_TARGET("/a b");
    NO_TARGET("/a\0");
    NO_TARGET("/a\x7f");
    NO_TARGET("/\xc3\xa9");
    NO_TARGET("/a#b");
    NO_TARGET("/a?b#c");
    NO_TARGET("/a\\b");
    NO_TARGET("\\a");
    CHECK_STR(target("/a?b\\c").query, MG_STR("b\\c"));
}

/* ---- authorities --------------------------------------------------------------------------------- */

static void authority(const char *text, const char *host, int port)
{
    mg_str got = MG_STR_NONE;
    int got_port = 0;
    CHECK_FOR(mg_authority_parse(mg_str_of(text), &got, &got_port) == MG_OK, text);
    CHECK_STR(got, mg_str_of(host));
    CHECK_INT(got_port, port);
}

static void no_authority(mg_str text)
{
    mg_str host;
    int port;
    CHECK_FOR(mg_authority_parse(text, &host, &port) == MG_BAD, mg_test_show(text));
}
#define NO_AUTHORITY(text) no_authority(MG_STR(text))

TEST("an authority is a name, IPv4 or [IPv6] with an optional port (RFC 3986 section 3.2)")
{
    authority("Example.com", "Example.com", -1);
    authority("example.com.", "example.com.", -1);
    authority("a_b-c~1:8080", "a_b-c~1", 8080);
    authority("192.0.2.1:65535", "192.0.2.1", 65535);
    authority("[2001:db8::1]", "2001:db8::1", -1);
    authority("[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", 80);
    authority("a:", "a", -1);
    authority("a:00080", "a", 80);
}

TEST("what is no authority is refused")
{
    NO_AUTHORITY("");
    NO_AUTHORITY(":80");
    NO_AUTHORITY("a:0");
    NO_AUTHORITY("a:65536");
    NO_AUTHORITY("a:000080");
    NO_AUTHORITY("a:8x");
    NO_AUTHORITY("a:-1");
    NO_AUTHORITY("a:80:80");
    NO_AUTHORITY("::1");
    NO_AUTHORITY("[::1");
    NO_AUTHORITY("[::1]80");
    NO_AUTHORITY("[::1]x");
    NO_AUTHORITY("[]");
    NO_AUTHORITY("[v1.x]");
    NO_AUTHORITY("[::1%25eth0]");
    NO_AUTHORITY("[:::1]");
    NO_AUTHORITY("[1.2.3.4]");
    NO_AUTHORITY(".a");
    NO_AUTHORITY("a..b");
    NO_AUTHORITY("..");
    NO_AUTHORITY("a b");
    NO_AUTHORITY("a/b");
    NO_AUTHORITY("a,b");
    NO_AUTHORITY("a%2e");
    NO_AUTHORITY("u@a");
    NO_AUTHORITY("a\0b");
    NO_AUTHORITY("[::1\0]");
    NO_AUTHORITY("caf\xc3\xa9");
}

TEST("a name has at most 255 bytes")
{
    char name[257];
    memset(name, 'a', sizeof name);
    mg_str host;
    int port;
    CHECK_INT(mg_authority_parse((mg_str){name, 255}, &host, &port), MG_OK);
    CHECK_INT(mg_authority_parse((mg_str){name, 256}, &host, &port), MG_BAD);
}

/* ---- escapes and pairs --------------------------------------------------------------------------- */

TEST("escapes are decoded, broken ones stay")
{
    renew();
    CHECK_STR(mg_percent_decode(MG_STR("a%20b+c%2B"), false, &arena), MG_STR("a b+c+"));
    CHECK_STR(mg_percent_decode(MG_STR("a%20b+c%2B"), true, &arena), MG_STR("a b c+"));
    CHECK_STR(mg_percent_decode(MG_STR("%"), false, &arena), MG_STR("%"));
    CHECK_STR(mg_percent_decode(MG_STR("%4"), false, &arena), MG_STR("%4"));
    CHECK_STR(mg_percent_decode(MG_STR("%zz%41"), false, &arena), MG_STR("%zzA"));
    CHECK_STR(mg_percent_decode(MG_STR("%00"), false, &arena), MG_STR("\0"));
    mg_str plain = MG_STR("a+b");
    CHECK(mg_percent_decode(plain, false, &arena).p == plain.p);
    CHECK_INT(mg_percent_decode(MG_STR(""), true, &arena).n, 0);
}

TEST("all but unreserved characters are encoded")
{
    renew();
    CHECK_STR(mg_percent_encode(MG_STR("a b/\xff~"), &arena), MG_STR("a%20b%2F%FF~"));
    mg_str plain = MG_STR("aZ09-._~");
    CHECK(mg_percent_encode(plain, &arena).p == plain.p);
}

TEST("decoding undoes encoding for each byte")
{
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    renew();
    mg_str s = {all, sizeof all};
    CHECK_STR(mg_percent_decode(mg_percent_encode(s, &arena), false, &arena), s);
}

TEST("a full arena gives an absent string")
{
    mg_arena none;
    mg_arena_init(&none, 0);
    CHECK(!mg_percent_decode(MG_STR("%41"), false, &none).p);
    CHECK(!mg_percent_encode(MG_STR(" "), &none).p);
}

TEST("a query is cut into pairs")
{
    mg_str rest = MG_STR("a=1&&b=&c&=d&e=f=g&"), name, value;
    CHECK(mg_query_next(&rest, &name, &value));
    CHECK_STR(name, MG_STR("a"));
    CHECK_STR(value, MG_STR("1"));
    CHECK(mg_query_next(&rest, &name, &value));
    CHECK_STR(name, MG_STR("b"));
    CHECK(value.p && value.n == 0);
    CHECK(mg_query_next(&rest, &name, &value));
    CHECK_STR(name, MG_STR("c"));
    CHECK(!value.p);
    CHECK(mg_query_next(&rest, &name, &value));
    CHECK_INT(name.n, 0);
    CHECK_STR(value, MG_STR("d"));
    CHECK(mg_query_next(&rest, &name, &value));
    CHECK_STR(value, MG_STR("f=g"));
    CHECK(!mg_query_next(&rest, &name, &value));
}

TEST("cookies are cut at semicolons and trimmed (RFC 6265 section 5.4)")
{
    mg_str rest = MG_STR("a=1; b=\"x y\" ;c;; d=e=f ;"), name, value;
    CHECK(mg_cookie_next(&rest, &name, &value));
    CHECK_STR(name, MG_STR("a"));
    CHECK_STR(value, MG_STR("1"));
    CHECK(mg_cookie_next(&rest, &name, &value));
    CHECK_STR(name, MG_STR("b"));
    CHECK_STR(value, MG_STR("\"x y\""));
    CHECK(mg_cookie_next(&rest, &name, &value));
    CHECK_STR(name, MG_STR("c"));
    CHECK(!value.p);
    CHECK(mg_cookie_next(&rest, &name, &value));
    CHECK_STR(name, MG_STR("d"));
    CHECK_STR(value, MG_STR("e=f"));
    CHECK(!mg_cookie_next(&rest, &name, &value));
}
