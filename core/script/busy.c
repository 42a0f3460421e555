#include "script/busy.h"

/* Appends at most `most` bytes; a refused head may have no method or target at all. */
static size_t put(char *to, size_t at, mg_str s, size_t most)
{
    size_t n = MG_MIN(s.n, most);
    if (n)
        memcpy(to + at, s.p, n);
    return at + n;
}

void mg_busy_begin(const mg_exchange *x, mg_str what)
{
    mg_stats_beat *beat = mg_world.beat;
    if (!beat)
        return;
    _Static_assert(sizeof beat->busy_with >= 90 + 16 + 1 + 100 + 1, "the word for the watchdog has room");
    size_t n = put(beat->busy_with, 0, what, 90);
    n = put(beat->busy_with, n, x->req.method_name, 16);
    beat->busy_with[n++] = ' ';
    n = put(beat->busy_with, n, x->req.target, 100);
    beat->busy_with[n] = 0;
}

void mg_busy_end(void)
{
    if (mg_world.beat)
        mg_world.beat->busy_with[0] = 0;
}
