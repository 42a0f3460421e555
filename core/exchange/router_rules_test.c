#include "exchange/router_rules.h"

#include "exchange/router_test.h"

/* ---- methods ------------------------------------------------------------------------------------- */

TEST("a method that is not listed lets the next route have a look")
{
    open_router();
    add_methods("get", "/x", "GET");
    add_methods("post", "/x", "POST");
    add_methods("any", "/*", "");
    CHECK_STR(find("GET", "/x"), MG_STR("get"));
    CHECK_STR(find("POST", "/x"), MG_STR("post"));
    CHECK_STR(find("PUT", "/x"), MG_STR("any"));
    close_router();
}

TEST("HEAD is allowed where GET is, OPTIONS is not")
{
    open_router();
    add_methods("get", "/x", "GET");
    CHECK_STR(find("HEAD", "/x"), MG_STR("get"));
    CHECK_STR(find("OPTIONS", "/x"), MG_STR("none"));
    CHECK_STR(t.search.allow, MG_STR("GET, HEAD"));
    close_router();
}

TEST("Allow names each method of all routes that fit otherwise once")
{
    open_router();
    add_methods("a", "/x", "POST, PURGE");
    add_methods("b", "/x", "GET, POST");
    add_methods("c", "/:any", "DELETE");
    add_methods("d", "/other", "PATCH");
    CHECK_STR(find("PUT", "/x"), MG_STR("none"));
    CHECK_STR(t.search.allow, MG_STR("GET, HEAD, POST, DELETE, PURGE"));
    CHECK_STR(next(), MG_STR("none"));
    CHECK_STR(t.search.allow, MG_STR("GET, HEAD, POST, DELETE, PURGE"));
    CHECK_STR(find("PURGE", "/x"), MG_STR("a"));
    CHECK_STR(find("purge", "/x"), MG_STR("none"));
    CHECK_STR(find("PUT", "/x/y"), MG_STR("none"));
    CHECK(t.search.allow.p == NULL);
    close_router();
}

TEST("a route whose condition does not hold adds nothing to Allow")
{
    open_router();
    mg_str post = MG_STR("POST");
    mg_cond cond = {.kind = MG_COND_EXACT, .name = MG_STR("x-api"), .value = MG_STR("2")};
    mg_route_match m = {.path = MG_STR("/x"), .methods = &post, .method_count = 1, .conds = &cond, .cond_count = 1};
    CHECK(add_match("narrow", &m) == MG_OK);
    CHECK_STR(find("GET", "/x"), MG_STR("none"));
    CHECK(t.search.allow.p == NULL);
    CHECK(mg_fields_add(&t.fields, MG_FIELD_OTHER, MG_STR("X-Api"), MG_STR("2")) == MG_OK);
    CHECK_STR(find("GET", "/x"), MG_STR("none"));
    CHECK_STR(t.search.allow, MG_STR("POST"));
    close_router();
}

/* ---- conditions ---------------------------------------------------------------------------------- */

TEST("a header condition looks at every field of the name, in any letter case")
{
    open_router();
    add_cond("exact", (mg_cond){.kind = MG_COND_EXACT, .name = MG_STR("X-Version"), .value = MG_STR("2")});
    add_cond("regex", (mg_cond){.kind = MG_COND_REGEX, .name = MG_STR("accept"), .value = MG_STR("json")});
    add_cond("present", (mg_cond){.kind = MG_COND_PRESENT, .name = MG_STR("cookie")});
    GET_IS("/", "none");
    CHECK(mg_fields_add(&t.fields, MG_FIELD_COOKIE, MG_STR("Cookie"), MG_STR("")) == MG_OK);
    GET_IS("/", "present");
    CHECK(mg_fields_add(&t.fields, MG_FIELD_ACCEPT, MG_STR("Accept"), MG_STR("text/html")) == MG_OK);
    GET_IS("/", "present");
    CHECK(mg_fields_add(&t.fields, MG_FIELD_ACCEPT, MG_STR("ACCEPT"), MG_STR("application/json")) == MG_OK);
    GET_IS("/", "regex");
    CHECK(mg_fields_add(&t.fields, MG_FIELD_OTHER, MG_STR("x-version"), MG_STR("1")) == MG_OK);
    GET_IS("/", "regex");
    CHECK(mg_fields_add(&t.fields, MG_FIELD_OTHER, MG_STR("x-VERSION"), MG_STR("2")) == MG_OK);
    GET_IS("/", "exact");
    CHECK_INT(mg_fields_remove(&t.fields, MG_FIELD_OTHER, MG_STR("x-version")), 2);
    GET_IS("/", "regex");
    close_router();
}

TEST("a query condition looks at every pair of the name, decoded")
{
    open_router();
    add_cond("exact", (mg_cond){.query = true, .kind = MG_COND_EXACT, .name = MG_STR("a b"), .value = MG_STR("x/y z")});
    add_cond("regex", (mg_cond){.query = true, .kind = MG_COND_REGEX, .name = MG_STR("n"), .value = MG_STR("^\\d+$")});
    add_cond("present", (mg_cond){.query = true, .kind = MG_COND_PRESENT, .name = MG_STR("debug")});
    GET_IS("/", "none");
    GET_IS("/?", "none");
    GET_IS("/?debug", "present");
    GET_IS("/?x&debug=", "present");
    GET_IS("/?a+b=x%2Fy+z", "exact");
    GET_IS("/?%61%20b=no&a%20b=x/y%20z", "exact");
    GET_IS("/?n=%31%32", "regex");
    GET_IS("/?n=12%0A", "none");
    GET_IS("/?n=x&n=7", "regex");
    close_router();
}

TEST("a long query of escapes costs no more memory than itself")
{
    open_router();
    add_cond("exact", (mg_cond){.query = true, .kind = MG_COND_EXACT, .name = MG_STR("end"), .value = MG_STR("1")});
    char target[16384] = "/?";
    size_t n = 2;
    while (n + 16 < sizeof target)
        n += (size_t)snprintf(target + n, sizeof target - n, "%%65=%%61%%62&");
    (void)snprintf(target + n, sizeof target - n, "en%%64=1");
    size_t before = t.arena.used;
    GET_IS(target, "exact");
    CHECK_INT(t.arena.used, before);
    close_router();
}

TEST("a route with a function of its own is handed out for it, and the next one after a no")
{
    open_router();
    CHECK(add_match("asks", &(mg_route_match){.path = MG_STR("/x"), .when = true}) == MG_OK);
    ADD("/x");
    CHECK_STR(find("GET", "/x"), MG_STR("asks"));
    CHECK(t.search.wants_when);
    CHECK_STR(next(), MG_STR("/x"));
    CHECK(!t.search.wants_when);
    close_router();
}
