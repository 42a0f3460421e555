#include "exchange/router.h"

#include "base/clock.h"
#include "base/log.h"
#include "exchange/router_test.h"

/* ---- paths --------------------------------------------------------------------------------------- */

TEST("a path beats parameters, these the longest prefix, it a regex, that a route without path")
{
    open_router();
    ADD("~^/a", "/*", "/a/*", "/a/:x", "/a/b");
    CHECK(add_match("plain", &(mg_route_match){0}) == MG_OK);
    ORDER_IS("/a/b", "/a/b", "/a/:x", "/a/*", "/*", "~^/a", "plain");
    ORDER_IS("/a/c", "/a/:x", "/a/*", "/*", "~^/a", "plain");
    ORDER_IS("/a/c/d", "/a/*", "/*", "~^/a", "plain");
    ORDER_IS("/x", "/*", "plain");
    close_router();
}

TEST("a prefix fits what lies below its slash and not the path before it")
{
    open_router();
    ADD("/a/*");
    GET_IS("/a/", "/a/*");
    CHECK_STR(t.search.rest, MG_STR(""));
    CHECK(t.search.rest.p != NULL);
    GET_IS("/a/b/c", "/a/*");
    CHECK_STR(t.search.rest, MG_STR("b/c"));
    GET_IS("/a//", "/a/*");
    CHECK_STR(t.search.rest, MG_STR("/"));
    GET_IS("/a", "none");
    GET_IS("/ab", "none");
    GET_IS("/ab/c", "none");
    close_router();
}

TEST("the prefix of the root fits every path and its rest is all behind the first slash")
{
    open_router();
    ADD("/*");
    GET_IS("/", "/*");
    CHECK_STR(t.search.rest, MG_STR(""));
    GET_IS("/a/b", "/*");
    CHECK_STR(t.search.rest, MG_STR("a/b"));
    GET_IS("*", "none");
    close_router();
}

TEST("an exact path has no rest and fits to the letter")
{
    open_router();
    ADD("/", "/a", "/a/", "/caf\xc3\xa9", "/%7euser", "*");
    GET_IS("/", "/");
    CHECK(t.search.rest.p == NULL);
    GET_IS("/a", "/a");
    GET_IS("/a/", "/a/");
    GET_IS("/A", "none");
    GET_IS("/a//", "none");
    GET_IS("/caf%C3%A9", "/caf\xc3\xa9");
    GET_IS("/~user", "/%7euser");
    GET_IS("*", "*");
    close_router();
}

TEST("parameters take one segment each, never an empty one")
{
    open_router();
    ADD("/users/:id", "/users/:id/posts/:post");
    GET_IS("/users/42", "/users/:id");
    CHECK_STR(param("id"), MG_STR("42"));
    CHECK_INT(t.search.param_count, 1);
    GET_IS("/users/a%20b/posts/9", "/users/:id/posts/:post");
    CHECK_STR(param("id"), MG_STR("a%20b"));
    CHECK_STR(param("post"), MG_STR("9"));
    GET_IS("/users/", "none");
    GET_IS("/users//posts/9", "none");
    GET_IS("/users/42/", "none");
    GET_IS("/users/42/posts", "none");
    close_router();
}

TEST("a prefix may have parameters and the longest counts segments")
{
    open_router();
    ADD("/users/me/*", "/users/:id/files/*", "/users/:id/*", "/users/*");
    ORDER_IS("/users/me/files/x/y", "/users/:id/files/*", "/users/me/*", "/users/:id/*", "/users/*");
    GET_IS("/users/me/files/x/y", "/users/:id/files/*");
    CHECK_STR(param("id"), MG_STR("me"));
    CHECK_STR(t.search.rest, MG_STR("x/y"));
    CHECK_STR(next(), MG_STR("/users/me/*"));
    CHECK_INT(t.search.param_count, 0);
    CHECK_STR(t.search.rest, MG_STR("files/x/y"));
    ORDER_IS("/users/you/z", "/users/:id/*", "/users/*");
    close_router();
}

TEST("where several parameter paths fit the literal further left comes first, and none is missed")
{
    open_router();
    ADD("/:a/b/:c", "/a/:b/:c", "/a/b/:c", "/:a/:b/c", "/:a/:b/:c");
    ORDER_IS("/a/b/c", "/a/b/:c", "/a/:b/:c", "/:a/b/:c", "/:a/:b/c", "/:a/:b/:c");
    ORDER_IS("/x/b/y", "/:a/b/:c", "/:a/:b/:c");
    ORDER_IS("/a/x/y", "/a/:b/:c", "/:a/:b/:c");
    close_router();
}

TEST("a branch that leads nowhere is left for a parameter")
{
    open_router();
    ADD("/a/b/c", "/a/b/:x/end", "/:p/b/c/d");
    GET_IS("/a/b/c/d", "/:p/b/c/d");
    CHECK_STR(param("p"), MG_STR("a"));
    GET_IS("/a/b/c/end", "/a/b/:x/end");
    GET_IS("/a/b/c/nope", "none");
    close_router();
}

TEST("doubled slashes are segments of their own")
{
    open_router();
    ADD("/a//b", "/a/:x/b", "/a//:y");
    GET_IS("/a//b", "/a//b");
    GET_IS("/a//c", "/a//:y");
    GET_IS("/a/x/b", "/a/:x/b");
    close_router();
}

TEST("many branches of parameters are walked once each")
{
    open_router();
    char path[128];
    /* Every mix of a literal and a parameter in ten segments, none of which ends as the request does. */
    for (unsigned mix = 0; mix < 1024; mix++) {
        size_t n = 0;
        for (unsigned i = 0; i < 10; i++)
            n += (size_t)snprintf(path + n, sizeof path - n, mix >> i & 1 ? "/x" : "/:p%u", i);
        (void)snprintf(path + n, sizeof path - n, "/end");
        ADD(path);
    }
    int64_t before = mg_clock_precise_us();
    GET_IS("/x/x/x/x/x/x/x/x/x/x/other", "none");
    CHECK(mg_clock_precise_us() - before < 20000);
    unsigned found = 0;
    begin("GET", "/x/x/x/x/x/x/x/x/x/x/end");
    while (mg_router_next(t.router, &t.site, &t.search))
        found++;
    CHECK_INT(found, 1024);
    close_router();
}

/* Which of the patterns fit, found the slow way: compared segment by segment. */
static bool fits_slowly(const char *pattern, const char *path)
{
    for (;;) {
        if (!strcmp(pattern, "/*"))
            return *path == '/';
        if (!*pattern || !*path)
            return *pattern == *path;
        size_t n = strcspn(++pattern, "/"), m = strcspn(++path, "/");
        if (*pattern == ':' ? !m : n != m || memcmp(pattern, path, n) != 0)
            return false;
        pattern += n;
        path += m;
    }
}

TEST("on random trees the walk finds what a comparison one by one finds")
{
    static const char *const parts[] = {"/a", "/b", "/:p", "/", "/*"};
    unsigned seed = 7;
    for (int round = 0; round < 200; round++) {
        char patterns[24][64], path[64];
        open_router();
        for (int i = 0; i < 24; i++) {
            size_t n = 0;
            unsigned length = 1 + (seed = seed * 1103515245 + 12345) / 65536 % 4;
            for (unsigned k = 0; k < length; k++) {
                unsigned part = (seed = seed * 1103515245 + 12345) / 65536 % 5;
                char text[16];
                if (part == 2)
                    (void)snprintf(text, sizeof text, "/:p%u", k);
                else
                    (void)snprintf(text, sizeof text, "%s", part == 4 && k + 1 < length ? "/a" : parts[part]);
                n += (size_t)snprintf(patterns[i] + n, sizeof patterns[i] - n, "%s", text);
            }
            ADD(patterns[i]);
        }
        for (int i = 0; i < 50; i++) {
            static const char *const pieces[] = {"/a", "/b", "/c", "/"};
            size_t n = 0;
            unsigned length = 1 + (seed = seed * 1103515245 + 12345) / 65536 % 4, wanted = 0, found = 0;
            for (unsigned k = 0; k < length; k++)
                n += (size_t)snprintf(path + n, sizeof path - n, "%s", pieces[(seed = seed * 1103515245 + 12345) / 65536 % 4]);
            for (int k = 0; k < 24; k++)
                wanted += fits_slowly(patterns[k], path);
            begin("GET", path);
            for (mg_route *r; (r = mg_router_next(t.router, &t.site, &t.search)); found++)
                CHECK_FOR(fits_slowly(r->name.p, path), path);
            if (!CHECK_INT(found, wanted))
                printf("# path %s\n", path);
        }
        close_router();
    }
}

/* ---- regexes ------------------------------------------------------------------------------------- */

TEST("regexes are tried in the configured order, anchored only where they say so")
{
    open_router();
    ADD("~^/x", "~y", "~\\.php$");
    GET_IS("/xy", "~^/x");
    GET_IS("/ay", "~y");
    GET_IS("/a.php", "~\\.php$");
    GET_IS("/a.php/b", "none");
    close_router();
}

TEST("named groups become parameters, those that took no part do not")
{
    open_router();
    ADD("~^/(?<lang>de|en)/(?<page>\\d+)?", "~^/(a)(?<only>b)");
    GET_IS("/de/12", "~^/(?<lang>de|en)/(?<page>\\d+)?");
    CHECK_STR(param("lang"), MG_STR("de"));
    CHECK_STR(param("page"), MG_STR("12"));
    GET_IS("/en/x", "~^/(?<lang>de|en)/(?<page>\\d+)?");
    CHECK_INT(t.search.param_count, 1);
    GET_IS("/ab", "~^/(a)(?<only>b)");
    CHECK_INT(t.search.param_count, 1);
    CHECK_STR(param("only"), MG_STR("b"));
    close_router();
}

TEST("a regex that backtracks without end ends the search as failed, and no later route is taken")
{
    open_router();
    mg_log_threshold = MG_LOG_OFF;
    ADD("~^/(a+)+$");
    CHECK(add_match("open", &(mg_route_match){0}) == MG_OK);
    char path[256] = "/";
    memset(path + 1, 'a', 200);
    path[201] = '!';
    int64_t before = mg_clock_precise_us();
    GET_IS(path, "none");
    CHECK(t.search.failed);
    CHECK(t.search.allow.p == NULL);
    CHECK(mg_clock_precise_us() - before < 200000);
    GET_IS("/aaa", "~^/(a+)+$");
    CHECK(!t.search.failed);
    close_router();
}

TEST("a regex that does not compile is refused with its place")
{
    open_router();
    CHECK(add_match("bad", &(mg_route_match){.regex = MG_STR("^/(a")}) == MG_FAIL);
    CHECK(strstr(t.err.text, "missing closing parenthesis") != NULL);
    CHECK(strstr(t.err.text, "at byte 4") != NULL);
    close_router();
}

/* ---- hosts --------------------------------------------------------------------------------------- */

static mg_site sites[8];

static mg_rc add_host(int site, const char *host)
{
    mg_str name = mg_str_of(host);
    sites[site].name = mg_arena_copy(&t.arena, name);
    return mg_router_add_site(t.router, &sites[site], &name, 1, &t.err);
}

static mg_str site_of(const char *host)
{
    mg_site *s = mg_router_site(t.router, mg_str_of(host));
    return !s ? MG_STR("none") : s == &t.site ? MG_STR("default") : s->name;
}

TEST("a host is found exactly, then by the longest wildcard, then by the default site")
{
    open_router();
    CHECK(add_host(0, "example.com") == MG_OK);
    CHECK(add_host(1, "*.example.com") == MG_OK);
    CHECK(add_host(2, "*.b.example.com") == MG_OK);
    CHECK(add_host(3, "x.example.com") == MG_OK);
    CHECK_STR(site_of("example.com"), MG_STR("example.com"));
    CHECK_STR(site_of("EXAMPLE.com."), MG_STR("example.com"));
    CHECK_STR(site_of("a.example.com"), MG_STR("*.example.com"));
    CHECK_STR(site_of("a.c.example.com"), MG_STR("*.example.com"));
    CHECK_STR(site_of("a.b.example.com"), MG_STR("*.b.example.com"));
    CHECK_STR(site_of("b.example.com"), MG_STR("*.example.com"));
    CHECK_STR(site_of("x.example.com"), MG_STR("x.example.com"));
    CHECK_STR(site_of("notexample.com"), MG_STR("default"));
    CHECK_STR(site_of("com"), MG_STR("default"));
    CHECK_STR(site_of(""), MG_STR("default"));
    CHECK_STR(site_of("."), MG_STR("default"));
    close_router();
}

TEST("an IPv6 host is one site whatever its spelling")
{
    open_router();
    CHECK(add_host(0, "[2001:db8::1]") == MG_OK);
    CHECK_STR(site_of("2001:DB8:0:0::1"), MG_STR("[2001:db8::1]"));
    CHECK_STR(site_of("[2001:db8::1]"), MG_STR("[2001:db8::1]"));
    CHECK_STR(site_of("2001:db8::2"), MG_STR("default"));
    close_router();
}

TEST("without a default site an unknown host has none")
{
    memset(&t, 0, sizeof t);
    mg_arena_init(&t.arena, 1u << 20);
    t.router = mg_router_new(&t.arena);
    CHECK(add_host(0, "example.com") == MG_OK);
    CHECK_STR(site_of("example.org"), MG_STR("none"));
    char longest[600];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK_STR(site_of(longest), MG_STR("none"));
    close_router();
}

TEST("a host belongs to one site and there is one default site")
{
    open_router();
    CHECK(add_host(0, "example.com") == MG_OK);
    CHECK(add_host(1, "Example.com") == MG_FAIL);
    CHECK(strstr(t.err.text, "belongs to a site already") != NULL);
    CHECK(add_host(2, "*.example.com") == MG_OK);
    CHECK(mg_router_add_site(t.router, &sites[3], NULL, 0, &t.err) == MG_FAIL);
    close_router();
}

TEST("equal paths of two sites are two routes")
{
    open_router();
    ADD("/x", "/a/*", "/a/:b");
    CHECK(add_host(0, "example.com") == MG_OK);
    CHECK(mg_router_add(t.router, &sites[0], make_route("theirs"), &(mg_route_match){.path = MG_STR("/a/*")}, &t.err) == MG_OK);
    begin("GET", "/a/q");
    mg_route *r = mg_router_next(t.router, &sites[0], &t.search);
    CHECK(r && mg_str_eq(r->name, MG_STR("theirs")));
    CHECK(!mg_router_next(t.router, &sites[0], &t.search));
    begin("GET", "/x");
    CHECK(!mg_router_next(t.router, &sites[0], &t.search));
    close_router();
}

/* ---- refusals ------------------------------------------------------------------------------------ */

TEST("paths that cannot be one are refused")
{
    open_router();
    char deep[1024] = "", wide[1024] = "";
    for (int i = 0; i < 70; i++)
        (void)snprintf(deep + strlen(deep), sizeof deep - strlen(deep), "/a");
    for (int i = 0; i < 20; i++)
        (void)snprintf(wide + strlen(wide), sizeof wide - strlen(wide), "/:p%d", i);
    const char *bad[] = {"a", "", "/%zz", "/../x", deep, wide};
    for (size_t i = 0; i < MG_COUNT(bad); i++)
        CHECK_FOR(add_match("bad", &(mg_route_match){.path = mg_str_of(bad[i])}) == MG_FAIL, bad[i]);
    close_router();
}

/* ---- explain ------------------------------------------------------------------------------------- */

static char told[2048];

static void tell(void *arg, const mg_route *route, const char *why_not)
{
    (void)arg;
    size_t n = strlen(told);
    (void)snprintf(told + n, sizeof told - n, "%.*s: %s\n", MG_STR_ARG(route->name), why_not ? why_not : "fits");
}

TEST("explaining says of each candidate why it does not fit, and of near paths that they are others")
{
    open_router();
    add_methods("writes", "/api/x", "POST");
    add_cond("versioned", (mg_cond){.kind = MG_COND_EXACT, .name = MG_STR("x-version"), .value = MG_STR("2")});
    ADD("~\\.php$", "/api/*", "/api/y");
    told[0] = '\0';
    begin("GET", "/api/x");
    mg_router_explain(t.router, &t.site, &t.search, tell, NULL);
    CHECK_STR(mg_str_of(told), MG_STR("writes: its methods are POST\n"
                                      "/api/*: fits\n"
                                      "~\\.php$: the path does not match \"\\.php$\"\n"
                                      "versioned: header x-version is not \"2\"\n"
                                      "/api/y: its path is /api/y\n"));
    close_router();
}

/* ---- cost ---------------------------------------------------------------------------------------- */

TEST("ten thousand routes of one site are found one by one")
{
    open_router();
    char path[64], name[64];
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(path, sizeof path, "/shop%d/:id/*", i);
        mg_route_match m = {.path = mg_str_of(path)};
        CHECK(add_match(path, &m) == MG_OK);
    }
    for (int i = 0; i < 10000; i += 7) {
        (void)snprintf(path, sizeof path, "/shop%d/42/x", i);
        (void)snprintf(name, sizeof name, "/shop%d/:id/*", i);
        GET_IS(path, name);
        CHECK_STR(param("id"), MG_STR("42"));
    }
    close_router();
}
