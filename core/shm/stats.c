/*
 * The region, one mapping:
 *
 *      head | beats, one per worker | index: hash → series number + 1 | names | rows of 0 | rows of 1 | …
 *
 * A series is made in three steps, each of which readers may see: its name is written, the count grows,
 * the index points to it. Whoever is killed between them leaves at most the newest series without an
 * index entry; the next one to take the lock puts that right.
 */
#include "shm/stats.h"

#include "shm/hash.h"
#include "shm/lock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
    KINDS = 4,
    NAMED = MG_STATS_SERIES - KINDS, /* behind them there is room for one "other" per kind */
    INDEX = 2 * MG_STATS_SERIES,     /* a power of two, at most half full */
    LINE = 64
};
_Static_assert((INDEX & (INDEX - 1)) == 0, "the index is masked");

typedef struct {
    uint64_t hash;
    uint16_t kind, n;
    char name[MG_STATS_NAME];
} series;

typedef struct {
    mg_lock lock; /* for making series */
    mg_shm_seed seed;
    uint32_t count;
} head;

typedef union {
    mg_stats_beat beat;
    char lines[(sizeof(mg_stats_beat) + LINE - 1) / LINE * LINE];
} beat_room;

typedef union {
    mg_stats_row row;
    char lines[(sizeof(mg_stats_row) + LINE - 1) / LINE * LINE];
} row_room;

/* What one process knows: the sorted order of the series that it saw last. */
typedef struct {
    uint32_t count, room;
    uint32_t *at;
} sorted;

struct mg_stats {
    head *head;
    beat_room *beats;
    uint32_t *index;
    series *series;
    row_room *rows;
    sorted *order;
    size_t size; /* of the mapping */
    int workers;
};

/* ---- the region ---- */

static size_t page_up(size_t n)
{
    return (n + 4095) & ~(size_t)4095;
}

mg_stats *mg_stats_open(int workers, mg_err *err)
{
    if (workers < 1 || workers > MG_STATS_WORKERS) {
        (void)mg_err_set(err, "%d workers: 1 to %d are possible", workers, MG_STATS_WORKERS);
        return NULL;
    }
    size_t beats = page_up(sizeof(head)), index = beats + page_up(sizeof(beat_room) * (size_t)workers);
    size_t names = index + page_up(sizeof(uint32_t) * INDEX), rows = names + page_up(sizeof(series) * MG_STATS_SERIES);
    size_t size = rows + page_up(sizeof(row_room) * (size_t)workers * MG_STATS_SERIES);
    char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        (void)mg_err_set(err, "cannot map %zu bytes for statistics: %s", size, strerror(errno));
        return NULL;
    }
    mg_stats *s = mg_zalloc(sizeof *s);
    *s = (mg_stats){.head = (void *)base,
                    .beats = (void *)(base + beats),
                    .index = (void *)(base + index),
                    .series = (void *)(base + names),
                    .rows = (void *)(base + rows),
                    .order = mg_zalloc(sizeof(sorted)),
                    .size = size,
                    .workers = workers};
    mg_lock_init(&s->head->lock);
    MG_BUG_UNLESS(getrandom(&s->head->seed, sizeof s->head->seed, 0) == (ssize_t)sizeof s->head->seed);
    return s;
}

void mg_stats_close(mg_stats *s)
{
    if (!s)
        return;
    (void)munmap(s->head, s->size);
    mg_free(s->order->at);
    mg_free(s->order);
    mg_free(s);
}

int mg_stats_workers(const mg_stats *s)
{
    return s->workers;
}

mg_stats_beat *mg_stats_beat_of(mg_stats *s, int worker)
{
    MG_BUG_UNLESS(worker >= 0 && worker < s->workers);
    return &s->beats[worker].beat;
}

/* ---- finding and making series ---- */

static uint32_t count_of(const mg_stats *s)
{
    return __atomic_load_n(&s->head->count, __ATOMIC_ACQUIRE);
}

static uint64_t hash_of(const mg_stats *s, mg_stats_kind kind, mg_str name)
{
    mg_shm_seed seed = {s->head->seed.a + kind, s->head->seed.b};
    return mg_shm_hash(seed, name.p, name.n);
}

/* A name that is too long keeps its beginning, and its hash tells it from others that begin so. */
static mg_str cut_name(const mg_stats *s, mg_stats_kind kind, mg_str name, char *room)
{
    if (name.n <= MG_STATS_NAME)
        return name;
    char tail[32];
    int n = snprintf(tail, sizeof tail, "~%016llx", (unsigned long long)hash_of(s, kind, name));
    memcpy(room, name.p, MG_STATS_NAME - (size_t)n);
    memcpy(room + MG_STATS_NAME - n, tail, (size_t)n);
    return (mg_str){room, MG_STATS_NAME};
}

static mg_str name_of(const series *e)
{
    return (mg_str){e->name, e->n};
}

/* The index slot that points to this series, or the empty one where it would be. */
static uint32_t *find_slot(const mg_stats *s, uint64_t hash, mg_stats_kind kind, mg_str name)
{
    for (uint64_t i = hash & (INDEX - 1);; i = (i + 1) & (INDEX - 1)) {
        uint32_t number = __atomic_load_n(&s->index[i], __ATOMIC_ACQUIRE);
        if (!number)
            return &s->index[i];
        const series *e = &s->series[number - 1];
        if (e->hash == hash && e->kind == kind && mg_str_eq(name_of(e), name))
            return &s->index[i];
    }
}

/* Under the lock, after its last owner was killed: the newest series may lack its place in the index. */
static void mend(mg_stats *s)
{
    uint32_t count = count_of(s);
    if (count) {
        const series *e = &s->series[count - 1];
        uint32_t *slot = find_slot(s, e->hash, e->kind, name_of(e));
        __atomic_store_n(slot, count, __ATOMIC_RELEASE);
    }
    mg_lock_mended(&s->head->lock);
}

static uint32_t add_series(mg_stats *s, uint64_t hash, mg_stats_kind kind, mg_str name, uint32_t *slot)
{
    uint32_t count = count_of(s);
    MG_BUG_UNLESS(count < MG_STATS_SERIES && name.n <= MG_STATS_NAME);
    series *e = &s->series[count];
    e->hash = hash;
    e->kind = (uint16_t)kind;
    e->n = (uint16_t)name.n;
    if (name.n)
        memcpy(e->name, name.p, name.n);
    __atomic_store_n(&s->head->count, count + 1, __ATOMIC_RELEASE);
    __atomic_store_n(slot, count + 1, __ATOMIC_RELEASE);
    return count;
}

/* The number of the series, or of "other" when there is no room for one more. */
static uint32_t make_series(mg_stats *s, uint64_t hash, mg_stats_kind kind, mg_str name)
{
    static const mg_str other = {"other", 5};
    if (mg_lock_take(&s->head->lock))
        mend(s);
    uint32_t *slot = find_slot(s, hash, kind, name);
    if (!*slot && count_of(s) >= NAMED) {
        name = other;
        hash = hash_of(s, kind, name);
        slot = find_slot(s, hash, kind, name);
    }
    uint32_t number = *slot ? *slot - 1 : add_series(s, hash, kind, name, slot);
    mg_lock_give(&s->head->lock);
    return number;
}

static row_room *row_at(const mg_stats *s, uint32_t number, int worker)
{
    return &s->rows[(size_t)number * (size_t)s->workers + (size_t)worker];
}

mg_stats_row *mg_stats_row_of(mg_stats *s, mg_stats_kind kind, mg_str name, int worker)
{
    char room[MG_STATS_NAME];
    MG_BUG_UNLESS(worker >= 0 && worker < s->workers && (int)kind < (int)KINDS);
    name = cut_name(s, kind, name, room);
    uint64_t hash = hash_of(s, kind, name);
    uint32_t found = __atomic_load_n(find_slot(s, hash, kind, name), __ATOMIC_ACQUIRE);
    return &row_at(s, found ? found - 1 : make_series(s, hash, kind, name), worker)->row;
}

void mg_stats_worker_died(mg_stats *s, int worker)
{
    MG_BUG_UNLESS(worker >= 0 && worker < s->workers);
    uint32_t count = count_of(s);
    for (uint32_t i = 0; i < count; i++) {
        mg_stats_row *r = &row_at(s, i, worker)->row;
        r->active = r->connections = r->idle = 0;
    }
}

/* ---- histograms ---- */

unsigned mg_stats_bucket(int64_t us)
{
    /* 2^(63 + 1/4), 2^(63 + 2/4), 2^(63 + 3/4): where the quarters of a doubling begin. */
    static const uint64_t quarter[] = {0x9837f0518db8a970u, 0xb504f333f9de6485u, 0xd744fccad69d6af5u};
    if (us < 1)
        return 0;
    unsigned doublings = 63 - (unsigned)__builtin_clzll((uint64_t)us);
    uint64_t high = (uint64_t)us << (63 - doublings);
    unsigned bucket = doublings * 4 + (high >= quarter[0]) + (high >= quarter[1]) + (high >= quarter[2]);
    return MG_MIN(bucket, MG_STATS_BUCKETS - 1u);
}

uint64_t mg_stats_bucket_top(unsigned bucket)
{
    return (uint64_t)ceil(exp2((bucket + 1) / 4.0)) - 1;
}

uint64_t mg_stats_quantile(const mg_stats_row *r, double q)
{
    uint64_t n = 0, before = 0;
    for (unsigned i = 0; i < MG_STATS_BUCKETS; i++)
        n += r->bucket[i];
    if (!n)
        return 0;
    double rank = ceil(q * (double)n);
    uint64_t wanted = rank < 1 ? 1 : rank > (double)n ? n : (uint64_t)rank;
    unsigned i = 0;
    while (before + r->bucket[i] < wanted)
        before += r->bucket[i++];
    /* Inside the bucket, as if its members were spread evenly. */
    double bottom = i ? (double)mg_stats_bucket_top(i - 1) + 1 : 0, top = (double)mg_stats_bucket_top(i);
    if (top <= bottom)
        return (uint64_t)top;
    return (uint64_t)(bottom + (top - bottom) * (double)(wanted - before) / (double)r->bucket[i]);
}

/* ---- reading ---- */

static int by_kind_and_name(const void *a, const void *b, void *arg)
{
    const series *all = arg, *x = &all[*(const uint32_t *)a], *y = &all[*(const uint32_t *)b];
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    int order = memcmp(x->name, y->name, MG_MIN(x->n, y->n));
    return order ? order : x->n - y->n;
}

static void sort_series(const mg_stats *s)
{
    sorted *o = s->order;
    uint32_t count = count_of(s);
    if (count == o->count)
        return;
    o->at = mg_realloc(o->at, count * sizeof *o->at);
    for (uint32_t i = 0; i < count; i++)
        o->at[i] = i;
    o->count = count;
    qsort_r(o->at, count, sizeof *o->at, by_kind_and_name, s->series);
}

/* Rows are only numbers of 8 bytes; a reader takes each whole, whatever its writer does meanwhile. */
_Static_assert(sizeof(mg_stats_row) % sizeof(uint64_t) == 0, "rows are words");
static void add_row(mg_stats_row *sum, const row_room *from)
{
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *words = (const uint64_t *)(const void *)from;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += __atomic_load_n(&words[i], __ATOMIC_RELAXED);
}

bool mg_stats_next(const mg_stats *s, int *at, mg_stats_view *out)
{
    if (*at == 0)
        sort_series(s);
    if (*at < 0 || (uint32_t)*at >= s->order->count)
        return false;
    uint32_t number = s->order->at[(*at)++];
    const series *e = &s->series[number];
    *out = (mg_stats_view){.kind = (mg_stats_kind)e->kind, .name = name_of(e)};
    for (int i = 0; i < s->workers; i++)
        add_row(&out->sum, row_at(s, number, i));
    return true;
}

void mg_stats_worker_row(const mg_stats *s, const mg_stats_view *v, int worker, mg_stats_row *out)
{
    MG_BUG_UNLESS(worker >= 0 && worker < s->workers);
    /* The view's name lies in its series, which so has its number. */
    const series *e = (const series *)(const void *)(v->name.p - offsetof(series, name));
    MG_BUG_UNLESS(e >= s->series && e < s->series + MG_STATS_SERIES);
    memset(out, 0, sizeof *out);
    add_row(out, row_at(s, (uint32_t)(e - s->series), worker));
}
