/*
 * dict_test: what the tests of dictionaries share: opening one, short ways to ask it, and a check that every cell of
 * every shard is in exactly one place. Belongs into one file of a program, after base/test.h.
 */
#ifndef MG_SHM_DICT_TEST_H
#define MG_SHM_DICT_TEST_H

#include "shm/dict.h"
#include "shm/queue.h"

#include <math.h>

static mg_dicts *dicts;

MG_UNUSED static mg_dict *open_dict(uint64_t bytes)
{
    mg_err err = {""};
    dicts = mg_dicts_new();
    mg_dict *d = mg_dicts_open(dicts, MG_STR("test"), bytes, &err);
    CHECK_STR(mg_str_of(err.text), MG_STR(""));
    MG_BUG_UNLESS(d);
    return d;
}

MG_UNUSED static void close_dict(void)
{
    mg_dicts_free(dicts);
    dicts = NULL;
    mg_dict_set_clock(NULL);
}

static int64_t moved_ms;
static int64_t moved_clock(void)
{
    return moved_ms;
}

MG_UNUSED static void stop_clock(void)
{
    moved_ms = 1000000;
    mg_dict_set_clock(moved_clock);
}

MG_UNUSED static mg_str key_of(const char *prefix, long i)
{
    static char names[4][64];
    static unsigned turn;
    char *name = names[turn++ % 4];
    (void)snprintf(name, sizeof names[0], "%s%ld", prefix, i);
    return mg_str_of(name);
}

MG_UNUSED static int put_string(mg_dict *d, mg_str key, mg_str value, int64_t ttl_ms)
{
    return mg_dict_put(d, MG_DICT_SET, key.p, key.n, MG_DICT_STRING, 0, value.p, value.n, ttl_ms, 0);
}

MG_UNUSED static int put_number(mg_dict *d, mg_str key, double number, int64_t ttl_ms)
{
    return mg_dict_put(d, MG_DICT_SET, key.p, key.n, MG_DICT_NUMBER, number, NULL, 0, ttl_ms, 0);
}

/* The number there, NaN when it is absent or something else. */
MG_UNUSED static double number_at(mg_dict *d, mg_str key)
{
    mg_dict_found f;
    return mg_dict_get(d, key.p, key.n, NULL, 0, &f) == MG_DICT_OK && f.type == MG_DICT_NUMBER ? f.number : NAN;
}

/* The string there, absent when there is none; good until the next call. */
MG_UNUSED static mg_str string_at(mg_dict *d, mg_str key)
{
    static char bytes[1 << 20];
    mg_dict_found f;
    if (mg_dict_get(d, key.p, key.n, bytes, sizeof bytes, &f) != MG_DICT_OK || f.type != MG_DICT_STRING)
        return MG_STR_NONE;
    return (mg_str){bytes, f.n};
}

MG_UNUSED static bool has_key(mg_dict *d, mg_str key)
{
    int64_t ttl_ms;
    return mg_dict_ttl(d, key.p, key.n, &ttl_ms) == MG_DICT_OK;
}

MG_UNUSED static mg_dict_numbers numbers_of(mg_dict *d)
{
    mg_dict_numbers n;
    mg_dict_count(d, &n);
    return n;
}

static uint64_t chain_length(mg_shard *s, uint32_t first)
{
    uint64_t n = 0;
    for (uint32_t i = first; i && n <= s->cells; i = ((mg_cell *)mg_shard_cell(s, i))->next)
        n++;
    return n;
}

static uint64_t cells_of_item(mg_shard *s, uint32_t item)
{
    const mg_item *it = mg_shard_cell(s, item);
    uint64_t n = 1 + chain_length(s, it->more);
    if (!it->queued)
        return n;
    const mg_queue *q = mg_shard_cell(s, it->value.queue);
    uint64_t length = 0, cells = 1;
    uint32_t before = 0;
    for (uint32_t i = q->first; i && length <= s->cells; length++) {
        const mg_element *e = mg_shard_cell(s, i);
        CHECK_INT(e->prev, before);
        cells += chain_length(s, i);
        before = i;
        i = e->next;
    }
    CHECK_INT(q->last, before);
    CHECK_INT(q->length, length);
    CHECK_INT(q->cells, cells);
    return n + cells;
}

static void check_shard(mg_shard *s)
{
    uint64_t found = 0, used = 0, in_order = 0;
    for (uint32_t b = 0; b < s->buckets; b++)
        for (uint32_t i = mg_shard_buckets(s)[b]; i && found <= s->cells; found++) {
            used += cells_of_item(s, i);
            i = ((mg_item *)mg_shard_cell(s, i))->chain;
        }
    uint32_t newer = 0;
    for (uint32_t i = s->newest; i && in_order <= s->cells; in_order++) {
        const mg_item *it = mg_shard_cell(s, i);
        CHECK_INT(it->newer, newer);
        newer = i;
        i = it->older;
    }
    CHECK_INT(s->oldest, newer);
    CHECK_INT(found, s->items);
    CHECK_INT(in_order, s->items);
    CHECK_INT(chain_length(s, s->free), s->free_count);
    CHECK_INT(used + s->free_count, s->fresh - 1);
}

/* Every cell is in exactly one place and every count is true. */
MG_UNUSED static void check_whole(mg_dict *d)
{
    for (uint32_t i = 0; i < d->region->shards; i++) {
        mg_shard *s = mg_dict_shard(d, i);
        mg_shard_take(s);
        check_shard(s);
        mg_shard_give(s);
    }
}

#endif
