#include "server/status.h"

#include "base/clock.h"
#include "os/process.h"
#include "server/inside.h"
#include "server/numbers.h"
#include "server/told.h"

#include <stdio.h>
#include <unistd.h>

/* ---- small pieces ---- */

static void key(mg_page *to, const char *name)
{
    mg_page_print(to, "\"%s\":", name);
}

static void text(mg_page *to, const char *name, const char *value)
{
    key(to, name);
    if (value)
        mg_page_json(to, mg_str_of(value));
    else
        mg_page_put(to, MG_STR("null"));
    mg_page_put(to, MG_STR(","));
}

static void number(mg_page *to, const char *name, uint64_t value)
{
    mg_page_print(to, "\"%s\":%llu,", name, (unsigned long long)value);
}

/* A gauge may be off for a moment while a worker dies. */
static void gauge(mg_page *to, const char *name, int64_t value)
{
    number(to, name, (uint64_t)MG_MAX(value, 0));
}

static void time_of(mg_page *to, const char *name, int64_t wall_ms)
{
    char when[MG_CLOCK_ISO_ROOM];
    size_t n = mg_clock_print_iso(wall_ms, when);
    key(to, name);
    mg_page_json(to, (mg_str){when, n});
    mg_page_put(to, MG_STR(","));
}

static void end(mg_page *to, const char *close)
{
    mg_page_trim(to, ',');
    mg_page_put(to, mg_str_of(close));
}

static void put_numbers(mg_page *to, const mg_stats_row *r)
{
    number(to, "requests", r->requests);
    mg_page_put(to, MG_STR("\"status\":{"));
    for (int i = 1; i < 6; i++)
        mg_page_print(to, "\"%dxx\":%llu,", i, (unsigned long long)r->status[i]);
    mg_page_print(to, "\"none\":%llu},", (unsigned long long)r->status[0]);
    gauge(to, "active", r->active);
    number(to, "bytes_in", r->bytes_in);
    number(to, "bytes_out", r->bytes_out);
    mg_page_print(to, "\"latency_ms\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f},",
                  (double)mg_stats_quantile(r, 0.5) / 1e3, (double)mg_stats_quantile(r, 0.9) / 1e3,
                  (double)mg_stats_quantile(r, 0.99) / 1e3);
}

/* ---- generations ---- */

static void put_worker_generations(mg_page *to, mg_str said)
{
    mg_told_generation g;
    mg_page_put(to, MG_STR("\"generations\":["));
    for (mg_str line; mg_survey_line(&said, &line);)
        if (mg_told_generation_read(line, &g))
            mg_page_print(to, "{\"id\":%u,\"current\":%s,\"exchanges\":%u,\"served\":%llu,\"heap_bytes\":%zu},", g.id,
                          g.current ? "true" : "false", g.exchanges, g.served, g.heap_bytes);
    end(to, "],");
}

static void put_generations(const mg_master *m, const mg_survey *s, mg_page *to)
{
    mg_told_generation sums[MG_STATS_WORKERS];
    size_t count = mg_told_generations(s, sums, MG_COUNT(sums));
    mg_page_put(to, MG_STR("["));
    for (size_t i = 0; i < count; i++)
        mg_page_print(to, "{\"id\":%u,\"current\":%s,\"workers_current\":%d,\"exchanges\":%u,\"served\":%llu,\"heap_bytes\":%zu},",
                      sums[i].id, sums[i].id == m->generation ? "true" : "false", sums[i].current, sums[i].exchanges,
                      sums[i].served, sums[i].heap_bytes);
    end(to, "]");
}

void mg_status_write_generations(const mg_master *m, const mg_survey *s, mg_page *to)
{
    mg_page_put(to, MG_STR("{"));
    number(to, "current", m->generation);
    time_of(to, "since", m->generation_wall_ms);
    key(to, "generations");
    put_generations(m, s, to);
    mg_page_put(to, MG_STR("}\n"));
}

/* ---- upstreams ---- */

static void put_peer(const mg_numbers *all, const mg_told_peer *p, mg_page *to)
{
    char name[sizeof p->upstream + sizeof p->name + 2];
    (void)snprintf(name, sizeof name, "%s %s", p->upstream, p->name);
    const mg_stats_row *row = mg_numbers_find(all, MG_STATS_PEER, mg_str_of(name));
    mg_page_put(to, MG_STR("{"));
    text(to, "address", p->name);
    text(to, "health", mg_told_health(p));
    if (p->paused)
        number(to, "left_out_ms", (uint64_t)p->paused_ms);
    number(to, "weight", p->weight);
    mg_page_print(to, "\"backup\":%s,", p->backup ? "true" : "false");
    put_numbers(to, row);
    number(to, "failures", row->failures);
    number(to, "connections_opened", row->connections_opened);
    end(to, "},");
}

static void put_upstreams(const mg_numbers *all, const mg_survey *s, mg_page *to)
{
    size_t count;
    mg_told_peer *peers = mg_told_peers(s, &count);
    mg_page_put(to, MG_STR("["));
    for (size_t i = 0; i < count;) {
        const char *upstream = peers[i].upstream;
        const mg_stats_row *row = mg_numbers_find(all, MG_STATS_UPSTREAM, mg_str_of(upstream));
        mg_page_put(to, MG_STR("{"));
        text(to, "name", upstream);
        put_numbers(to, row);
        number(to, "failures", row->failures);
        number(to, "retries", row->retries);
        mg_page_put(to, MG_STR("\"servers\":["));
        for (; i < count && strcmp(peers[i].upstream, upstream) == 0; i++)
            put_peer(all, &peers[i], to);
        end(to, "]},");
    }
    end(to, "]");
    mg_free(peers);
}

void mg_status_write_upstreams(const mg_master *m, const mg_survey *s, mg_page *to)
{
    mg_numbers all = mg_numbers_gather(m->stats);
    mg_page_put(to, MG_STR("{\"upstreams\":"));
    put_upstreams(&all, s, to);
    mg_page_put(to, MG_STR("}\n"));
    mg_numbers_fini(&all);
}

/* ---- everything ---- */

/* The worker's own row; `all` begins with the series of workers. */
static void read_row(const mg_master *m, const mg_numbers *all, int index, mg_stats_row *out)
{
    *out = (mg_stats_row){0};
    if (all->count && all->at[0].kind == MG_STATS_WORKER)
        mg_stats_worker_row(m->stats, &all->at[0], index, out);
}

static void put_worker(const mg_master *m, const mg_numbers *all, const mg_survey *s, int index, mg_page *to)
{
    const mg_member *member = &m->crew.at[index];
    mg_stats_row row;
    read_row(m, all, index, &row);
    mg_page_put(to, MG_STR("{"));
    number(to, "id", (uint64_t)index);
    number(to, "pid", (uint64_t)member->pid);
    text(to, "state", mg_crew_state_name(member->state));
    number(to, "restarts", member->restarts);
    mg_told_worker told;
    if (mg_told_worker_of(s, index, &told)) {
        number(to, "connections", told.open);
        number(to, "exchanges", told.exchanges);
        number(to, "idle_origin_connections", told.pooled);
        number(to, "resident_bytes", told.resident_bytes);
        number(to, "log_lines_lost", told.lost);
    }
    number(to, "connections_accepted", row.connections_opened);
    put_numbers(to, &row);
    number(to, "script_errors", row.script_errors);
    put_worker_generations(to, mg_page_str(&s->said[index]));
    end(to, "},");
}

static void put_listeners(const mg_master *m, mg_page *to)
{
    mg_page_put(to, MG_STR("\"listeners\":["));
    for (uint32_t i = 0; i < m->bindings.count; i++) {
        mg_page_put(to, MG_STR("{"));
        text(to, "bind", m->bindings.at[i].bind);
        text(to, "address", m->bindings.at[i].address);
        end(to, "},");
    }
    end(to, "],");
}

static void put_routes(const mg_numbers *all, mg_page *to)
{
    mg_page_put(to, MG_STR("\"routes\":["));
    for (size_t i = 0; i < all->count; i++) {
        const mg_stats_view *v = &all->at[i];
        if (v->kind != MG_STATS_ROUTE)
            continue;
        mg_page_put(to, MG_STR("{\"name\":"));
        mg_page_json(to, v->name);
        mg_page_put(to, MG_STR(","));
        put_numbers(to, &v->sum);
        number(to, "script_errors", v->sum.script_errors);
        end(to, "},");
    }
    end(to, "],");
}

void mg_status_write(const mg_master *m, const mg_survey *s, mg_page *to)
{
    mg_numbers all = mg_numbers_gather(m->stats);
    mg_page_put(to, MG_STR("{"));
    text(to, "version", m->options->version);
    text(to, "commit", m->options->commit);
    text(to, "profile", m->options->profile);
    number(to, "pid", (uint64_t)getpid());
    text(to, "state", mg_master_state_name(m));
    text(to, "config", m->options->config);
    time_of(to, "started", m->started_wall_ms);
    mg_page_print(to, "\"uptime_seconds\":%.3f,", (double)(mg_clock_ms() - m->started_ms) / 1e3);
    number(to, "generation", m->generation);
    time_of(to, "generation_since", m->generation_wall_ms);
    mg_page_print(to, "\"reloads\":{\"taken\":%llu,\"refused\":%llu},", (unsigned long long)m->reload.taken,
                  (unsigned long long)m->reload.refused);
    number(to, "resident_bytes", mg_process_rss_bytes());
    put_listeners(m, to);
    mg_page_put(to, MG_STR("\"workers\":["));
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        if (m->crew.at[i].state != MG_CREW_EMPTY && i < mg_stats_workers(m->stats))
            put_worker(m, &all, s, i, to);
    end(to, "],");
    key(to, "generations");
    put_generations(m, s, to);
    mg_page_put(to, MG_STR(",\"upstreams\":"));
    put_upstreams(&all, s, to);
    mg_page_put(to, MG_STR(","));
    put_routes(&all, to);
    end(to, "}\n");
    mg_numbers_fini(&all);
}
