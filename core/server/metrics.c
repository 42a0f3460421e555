#include "server/metrics.h"

#include "os/process.h"
#include "server/inside.h"
#include "server/numbers.h"
#include "server/told.h"
#include "shm/dict.h"

#include <stdio.h>

static void family(mg_page *to, const char *name, const char *type, const char *help)
{
    mg_page_print(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* ---- labels ---- */

/* `upstream="app"` and so on: what a series is called. A peer's series is "upstream server". */
static void put_labels(mg_page *to, const mg_stats_view *v)
{
    static const char *const names[] = {
        [MG_STATS_WORKER] = "worker", [MG_STATS_ROUTE] = "route", [MG_STATS_UPSTREAM] = "upstream",
    };
    mg_str name = v->name;
    if (v->kind == MG_STATS_PEER) {
        ptrdiff_t blank = mg_str_find(name, ' ');
        size_t n = blank < 0 ? 0 : (size_t)blank;
        mg_page_put(to, MG_STR("upstream=\""));
        mg_page_label(to, (mg_str){name.p, n});
        mg_page_put(to, MG_STR("\",server=\""));
        n = blank < 0 ? 0 : n + 1;
        mg_page_label(to, (mg_str){name.p + n, name.n - n});
    } else {
        mg_page_print(to, "%s=\"", names[v->kind]);
        mg_page_label(to, name);
    }
    mg_page_put(to, MG_STR("\""));
}

static void put_sample(mg_page *to, const char *name, const mg_stats_view *v, const char *more, uint64_t value)
{
    mg_page_print(to, "%s{", name);
    put_labels(to, v);
    mg_page_print(to, "%s} %llu\n", more, (unsigned long long)value);
}

/* ---- families over series ---- */

typedef uint64_t (*take)(const mg_stats_row *r);

static void each(mg_page *to, const mg_numbers *all, mg_stats_kind kind, const char *name, const char *type,
                 const char *help, take value)
{
    family(to, name, type, help);
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i].kind == kind)
            put_sample(to, name, &all->at[i], "", value(&all->at[i].sum));
}

static void each_status(mg_page *to, const mg_numbers *all, mg_stats_kind kind, const char *name, const char *help)
{
    static const char *const codes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    family(to, name, "counter", help);
    for (size_t i = 0; i < all->count; i++) {
        for (int c = 0; c < 6 && all->at[i].kind == kind; c++) {
            char more[32];
            (void)snprintf(more, sizeof more, ",code=\"%s\"", codes[c]);
            if (all->at[i].sum.status[c] || c == 2)
                put_sample(to, name, &all->at[i], more, all->at[i].sum.status[c]);
        }
    }
}

/* Four buckets make a doubling, so these end at 2^8 - 1, 2^9 - 1, … 2^26 - 1 us, and a count up to there is exact. */
enum { FIRST_BUCKET = 31, BUCKETS_PER_BOUND = 4 };

static void put_histogram(mg_page *to, const char *name, const mg_stats_view *v)
{
    uint64_t count = 0;
    char sample[80], more[48];
    (void)snprintf(sample, sizeof sample, "%s_bucket", name);
    for (unsigned b = 0; b < MG_STATS_BUCKETS; b++) {
        count += v->sum.bucket[b];
        if (b < FIRST_BUCKET || (b - FIRST_BUCKET) % BUCKETS_PER_BOUND || b + 1 == MG_STATS_BUCKETS)
            continue;
        (void)snprintf(more, sizeof more, ",le=\"%.9g\"", (double)mg_stats_bucket_top(b) / 1e6);
        put_sample(to, sample, v, more, count);
    }
    put_sample(to, sample, v, ",le=\"+Inf\"", count);
    mg_page_print(to, "%s_sum{", name);
    put_labels(to, v);
    mg_page_print(to, "} %.6f\n", (double)v->sum.us_sum / 1e6);
    (void)snprintf(sample, sizeof sample, "%s_count", name);
    put_sample(to, sample, v, "", count);
}

static void each_histogram(mg_page *to, const mg_numbers *all, mg_stats_kind kind, const char *name, const char *help)
{
    family(to, name, "histogram", help);
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i].kind == kind && all->at[i].sum.requests)
            put_histogram(to, name, &all->at[i]);
}

static uint64_t bytes_in(const mg_stats_row *r) { return r->bytes_in; }
static uint64_t bytes_out(const mg_stats_row *r) { return r->bytes_out; }
static uint64_t failures(const mg_stats_row *r) { return r->failures; }
static uint64_t retries(const mg_stats_row *r) { return r->retries; }
static uint64_t opened(const mg_stats_row *r) { return r->connections_opened; }
static uint64_t script_errors(const mg_stats_row *r) { return r->script_errors; }
static uint64_t late(const mg_stats_row *r) { return r->late; }
static uint64_t active(const mg_stats_row *r) { return (uint64_t)MG_MAX(r->active, 0); }
static uint64_t connections(const mg_stats_row *r) { return (uint64_t)MG_MAX(r->connections, 0); }
static uint64_t idle(const mg_stats_row *r) { return (uint64_t)MG_MAX(r->idle, 0); }

static void put_routes(mg_page *to, const mg_numbers *all)
{
    each_status(to, all, MG_STATS_ROUTE, "moongate_requests_total", "Requests by route and class of the answer's status.");
    each_histogram(to, all, MG_STATS_ROUTE, "moongate_request_duration_seconds", "Time from a request's first byte to the answer's last, by route.");
    each(to, all, MG_STATS_ROUTE, "moongate_requests_active", "gauge", "Requests under way, by route.", active);
    each(to, all, MG_STATS_ROUTE, "moongate_received_bytes_total", "counter", "Body bytes that clients sent, by route.", bytes_in);
    each(to, all, MG_STATS_ROUTE, "moongate_sent_bytes_total", "counter", "Body bytes sent to clients, by route.", bytes_out);
    each(to, all, MG_STATS_ROUTE, "moongate_script_errors_total", "counter", "Errors in scripts, by route.", script_errors);
}

static void put_upstreams(mg_page *to, const mg_numbers *all)
{
    each_status(to, all, MG_STATS_UPSTREAM, "moongate_upstream_requests_total", "Answers of upstreams by class of status.");
    each_histogram(to, all, MG_STATS_UPSTREAM, "moongate_upstream_request_duration_seconds", "Time that upstreams took to answer.");
    each(to, all, MG_STATS_UPSTREAM, "moongate_upstream_failures_total", "counter", "Tries that failed, by upstream.", failures);
    each(to, all, MG_STATS_UPSTREAM, "moongate_upstream_retries_total", "counter", "Further tries, by upstream.", retries);
    each(to, all, MG_STATS_UPSTREAM, "moongate_upstream_connections_total", "counter", "Connections dialled, by upstream.", opened);
    each(to, all, MG_STATS_UPSTREAM, "moongate_upstream_requests_active", "gauge", "Requests under way, by upstream.", active);
    each_status(to, all, MG_STATS_PEER, "moongate_server_requests_total", "Answers of servers by class of status.");
    each(to, all, MG_STATS_PEER, "moongate_server_failures_total", "counter", "Tries that failed, by server.", failures);
    each(to, all, MG_STATS_PEER, "moongate_server_requests_active", "gauge", "Requests under way, by server.", active);
}

/* ---- workers: each row of the one series "worker" becomes a series of its own ---- */

static mg_numbers split_workers(const mg_master *m, const mg_numbers *all, char names[][8])
{
    mg_numbers each_one = {.at = mg_zalloc(MG_STATS_WORKERS * sizeof *each_one.at)};
    for (size_t i = 0; i < all->count; i++) {
        if (all->at[i].kind != MG_STATS_WORKER)
            continue;
        for (int w = 0; w < mg_stats_workers(m->stats) && w < m->crew.size; w++) {
            mg_stats_view *v = &each_one.at[each_one.count++];
            int n = snprintf(names[w], sizeof names[w], "%d", w);
            *v = (mg_stats_view){.kind = MG_STATS_WORKER, .name = {names[w], (size_t)n}};
            mg_stats_worker_row(m->stats, &all->at[i], w, &v->sum);
        }
        break;
    }
    return each_one;
}

static void put_workers(mg_page *to, const mg_numbers *w)
{
    each_status(to, w, MG_STATS_WORKER, "moongate_worker_requests_total", "Requests by worker and class of the answer's status.");
    each_histogram(to, w, MG_STATS_WORKER, "moongate_worker_request_duration_seconds", "Time from a request's first byte to the answer's last, by worker.");
    each(to, w, MG_STATS_WORKER, "moongate_connections_total", "counter", "Connections accepted, by worker.", opened);
    each(to, w, MG_STATS_WORKER, "moongate_connections", "gauge", "Connections of clients that are open, by worker.", connections);
    each(to, w, MG_STATS_WORKER, "moongate_connections_idle", "gauge", "Of them those without a request, by worker.", idle);
    each(to, w, MG_STATS_WORKER, "moongate_timeouts_total", "counter", "Waits that ran out, by worker.", late);
    each(to, w, MG_STATS_WORKER, "moongate_worker_script_errors_total", "counter", "Errors in scripts, by worker.", script_errors);
}

/* ---- what workers said, and what the master knows ---- */

static void put_surveyed(mg_page *to, const mg_survey *s, const char *name, const char *type, const char *help,
                         size_t offset)
{
    family(to, name, type, help);
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        mg_told_worker told;
        unsigned long long value;
        if (!mg_told_worker_of(s, i, &told))
            continue;
        memcpy(&value, (const char *)&told + offset, sizeof value);
        mg_page_print(to, "%s{process=\"worker %d\"} %llu\n", name, i, value);
    }
}

static void put_generations(mg_page *to, const mg_survey *s)
{
    family(to, "moongate_generations", "gauge", "Generations alive, by worker.");
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        unsigned count = 0;
        mg_str said = mg_page_str(&s->said[i]);
        for (mg_str line; mg_survey_line(&said, &line);)
            count += mg_str_starts(line, MG_STR("generation "));
        if (s->said[i].n)
            mg_page_print(to, "moongate_generations{worker=\"%d\"} %u\n", i, count);
    }
}

static void put_restarts(mg_page *to, const mg_master *m)
{
    family(to, "moongate_worker_restarts_total", "counter", "How often a worker was started anew after it died.");
    for (int i = 0; i < m->crew.size; i++)
        mg_page_print(to, "moongate_worker_restarts_total{worker=\"%d\"} %u\n", i, m->crew.at[i].restarts);
}

static void put_process(mg_page *to, const mg_master *m, const mg_survey *s)
{
    family(to, "moongate_build_info", "gauge", "1; what runs stands in the labels.");
    mg_page_print(to, "moongate_build_info{version=\"%s\",commit=\"%s\",profile=\"%s\"} 1\n", m->options->version,
                  m->options->commit, m->options->profile);
    family(to, "moongate_start_time_seconds", "gauge", "When the master started, seconds since 1970.");
    mg_page_print(to, "moongate_start_time_seconds %.3f\n", (double)m->started_wall_ms / 1e3);
    family(to, "moongate_generation", "gauge", "The generation in service.");
    mg_page_print(to, "moongate_generation %u\n", m->generation);
    family(to, "moongate_reloads_total", "counter", "Reloads by how they ended.");
    mg_page_print(to, "moongate_reloads_total{result=\"taken\"} %llu\nmoongate_reloads_total{result=\"refused\"} %llu\n",
                  (unsigned long long)m->reload.taken, (unsigned long long)m->reload.refused);
    family(to, "moongate_workers", "gauge", "Workers that serve.");
    mg_page_print(to, "moongate_workers %d\n", mg_crew_count(&m->crew, MG_CREW_SERVING));
    put_restarts(to, m);
    put_generations(to, s);
    put_surveyed(to, s, "moongate_resident_memory_bytes", "gauge", "Memory in RAM, by process.",
                 offsetof(mg_told_worker, resident_bytes));
    mg_page_print(to, "moongate_resident_memory_bytes{process=\"master\"} %llu\n", (unsigned long long)mg_process_rss_bytes());
    put_surveyed(to, s, "moongate_log_lines_lost_total", "counter", "Log lines lost to slow readers, by process.",
                 offsetof(mg_told_worker, lost));
    mg_page_print(to, "moongate_log_lines_lost_total{process=\"master\"} %llu\n", (unsigned long long)mg_log_lost());
    put_surveyed(to, s, "moongate_origin_connections_idle", "gauge", "Idle connections to origins, by process.",
                 offsetof(mg_told_worker, pooled));
}

static void put_dicts(mg_page *to, const mg_master *m)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } families[] = {
        {"moongate_dict_items", "gauge", "Keys in a shared dictionary.", offsetof(mg_dict_numbers, items)},
        {"moongate_dict_used_bytes", "gauge", "Memory of a shared dictionary that is in use.", offsetof(mg_dict_numbers, used_bytes)},
        {"moongate_dict_size_bytes", "gauge", "Memory of a shared dictionary.", offsetof(mg_dict_numbers, size_bytes)},
        {"moongate_dict_evicted_total", "counter", "Keys that were still good when room was needed.", offsetof(mg_dict_numbers, evicted)},
        {"moongate_dict_expired_total", "counter", "Keys whose time was over.", offsetof(mg_dict_numbers, expired)},
        {"moongate_dict_emptied_total", "counter", "Parts that a killed worker left unfinished, and that were emptied.", offsetof(mg_dict_numbers, emptied)},
    };
    for (size_t f = 0; f < MG_COUNT(families) && mg_dicts_at(m->dicts, 0); f++) {
        family(to, families[f].name, families[f].type, families[f].help);
        mg_dict *d;
        for (size_t i = 0; (d = mg_dicts_at(m->dicts, i)); i++) {
            mg_dict_numbers n;
            uint64_t value;
            mg_dict_count(d, &n);
            memcpy(&value, (const char *)&n + families[f].offset, sizeof value);
            mg_page_print(to, "%s{dict=\"%.*s\"} %llu\n", families[f].name, MG_STR_ARG(mg_dict_name(d)), (unsigned long long)value);
        }
    }
}

void mg_metrics_write(const mg_master *m, const mg_survey *s, mg_page *to)
{
    char names[MG_STATS_WORKERS][8];
    mg_numbers all = mg_numbers_gather(m->stats), workers = split_workers(m, &all, names);
    put_process(to, m, s);
    put_workers(to, &workers);
    put_routes(to, &all);
    put_upstreams(to, &all);
    put_dicts(to, m);
    mg_numbers_fini(&workers);
    mg_numbers_fini(&all);
}
