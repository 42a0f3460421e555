#include "server/told.h"

#include <stdio.h>
#include <stdlib.h>

bool mg_told_worker_of(const mg_survey *s, int index, mg_told_worker *w)
{
    char first[160];
    (void)snprintf(first, sizeof first, "%.*s", MG_STR_ARG(mg_page_str(&s->said[index])));
    return sscanf(first, "worker %llu %llu %llu %llu %llu", &w->open, &w->exchanges, &w->pooled, &w->resident_bytes,
                  &w->lost) == 5;
}

/* ---- generations ---- */

bool mg_told_generation_read(mg_str line, mg_told_generation *g)
{
    char copy[160];
    (void)snprintf(copy, sizeof copy, "%.*s", MG_STR_ARG(line));
    return sscanf(copy, "generation %u %d %u %llu %zu", &g->id, &g->current, &g->exchanges, &g->served,
                  &g->heap_bytes) == 5;
}

/* The place of this id in a list that falls, made when there is none; NULL: the list is full. */
static mg_told_generation *place_of(mg_told_generation *sums, size_t *count, size_t most, unsigned id)
{
    size_t at = 0;
    while (at < *count && sums[at].id > id)
        at++;
    if (at < *count && sums[at].id == id)
        return &sums[at];
    if (*count == most)
        return NULL;
    memmove(sums + at + 1, sums + at, (*count - at) * sizeof *sums);
    sums[at] = (mg_told_generation){.id = id};
    (*count)++;
    return &sums[at];
}

size_t mg_told_generations(const mg_survey *s, mg_told_generation *out, size_t most)
{
    size_t count = 0;
    mg_told_generation g;
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        mg_str said = mg_page_str(&s->said[i]);
        for (mg_str line; mg_survey_line(&said, &line);) {
            mg_told_generation *sum = mg_told_generation_read(line, &g) ? place_of(out, &count, most, g.id) : NULL;
            if (!sum)
                continue;
            sum->exchanges += g.exchanges;
            sum->served += g.served;
            sum->heap_bytes += g.heap_bytes;
            sum->current += g.current;
        }
    }
    return count;
}

/* ---- peers ---- */

static int in_order(const void *a, const void *b)
{
    const mg_told_peer *x = a, *y = b;
    int by_upstream = strcmp(x->upstream, y->upstream);
    return by_upstream ? by_upstream : strcmp(x->name, y->name);
}

/* Every peer of every worker, as told. */
static mg_told_peer *read_all(const mg_survey *s, size_t *count)
{
    mg_told_peer *all = NULL;
    size_t room = 0;
    *count = 0;
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        mg_str said = mg_page_str(&s->said[i]);
        for (mg_str line; mg_survey_line(&said, &line);) {
            mg_told_peer p = {.told = 1};
            char copy[512];
            (void)snprintf(copy, sizeof copy, "%.*s", MG_STR_ARG(line));
            if (sscanf(copy, "peer %lld %u %d %63s %159[^\n]", &p.paused_ms, &p.weight, &p.backup, p.upstream, p.name) != 5)
                continue;
            p.paused = p.paused_ms > 0;
            if (*count == room) {
                room = room * 2 + 16;
                all = mg_realloc(all, room * sizeof *all);
            }
            all[(*count)++] = p;
        }
    }
    return all;
}

mg_told_peer *mg_told_peers(const mg_survey *s, size_t *count)
{
    size_t told;
    mg_told_peer *all = read_all(s, &told);
    *count = 0;
    if (told)
        qsort(all, told, sizeof *all, in_order);
    for (size_t i = 0; i < told; i++) {
        mg_told_peer *last = *count ? &all[*count - 1] : NULL;
        if (last && in_order(last, &all[i]) == 0) {
            last->told++;
            last->paused += all[i].paused;
            last->paused_ms = MG_MAX(last->paused_ms, all[i].paused_ms);
        } else {
            all[(*count)++] = all[i];
        }
    }
    return all;
}

const char *mg_told_health(const mg_told_peer *p)
{
    return p->paused == 0 ? "up" : p->paused >= p->told ? "left out" : "left out by some workers";
}
