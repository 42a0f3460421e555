#include "server/table.h"

#include "base/clock.h"
#include "server/inside.h"
#include "server/told.h"

#include <stdio.h>

/* ---- words for numbers ---- */

/* One of eight rooms in turn, so that a line may hold several. */
static char *room(void)
{
    static char rooms[8][32];
    static unsigned turn;
    return rooms[turn++ % 8];
}

static const char *bytes(unsigned long long n)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double value = (double)n;
    size_t unit = 0;
    for (; value >= 10000 && unit + 1 < MG_COUNT(units); unit++)
        value /= 1024;
    char *to = room();
    (void)snprintf(to, 32, "%.0f %s", value, units[unit]);
    return to;
}

static const char *milliseconds(const mg_stats_row *r, double q)
{
    uint64_t us = mg_stats_quantile(r, q);
    char *to = room();
    if (!r->requests)
        return "-";
    (void)snprintf(to, 32, us < 10000 ? "%.2f ms" : "%.0f ms", (double)us / 1e3);
    return to;
}

static const char *duration(int64_t ms)
{
    int64_t s = ms / 1000;
    char *to = room();
    if (s < 120)
        (void)snprintf(to, 32, "%lld s", (long long)s);
    else if (s < 7200)
        (void)snprintf(to, 32, "%lld min", (long long)(s / 60));
    else if (s < 172800)
        (void)snprintf(to, 32, "%lld h", (long long)(s / 3600));
    else
        (void)snprintf(to, 32, "%lld days", (long long)(s / 86400));
    return to;
}

/* ---- parts ---- */

static void put_head(const mg_master *m, mg_page *to)
{
    mg_page_print(to, "moongate %s, process %d, %s for %s, generation %u of %s\n", m->options->version, (int)m->pid,
                  mg_master_state_name(m), duration(mg_clock_ms() - m->started_ms), m->generation, m->options->config);
    mg_page_print(to, "reloads: %llu taken, %llu refused\nlistening on:", (unsigned long long)m->reload.taken,
                  (unsigned long long)m->reload.refused);
    for (uint32_t i = 0; i < m->bindings.count; i++)
        mg_page_print(to, " %s", m->bindings.at[i].address);
    mg_page_put(to, MG_STR("\n"));
}

static void put_workers(const mg_master *m, const mg_survey *s, mg_page *to)
{
    mg_page_print(to, "\n%-7s %8s %-9s %9s %9s %8s %8s\n", "WORKER", "PROCESS", "STATE", "CONNECTED", "REQUESTS",
                  "MEMORY", "RESTARTS");
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        const mg_member *w = &m->crew.at[i];
        mg_told_worker told = {0};
        if (w->state == MG_CREW_EMPTY)
            continue;
        (void)mg_told_worker_of(s, i, &told);
        mg_page_print(to, "%-7d %8d %-9s %9llu %9llu %8s %8u\n", i, (int)w->pid, mg_crew_state_name(w->state), told.open,
                      told.exchanges, bytes(told.resident_bytes), w->restarts);
    }
}

static void put_generations(const mg_survey *s, mg_page *to)
{
    mg_told_generation all[MG_STATS_WORKERS];
    size_t count = mg_told_generations(s, all, MG_COUNT(all));
    mg_page_print(to, "\n%-10s %-11s %9s %12s %8s\n", "GENERATION", "STATE", "REQUESTS", "SERVED", "HEAP");
    for (size_t i = 0; i < count; i++)
        mg_page_print(to, "%-10u %-11s %9u %12llu %8s\n", all[i].id, all[i].current ? "in service" : "retired",
                      all[i].exchanges, all[i].served, bytes(all[i].heap_bytes));
}

static void put_series(const mg_master *m, mg_stats_kind kind, const char *title, mg_page *to)
{
    mg_stats_view v;
    bool any = false;
    for (int at = 0; mg_stats_next(m->stats, &at, &v);) {
        const mg_stats_row *r = &v.sum;
        if (v.kind != kind)
            continue;
        if (!any)
            mg_page_print(to, "\n%10s %8s %8s %8s %9s %9s %9s  %s\n", "REQUESTS", "4XX", "5XX", "ACTIVE", "P50", "P90", "P99", title);
        any = true;
        mg_page_print(to, "%10llu %8llu %8llu %8lld %9s %9s %9s  %.*s\n", (unsigned long long)r->requests,
                      (unsigned long long)r->status[4], (unsigned long long)r->status[5],
                      (long long)MG_MAX(r->active, 0), milliseconds(r, 0.5), milliseconds(r, 0.9),
                      milliseconds(r, 0.99), MG_STR_ARG(v.name));
    }
}

static void put_servers(const mg_survey *s, mg_page *to)
{
    size_t count;
    mg_told_peer *peers = mg_told_peers(s, &count);
    if (count)
        mg_page_print(to, "\n%-20s %-28s %6s  %s\n", "UPSTREAM", "SERVER", "WEIGHT", "HEALTH");
    for (size_t i = 0; i < count; i++)
        mg_page_print(to, "%-20s %-28s %6u  %s%s\n", peers[i].upstream, peers[i].name, peers[i].weight,
                      mg_told_health(&peers[i]), peers[i].backup ? ", backup" : "");
    mg_free(peers);
}

void mg_table_write(const mg_master *m, const mg_survey *s, mg_page *to)
{
    put_head(m, to);
    put_workers(m, s, to);
    put_generations(s, to);
    put_series(m, MG_STATS_ROUTE, "ROUTE", to);
    put_series(m, MG_STATS_UPSTREAM, "UPSTREAM", to);
    put_servers(s, to);
}
