#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t mono_us, wall_ms;
static int64_t date_second = -1;
static char date[64];

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void mg_clock_update(void)
{
    mono_us = read_us(CLOCK_MONOTONIC);
    wall_ms = read_us(CLOCK_REALTIME) / 1000;
}

static void have(void)
{
    if (MG_UNLIKELY(!mono_us))
        mg_clock_update();
}

int64_t mg_clock_ms(void)
{
    have();
    return mono_us / 1000;
}

int64_t mg_clock_us(void)
{
    have();
    return mono_us;
}

int64_t mg_clock_wall_ms(void)
{
    have();
    return wall_ms;
}

int64_t mg_clock_precise_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

static void split(int64_t ms, struct tm *out)
{
    time_t t = (time_t)(ms / 1000);
    gmtime_r(&t, out);
}

mg_str mg_clock_http_date(void)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    have();
    if (wall_ms / 1000 != date_second) {
        struct tm t;
        split(wall_ms, &t);
        (void)snprintf(date, sizeof date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * t.tm_wday, t.tm_mday,
                       months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
        date_second = wall_ms / 1000;
    }
    return (mg_str){date, 29};
}

size_t mg_clock_print_iso(int64_t ms, char *to)
{
    struct tm t;
    char text[64];
    split(ms, &t);
    int n = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec, (int)(ms % 1000));
    size_t size = n < 0 ? 0 : MG_MIN((size_t)n, (size_t)MG_CLOCK_ISO_ROOM - 1);
    memcpy(to, text, size);
    to[size] = '\0';
    return size;
}
