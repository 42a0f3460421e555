/*
 * stats: counters and latency histograms that all processes can read and that outlive workers and reloads.
 *
 *      series "worker"            [ worker 0 | worker 1 | … ]     one row of numbers per worker: each worker
 *      series "route/api"         [ worker 0 | worker 1 | … ]     writes only its own row, without atomics on
 *      series "upstream/app"      [ worker 0 | worker 1 | … ]     the bus; readers sum the rows
 *
 * The region is mapped before the workers are forked, with room for a fixed number of series; untouched
 * room costs no memory. Rows begin on cache lines of their own. Finding a series takes no lock, making one
 * a robust lock; both happen when a generation is built, never on a request. When the room is used up,
 * further names share the series "other" of their kind. A series is never removed.
 *
 * Histograms are logarithmic: 4 buckets per doubling from 1 us to 2^27 us (134 s), so that a quantile is
 * within 19 % of the truth.
 *
 * Ownership: an mg_stats belongs to the process that opened it and to those forked from it; a copy per
 * process lives as long as the process or until mg_stats_close. Not for two threads of one process.
 */
#ifndef MG_SHM_STATS_H
#define MG_SHM_STATS_H

#include "base/err.h"
#include "base/str.h"

enum {
    MG_STATS_WORKERS = 64,
    MG_STATS_SERIES = 32768,
    MG_STATS_NAME = 112, /* bytes; longer names are cut and end in their hash */
    MG_STATS_BUCKETS = 108
};

typedef enum { MG_STATS_WORKER, MG_STATS_ROUTE, MG_STATS_UPSTREAM, MG_STATS_PEER } mg_stats_kind;

/* The numbers of one series and one worker. All only grow but the gauges. */
typedef struct {
    uint64_t requests, bytes_in, bytes_out, us_sum;
    int64_t active;     /* gauge: exchanges under way */
    uint64_t status[6]; /* by hundreds: [1]..[5]; [0]: ended without an answer */
    uint64_t failures;  /* upstream, peer: tries that failed */
    uint64_t retries;
    uint64_t connections_opened; /* worker: accepted; upstream: dialled */
    uint64_t script_errors;
    uint64_t script_kills;           /* entries that were ended because their CPU budget was used up */
    uint64_t script_memory_failures; /* entries that were refused memory */
    uint64_t script_collections;     /* worker: full collections because a state came near its limit */
    uint64_t late;       /* waits that ran out */
    int64_t connections; /* gauge */
    int64_t idle;        /* gauge: idle connections */
    uint64_t bucket[MG_STATS_BUCKETS];
} mg_stats_row;

typedef struct mg_stats mg_stats;

mg_stats *mg_stats_open(int workers, mg_err *err); /* 1 to MG_STATS_WORKERS; by the master before it forks */
void mg_stats_close(mg_stats *s);
int mg_stats_workers(const mg_stats *s);
/* The row of this series for that worker; never NULL; good until mg_stats_close. */
mg_stats_row *mg_stats_row_of(mg_stats *s, mg_stats_kind kind, mg_str name, int worker);
void mg_stats_worker_died(mg_stats *s, int worker); /* its gauges go back to zero */

unsigned mg_stats_bucket(int64_t us);          /* index; the last bucket holds all that is later, too */
uint64_t mg_stats_bucket_top(unsigned bucket); /* the largest us in it (of the last: as if it ended at 2^27) */
static inline void mg_stats_time(mg_stats_row *r, int64_t us)
{
    r->us_sum += us > 0 ? (uint64_t)us : 0;
    r->bucket[mg_stats_bucket(us)]++;
}

/* For readers: all series in order of kind and name, rows summed. */
typedef struct {
    mg_stats_kind kind;
    mg_str name; /* in shared memory */
    mg_stats_row sum;
} mg_stats_view;
/* *at from 0; false at the end. One reader at a time. */
bool mg_stats_next(const mg_stats *s, int *at, mg_stats_view *out);
void mg_stats_worker_row(const mg_stats *s, const mg_stats_view *v, int worker, mg_stats_row *out);
uint64_t mg_stats_quantile(const mg_stats_row *r, double q); /* us; 0 when empty */

/* A word each worker keeps for the master's watchdog: when it last turned, and what it was at. */
typedef struct {
    int64_t beat_ms; /* monotonic */
    int32_t pid;
    uint32_t generation;
    char busy_with[256]; /* script and URL while a script runs; empty otherwise */
} mg_stats_beat;
mg_stats_beat *mg_stats_beat_of(mg_stats *s, int worker);

#endif
