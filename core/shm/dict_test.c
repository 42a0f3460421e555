#include "shm/dict.h"

#include "base/test.h"
#include "shm/dict_test.h"

TEST("each value comes back as it was stored, with its type, under keys of any bytes")
{
    mg_dict *d = open_dict(1 << 20);
    mg_dict_found f;
    char byte;
    CHECK(mg_dict_put(d, MG_DICT_SET, "b", 1, MG_DICT_BOOLEAN, 1, NULL, 0, 0, 0) == MG_DICT_OK);
    CHECK(mg_dict_get(d, "b", 1, NULL, 0, &f) == MG_DICT_OK && f.type == MG_DICT_BOOLEAN && f.number == 1);
    CHECK(mg_dict_put(d, MG_DICT_SET, "b", 1, MG_DICT_BOOLEAN, 0, NULL, 0, 0, 0) == MG_DICT_OK);
    CHECK(mg_dict_get(d, "b", 1, NULL, 0, &f) == MG_DICT_OK && f.type == MG_DICT_BOOLEAN && f.number == 0);
    CHECK(put_number(d, MG_STR("n"), -0.5, 0) == MG_DICT_OK && number_at(d, MG_STR("n")) == -0.5);
    CHECK(put_string(d, MG_STR("s"), MG_STR("a\0b"), 0) == MG_DICT_OK);
    CHECK_STR(string_at(d, MG_STR("s")), MG_STR("a\0b"));
    CHECK(put_string(d, MG_STR(""), MG_STR(""), 0) == MG_DICT_OK);
    CHECK(mg_dict_get(d, NULL, 0, &byte, 1, &f) == MG_DICT_OK && f.type == MG_DICT_STRING && f.n == 0);
    CHECK(put_number(d, MG_STR("s\0"), 2, 0) == MG_DICT_OK); /* another key than "s" */
    CHECK_STR(string_at(d, MG_STR("s")), MG_STR("a\0b"));
    CHECK(mg_dict_get(d, "none", 4, NULL, 0, &f) == MG_DICT_ABSENT && f.type == MG_DICT_NIL);
    check_whole(d);
    close_dict();
}

TEST("keys and values of every size up to several cells come back, in place and anew")
{
    mg_dict *d = open_dict(1 << 20);
    static char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    for (size_t k = 0; k < 150; k += 3)
        for (size_t n = 0; n < 300; n++) {
            mg_str key = {bytes, k}, value = {bytes + n, n};
            CHECK(put_string(d, key, value, 0) == MG_DICT_OK);
            if (!mg_str_eq(string_at(d, key), value))
                CHECK_INT(n, -1);
        }
    mg_str longest = {bytes, sizeof bytes};
    CHECK(put_string(d, longest, longest, 0) == MG_DICT_OK);
    CHECK_STR(string_at(d, longest), longest);
    CHECK_INT(numbers_of(d).items, 51);
    check_whole(d);
    close_dict();
}

TEST("memory that was used is all given back")
{
    mg_dict *d = open_dict(1 << 20);
    static char bytes[5000];
    uint64_t length;
    for (long i = 0; i < 100; i++)
        CHECK(put_string(d, key_of("key", i), (mg_str){bytes, (size_t)i * 50}, 0) == MG_DICT_OK);
    for (long i = 0; i < 100; i++)
        CHECK(mg_dict_push(d, (int)i % 2, "list", 4, MG_DICT_STRING, 0, bytes, (size_t)i, 0, &length) == MG_DICT_OK);
    CHECK(numbers_of(d).used_bytes > 250000);
    for (long i = 0; i < 100; i++) {
        mg_str key = key_of("key", i);
        CHECK(mg_dict_delete(d, key.p, key.n) == MG_DICT_OK);
        CHECK(mg_dict_delete(d, key.p, key.n) == MG_DICT_ABSENT);
    }
    CHECK(mg_dict_put(d, MG_DICT_SET, "list", 4, MG_DICT_NIL, 0, NULL, 0, 0, 0) == MG_DICT_OK);
    CHECK_INT(numbers_of(d).used_bytes, 0);
    CHECK_INT(numbers_of(d).items, 0);
    close_dict();
}

TEST("add wants nothing there, replace something, and cas the version that was seen")
{
    mg_dict *d = open_dict(1 << 20);
    mg_dict_found f;
    CHECK(mg_dict_put(d, MG_DICT_REPLACE, "k", 1, MG_DICT_NUMBER, 1, NULL, 0, 0, 0) == MG_DICT_ABSENT);
    CHECK(mg_dict_put(d, MG_DICT_ADD, "k", 1, MG_DICT_NUMBER, 1, NULL, 0, 0, 0) == MG_DICT_OK);
    CHECK(mg_dict_put(d, MG_DICT_ADD, "k", 1, MG_DICT_NUMBER, 2, NULL, 0, 0, 0) == MG_DICT_EXISTS);
    CHECK(number_at(d, MG_STR("k")) == 1);
    CHECK(mg_dict_put(d, MG_DICT_REPLACE, "k", 1, MG_DICT_NUMBER, 3, NULL, 0, 0, 0) == MG_DICT_OK);
    CHECK(mg_dict_get(d, "k", 1, NULL, 0, &f) == MG_DICT_OK && f.version != 0);
    CHECK(mg_dict_put(d, MG_DICT_CAS, "k", 1, MG_DICT_NUMBER, 4, NULL, 0, 0, f.version) == MG_DICT_OK);
    CHECK(mg_dict_put(d, MG_DICT_CAS, "k", 1, MG_DICT_NUMBER, 5, NULL, 0, 0, f.version) == MG_DICT_CHANGED);
    CHECK(mg_dict_put(d, MG_DICT_CAS, "k", 1, MG_DICT_NUMBER, 5, NULL, 0, 0, 0) == MG_DICT_CHANGED);
    CHECK(number_at(d, MG_STR("k")) == 4);
    CHECK(mg_dict_get(d, "k", 1, NULL, 0, &f) == MG_DICT_OK);
    CHECK(mg_dict_delete(d, "k", 1) == MG_DICT_OK);
    CHECK(mg_dict_put(d, MG_DICT_CAS, "k", 1, MG_DICT_NUMBER, 6, NULL, 0, 0, f.version) == MG_DICT_ABSENT);
    CHECK(mg_dict_put(d, MG_DICT_CAS, "k", 1, MG_DICT_NUMBER, 6, NULL, 0, 0, 0) == MG_DICT_OK);
    CHECK(mg_dict_put(d, MG_DICT_CAS, "k", 1, MG_DICT_NUMBER, 7, NULL, 0, 0, f.version) == MG_DICT_CHANGED);
    close_dict();
}

TEST("incr counts from its beginning, and only numbers")
{
    mg_dict *d = open_dict(1 << 20);
    double now;
    CHECK(mg_dict_incr(d, "c", 1, 1, NAN, 0, &now) == MG_DICT_ABSENT && !has_key(d, MG_STR("c")));
    CHECK(mg_dict_incr(d, "c", 1, 1, 10, 0, &now) == MG_DICT_OK && now == 11);
    CHECK(mg_dict_incr(d, "c", 1, -2.5, 10, 0, &now) == MG_DICT_OK && now == 8.5);
    CHECK(mg_dict_incr(d, "c", 1, 1, NAN, 0, &now) == MG_DICT_OK && now == 9.5);
    CHECK(put_string(d, MG_STR("s"), MG_STR("1"), 0) == MG_DICT_OK);
    CHECK(mg_dict_incr(d, "s", 1, 1, 0, 0, &now) == MG_DICT_TYPE);
    close_dict();
}

TEST("a key is there until its time is over, and not a millisecond longer")
{
    mg_dict *d = open_dict(1 << 20);
    int64_t ttl_ms;
    double now;
    stop_clock();
    CHECK(put_number(d, MG_STR("k"), 1, 100) == MG_DICT_OK);
    CHECK(put_number(d, MG_STR("ever"), 1, 0) == MG_DICT_OK);
    moved_ms += 99;
    CHECK(mg_dict_ttl(d, "k", 1, &ttl_ms) == MG_DICT_OK && ttl_ms == 1);
    moved_ms += 1;
    CHECK(mg_dict_ttl(d, "k", 1, &ttl_ms) == MG_DICT_ABSENT);
    CHECK(mg_dict_ttl(d, "ever", 4, &ttl_ms) == MG_DICT_OK && ttl_ms == 0);
    CHECK_INT(numbers_of(d).expired, 1);
    /* incr gives a TTL to what it begins and leaves that of what is there */
    CHECK(mg_dict_incr(d, "c", 1, 1, 0, 50, &now) == MG_DICT_OK);
    moved_ms += 40;
    CHECK(mg_dict_incr(d, "c", 1, 1, 0, 50, &now) == MG_DICT_OK && now == 2);
    moved_ms += 10;
    CHECK(mg_dict_incr(d, "c", 1, 1, 0, 50, &now) == MG_DICT_OK && now == 1);
    /* touch and a new value begin anew; a value without TTL is for ever */
    CHECK(mg_dict_touch(d, "c", 1, 500) == MG_DICT_OK);
    moved_ms += 499;
    CHECK(number_at(d, MG_STR("c")) == 1);
    CHECK(put_number(d, MG_STR("c"), 2, 0) == MG_DICT_OK);
    moved_ms += 1000000;
    CHECK(number_at(d, MG_STR("c")) == 2);
    CHECK(mg_dict_touch(d, "none", 4, 5) == MG_DICT_ABSENT);
    CHECK(mg_dict_touch(d, "c", 1, INT64_MAX) == MG_DICT_OK);
    CHECK(mg_dict_ttl(d, "c", 1, &ttl_ms) == MG_DICT_OK && ttl_ms == 0);
    check_whole(d);
    close_dict();
}

TEST("a value that is longer than the buffer says how long it is and stays")
{
    mg_dict *d = open_dict(1 << 20);
    static char bytes[500], got[500];
    mg_dict_found f;
    memset(bytes, 'v', sizeof bytes);
    CHECK(put_string(d, MG_STR("k"), (mg_str){bytes, sizeof bytes}, 0) == MG_DICT_OK);
    CHECK(mg_dict_get(d, "k", 1, got, sizeof got - 1, &f) == MG_DICT_ROOM && f.n == sizeof bytes);
    CHECK(got[0] == '\0');
    CHECK(mg_dict_get(d, "k", 1, got, f.n, &f) == MG_DICT_OK && memcmp(got, bytes, sizeof bytes) == 0);
    close_dict();
}

TEST("a value may fill half of its shard and no more, and what was there stays when it is refused")
{
    mg_dict *d = open_dict(256 * 1024);
    static char bytes[256 * 1024];
    size_t fits = 0;
    CHECK(put_string(d, MG_STR("k"), MG_STR("before"), 0) == MG_DICT_OK);
    CHECK(put_string(d, MG_STR("k"), (mg_str){bytes, sizeof bytes}, 0) == MG_DICT_FULL);
    CHECK_STR(string_at(d, MG_STR("k")), MG_STR("before"));
    for (size_t n = 0; n < sizeof bytes; n += 1024)
        if (put_string(d, MG_STR("k"), (mg_str){bytes, n}, 0) == MG_DICT_OK)
            fits = n;
    CHECK(fits > 100 * 1024 && fits < 128 * 1024);
    CHECK_INT(numbers_of(d).evicted, 0);
    CHECK(mg_dict_put(d, MG_DICT_SET, bytes, MG_DICT_KEY_MOST + 1, MG_DICT_NUMBER, 1, NULL, 0, 0, 0) == MG_DICT_KEY);
    check_whole(d);
    close_dict();
}

TEST("when room is needed the one not used for longest goes first")
{
    mg_dict *d = open_dict(64 * 1024); /* one shard, so that the order is one */
    long n = 0;
    for (; numbers_of(d).evicted == 0; n++)
        CHECK(put_number(d, key_of("k", n), (double)n, 0) == MG_DICT_OK);
    CHECK(!has_key(d, key_of("k", 0)));
    double now;
    mg_str one = key_of("k", 1), two = key_of("k", 2), three = key_of("k", 3);
    CHECK(number_at(d, one) == 1);                                       /* get, */
    CHECK(mg_dict_incr(d, two.p, two.n, 1, NAN, 0, &now) == MG_DICT_OK); /* incr */
    CHECK(mg_dict_touch(d, three.p, three.n, 0) == MG_DICT_OK);          /* and touch are uses */
    CHECK(has_key(d, key_of("k", 4)));                                   /* asking for the TTL is none */
    for (long i = 0; i < 3; i++)
        CHECK(put_number(d, key_of("more", i), 1, 0) == MG_DICT_OK);
    CHECK(has_key(d, key_of("k", 1)) && has_key(d, key_of("k", 2)) && has_key(d, key_of("k", 3)));
    CHECK(!has_key(d, key_of("k", 4)) && !has_key(d, key_of("k", 5)) && !has_key(d, key_of("k", 6)));
    CHECK(has_key(d, key_of("k", 7)));
    CHECK_INT(numbers_of(d).evicted, 4);
    check_whole(d);
    close_dict();
}

TEST("what is past its time goes before what is good, however recently it was used")
{
    mg_dict *d = open_dict(64 * 1024);
    long n = 0, lost = 0;
    stop_clock();
    for (; numbers_of(d).evicted == 0; n++) /* the last of them pushes k0 out */
        CHECK(put_number(d, key_of("k", n), 1, n % 3 == 1 ? 10 : 0) == MG_DICT_OK);
    moved_ms += 10;
    for (long i = 0; i < n / 4; i++)
        CHECK(put_number(d, key_of("more", i), 1, 0) == MG_DICT_OK);
    for (long i = 1; i < n; i++)
        lost += i % 3 != 1 && !has_key(d, key_of("k", i));
    CHECK_INT(numbers_of(d).evicted, 1);
    CHECK_INT(lost, 0);
    check_whole(d);
    close_dict();
}

TEST("memory full of small values takes a large one, and then small ones again")
{
    mg_dict *d = open_dict(256 * 1024);
    static char bytes[100 * 1024];
    memset(bytes, 'L', sizeof bytes);
    for (int round = 0; round < 5; round++) {
        for (long i = 0; i < 20000; i++)
            CHECK(put_string(d, key_of("k", i), (mg_str){bytes, (size_t)(i * 37 % 200)}, 0) == MG_DICT_OK);
        CHECK(put_string(d, MG_STR("large"), (mg_str){bytes, sizeof bytes}, 0) == MG_DICT_OK);
        CHECK_STR(string_at(d, MG_STR("large")), ((mg_str){bytes, sizeof bytes}));
        CHECK_STR(string_at(d, key_of("k", 19999)), ((mg_str){bytes, 19999 * 37 % 200}));
        check_whole(d);
    }
    close_dict();
}

TEST("flush removes everything, in all shards")
{
    mg_dict *d = open_dict(8 << 20);
    CHECK(numbers_of(d).shards > 1);
    for (long i = 0; i < 1000; i++)
        CHECK(put_number(d, key_of("k", i), 1, 0) == MG_DICT_OK);
    CHECK_INT(numbers_of(d).items, 1000);
    mg_dict_flush(d);
    CHECK_INT(numbers_of(d).items, 0);
    CHECK_INT(numbers_of(d).used_bytes, 0);
    for (long i = 0; i < 1000; i++)
        CHECK(!has_key(d, key_of("k", i)));
    check_whole(d);
    close_dict();
}

/* ---- lists ---- */

static int push(mg_dict *d, int left, const char *key, double number)
{
    uint64_t length;
    return mg_dict_push(d, left, key, strlen(key), MG_DICT_NUMBER, number, NULL, 0, 0, &length);
}

static double pop(mg_dict *d, int left, const char *key)
{
    mg_dict_found f;
    return mg_dict_pop(d, left, key, strlen(key), NULL, 0, &f) == MG_DICT_OK ? f.number : NAN;
}

TEST("a list gives back from each end what was put there, and its last value takes the key along")
{
    mg_dict *d = open_dict(1 << 20);
    uint64_t length;
    for (int i = 1; i <= 3; i++) {
        CHECK(push(d, 0, "q", i) == MG_DICT_OK);
        CHECK(push(d, 1, "q", -i) == MG_DICT_OK);
    }
    CHECK(mg_dict_length(d, "q", 1, &length) == MG_DICT_OK && length == 6); /* -3 -2 -1 1 2 3 */
    CHECK(pop(d, 1, "q") == -3 && pop(d, 0, "q") == 3 && pop(d, 0, "q") == 2 && pop(d, 1, "q") == -2);
    CHECK(pop(d, 1, "q") == -1);
    check_whole(d);
    CHECK(pop(d, 1, "q") == 1);
    CHECK(isnan(pop(d, 1, "q")));
    CHECK(mg_dict_length(d, "q", 1, &length) == MG_DICT_ABSENT && length == 0);
    CHECK_INT(numbers_of(d).used_bytes, 0);
    close_dict();
}

TEST("lists hold each type, and long strings that wait for a buffer that is large enough")
{
    mg_dict *d = open_dict(1 << 20);
    static char bytes[1000], got[1000];
    uint64_t length;
    mg_dict_found f;
    memset(bytes, 's', sizeof bytes);
    CHECK(mg_dict_push(d, 0, "q", 1, MG_DICT_STRING, 0, bytes, sizeof bytes, 0, &length) == MG_DICT_OK && length == 1);
    CHECK(mg_dict_push(d, 0, "q", 1, MG_DICT_BOOLEAN, 1, NULL, 0, 0, &length) == MG_DICT_OK && length == 2);
    CHECK(mg_dict_push(d, 0, "q", 1, MG_DICT_STRING, 0, "", 0, 0, &length) == MG_DICT_OK && length == 3);
    CHECK(mg_dict_push(d, 0, "q", 1, MG_DICT_NIL, 0, NULL, 0, 0, &length) == MG_DICT_TYPE);
    CHECK(mg_dict_pop(d, 1, "q", 1, got, 999, &f) == MG_DICT_ROOM && f.n == 1000);
    CHECK(mg_dict_pop(d, 1, "q", 1, got, 1000, &f) == MG_DICT_OK && f.type == MG_DICT_STRING);
    CHECK(memcmp(got, bytes, sizeof bytes) == 0);
    CHECK(mg_dict_pop(d, 1, "q", 1, got, 0, &f) == MG_DICT_OK && f.type == MG_DICT_BOOLEAN && f.number == 1);
    CHECK(mg_dict_pop(d, 1, "q", 1, got, 0, &f) == MG_DICT_OK && f.type == MG_DICT_STRING && f.n == 0);
    close_dict();
}

TEST("what is a list is no value, and what is a value is no list")
{
    mg_dict *d = open_dict(1 << 20);
    mg_dict_found f;
    uint64_t length;
    double now;
    CHECK(push(d, 0, "q", 1) == MG_DICT_OK && push(d, 0, "q", 2) == MG_DICT_OK);
    CHECK(mg_dict_get(d, "q", 1, NULL, 0, &f) == MG_DICT_TYPE && f.type == MG_DICT_LIST && f.n == 2);
    CHECK(mg_dict_incr(d, "q", 1, 1, 0, 0, &now) == MG_DICT_TYPE);
    CHECK(put_number(d, MG_STR("n"), 1, 0) == MG_DICT_OK);
    CHECK(push(d, 0, "n", 1) == MG_DICT_TYPE);
    CHECK(mg_dict_pop(d, 0, "n", 1, NULL, 0, &f) == MG_DICT_TYPE);
    CHECK(mg_dict_length(d, "n", 1, &length) == MG_DICT_TYPE);
    CHECK(put_number(d, MG_STR("q"), 5, 0) == MG_DICT_OK && number_at(d, MG_STR("q")) == 5);
    check_whole(d);
    close_dict();
}

TEST("a list may fill half of its shard, pushing others out but never itself")
{
    mg_dict *d = open_dict(64 * 1024);
    uint64_t length;
    for (long i = 0; i < 2000; i++)
        CHECK(put_number(d, key_of("k", i), 1, 0) == MG_DICT_OK);
    int rc = MG_DICT_OK;
    double n = 0;
    while (rc == MG_DICT_OK)
        rc = push(d, 0, "q", n++);
    CHECK_INT(rc, MG_DICT_FULL);
    CHECK(mg_dict_length(d, "q", 1, &length) == MG_DICT_OK && (double)length == n - 1 && length > 400);
    CHECK(pop(d, 1, "q") == 0 && pop(d, 0, "q") == n - 2);
    check_whole(d);
    close_dict();
}

TEST("a list has the TTL it was begun with until a push gives another")
{
    mg_dict *d = open_dict(1 << 20);
    uint64_t length;
    int64_t ttl_ms;
    stop_clock();
    CHECK(mg_dict_push(d, 0, "q", 1, MG_DICT_NUMBER, 1, NULL, 0, 100, &length) == MG_DICT_OK);
    moved_ms += 50;
    CHECK(mg_dict_push(d, 0, "q", 1, MG_DICT_NUMBER, 2, NULL, 0, 0, &length) == MG_DICT_OK);
    CHECK(mg_dict_ttl(d, "q", 1, &ttl_ms) == MG_DICT_OK && ttl_ms == 50);
    CHECK(mg_dict_push(d, 0, "q", 1, MG_DICT_NUMBER, 3, NULL, 0, 70, &length) == MG_DICT_OK && length == 3);
    moved_ms += 69;
    CHECK(mg_dict_length(d, "q", 1, &length) == MG_DICT_OK);
    moved_ms += 1;
    CHECK(mg_dict_length(d, "q", 1, &length) == MG_DICT_ABSENT);
    CHECK_INT(numbers_of(d).used_bytes, 0);
    close_dict();
}

/* ---- pages of keys ---- */

/* Reads all pages with a buffer of that size, counts how often each "kN" came; between pages does `stir`. */
static void read_pages(mg_dict *d, size_t room, int *seen, long most, void (*stir)(mg_dict *))
{
    char to[4096];
    uint64_t cursor = 0, count, needed;
    int pages = 0;
    do {
        int rc = mg_dict_keys(d, &cursor, to, room, &count, &needed);
        if (rc == MG_DICT_ROOM) {
            CHECK(needed > room && needed <= sizeof to);
            room = needed;
            continue;
        }
        const char *p = to;
        for (; count; count--) {
            uint32_t n;
            char name[64] = "";
            memcpy(&n, p, sizeof n);
            MG_BUG_UNLESS(n < sizeof name);
            memcpy(name, p + sizeof n, n);
            p += sizeof n + n;
            long i = strtol(name + 1, NULL, 10);
            if (name[0] == 'k' && i < most)
                seen[i]++;
        }
        CHECK(p <= to + room);
        if (stir)
            stir(d);
    } while (++pages < 100000 && cursor != 0);
    CHECK(cursor == 0);
}

static unsigned stirred;
static void stir_others(mg_dict *d)
{
    for (int i = 0; i < 20; i++) {
        (void)put_number(d, key_of("other", rand_r(&stirred) % 500), 1, 0);
        mg_str gone = key_of("other", rand_r(&stirred) % 500);
        (void)mg_dict_delete(d, gone.p, gone.n);
    }
    (void)put_string(d, key_of("k", rand_r(&stirred) % 3000),
                     MG_STR("a value that is longer than it was before, by far"), 0);
}

TEST("pages of keys hold every key exactly once, whatever else comes and goes meanwhile")
{
    enum { KEYS = 3000 };
    static int seen[KEYS];
    mg_dict *d = open_dict(8 << 20);
    for (long i = 0; i < KEYS; i++)
        CHECK(put_number(d, key_of("k", i), 1, 0) == MG_DICT_OK);
    static const size_t rooms[] = {4096, 200, 30};
    for (size_t r = 0; r < MG_COUNT(rooms); r++) {
        memset(seen, 0, sizeof seen);
        read_pages(d, rooms[r], seen, KEYS, r ? stir_others : NULL);
        int wrong = 0;
        for (int i = 0; i < KEYS; i++)
            wrong += seen[i] != 1;
        CHECK_INT(wrong, 0);
    }
    check_whole(d);
    close_dict();
}

TEST("pages leave out keys past their time, say when a key needs a larger buffer, and bear any cursor")
{
    mg_dict *d = open_dict(64 * 1024);
    char to[64];
    uint64_t cursor = 0, count, needed;
    stop_clock();
    CHECK(put_number(d, MG_STR("k1"), 1, 10) == MG_DICT_OK);
    moved_ms += 10;
    CHECK(mg_dict_keys(d, &cursor, to, sizeof to, &count, &needed) == MG_DICT_OK && count == 0 && cursor == 0);
    CHECK(put_number(d, MG_STR("a-key-of-some-length"), 1, 0) == MG_DICT_OK);
    int rc;
    while ((rc = mg_dict_keys(d, &cursor, to, 10, &count, &needed)) == MG_DICT_OK && cursor)
        ;
    CHECK(rc == MG_DICT_ROOM && needed >= 24); /* of all keys that lie together with it */
    static const uint64_t odd[] = {UINT64_MAX, 1u << 31, (uint64_t)5 << 32, UINT32_MAX};
    for (size_t i = 0; i < MG_COUNT(odd); i++) {
        cursor = odd[i];
        CHECK(mg_dict_keys(d, &cursor, to, sizeof to, &count, &needed) == MG_DICT_OK && cursor == 0 && count == 0);
    }
    close_dict();
}
