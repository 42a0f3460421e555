#include "server/page.h"

#include "base/test.h"

static mg_str json(mg_page *page, mg_str text)
{
    mg_page_fini(page);
    mg_page_json(page, text);
    return mg_page_str(page);
}

TEST("an empty page is the empty text")
{
    mg_page page = {0};
    CHECK_STR(mg_page_str(&page), MG_STR(""));
    mg_page_fini(&page);
}

TEST("what is put and printed stands there in order, however much it is")
{
    mg_page page = {0};
    for (int i = 0; i < 1000; i++)
        mg_page_print(&page, "%d,", i % 10);
    CHECK_INT(page.n, 2000);
    CHECK(memcmp(page.p + 1980, "0,1,2,3,4,5,6,7,8,9,", 20) == 0);
    mg_page_trim(&page, ',');
    mg_page_trim(&page, ',');
    CHECK_INT(page.n, 1999);
    char long_text[5000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    mg_page_print(&page, "%s", long_text);
    CHECK_INT(page.n, 1999 + 4999);
    mg_page_fini(&page);
}

TEST("JSON strings are escaped where they must be")
{
    mg_page page = {0};
    CHECK_STR(json(&page, MG_STR("plain")), MG_STR("\"plain\""));
    CHECK_STR(json(&page, MG_STR("a\"b\\c")), MG_STR("\"a\\\"b\\\\c\""));
    CHECK_STR(json(&page, MG_STR("a\nb\tc\x7f")), MG_STR("\"a\\nb\\u0009c\\u007f\""));
    CHECK_STR(json(&page, MG_STR("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x99")),
              MG_STR("\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x99\""));
    mg_page_fini(&page);
}

TEST("bytes that are no UTF-8 become the replacement character, one for each")
{
    mg_page page = {0};
    CHECK_STR(json(&page, MG_STR("a\xff")), MG_STR("\"a\\ufffd\""));
    CHECK_STR(json(&page, MG_STR("\xc3")), MG_STR("\"\\ufffd\""));
    CHECK_STR(json(&page, MG_STR("\xc0\xaf")), MG_STR("\"\\ufffd\\ufffd\""));         /* overlong "/" */
    CHECK_STR(json(&page, MG_STR("\xed\xa0\x80")), MG_STR("\"\\ufffd\\ufffd\\ufffd\"")); /* a surrogate */
    CHECK_STR(json(&page, MG_STR("\xf4\x90\x80\x80z")), MG_STR("\"\\ufffd\\ufffd\\ufffd\\ufffdz\""));
    CHECK_STR(json(&page, MG_STR("\xe2\x82x")), MG_STR("\"\\ufffd\\ufffdx\""));
    mg_page_fini(&page);
}

TEST("labels escape backslash, quote and line feed, and nothing else")
{
    mg_page page = {0};
    mg_page_label(&page, MG_STR("a\\b\"c\nd\te \xc3\xbc\xfe"));
    CHECK_STR(mg_page_str(&page), MG_STR("a\\\\b\\\"c\\nd\te \xc3\xbc\xef\xbf\xbd"));
    mg_page_fini(&page);
}
