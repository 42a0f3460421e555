/*
 * test: the few words that C unit tests are written in.
 *
 *      #include "base/test.h"
 *
 *      TEST("an empty chain holds no bytes")
 *      {
 *          mg_chain c = {0};
 *          CHECK(mg_chain_is_empty(&c));
 *      }
 *
 * This header holds main(): it belongs into exactly one file of a program, a core/<floor>/<module>_test.c.
 * Each TEST says a sentence that can be false; the program prints "ok - sentence" or "not ok - sentence" for
 * each, in the order of the file, with the failed checks before it, and at the end "N passed, N failed". It
 * exits 1 when any failed. With an argument it runs only the tests whose sentence holds that text.
 *
 * A failed check does not end its test; REQUIRE does, and may only stand in a TEST itself or in a function
 * without result. Checks inside loops may say which round it is with CHECK_FOR.
 */
#ifndef MG_BASE_TEST_H
#define MG_BASE_TEST_H

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MG_TEST_MOST = 512 };

static struct {
    const char *sentence;
    void (*run)(void);
} mg_tests[MG_TEST_MOST];
static unsigned mg_test_count, mg_test_faults;

static inline void mg_test_add(const char *sentence, void (*run)(void))
{
    MG_BUG_UNLESS(mg_test_count < MG_TEST_MOST);
    mg_tests[mg_test_count].sentence = sentence;
    mg_tests[mg_test_count++].run = run;
}

MG_PRINTF(3, 4) static inline bool mg_test_fault(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("# %s:%d: ", file, line);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    mg_test_faults++;
    return false;
}

/* A copy of s with what a terminal would not show as \xNN; one of four buffers in turn. */
static inline const char *mg_test_show(mg_str s)
{
    static char rings[4][1024];
    static unsigned turn;
    char *to = rings[turn++ % 4], *put = to, *end = to + sizeof rings[0] - 8;
    if (!s.p)
        return "(absent)";
    *put++ = '"';
    for (size_t i = 0; i < s.n && put < end; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c < 0x7f)
            *put++ = (char)c;
        else
            put += snprintf(put, 5, "\\x%02x", c);
    }
    memcpy(put, "\"", 2);
    return to;
}

static inline bool mg_test_claim(bool holds, const char *what, const char *file, int line)
{
    return holds || mg_test_fault(file, line, "it does not hold that %s", what);
}

static inline bool mg_test_claim_for(bool holds, const char *what, const char *round, const char *file, int line)
{
    return holds || mg_test_fault(file, line, "it does not hold that %s, for %s", what, round);
}

static inline bool mg_test_same_str(mg_str got, mg_str wanted, const char *what, const char *file, int line)
{
    return mg_str_eq(got, wanted) ||
           mg_test_fault(file, line, "%s is %s, not %s", what, mg_test_show(got), mg_test_show(wanted));
}

static inline bool mg_test_same_int(long long got, long long wanted, const char *what, const char *file, int line)
{
    return got == wanted || mg_test_fault(file, line, "%s is %lld, not %lld", what, got, wanted);
}

#define CHECK(claim) mg_test_claim((claim), #claim, __FILE__, __LINE__)
#define CHECK_FOR(claim, round) mg_test_claim_for((claim), #claim, (round), __FILE__, __LINE__)
#define CHECK_STR(got, wanted) mg_test_same_str((got), (wanted), #got, __FILE__, __LINE__)
#define CHECK_INT(got, wanted) mg_test_same_int((long long)(got), (long long)(wanted), #got, __FILE__, __LINE__)
#define REQUIRE(claim) \
    do { \
        if (!CHECK(claim)) \
            return; \
    } while (0)

#define MG_TEST_JOIN_(a, b) a##b
#define MG_TEST_JOIN(a, b) MG_TEST_JOIN_(a, b)
#define MG_TEST_DEFINE(sentence, name) \
    static void name(void); \
    __attribute__((constructor)) static void MG_TEST_JOIN(add_, name)(void) \
    { \
        mg_test_add(sentence, name); \
    } \
    static void name(void)
#define TEST(sentence) MG_TEST_DEFINE(sentence, MG_TEST_JOIN(test_at_line_, __LINE__))

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < mg_test_count; i++) {
        if (argc > 1 && !strstr(mg_tests[i].sentence, argv[1]))
            continue;
        mg_test_faults = 0;
        mg_tests[i].run();
        printf("%s - %s\n", mg_test_faults ? "not ok" : "ok", mg_tests[i].sentence);
        *(mg_test_faults ? &failed : &passed) += 1;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
