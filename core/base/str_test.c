#include "base/str.h"

#include "base/test.h"

TEST("strings are equal byte for byte, NUL included")
{
    CHECK(mg_str_eq(MG_STR("a\0b"), MG_STR("a\0b")));
    CHECK(!mg_str_eq(MG_STR("a\0b"), MG_STR("a\0c")));
    CHECK(!mg_str_eq(MG_STR("a"), MG_STR("ab")));
    CHECK(mg_str_eq(MG_STR(""), MG_STR_NONE));
}

TEST("letter case is folded for ASCII letters alone")
{
    CHECK(mg_str_eq_nocase(MG_STR("aZ-1"), MG_STR("Az-1")));
    CHECK(!mg_str_eq_nocase(MG_STR("@["), MG_STR("`{")));
    CHECK(!mg_str_eq_nocase(MG_STR("\xc4"), MG_STR("\xe4")));
    CHECK(!mg_str_eq_nocase(MG_STR("a"), MG_STR("ab")));
    CHECK_INT(mg_lower('A'), 'a');
    CHECK_INT(mg_lower('['), '[');
}

TEST("beginnings and ends are compared within the string")
{
    CHECK(mg_str_starts(MG_STR("abc"), MG_STR("ab")));
    CHECK(mg_str_starts(MG_STR("abc"), MG_STR("")));
    CHECK(!mg_str_starts(MG_STR("ab"), MG_STR("abc")));
    CHECK(mg_str_starts_nocase(MG_STR("ABc"), MG_STR("ab")));
    CHECK(!mg_str_starts_nocase(MG_STR("A"), MG_STR("ab")));
    CHECK(mg_str_ends(MG_STR("abc"), MG_STR("bc")));
    CHECK(!mg_str_ends(MG_STR("c"), MG_STR("bc")));
    CHECK(mg_str_ends(MG_STR_NONE, MG_STR("")));
}

TEST("blanks are trimmed off both ends and no other byte is")
{
    CHECK_STR(mg_str_trim(MG_STR(" \ta b\t ")), MG_STR("a b"));
    CHECK_STR(mg_str_trim(MG_STR(" \t ")), MG_STR(""));
    CHECK_STR(mg_str_trim(MG_STR("\na\r")), MG_STR("\na\r"));
    CHECK_INT(mg_str_trim(MG_STR_NONE).n, 0);
}

TEST("a byte is found at its first place or not at all")
{
    CHECK_INT(mg_str_find(MG_STR("abcb"), 'b'), 1);
    CHECK_INT(mg_str_find(MG_STR("abc"), 'x'), -1);
    CHECK_INT(mg_str_find(MG_STR_NONE, 'x'), -1);
}

TEST("lists are cut at commas outside quotes, trimmed, without empty elements")
{
    mg_str rest = MG_STR(" a ,, \"b,\\\",c\" ;x ,\t, d"), item;
    CHECK(mg_str_next_item(&rest, &item));
    CHECK_STR(item, MG_STR("a"));
    CHECK(mg_str_next_item(&rest, &item));
    CHECK_STR(item, MG_STR("\"b,\\\",c\" ;x"));
    CHECK(mg_str_next_item(&rest, &item));
    CHECK_STR(item, MG_STR("d"));
    CHECK(!mg_str_next_item(&rest, &item));
    rest = MG_STR(" , ,");
    CHECK(!mg_str_next_item(&rest, &item));
}

TEST("a backslash at the end of an open quote is not looked past")
{
    char *text = malloc(2);
    memcpy(text, "\"\\", 2);
    mg_str rest = {text, 2}, item;
    CHECK(mg_str_next_item(&rest, &item));
    CHECK_INT(item.n, 2);
    free(text);
}

TEST("a list holds a token whole, in any letter case")
{
    CHECK(mg_str_has_token(MG_STR("a, Close , b"), MG_STR("close")));
    CHECK(!mg_str_has_token(MG_STR("closed, xclose"), MG_STR("close")));
    CHECK(!mg_str_has_token(MG_STR_NONE, MG_STR("close")));
}
