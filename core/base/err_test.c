#include "base/err.h"

#include "base/test.h"

TEST("a sentence is set, and where it happened is put before it")
{
    mg_err e;
    CHECK_INT(mg_err_set(&e, "no %s", "way"), MG_FAIL);
    CHECK_STR(mg_str_of(e.text), MG_STR("no way"));
    CHECK_INT(mg_err_in(&e, "line %d", 7), MG_FAIL);
    CHECK_INT(mg_err_in(&e, "file"), MG_FAIL);
    CHECK_STR(mg_str_of(e.text), MG_STR("file: line 7: no way"));
}

TEST("nobody needs to listen")
{
    CHECK_INT(mg_err_set(NULL, "x"), MG_FAIL);
    CHECK_INT(mg_err_in(NULL, "x"), MG_FAIL);
}

TEST("what does not fit is cut")
{
    mg_err e;
    (void)mg_err_set(&e, "%2000d", 1);
    CHECK_INT(strlen(e.text), sizeof e.text - 1);
    (void)mg_err_in(&e, "%2000d", 2);
    CHECK_INT(strlen(e.text), sizeof e.text - 1);
    (void)mg_err_in(&e, "where");
    CHECK(mg_str_starts(mg_str_of(e.text), MG_STR("where: ")));
}
