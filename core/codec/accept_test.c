#include "codec/accept.h"

#include "base/test.h"

static int weigh(const char *field)
{
    return mg_accept_quality(mg_str_of(field), MG_STR("application/json"));
}

TEST("no field accepts everything, an empty one nothing")
{
    CHECK_INT(weigh(NULL), 1000);
    CHECK_INT(weigh(""), 0);
}

TEST("the most specific range decides, wherever it stands (RFC 9110 section 12.5.1)")
{
    CHECK_INT(weigh("*/*"), 1000);
    CHECK_INT(weigh("*/*;q=0.1, application/*;q=0.5, application/json;q=0.9"), 900);
    CHECK_INT(weigh("application/json;q=0.9, application/*;q=0.5, */*;q=0.1"), 900);
    CHECK_INT(weigh("*/*, application/*;q=0.25"), 250);
    CHECK_INT(weigh("*/*, application/json;q=0"), 0);
    CHECK_INT(weigh("text/html, text/*"), 0);
    CHECK_INT(weigh("applicatio/*"), 0);
    CHECK_INT(weigh("application/j*"), 0);
    CHECK_INT(weigh("APPLICATION/JSON"), 1000);
}

TEST("weights have at most three decimals (RFC 9110 section 12.4.2)")
{
    CHECK_INT(weigh("*/*;q=0.123"), 123);
    CHECK_INT(weigh("*/* ; Q=1.000"), 1000);
    CHECK_INT(weigh("*/*;q=1."), 1000);
    CHECK_INT(weigh("*/*;q=0"), 0);
}

TEST("an element with a malformed weight counts as not there")
{
    CHECK_INT(weigh("*/*;q=1.1"), 0);
    CHECK_INT(weigh("*/*;q=2"), 0);
    CHECK_INT(weigh("*/*;q=.5"), 0);
    CHECK_INT(weigh("*/*;q=0.1234"), 0);
    CHECK_INT(weigh("*/*;q="), 0);
    CHECK_INT(weigh("*/*;q=-1"), 0);
    CHECK_INT(weigh("*/*;q=0.5, application/json;q=x"), 500);
}

TEST("a range with parameters does not cover the plain type")
{
    CHECK_INT(weigh("application/json;profile=\"a;b,c\""), 0);
    CHECK_INT(weigh("application/json;v=1;q=0.9, */*;q=0.2"), 200);
    CHECK_INT(weigh("application/json;q=0.7;ext=1"), 700);
    CHECK_INT(weigh("application/json;v=\"\\\";q=1\", */*;q=0.3"), 300);
}
