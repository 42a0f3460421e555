#include "codec/fields.h"

#include "base/test.h"

static mg_arena arena;

static mg_fields fresh(uint32_t most)
{
    mg_fields f;
    mg_arena_fini(&arena);
    mg_arena_init(&arena, 1 << 20);
    mg_fields_init(&f, &arena, most);
    return f;
}

static void add(mg_fields *f, const char *name, const char *value)
{
    CHECK_INT(mg_fields_add(f, mg_field_id_of(mg_str_of(name)), mg_str_of(name), mg_str_of(value)), MG_OK);
}

TEST("each known name is found by its letters in any case")
{
    for (unsigned id = 0; id < MG_FIELD_KNOWN; id++) {
        mg_str name = mg_field_name((mg_field_id)id);
        char upper[64];
        CHECK_INT(mg_field_id_of(name), id);
        for (size_t i = 0; i < name.n; i++)
            upper[i] = (char)(name.p[i] >= 'a' && name.p[i] <= 'z' ? name.p[i] - 32 : name.p[i]);
        CHECK_INT(mg_field_id_of((mg_str){upper, name.n}), id);
    }
}

TEST("a name that differs from a known one in one byte is not known")
{
    for (unsigned id = 0; id < MG_FIELD_KNOWN; id++) {
        mg_str name = mg_field_name((mg_field_id)id);
        char other[64];
        for (size_t i = 0; i < name.n; i++) {
            for (int byte = 0; byte < 256; byte++) {
                memcpy(other, name.p, name.n);
                other[i] = (char)byte;
                mg_field_id got = mg_field_id_of((mg_str){other, name.n});
                if (mg_lower((char)byte) == name.p[i])
                    CHECK_INT(got, id);
                else
                    CHECK_FOR(got != id, name.p);
            }
        }
        CHECK(mg_field_id_of((mg_str){name.p, name.n - 1}) != id);
    }
}

TEST("names of odd lengths are not known")
{
    CHECK_INT(mg_field_id_of(MG_STR_NONE), MG_FIELD_OTHER);
    CHECK_INT(mg_field_id_of(MG_STR("a")), MG_FIELD_OTHER);
    CHECK_INT(mg_field_id_of(MG_STR("strict-transport-security-and-more")), MG_FIELD_OTHER);
}

TEST("the known names are sorted")
{
    for (unsigned id = 1; id < MG_FIELD_KNOWN; id++)
        CHECK(strcmp(mg_field_name((mg_field_id)(id - 1)).p, mg_field_name((mg_field_id)id).p) < 0);
}

TEST("fields are kept in order and found by id, by name and from a place on")
{
    mg_fields f = fresh(100);
    add(&f, "Host", "a");
    add(&f, "X-A", "1");
    add(&f, "via", "p");
    add(&f, "x-a", "2");
    CHECK_INT(f.count, 4);
    CHECK_STR(mg_fields_value(&f, MG_FIELD_HOST), MG_STR("a"));
    CHECK(!mg_fields_find(&f, MG_FIELD_ETAG));
    CHECK(!mg_fields_value(&f, MG_FIELD_ETAG).p);
    CHECK(mg_fields_find_name(&f, MG_STR("HOST"), 0) == &f.at[0]);
    CHECK(mg_fields_find_name(&f, MG_STR("X-a"), 0) == &f.at[1]);
    CHECK(mg_fields_find_name(&f, MG_STR("X-a"), 2) == &f.at[3]);
    CHECK(!mg_fields_find_name(&f, MG_STR("X-a"), 4));
    CHECK(!mg_fields_find_name(&f, MG_STR("X-b"), 0));
}

TEST("fields grow past their first room and keep what they hold")
{
    mg_fields f = fresh(1000);
    for (int i = 0; i < 200; i++)
        add(&f, i % 2 ? "x-odd" : "accept", i % 2 ? "o" : "e");
    CHECK_INT(f.count, 200);
    CHECK_STR(f.at[0].name, MG_STR("accept"));
    CHECK_STR(f.at[199].value, MG_STR("o"));
}

TEST("one field more than the most is a limit")
{
    mg_fields f = fresh(17);
    for (int i = 0; i < 17; i++)
        add(&f, "a", "b");
    CHECK_INT(mg_fields_add(&f, MG_FIELD_OTHER, MG_STR("a"), MG_STR("b")), MG_LIMIT);
    CHECK_INT(f.count, 17);
    f = fresh(0);
    CHECK_INT(mg_fields_add(&f, MG_FIELD_OTHER, MG_STR("a"), MG_STR("b")), MG_LIMIT);
}

TEST("an arena at its cap is a limit")
{
    mg_fields f = fresh(1000);
    mg_arena small;
    mg_arena_init(&small, 100);
    mg_fields_init(&f, &small, 1000);
    CHECK_INT(mg_fields_add(&f, MG_FIELD_OTHER, MG_STR("a"), MG_STR("b")), MG_LIMIT);
    mg_arena_fini(&small);
}

TEST("set replaces the first of a name and removes the others")
{
    mg_fields f = fresh(100);
    add(&f, "x-a", "1");
    add(&f, "age", "1");
    add(&f, "X-A", "2");
    CHECK_INT(mg_fields_set(&f, MG_FIELD_OTHER, MG_STR("X-a"), MG_STR("3")), MG_OK);
    CHECK_STR(f.at[0].value, MG_STR("3"));
    CHECK(!mg_fields_find_name(&f, MG_STR("x-a"), 1));
    CHECK_INT(mg_fields_set(&f, MG_FIELD_AGE, MG_STR("age"), MG_STR("7")), MG_OK);
    CHECK_STR(mg_fields_value(&f, MG_FIELD_AGE), MG_STR("7"));
}

TEST("set appends what is not there")
{
    mg_fields f = fresh(100);
    CHECK_INT(mg_fields_set(&f, MG_FIELD_VIA, MG_STR("via"), MG_STR("p")), MG_OK);
    CHECK_STR(mg_fields_value(&f, MG_FIELD_VIA), MG_STR("p"));
}

TEST("a removed field is not found, and can be added again")
{
    mg_fields f = fresh(100);
    add(&f, "via", "1");
    add(&f, "via", "2");
    add(&f, "x", "3");
    CHECK_INT(mg_fields_remove(&f, MG_FIELD_VIA, MG_STR("via")), 2);
    CHECK_INT(mg_fields_remove(&f, MG_FIELD_VIA, MG_STR("via")), 0);
    CHECK(!mg_fields_find(&f, MG_FIELD_VIA));
    CHECK_INT(mg_fields_remove(&f, MG_FIELD_OTHER, MG_STR("X")), 1);
    add(&f, "via", "4");
    CHECK_STR(mg_fields_value(&f, MG_FIELD_VIA), MG_STR("4"));
}

TEST("a field name is a token")
{
    CHECK(mg_field_name_is_valid(MG_STR("X-Y_z.1")));
    CHECK(!mg_field_name_is_valid(MG_STR("")));
    CHECK(!mg_field_name_is_valid(MG_STR("a:b")));
    CHECK(!mg_field_name_is_valid(MG_STR("a\r\nb")));
}

TEST("a field value holds no control byte but HTAB")
{
    CHECK(mg_field_value_is_valid(MG_STR("")));
    CHECK(mg_field_value_is_valid(MG_STR("a\tb \xff")));
    CHECK(!mg_field_value_is_valid(MG_STR("a\rb")));
    CHECK(!mg_field_value_is_valid(MG_STR("a\nb")));
    CHECK(!mg_field_value_is_valid(MG_STR("a\0b")));
    CHECK(!mg_field_value_is_valid(MG_STR("\x7f")));
}
