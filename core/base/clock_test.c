#include "base/clock.h"

#include "base/test.h"

#include <time.h>

TEST("the stored time stands still until it is updated, and never goes back")
{
    mg_clock_update();
    int64_t before = mg_clock_us();
    while (mg_clock_precise_us() <= before)
        ;
    CHECK_INT(mg_clock_us(), before);
    CHECK_INT(mg_clock_ms(), before / 1000);
    mg_clock_update();
    CHECK(mg_clock_us() > before);
    CHECK(mg_clock_ms() > 0);
}

TEST("the wall clock is the system's")
{
    mg_clock_update();
    CHECK(llabs(mg_clock_wall_ms() / 1000 - (int64_t)time(NULL)) <= 1);
}

TEST("the HTTP date is an IMF-fixdate of the stored second (RFC 9110 section 5.6.7)")
{
    struct tm t = {0};
    mg_clock_update();
    mg_str date = mg_clock_http_date();
    CHECK_INT(date.n, 29);
    CHECK(mg_str_ends(date, MG_STR(" GMT")));
    char *end = strptime(date.p, "%a, %d %b %Y %H:%M:%S GMT", &t);
    CHECK(end == date.p + 29);
    CHECK_INT(timegm(&t), mg_clock_wall_ms() / 1000);
    CHECK(mg_clock_http_date().p == date.p);
}

TEST("ISO times have milliseconds and end in Z")
{
    char to[MG_CLOCK_ISO_ROOM];
    CHECK_STR(((mg_str){to, mg_clock_print_iso(0, to)}), MG_STR("1970-01-01T00:00:00.000Z"));
    CHECK_STR(((mg_str){to, mg_clock_print_iso(1795232400123, to)}), MG_STR("2026-11-21T03:40:00.123Z"));
    CHECK_STR(((mg_str){to, mg_clock_print_iso(951782399999, to)}), MG_STR("2000-02-28T23:59:59.999Z"));
}
