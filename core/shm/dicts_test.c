/*
 * Several processes on one dictionary, and a long random comparison with a plain table.
 */
#include "shm/dicts.h"

#include "base/test.h"
#include "shm/dict_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a model ---- */

enum { MODEL_KEYS = 120, MODEL_LIST = 40, MODEL_BYTES = 400 };

typedef struct {
    mg_dict_type type; /* NIL: absent */
    double number;
    size_t n;
    char bytes[MODEL_BYTES];
    double list[MODEL_LIST];
    uint64_t length;
    int64_t expires_ms;
} modelled;

static modelled model[MODEL_KEYS];
static unsigned dice;

static unsigned roll(unsigned sides)
{
    return (unsigned)rand_r(&dice) % sides;
}

static mg_str model_key(unsigned i)
{
    static char bytes[200];
    int n = snprintf(bytes, sizeof bytes, "%u:", i);
    memset(bytes + n, 'k', sizeof bytes - (size_t)n);
    return (mg_str){bytes, (size_t)n + i};
}

static void forget_late(modelled *m)
{
    if (m->expires_ms && m->expires_ms <= moved_ms)
        memset(m, 0, sizeof *m);
}

static int64_t random_ttl(void)
{
    return roll(2) ? 0 : (int64_t)roll(300) + 1;
}

static void set_model_ttl(modelled *m, int64_t ttl_ms)
{
    m->expires_ms = ttl_ms ? moved_ms + ttl_ms : 0;
}

static void model_put(mg_dict *d, modelled *m, mg_str key)
{
    modelled new = {.type = (mg_dict_type)roll(4), .number = roll(2), .n = roll(MODEL_BYTES)};
    int how = (int)roll(3);
    int64_t ttl_ms = random_ttl();
    memset(new.bytes, (int)roll(256), new.n);
    int expected = how == MG_DICT_ADD && m->type        ? MG_DICT_EXISTS
                   : how == MG_DICT_REPLACE && !m->type ? MG_DICT_ABSENT
                                                        : MG_DICT_OK;
    int rc = mg_dict_put(d, how, key.p, key.n, new.type, new.number, new.bytes, new.n, ttl_ms, 0);
    CHECK_INT(rc, expected);
    if (rc != MG_DICT_OK)
        return;
    *m = new;
    if (new.type == MG_DICT_NIL)
        m->expires_ms = 0;
    else
        set_model_ttl(m, ttl_ms);
}

static void model_incr(mg_dict *d, modelled *m, mg_str key)
{
    double init = roll(2) ? (double)NAN : (double)roll(100), by = roll(10), now;
    int64_t ttl_ms = random_ttl();
    int rc = mg_dict_incr(d, key.p, key.n, by, init, ttl_ms, &now);
    if (m->type == MG_DICT_NUMBER) {
        m->number += by;
        CHECK(rc == MG_DICT_OK && now == m->number);
    } else if (m->type) {
        CHECK_INT(rc, MG_DICT_TYPE);
    } else if (isnan(init)) {
        CHECK_INT(rc, MG_DICT_ABSENT);
    } else {
        *m = (modelled){.type = MG_DICT_NUMBER, .number = init + by};
        set_model_ttl(m, ttl_ms);
        CHECK(rc == MG_DICT_OK && now == m->number);
    }
}

static void model_push(mg_dict *d, modelled *m, mg_str key)
{
    int left = (int)roll(2);
    double number = roll(1000);
    uint64_t length;
    if (m->length == MODEL_LIST)
        return;
    int rc = mg_dict_push(d, left, key.p, key.n, MG_DICT_NUMBER, number, NULL, 0, 0, &length);
    if (m->type && m->type != MG_DICT_LIST) {
        CHECK_INT(rc, MG_DICT_TYPE);
        return;
    }
    m->type = MG_DICT_LIST;
    memmove(m->list + left, m->list, (size_t)m->length * sizeof *m->list * (size_t)left);
    m->list[left ? 0 : m->length] = number;
    m->length++;
    CHECK(rc == MG_DICT_OK && length == m->length);
}

static void model_pop(mg_dict *d, modelled *m, mg_str key)
{
    int left = (int)roll(2);
    mg_dict_found f;
    int rc = mg_dict_pop(d, left, key.p, key.n, NULL, 0, &f);
    if (m->type != MG_DICT_LIST) {
        CHECK_INT(rc, m->type ? MG_DICT_TYPE : MG_DICT_ABSENT);
        return;
    }
    m->length--;
    CHECK(rc == MG_DICT_OK && f.number == m->list[left ? 0 : m->length]);
    memmove(m->list, m->list + left, (size_t)m->length * sizeof *m->list);
    if (!m->length)
        memset(m, 0, sizeof *m);
}

static void model_touch(mg_dict *d, modelled *m, mg_str key)
{
    int64_t ttl_ms = random_ttl(), left_ms;
    int rc = mg_dict_touch(d, key.p, key.n, ttl_ms);
    CHECK_INT(rc, m->type ? MG_DICT_OK : MG_DICT_ABSENT);
    if (m->type)
        set_model_ttl(m, ttl_ms);
    CHECK_INT(mg_dict_ttl(d, key.p, key.n, &left_ms), rc);
    CHECK_INT(left_ms, m->type ? ttl_ms : 0);
}

static void model_get(mg_dict *d, modelled *m, mg_str key)
{
    char bytes[MODEL_BYTES];
    mg_dict_found f;
    int rc = mg_dict_get(d, key.p, key.n, bytes, sizeof bytes, &f);
    CHECK_INT(rc, m->type == MG_DICT_LIST ? MG_DICT_TYPE : m->type ? MG_DICT_OK : MG_DICT_ABSENT);
    CHECK_INT(f.type, m->type);
    CHECK_INT(f.ttl_ms, m->expires_ms ? m->expires_ms - moved_ms : 0);
    if (m->type == MG_DICT_STRING)
        CHECK_STR(((mg_str){bytes, f.n}), ((mg_str){m->bytes, m->n}));
    else if (m->type == MG_DICT_LIST)
        CHECK_INT(f.n, m->length);
    else
        CHECK(f.number == (m->type ? m->number : 0));
}

TEST("a dictionary does what a plain table does, whatever is done to it in whatever order")
{
    static void (*const doings[])(mg_dict *, modelled *, mg_str) = {model_put,  model_put,  model_incr, model_push,
                                                                    model_push, model_push, model_pop,  model_touch,
                                                                    model_get,  model_get};
    for (unsigned round = 1; round <= 4; round++) {
        mg_dict *d = open_dict(round % 2 ? 1 << 20 : 4 << 20);
        stop_clock();
        dice = round;
        memset(model, 0, sizeof model);
        for (int step = 0; step < 60000; step++) {
            unsigned i = roll(MODEL_KEYS);
            moved_ms += roll(20) == 0;
            forget_late(&model[i]);
            doings[roll(MG_COUNT(doings))](d, &model[i], model_key(i));
            if (step % 5000 == 0)
                check_whole(d);
        }
        CHECK_INT(numbers_of(d).evicted, 0);
        check_whole(d);
        close_dict();
    }
}

TEST("under constant eviction each value that is there is the last one stored")
{
    enum { KEYS = 3000 };
    static unsigned stored[KEYS]; /* 0: never */
    mg_dict *d = open_dict(64 * 1024);
    char bytes[600];
    stop_clock();
    memset(stored, 0, sizeof stored);
    dice = 99;
    uint64_t found = 0;
    for (unsigned step = 1; step <= 100000; step++) {
        unsigned i = roll(KEYS);
        mg_str key = key_of("key", i);
        moved_ms++;
        if (roll(2)) {
            size_t n = 4 + roll(500);
            memcpy(bytes, &step, 4);
            memset(bytes + 4, (int)(step & 255), n - 4);
            CHECK(put_string(d, key, (mg_str){bytes, n}, roll(3) ? 0 : 50) == MG_DICT_OK);
            stored[i] = step;
            continue;
        }
        mg_str got = string_at(d, key);
        if (!got.p)
            continue;
        found++;
        unsigned was;
        memcpy(&was, got.p, 4);
        CHECK_INT(was, stored[i]);
        for (size_t b = 4; b < got.n; b++)
            if ((unsigned char)got.p[b] != (was & 255))
                CHECK_INT(b, -1);
    }
    CHECK(found > 100 && numbers_of(d).evicted > 10000 && numbers_of(d).expired > 100);
    check_whole(d);
    close_dict();
}

/* ---- processes ---- */

static void count_up(mg_dict *d, int rounds)
{
    double now;
    for (int i = 0; i < rounds; i++) {
        mg_str key = key_of("counter", i % 64);
        if (mg_dict_incr(d, key.p, key.n, 1, 0, 0, &now) != MG_DICT_OK)
            _exit(3);
    }
}

TEST("two processes count on the same keys and the sums are right")
{
    enum { ROUNDS = 64 * 3000 };
    mg_dict *d = open_dict(1 << 20);
    pid_t pid = fork();
    if (pid == 0) {
        count_up(d, ROUNDS);
        _exit(0);
    }
    count_up(d, ROUNDS);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    for (int i = 0; i < 64; i++)
        CHECK(number_at(d, key_of("counter", i)) == 2 * ROUNDS / 64);
    CHECK_INT(numbers_of(d).items, 64);
    close_dict();
}

TEST("two processes push and pop on one list and each value is taken once")
{
    enum { EACH = 20000 };
    mg_dict *d = open_dict(8 << 20);
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t length;
        for (int i = 1, rc; i <= EACH; i += rc == MG_DICT_OK) {
            rc = mg_dict_push(d, 0, "q", 1, MG_DICT_NUMBER, i, NULL, 0, 0, &length);
            if (rc != MG_DICT_OK && rc != MG_DICT_FULL) /* full: the other one is slower */
                _exit(1);
        }
        _exit(0);
    }
    double last = 0;
    mg_dict_found f;
    for (int64_t tries = 0; last < EACH && tries < 200000000; tries++)
        if (mg_dict_pop(d, 1, "q", 1, NULL, 0, &f) == MG_DICT_OK) {
            CHECK(f.number == last + 1);
            last = f.number;
        }
    CHECK(last == EACH);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK_INT(numbers_of(d).used_bytes, 0);
    close_dict();
}

/* A value says what it is: its length and key, so that a mixture shows. */
static void write_witness(char *bytes, unsigned key, size_t n)
{
    memset(bytes, (int)('a' + key % 26), n);
    memcpy(bytes, &n, sizeof n);
}

static void check_witness(mg_str got, unsigned key)
{
    size_t n;
    REQUIRE(got.n >= sizeof n);
    memcpy(&n, got.p, sizeof n);
    CHECK_INT(got.n, n);
    for (size_t i = sizeof n; i < got.n; i++)
        if (got.p[i] != (char)('a' + key % 26)) {
            CHECK_INT(i, -1);
            return;
        }
}

static void one_random_operation(mg_dict *d)
{
    static char bytes[6000], got[6000];
    unsigned i = roll(60);
    uint64_t length;
    double now;
    mg_dict_found f;
    size_t n = sizeof(size_t) + roll(5000);
    mg_str key = key_of("k", i), list = key_of("list", i % 4), counter = key_of("c", i);
    switch (roll(8)) {
    case 0:
    case 1:
        write_witness(bytes, i, n);
        CHECK(put_string(d, key, (mg_str){bytes, n}, 0) == MG_DICT_OK);
        break;
    case 2:
        (void)mg_dict_delete(d, key.p, key.n);
        break;
    case 3:
        write_witness(bytes, 7, n / 8 + 8);
        (void)mg_dict_push(d, (int)roll(2), list.p, list.n, MG_DICT_STRING, 0, bytes, n / 8 + 8, 0, &length);
        break;
    case 4:
        if (mg_dict_pop(d, (int)roll(2), list.p, list.n, got, sizeof got, &f) == MG_DICT_OK)
            check_witness((mg_str){got, f.n}, 7);
        break;
    case 5:
        CHECK(mg_dict_incr(d, counter.p, counter.n, 1, 0, roll(2) ? 1 : 0, &now) == MG_DICT_OK);
        break;
    default:
        if (mg_dict_get(d, key.p, key.n, got, sizeof got, &f) == MG_DICT_OK)
            check_witness((mg_str){got, f.n}, i);
    }
}

TEST("processes killed inside operations, 200 times, block nobody and break nothing")
{
    enum { KILLS = 200 };
    mg_dict *d = open_dict(64 * 1024); /* one shard, always full: every kind of work is under way */
    dice = 4711;
    for (int i = 0; i < KILLS; i++) {
        int ready[2];
        char byte;
        REQUIRE(pipe(ready) == 0);
        pid_t pid = fork();
        if (pid == 0) {
            dice += (unsigned)i;
            (void)!write(ready[1], "r", 1);
            for (;;)
                one_random_operation(d);
        }
        CHECK(read(ready[0], &byte, 1) == 1);
        for (unsigned more = roll(300); more; more--)
            one_random_operation(d);
        CHECK(kill(pid, SIGKILL) == 0);
        int status;
        CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        for (int more = 0; more < 20; more++)
            one_random_operation(d);
        check_whole(d);
        (void)close(ready[0]), (void)close(ready[1]);
    }
    mg_dict_numbers n = numbers_of(d);
    printf("# of %d kills %llu fell into a change\n", KILLS, (unsigned long long)n.emptied);
    close_dict();
}

TEST("a shard whose process was killed in the middle of a change is emptied, the others stay")
{
    mg_dict *d = open_dict(4 << 20);
    for (long i = 0; i < 1000; i++)
        CHECK(put_number(d, key_of("k", i), 1, 0) == MG_DICT_OK);
    pid_t pid = fork();
    if (pid == 0) {
        mg_shard *s = mg_dict_shard(d, 0);
        mg_shard_take(s);
        mg_shard_begin(s);
        (void)kill(getpid(), SIGKILL);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    pid = fork();
    if (pid == 0) { /* killed while it only reads: nothing is lost */
        mg_shard_take(mg_dict_shard(d, 1));
        (void)kill(getpid(), SIGKILL);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    uint64_t shards = numbers_of(d).shards, items = numbers_of(d).items;
    CHECK_INT(numbers_of(d).emptied, 1);
    CHECK(items < 1000 && items > 1000 - 2 * 1000 / shards);
    CHECK_INT(mg_dict_shard(d, 0)->items, 0);
    check_whole(d);
    close_dict();
}

/* ---- memory and descriptors ---- */

TEST("a dictionary is one per name, keeps its size, and has shards by its size")
{
    static const struct {
        uint64_t bytes, real, shards;
    } cases[] = {{0, 64 << 10, 1},
                 {100000, 102400, 1},
                 {1 << 20, 1 << 20, 2},
                 {10 << 20, 10 << 20, 16},
                 {(uint64_t)1 << 30, (uint64_t)1 << 30, 64}};
    mg_err err;
    mg_dicts *all = mg_dicts_new();
    for (size_t i = 0; i < MG_COUNT(cases); i++) {
        mg_str name = key_of("d", (long)i);
        mg_dict *d = mg_dicts_open(all, name, cases[i].bytes, &err);
        REQUIRE(d != NULL);
        CHECK_INT(mg_dict_bytes(d), cases[i].real);
        CHECK_INT(numbers_of(d).shards, cases[i].shards);
        CHECK(put_number(d, MG_STR("k"), (double)i, 0) == MG_DICT_OK);
        CHECK(mg_dicts_open(all, name, 5 << 20, &err) == d && mg_dict_bytes(d) == cases[i].real);
        CHECK(mg_dicts_find(all, name.p, name.n) == d && mg_dicts_at(all, i) == d);
        CHECK_STR(mg_dict_name(d), name);
    }
    CHECK(mg_dicts_at(all, MG_COUNT(cases)) == NULL && mg_dicts_find(all, "none", 4) == NULL);
    CHECK(mg_dicts_open(all, MG_STR(""), 0, &err) == NULL);
    CHECK_STR(mg_str_of(err.text), MG_STR("dictionary '': a name has 1 to 64 bytes"));
    mg_dicts_free(all);
}

TEST("one that is made later reaches another process as a descriptor")
{
    mg_err err = {""};
    mg_dict *d = open_dict(1 << 20);
    CHECK(put_number(d, MG_STR("k"), 7, 0) == MG_DICT_OK);
    mg_dicts *other = mg_dicts_new(); /* as in a process that was forked before */
    mg_dict *same = mg_dicts_attach(other, dup(mg_dict_fd(d)), &err);
    REQUIRE(same != NULL);
    CHECK(same->region != d->region);
    CHECK(number_at(same, MG_STR("k")) == 7);
    CHECK(put_number(same, MG_STR("k"), 8, 0) == MG_DICT_OK && number_at(d, MG_STR("k")) == 8);
    CHECK(mg_dicts_find(other, "test", 4) == same);
    CHECK(mg_dicts_attach(other, dup(mg_dict_fd(d)), &err) == same); /* once more is no other */
    mg_dicts_free(other);
    CHECK(number_at(d, MG_STR("k")) == 8);
    CHECK(ftruncate(mg_dict_fd(d), 0) != 0); /* sealed */
    close_dict();
}

TEST("a descriptor that is no dictionary is refused and closed")
{
    mg_err err;
    mg_dicts *all = mg_dicts_new();
    int fd = memfd_create("other", MFD_CLOEXEC);
    CHECK(ftruncate(fd, 1 << 20) == 0);
    CHECK(mg_dicts_attach(all, fd, &err) == NULL);
    CHECK(mg_str_ends(mg_str_of(err.text), MG_STR("is no dictionary of this version")));
    CHECK(fcntl(fd, F_GETFD) == -1);
    CHECK(mg_dicts_attach(all, -1, &err) == NULL);
    mg_dicts_free(all);
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

TEST("a large dictionary costs what is in it")
{
    uint64_t before = shared_kb();
    mg_dict *d = open_dict((uint64_t)1 << 30);
    uint64_t empty = shared_kb() - before;
    for (long i = 0; i < 100; i++)
        CHECK(put_number(d, key_of("k", i), 1, 0) == MG_DICT_OK);
    uint64_t used = shared_kb() - before;
    printf("# 1 GB: %llu kB empty, %llu kB with 100 numbers\n", (unsigned long long)empty, (unsigned long long)used);
    CHECK(empty <= 65 * 4 + 64 && used < 1200);
    close_dict();
}
