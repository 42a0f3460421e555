#include "base/fault.h"

#include "base/test.h"

/* The names are read at the first look, so they are set before any test runs. */
__attribute__((constructor)) static void name_faults(void)
{
    setenv("MOONGATE_FAULTS", "always,third=3,tenth%10,none=0", 1);
}

static unsigned hits(const char *name, unsigned passes, unsigned *first)
{
    unsigned count = 0;
    *first = 0;
    for (unsigned i = 1; i <= passes; i++) {
        if (!MG_FAULT(name))
            continue;
        count++;
        if (!*first)
            *first = i;
    }
    (void)name;
    return count;
}

#ifdef MG_FAULTS
TEST("a named place fails always, once at its count, or each so many times")
{
    unsigned first;
    CHECK_INT(hits("always", 5, &first), 5);
    CHECK_INT(hits("third", 20, &first), 1);
    CHECK_INT(first, 3);
    CHECK_INT(hits("tenth", 35, &first), 3);
    CHECK_INT(first, 10);
    CHECK_INT(hits("none", 5, &first), 0);
}
#endif

TEST("a place that nobody named does not fail")
{
    unsigned first;
    CHECK_INT(hits("other", 100, &first), 0);
    CHECK_INT(hits("alway", 100, &first), 0);
}
