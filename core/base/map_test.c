#include "base/map.h"

#include "base/test.h"

static char names[2000][8];

static mg_str name(unsigned i)
{
    int n = snprintf(names[i], sizeof names[i], "k%u", i);
    return (mg_str){names[i], (size_t)n};
}

TEST("an empty map holds nothing and takes nothing away")
{
    mg_map m;
    mg_map_init(&m);
    CHECK(!mg_map_get(&m, MG_STR("a")));
    CHECK(!mg_map_remove(&m, MG_STR("a")));
    size_t i = 0;
    CHECK(!mg_map_next(&m, &i));
    mg_map_fini(&m);
}

TEST("putting answers what stood there before")
{
    mg_map m;
    int one, two;
    mg_map_init(&m);
    CHECK(!mg_map_put(&m, MG_STR("a"), &one));
    CHECK(mg_map_put(&m, MG_STR("a"), &two) == &one);
    CHECK(mg_map_get(&m, MG_STR("a")) == &two);
    CHECK_INT(m.count, 1);
    mg_map_fini(&m);
}

TEST("the empty string is a key like others")
{
    mg_map m;
    int one;
    mg_map_init(&m);
    mg_map_put(&m, MG_STR_NONE, &one);
    CHECK(mg_map_get(&m, MG_STR("")) == &one);
    mg_map_fini(&m);
}

/* The map agrees with a plain array while keys come and go in an order that dice choose. */
TEST("a map that grows and shrinks holds exactly what was put and not removed")
{
    mg_map m;
    void *there[MG_COUNT(names)] = {0};
    uint32_t dice = 7;
    size_t count = 0;
    mg_map_init(&m);
    for (unsigned i = 0; i < MG_COUNT(names); i++)
        name(i);
    for (unsigned round = 0; round < 60000; round++) {
        dice = dice * 1664525u + 1013904223u;
        unsigned i = (dice >> 8) % MG_COUNT(names);
        mg_str key = {names[i], strlen(names[i])};
        void *value = dice >> 30 ? &names[(dice >> 12) % MG_COUNT(names)] : NULL;
        CHECK((value ? mg_map_put(&m, key, value) : mg_map_remove(&m, key)) == there[i]);
        count += (value != NULL) - (there[i] != NULL);
        there[i] = value;
        if (round % 1000 == 0)
            for (unsigned k = 0; k < MG_COUNT(names); k++)
                if (!CHECK(mg_map_get(&m, mg_str_of(names[k])) == there[k]))
                    return;
    }
    CHECK_INT(m.count, count);
    size_t walked = 0;
    for (size_t i = 0; mg_map_next(&m, &i);)
        walked++;
    CHECK_INT(walked, count);
    mg_map_fini(&m);
}

TEST("equal strings have equal hashes, and a byte, a length or a place makes another")
{
    char text[] = "the quick brown fox jumps over the lazy dog";
    mg_str whole = {text, sizeof text - 1};
    uint64_t before = mg_hash(whole);
    CHECK(before == mg_hash(MG_STR("the quick brown fox jumps over the lazy dog")));
    for (size_t i = 0; i < whole.n; i++) {
        text[i] ^= 1;
        CHECK(mg_hash(whole) != before);
        text[i] ^= 1;
        CHECK(mg_hash((mg_str){text, i}) != before);
    }
    CHECK(mg_hash(MG_STR("a\0")) != mg_hash(MG_STR("a")));
    CHECK(mg_hash(MG_STR("")) == mg_hash(MG_STR_NONE));
}
