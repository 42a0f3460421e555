#include "base/arena.h"

#include "base/test.h"

TEST("an arena takes no memory before it is asked for some")
{
    mg_arena a;
    mg_arena_init(&a, 1 << 20);
    CHECK_INT(a.used, 0);
    mg_arena_fini(&a);
}

TEST("pieces are aligned to 8, do not overlap and keep what is written")
{
    mg_arena a;
    unsigned char *pieces[300];
    mg_arena_init(&a, 1 << 20);
    for (size_t i = 0; i < MG_COUNT(pieces); i++) {
        pieces[i] = mg_arena_alloc(&a, i);
        CHECK_INT((uintptr_t)pieces[i] % 8, 0);
        memset(pieces[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < MG_COUNT(pieces); i++)
        for (size_t at = 0; at < i; at++)
            if (!CHECK_INT(pieces[i][at], i & 0xff))
                return;
    mg_arena_fini(&a);
}

TEST("a piece larger than a page has a page of its own, and the room of the newest stays good")
{
    mg_arena a;
    mg_arena_init(&a, 1 << 20);
    char *small = mg_arena_alloc(&a, 8), *large = mg_arena_alloc(&a, 3 * MG_ARENA_PAGE);
    memset(large, 1, 3 * MG_ARENA_PAGE);
    CHECK((char *)mg_arena_alloc(&a, 8) == small + 8);
    mg_arena_fini(&a);
}

TEST("past its cap an arena has nothing more to give, and says so each time")
{
    mg_arena a;
    mg_arena_init(&a, 2 * MG_ARENA_PAGE);
    unsigned given = 0;
    while (given < 1000 && mg_arena_try(&a, 1000))
        given++;
    CHECK(given >= 6 && given <= 8);
    CHECK(!mg_arena_try(&a, 1000));
    CHECK(!mg_arena_try(&a, 1 << 20));
    for (size_t below = 0; below < 100; below++)
        CHECK(!mg_arena_try(&a, SIZE_MAX - below));
    CHECK(a.used <= a.cap);
    mg_arena_fini(&a);
}

TEST("past its cap an arena still gives what the house itself needs, and nothing to anybody else")
{
    mg_arena a;
    mg_arena_init(&a, MG_ARENA_PAGE);
    while (mg_arena_try(&a, 8))
        ;
    memset(mg_arena_alloc(&a, MG_ARENA_OWN / 2), 1, MG_ARENA_OWN / 2);
    CHECK(!mg_arena_try(&a, MG_ARENA_PAGE));
    memset(mg_arena_alloc(&a, 100), 2, 100);
    CHECK(mg_arena_alloc(&a, 0) != NULL);
    CHECK(a.used <= a.cap + MG_ARENA_OWN);
    mg_arena_fini(&a);
}

TEST("an arena of cap 0 gives nothing")
{
    mg_arena a;
    mg_arena_init(&a, 0);
    CHECK(!mg_arena_try(&a, 1));
    mg_arena_fini(&a);
}

TEST("an ended arena can be begun again")
{
    mg_arena a;
    mg_arena_init(&a, 1 << 20);
    memset(mg_arena_alloc(&a, 100), 1, 100);
    mg_arena_fini(&a);
    CHECK_INT(a.used, 0);
    mg_arena_init(&a, 1 << 20);
    CHECK_INT(((char *)mg_arena_zalloc(&a, 100))[99], 0);
    mg_arena_fini(&a);
    mg_arena_trim_pool();
}

TEST("many pages go to the pool and beyond it without a leak")
{
    mg_arena a;
    mg_arena_init(&a, SIZE_MAX);
    for (int i = 0; i < 2000; i++)
        memset(mg_arena_alloc(&a, 2000), 1, 2000);
    mg_arena_fini(&a);
    mg_arena_trim_pool();
}

TEST("copies end with NUL, joins are one string")
{
    mg_arena a;
    mg_arena_init(&a, 1 << 20);
    mg_str copy = mg_arena_copy(&a, MG_STR("abc"));
    CHECK_STR(copy, MG_STR("abc"));
    CHECK_INT(copy.p[3], 0);
    CHECK_STR(mg_arena_join(&a, MG_STR("ab"), MG_STR("cd")), MG_STR("abcd"));
    CHECK_STR(mg_arena_join(&a, MG_STR_NONE, MG_STR_NONE), MG_STR(""));
    CHECK_STR(mg_arena_print(&a, "%d-%s", 7, "x"), MG_STR("7-x"));
    CHECK_INT(mg_arena_print(&a, "%5000d", 1).n, 5000);
    mg_arena_fini(&a);
}
