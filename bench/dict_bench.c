/*
 * How long one operation on a shared dictionary takes: alone, and while another process does the same.
 *
 *      gcc -std=gnu11 -D_GNU_SOURCE -O2 -fno-strict-aliasing -Icore bench/dict_bench.c \
 *          core/shm/{dict,dicts,shard,queue,lock}.c core/base/{base,clock,err,str}.c \
 *          -lpthread -o build/dict_bench && build/dict_bench
 *
 * Prints the median of ROUNDS rounds in nanoseconds per operation.
 */
#include "base/clock.h"
#include "shm/dict.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 15, OPERATIONS = 200000 };

static mg_dict *dict;
static char keys[65536][24];
static size_t key_n[65536];
static unsigned key_count;
static char value[4096];

static void do_incr(const char *key, size_t n)
{
    double now;
    (void)mg_dict_incr(dict, key, n, 1, 0, 0, &now);
}

static void do_get(const char *key, size_t n)
{
    mg_dict_found f;
    char to[4096];
    (void)mg_dict_get(dict, key, n, to, sizeof to, &f);
}

static void do_set_number(const char *key, size_t n)
{
    (void)mg_dict_put(dict, MG_DICT_SET, key, n, MG_DICT_NUMBER, 1, NULL, 0, 0, 0);
}

static void do_set_100(const char *key, size_t n)
{
    (void)mg_dict_put(dict, MG_DICT_SET, key, n, MG_DICT_STRING, 0, value, 100, 0, 0);
}

static void do_set_4096(const char *key, size_t n)
{
    (void)mg_dict_put(dict, MG_DICT_SET, key, n, MG_DICT_STRING, 0, value, sizeof value, 0, 0);
}

static void run(void (*fn)(const char *, size_t))
{
    for (unsigned i = 0; i < OPERATIONS; i++) {
        unsigned k = (i * 2654435761u >> 8) % key_count;
        fn(keys[k], key_n[k]);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_ns(void (*fn)(const char *, size_t))
{
    double ns[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        int64_t start = mg_clock_precise_us();
        run(fn);
        ns[i] = (double)(mg_clock_precise_us() - start) * 1000 / OPERATIONS;
    }
    qsort(ns, ROUNDS, sizeof *ns, by_value);
    return ns[ROUNDS / 2];
}

static void bench(const char *name, unsigned count, void (*fill)(const char *, size_t), void (*fn)(const char *, size_t))
{
    mg_err err;
    mg_dicts *all = mg_dicts_new();
    dict = mg_dicts_open(all, MG_STR("bench"), 64 << 20, &err);
    key_count = count;
    for (unsigned k = 0; k < count; k++)
        fill(keys[k], key_n[k]);
    double alone = median_ns(fn);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            run(fn);
    }
    double together = median_ns(fn);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    printf("%-28s %6u keys  %7.1f ns alone  %7.1f ns beside another\n", name, count, alone, together);
    mg_dicts_free(all);
}

int main(void)
{
    memset(value, 'v', sizeof value);
    for (unsigned k = 0; k < MG_COUNT(keys); k++)
        key_n[k] = (size_t)snprintf(keys[k], sizeof keys[k], "10.%u.%u.%u", k >> 12, k >> 6 & 63, k & 63);
    static const unsigned counts[] = {1, 1000, 65536};
    for (size_t i = 0; i < MG_COUNT(counts); i++) {
        bench("incr", counts[i], do_incr, do_incr);
        bench("get a number", counts[i], do_incr, do_get);
        bench("get 100 bytes", counts[i], do_set_100, do_get);
        bench("set a number", counts[i], do_set_number, do_set_number);
        bench("set 100 bytes", counts[i], do_set_100, do_set_100);
    }
    bench("get 4,096 bytes", 1000, do_set_4096, do_get);
    bench("set 4,096 bytes", 1000, do_set_4096, do_set_4096);
    return 0;
}
