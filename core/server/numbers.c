#include "server/numbers.h"

mg_numbers mg_numbers_gather(const mg_stats *s)
{
    mg_numbers n = {0};
    mg_stats_view v;
    for (int at = 0; mg_stats_next(s, &at, &v);) {
        if (n.count == n.room) {
            n.room = n.room * 2 + 64;
            n.at = mg_realloc(n.at, n.room * sizeof *n.at);
        }
        n.at[n.count++] = v;
    }
    return n;
}

static int compare(const mg_stats_view *v, mg_stats_kind kind, mg_str name)
{
    if (v->kind != kind)
        return v->kind < kind ? -1 : 1;
    size_t least = MG_MIN(v->name.n, name.n);
    int order = least ? memcmp(v->name.p, name.p, least) : 0;
    return order ? order : v->name.n < name.n ? -1 : v->name.n > name.n;
}

const mg_stats_row *mg_numbers_find(const mg_numbers *n, mg_stats_kind kind, mg_str name)
{
    static const mg_stats_row zeros;
    size_t low = 0, high = n->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&n->at[middle], kind, name);
        if (order == 0)
            return &n->at[middle].sum;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return &zeros;
}

void mg_numbers_fini(mg_numbers *n)
{
    mg_free(n->at);
    *n = (mg_numbers){0};
}
