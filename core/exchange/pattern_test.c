#include "exchange/pattern.h"

#include "base/clock.h"
#include "base/test.h"

static mg_err err;

static mg_rc match(const char *regex, const char *text)
{
    mg_pattern *p = mg_pattern_new(mg_str_of(regex), &err);
    if (!CHECK_FOR(p != NULL, regex))
        return MG_FAIL;
    mg_rc rc = mg_pattern_match(p, mg_str_of(text), NULL, NULL);
    mg_pattern_free(p);
    return rc;
}

TEST("a pattern matches anywhere unless it says where")
{
    CHECK_INT(match("b", "abc"), MG_OK);
    CHECK_INT(match("^b", "abc"), MG_EOF);
    CHECK_INT(match("c$", "abc"), MG_OK);
    CHECK_INT(match("", ""), MG_OK);
    CHECK_INT(match("x", ""), MG_EOF);
}

TEST("the end is the very end, not the place before a last newline")
{
    CHECK_INT(match("^a$", "a\n"), MG_EOF);
    CHECK_INT(match("^a\\n$", "a\n"), MG_OK);
}

TEST("letters beyond ASCII are bytes")
{
    CHECK_INT(match("^..$", "\xc3\xa9"), MG_OK);
    CHECK_INT(match("^\\xc3", "\xc3\xa9"), MG_OK);
}

TEST("patterns that backtrack without end are given up soon")
{
    static const char *const evil[] = {"(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$"};
    char text[20001];
    memset(text, 'a', sizeof text - 2);
    text[sizeof text - 2] = '!';
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < MG_COUNT(evil); i++) {
        int64_t before = mg_clock_precise_us();
        CHECK_FOR(match(evil[i], text) != MG_OK, evil[i]);
        CHECK_FOR(mg_clock_precise_us() - before < 500000, evil[i]);
    }
    CHECK_INT(match("(a+)+$", text), MG_LIMIT);
}

TEST("ordinary patterns on long texts are not given up")
{
    char text[16001];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    CHECK_INT(match("^/?[a-z0-9/_-]+$", text), MG_OK);
    CHECK_INT(match("a.*a.*b", "aaab"), MG_OK);
    CHECK_INT(match("\\.(jpg|png|css)$", text), MG_EOF);
}

TEST("named groups are handed out with their parts of the text")
{
    mg_param params[MG_PATTERN_PARAMS_MOST];
    uint32_t count = 0;
    mg_pattern *p = mg_pattern_new(MG_STR("(?<b>\\d+)-(?P<a>x)?(?'c'y*)"), &err);
    REQUIRE(p != NULL);
    CHECK_INT(mg_pattern_match(p, MG_STR("12-yy"), params, &count), MG_OK);
    CHECK_INT(count, 2);
    CHECK_STR(params[0].name, MG_STR("b"));
    CHECK_STR(params[0].value, MG_STR("12"));
    CHECK_STR(params[1].name, MG_STR("c"));
    CHECK_STR(params[1].value, MG_STR("yy"));
    mg_pattern_free(p);
}

TEST("a pattern with more named groups than there is room for is refused")
{
    char regex[512] = "";
    for (int i = 0; i < 17; i++)
        (void)snprintf(regex + strlen(regex), sizeof regex - strlen(regex), "(?<g%d>a)?", i);
    CHECK(!mg_pattern_new(mg_str_of(regex), &err));
    CHECK_STR(mg_str_of(err.text), MG_STR("a regular expression may have 16 named groups, not 17"));
}

TEST("a pattern that does not compile is refused with what is wrong and where")
{
    CHECK(!mg_pattern_new(MG_STR("a[b"), &err));
    CHECK(strstr(err.text, "regular expression \"a[b\": missing terminating ]") != NULL);
    CHECK(!mg_pattern_new(MG_STR("(*UTF)a"), &err));
}
