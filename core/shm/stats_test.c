#include "shm/stats.h"

#include "base/clock.h"
#include "base/test.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static mg_stats *open_stats(int workers)
{
    mg_err err = {""};
    mg_stats *s = mg_stats_open(workers, &err);
    CHECK_STR(mg_str_of(err.text), MG_STR(""));
    MG_BUG_UNLESS(s);
    return s;
}

static mg_str numbered(const char *prefix, int i)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "%s%d", prefix, i);
    return mg_str_of(name);
}

TEST("a series has one row per worker, each on cache lines of its own, and always the same")
{
    mg_stats *s = open_stats(3);
    mg_stats_row *rows[3];
    for (int w = 0; w < 3; w++) {
        rows[w] = mg_stats_row_of(s, MG_STATS_ROUTE, MG_STR("api"), w);
        CHECK((uintptr_t)rows[w] % 64 == 0);
    }
    CHECK(rows[0] != rows[1] && rows[1] != rows[2]);
    CHECK(mg_stats_row_of(s, MG_STATS_ROUTE, MG_STR("api"), 1) == rows[1]);
    CHECK(mg_stats_row_of(s, MG_STATS_UPSTREAM, MG_STR("api"), 1) != rows[1]);
    CHECK(mg_stats_row_of(s, MG_STATS_ROUTE, MG_STR(""), 1) != rows[1]);
    CHECK((uintptr_t)mg_stats_beat_of(s, 2) % 64 == 0 && mg_stats_beat_of(s, 2) != mg_stats_beat_of(s, 1));
    mg_stats_close(s);
}

TEST("a number of workers that is impossible is refused")
{
    mg_err err;
    CHECK(mg_stats_open(0, &err) == NULL && mg_stats_open(MG_STATS_WORKERS + 1, &err) == NULL);
    CHECK_STR(mg_str_of(err.text), MG_STR("65 workers: 1 to 64 are possible"));
}

static void work(mg_stats *s, int worker, int rounds)
{
    mg_stats_row *r = mg_stats_row_of(s, MG_STATS_WORKER, MG_STR("worker"), worker);
    for (int i = 0; i < rounds; i++) {
        r->requests++;
        r->bytes_out += 3;
        r->status[2]++;
        r->active += 1;
        mg_stats_time(r, i);
        r->active -= worker; /* worker 0 leaves some behind */
    }
}

TEST("two processes write their own rows and the sum is theirs together")
{
    enum { ROUNDS = 100000 };
    mg_stats *s = open_stats(2);
    pid_t pid = fork();
    if (pid == 0) {
        work(s, 1, ROUNDS);
        _exit(0);
    }
    work(s, 0, ROUNDS);
    int status, at = 0;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    mg_stats_view v;
    mg_stats_row own;
    CHECK(mg_stats_next(s, &at, &v));
    CHECK_STR(v.name, MG_STR("worker"));
    CHECK_INT(v.sum.requests, 2 * ROUNDS);
    CHECK_INT(v.sum.bytes_out, 6 * ROUNDS);
    CHECK_INT(v.sum.status[2], 2 * ROUNDS);
    CHECK_INT(v.sum.active, ROUNDS);
    CHECK_INT(v.sum.us_sum, (int64_t)ROUNDS * (ROUNDS - 1));
    mg_stats_worker_row(s, &v, 1, &own);
    CHECK_INT(own.requests, ROUNDS);
    CHECK_INT(own.active, 0);
    CHECK(!mg_stats_next(s, &at, &v));
    mg_stats_close(s);
}

TEST("the gauges of a worker that died go back to zero, its counters stay")
{
    mg_stats *s = open_stats(2);
    for (int w = 0; w < 2; w++) {
        mg_stats_row *r = mg_stats_row_of(s, MG_STATS_PEER, MG_STR("p"), w);
        r->active = 5, r->connections = 6, r->idle = 7, r->requests = 8;
    }
    mg_stats_worker_died(s, 0);
    int at = 0;
    mg_stats_view v;
    CHECK(mg_stats_next(s, &at, &v));
    CHECK(v.sum.active == 5 && v.sum.connections == 6 && v.sum.idle == 7 && v.sum.requests == 16);
    mg_stats_close(s);
}

TEST("series are read in the order of their kind and name")
{
    static const struct {
        mg_stats_kind kind;
        const char *name;
    } wanted[] = {{MG_STATS_WORKER, "worker"}, {MG_STATS_ROUTE, ""},    {MG_STATS_ROUTE, "a"},
                  {MG_STATS_ROUTE, "aa"},      {MG_STATS_ROUTE, "b"},   {MG_STATS_UPSTREAM, "a"},
                  {MG_STATS_UPSTREAM, "b"},    {MG_STATS_PEER, "a:80"}, {MG_STATS_PEER, "b:80"}};
    mg_stats *s = open_stats(1);
    for (size_t i = 0; i < MG_COUNT(wanted); i++) {
        size_t j = (i * 4 + 3) % MG_COUNT(wanted);
        (void)mg_stats_row_of(s, wanted[j].kind, mg_str_of(wanted[j].name), 0);
    }
    for (int round = 0; round < 2; round++) {
        int at = 0;
        mg_stats_view v;
        for (size_t i = 0; i < MG_COUNT(wanted); i++) {
            CHECK(mg_stats_next(s, &at, &v));
            CHECK_INT(v.kind, wanted[i].kind);
            CHECK_STR(v.name, mg_str_of(wanted[i].name));
        }
        CHECK(!mg_stats_next(s, &at, &v));
    }
    mg_stats_close(s);
}

TEST("long names that differ only behind the bound are different series, and keep their beginning")
{
    char a[300], b[300];
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    b[sizeof b - 1] = 'y';
    mg_stats *s = open_stats(1);
    mg_stats_row *one = mg_stats_row_of(s, MG_STATS_ROUTE, (mg_str){a, sizeof a}, 0);
    mg_stats_row *two = mg_stats_row_of(s, MG_STATS_ROUTE, (mg_str){b, sizeof b}, 0);
    mg_stats_row *fits = mg_stats_row_of(s, MG_STATS_ROUTE, (mg_str){a, MG_STATS_NAME}, 0);
    CHECK(one != two && one != fits && two != fits);
    CHECK(mg_stats_row_of(s, MG_STATS_ROUTE, (mg_str){a, sizeof a}, 0) == one);
    int at = 0;
    mg_stats_view v;
    CHECK(mg_stats_next(s, &at, &v));
    CHECK_INT(v.name.n, MG_STATS_NAME);
    CHECK(memcmp(v.name.p, a, 90) == 0);
    mg_stats_close(s);
}

TEST("when the room is used up further names share the series other of their kind")
{
    mg_stats *s = open_stats(1);
    mg_stats_row *shared = NULL;
    for (int i = 0; i < MG_STATS_SERIES + 100; i++) {
        mg_stats_row *r = mg_stats_row_of(s, MG_STATS_ROUTE, numbered("r", i), 0);
        if (i == MG_STATS_SERIES)
            shared = r;
        if (i > MG_STATS_SERIES)
            CHECK(r == shared);
    }
    CHECK(mg_stats_row_of(s, MG_STATS_ROUTE, MG_STR("other"), 0) == shared);
    mg_stats_row *peer = mg_stats_row_of(s, MG_STATS_PEER, MG_STR("late"), 0);
    CHECK(peer != shared && peer == mg_stats_row_of(s, MG_STATS_PEER, MG_STR("other"), 0));
    CHECK(mg_stats_row_of(s, MG_STATS_ROUTE, MG_STR("r7"), 0) != shared);
    mg_stats_close(s);
}

static int64_t quickest_us(void (*fn)(mg_stats *), mg_stats *(*make)(void))
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        mg_stats *s = make();
        int64_t start = mg_clock_precise_us();
        fn(s);
        best = MG_MIN(best, mg_clock_precise_us() - start);
        mg_stats_close(s);
    }
    return best;
}

static mg_stats *make_empty(void)
{
    return open_stats(2);
}

static mg_stats *make_full(void)
{
    mg_stats *s = open_stats(2);
    for (int i = 0; i < 30000; i++)
        (void)mg_stats_row_of(s, MG_STATS_ROUTE, numbered("route/", i), 0);
    return s;
}

static void register_many(mg_stats *s)
{
    for (int i = 0; i < 10000; i++)
        (void)mg_stats_row_of(s, MG_STATS_ROUTE, numbered("route/", i), 0);
}

TEST("10,000 series are registered in 20 ms, and found as fast among 30,000")
{
#ifdef __OPTIMIZE__
    enum { SLOWER = 1 };
#else
    enum { SLOWER = 10 };
#endif
    int64_t registering = quickest_us(register_many, make_empty), finding = quickest_us(register_many, make_full);
    printf("# registered 10,000 in %lld us, found them among 30,000 in %lld us\n", (long long)registering,
           (long long)finding);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(registering < 20000 * SLOWER);
    CHECK(finding < 20000 * SLOWER);
#endif
}

static uint64_t shared_kb(void)
{
    char line[256];
    uint64_t kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    MG_BUG_UNLESS(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "RssShmem:", 9) == 0)
            kb = strtoull(line + 9, NULL, 10);
    (void)fclose(f);
    return kb;
}

TEST("memory is touched for what is used and not for what could be")
{
    uint64_t before = shared_kb();
    mg_stats *s = open_stats(MG_STATS_WORKERS);
    for (int i = 0; i < 8; i++)
        for (int w = 0; w < MG_STATS_WORKERS; w++)
            mg_stats_row_of(s, MG_STATS_ROUTE, numbered("r", i), w)->requests++;
    uint64_t used = shared_kb() - before;
    printf("# 8 series of 64 workers: %llu kB\n", (unsigned long long)used);
    CHECK(used < 1200); /* 512 kB of rows; the rest a page per name and index entry at most */
    mg_stats_close(s);
}

TEST("workers killed while they make series leave no series twice and block nobody")
{
    enum { KILLS = 60, NAMES = 300 };
    mg_stats *s = open_stats(2);
    unsigned random = 5;
    for (int i = 0; i < KILLS; i++) {
        int ready[2];
        char byte;
        MG_BUG_UNLESS(pipe(ready) == 0);
        pid_t pid = fork();
        if (pid == 0) {
            (void)!write(ready[1], "r", 1);
            for (int n = i * NAMES; n < (i + 1) * NAMES; n++)
                mg_stats_row_of(s, MG_STATS_ROUTE, numbered("r", n), 1)->requests++;
            for (;;)
                (void)pause();
        }
        CHECK(read(ready[0], &byte, 1) == 1);
        for (int spin = rand_r(&random) % 20000; spin > 0; spin--)
            __asm__ volatile("");
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        (void)close(ready[0]), (void)close(ready[1]);
        mg_stats_row_of(s, MG_STATS_PEER, numbered("p", i), 0)->requests++;
    }
    for (int n = 0; n < KILLS * NAMES; n++)
        (void)mg_stats_row_of(s, MG_STATS_ROUTE, numbered("r", n), 0);
    int at = 0, routes = 0, peers = 0;
    mg_stats_view v;
    char last[MG_STATS_NAME] = "";
    while (mg_stats_next(s, &at, &v)) {
        CHECK(!mg_str_eq(v.name, mg_str_of(last)));
        memcpy(last, v.name.p, v.name.n);
        last[v.name.n] = '\0';
        *(v.kind == MG_STATS_ROUTE ? &routes : &peers) += 1;
    }
    CHECK_INT(routes, KILLS * NAMES);
    CHECK_INT(peers, KILLS);
    mg_stats_close(s);
}

/* ---- histograms ---- */

TEST("every time lies in the bucket whose top is the first not below it")
{
    unsigned random = 3;
    for (int i = 0; i < 200000; i++) {
        int64_t us =
            i < 5000 ? i : (int64_t)(((uint64_t)rand_r(&random) << 12 | (uint64_t)i) >> (rand_r(&random) % 40));
        unsigned b = mg_stats_bucket(us);
        if (b >= MG_STATS_BUCKETS || (b + 1 < MG_STATS_BUCKETS && (uint64_t)us > mg_stats_bucket_top(b)) ||
            (b && (uint64_t)us <= mg_stats_bucket_top(b - 1)))
            CHECK_INT(us, -1);
    }
    CHECK_INT(mg_stats_bucket(-5), 0);
    CHECK_INT(mg_stats_bucket(0), 0);
    CHECK_INT(mg_stats_bucket(INT64_MAX), MG_STATS_BUCKETS - 1);
    CHECK_INT(mg_stats_bucket_top(MG_STATS_BUCKETS - 1), (1 << 27) - 1);
    CHECK_INT(mg_stats_bucket((1 << 26) - 1), 103);
    CHECK_INT(mg_stats_bucket(1 << 26), 104);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

TEST("quantiles are within 19 percent of the truth")
{
    enum { N = 20000 };
    static int64_t us[N];
    unsigned random = 11;
    for (int shape = 0; shape < 3; shape++) {
        mg_stats_row r;
        memset(&r, 0, sizeof r);
        for (int i = 0; i < N; i++) {
            double u = (rand_r(&random) + 1.0) / (RAND_MAX + 2.0);
            us[i] = shape == 0 ? (int64_t)(u * 1e6) : shape == 1 ? (int64_t)(-5000 * log(u)) : (int64_t)exp(18 * u);
            mg_stats_time(&r, us[i]);
        }
        qsort(us, N, sizeof *us, by_value);
        static const double qs[] = {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
        for (size_t i = 0; i < MG_COUNT(qs); i++) {
            double truth = (double)us[(int)ceil(qs[i] * N) - 1], got = (double)mg_stats_quantile(&r, qs[i]);
            if (!CHECK(fabs(got - truth) <= truth * 0.19 + 1))
                printf("# shape %d q %g: %g is not %g\n", shape, qs[i], got, truth);
        }
    }
}

TEST("a quantile of nothing is 0, and of one time is near it")
{
    mg_stats_row r;
    memset(&r, 0, sizeof r);
    CHECK_INT(mg_stats_quantile(&r, 0.5), 0);
    mg_stats_time(&r, 1000);
    CHECK(fabs((double)mg_stats_quantile(&r, 0) - 1000) <= 190);
    CHECK(fabs((double)mg_stats_quantile(&r, 1) - 1000) <= 190);
}
