#include "shm/dict.h"

#include "base/clock.h"
#include "shm/queue.h"

#include <math.h>

static int64_t (*now_ms)(void) = mg_clock_ms;

void mg_dict_set_clock(int64_t (*fn)(void))
{
    now_ms = fn ? fn : mg_clock_ms;
}

/* ---- finding ---- */

/* One operation: a key, its shard, locked and open for writing. */
typedef struct {
    mg_shard *shard;
    mg_shard_key key;
    int64_t now_ms;
    uint32_t item; /* 0: absent */
} op;

static mg_item *item_of(const op *o)
{
    return mg_shard_cell(o->shard, o->item);
}

static op enter(mg_dict *d, const char *key, size_t key_n)
{
    const mg_dict_region *r = d->region;
    uint64_t hash = mg_shm_hash(r->seed, key, key_n);
    op o = {.shard = mg_dict_shard(d, (uint32_t)(hash >> 32) & (r->shards - 1)),
            .key = {key, key_n, (uint32_t)hash},
            .now_ms = now_ms()};
    mg_shard_take(o.shard);
    mg_shard_begin(o.shard);
    o.item = mg_shard_find(o.shard, o.key, o.now_ms);
    return o;
}

static int leave(op *o, int rc)
{
    mg_shard_end(o->shard);
    mg_shard_give(o->shard);
    return rc;
}

static int64_t ttl_of(const op *o)
{
    int64_t expires_ms = item_of(o)->expires_ms;
    return expires_ms ? expires_ms - o->now_ms : 0;
}

static void set_ttl(const op *o, int64_t ttl_ms)
{
    /* Far beyond any uptime is for ever, and cannot overflow. */
    bool ever = ttl_ms <= 0 || ttl_ms > INT64_MAX / 2;
    mg_shard_expire(o->shard, o->item, ever ? 0 : o->now_ms + ttl_ms);
}

/* ---- values ---- */

static size_t bytes_of(int type, size_t n)
{
    return type == MG_DICT_STRING ? n : 0;
}

static void describe(const op *o, mg_dict_found *out)
{
    const mg_item *it = item_of(o);
    *out = (mg_dict_found){.type = it->type, .version = it->version, .ttl_ms = ttl_of(o)};
    if (it->type == MG_DICT_LIST)
        out->n = ((const mg_queue *)mg_shard_cell(o->shard, it->value.queue))->length;
    else if (it->type == MG_DICT_STRING)
        out->n = it->value.n;
    else
        out->number = it->value.number;
}

int mg_dict_get(mg_dict *d, const char *key, size_t key_n, char *to, size_t room, mg_dict_found *out)
{
    *out = (mg_dict_found){0};
    if (key_n > MG_DICT_KEY_MOST)
        return MG_DICT_KEY;
    op o = enter(d, key, key_n);
    if (!o.item)
        return leave(&o, MG_DICT_ABSENT);
    mg_shard_use(o.shard, o.item);
    mg_shard_end(o.shard); /* only reading from here on: whoever is killed now has broken nothing */
    describe(&o, out);
    if (out->type == MG_DICT_STRING && out->n <= room) {
        mg_shard_run r = mg_shard_run_value(o.shard, o.item);
        mg_shard_run_get(&r, to, out->n);
    }
    mg_shard_give(o.shard);
    if (out->type == MG_DICT_LIST)
        return MG_DICT_TYPE;
    return out->n > room ? MG_DICT_ROOM : MG_DICT_OK;
}

/* The item is as it was made: of that type and size, without a list. */
static bool fits_in_place(const op *o, int type, size_t n)
{
    const mg_item *it = item_of(o);
    return !it->queued && mg_shard_cells_for(it->key_n + bytes_of(it->type, it->value.n), MG_ITEM_INSIDE) ==
                              mg_shard_cells_for(it->key_n + bytes_of(type, n), MG_ITEM_INSIDE);
}

static void write_value(const op *o, int type, double number, const char *p, size_t n)
{
    mg_item *it = item_of(o);
    it->type = (uint8_t)type;
    it->version = ++o->shard->version;
    if (type == MG_DICT_STRING) {
        it->value.n = n;
        mg_shard_run r = mg_shard_run_value(o->shard, o->item);
        mg_shard_run_put(&r, p, n);
    } else {
        it->value.number = type == MG_DICT_BOOLEAN ? number != 0 : number;
    }
}

/* Stores in place or makes the item anew; the key counts as used. */
static int store(op *o, int type, double number, const char *p, size_t n)
{
    uint64_t cells = mg_shard_cells_for(o->key.n + bytes_of(type, n), MG_ITEM_INSIDE);
    if (n > UINT32_MAX || !mg_shard_may_hold(o->shard, cells))
        return MG_DICT_FULL;
    if (o->item && fits_in_place(o, type, n)) {
        mg_shard_use(o->shard, o->item);
    } else {
        if (o->item)
            mg_shard_remove(o->shard, o->item);
        MG_BUG_UNLESS(mg_shard_reserve(o->shard, cells, 0, o->now_ms)); /* half of an empty shard is always free */
        o->item = mg_shard_make(o->shard, o->key, bytes_of(type, n));
    }
    write_value(o, type, number, p, n);
    return MG_DICT_OK;
}

static int may_store(const op *o, int how, uint64_t version)
{
    if (how == MG_DICT_ADD)
        return o->item ? MG_DICT_EXISTS : MG_DICT_OK;
    if (how == MG_DICT_REPLACE)
        return o->item ? MG_DICT_OK : MG_DICT_ABSENT;
    if (how == MG_DICT_CAS) {
        if (!o->item)
            return version ? MG_DICT_ABSENT : MG_DICT_OK;
        return item_of(o)->version == version ? MG_DICT_OK : MG_DICT_CHANGED;
    }
    return MG_DICT_OK;
}

static bool is_value(int type)
{
    return type == MG_DICT_BOOLEAN || type == MG_DICT_NUMBER || type == MG_DICT_STRING;
}

int mg_dict_put(mg_dict *d, int how, const char *key, size_t key_n, int type, double number, const char *p, size_t n,
                int64_t ttl_ms, uint64_t version)
{
    if (key_n > MG_DICT_KEY_MOST)
        return MG_DICT_KEY;
    if (type != MG_DICT_NIL && !is_value(type))
        return MG_DICT_TYPE;
    op o = enter(d, key, key_n);
    int rc = may_store(&o, how, version);
    if (rc != MG_DICT_OK)
        return leave(&o, rc);
    if (type == MG_DICT_NIL) {
        if (o.item)
            mg_shard_remove(o.shard, o.item);
        return leave(&o, MG_DICT_OK);
    }
    rc = store(&o, type, number, p, bytes_of(type, n));
    if (rc == MG_DICT_OK)
        set_ttl(&o, ttl_ms);
    return leave(&o, rc);
}

int mg_dict_incr(mg_dict *d, const char *key, size_t key_n, double by, double init, int64_t ttl_ms, double *out)
{
    *out = 0;
    if (key_n > MG_DICT_KEY_MOST)
        return MG_DICT_KEY;
    op o = enter(d, key, key_n);
    if (o.item) {
        mg_item *it = item_of(&o);
        if (it->type != MG_DICT_NUMBER)
            return leave(&o, MG_DICT_TYPE);
        *out = it->value.number += by;
        it->version = ++o.shard->version;
        mg_shard_use(o.shard, o.item);
        return leave(&o, MG_DICT_OK);
    }
    if (isnan(init))
        return leave(&o, MG_DICT_ABSENT);
    int rc = store(&o, MG_DICT_NUMBER, init + by, NULL, 0);
    if (rc == MG_DICT_OK) {
        set_ttl(&o, ttl_ms);
        *out = init + by;
    }
    return leave(&o, rc);
}

int mg_dict_touch(mg_dict *d, const char *key, size_t key_n, int64_t ttl_ms)
{
    if (key_n > MG_DICT_KEY_MOST)
        return MG_DICT_KEY;
    op o = enter(d, key, key_n);
    if (!o.item)
        return leave(&o, MG_DICT_ABSENT);
    set_ttl(&o, ttl_ms);
    mg_shard_use(o.shard, o.item);
    return leave(&o, MG_DICT_OK);
}

int mg_dict_ttl(mg_dict *d, const char *key, size_t key_n, int64_t *ttl_ms)
{
    *ttl_ms = 0;
    if (key_n > MG_DICT_KEY_MOST)
        return MG_DICT_KEY;
    op o = enter(d, key, key_n);
    if (o.item)
        *ttl_ms = ttl_of(&o);
    return leave(&o, o.item ? MG_DICT_OK : MG_DICT_ABSENT);
}

int mg_dict_delete(mg_dict *d, const char *key, size_t key_n)
{
    return mg_dict_put(d, MG_DICT_REPLACE, key, key_n, MG_DICT_NIL, 0, NULL, 0, 0, 0);
}

/* ---- lists ---- */

static mg_queue *queue_of(const op *o)
{
    return mg_shard_cell(o->shard, item_of(o)->value.queue);
}

/* Room for one more element; the list is the newest, so that it does not push itself out. */
static int reserve_element(op *o, uint64_t cells)
{
    uint64_t item_cells = mg_shard_cells_for(o->key.n, MG_ITEM_INSIDE) + !o->item;
    uint64_t has = item_cells + (o->item ? queue_of(o)->cells : 0);
    if (!mg_shard_may_hold(o->shard, has + cells))
        return MG_DICT_FULL;
    if (o->item)
        mg_shard_use(o->shard, o->item);
    uint64_t wanted = o->item ? cells : item_cells + cells;
    return mg_shard_reserve(o->shard, wanted, o->item, o->now_ms) ? MG_DICT_OK : MG_DICT_FULL;
}

static void make_list(op *o)
{
    o->item = mg_shard_make(o->shard, o->key, 0);
    uint32_t queue = mg_queue_new(o->shard);
    mg_item *it = item_of(o);
    it->value.queue = queue;
    it->queued = 1;
    it->type = MG_DICT_LIST;
}

int mg_dict_push(mg_dict *d, int left, const char *key, size_t key_n, int type, double number, const char *p, size_t n,
                 int64_t ttl_ms, uint64_t *length)
{
    *length = 0;
    if (key_n > MG_DICT_KEY_MOST)
        return MG_DICT_KEY;
    if (!is_value(type))
        return MG_DICT_TYPE;
    n = bytes_of(type, n);
    op o = enter(d, key, key_n);
    if (o.item && item_of(&o)->type != MG_DICT_LIST)
        return leave(&o, MG_DICT_TYPE);
    int rc = n > UINT32_MAX ? MG_DICT_FULL : reserve_element(&o, mg_shard_cells_for(n, MG_QUEUE_INSIDE));
    if (rc != MG_DICT_OK)
        return leave(&o, rc);
    if (!o.item)
        make_list(&o);
    mg_element *e = mg_queue_push(o.shard, item_of(&o)->value.queue, left, n);
    e->type = (uint32_t)type;
    e->number = type == MG_DICT_BOOLEAN ? number != 0 : number;
    mg_shard_run r = mg_queue_bytes(o.shard, e);
    mg_shard_run_put(&r, p, n);
    item_of(&o)->version = ++o.shard->version;
    if (ttl_ms)
        set_ttl(&o, ttl_ms);
    *length = queue_of(&o)->length;
    return leave(&o, MG_DICT_OK);
}

int mg_dict_pop(mg_dict *d, int left, const char *key, size_t key_n, char *to, size_t room, mg_dict_found *out)
{
    *out = (mg_dict_found){0};
    if (key_n > MG_DICT_KEY_MOST)
        return MG_DICT_KEY;
    op o = enter(d, key, key_n);
    if (!o.item)
        return leave(&o, MG_DICT_ABSENT);
    if (item_of(&o)->type != MG_DICT_LIST)
        return leave(&o, MG_DICT_TYPE);
    uint32_t queue = item_of(&o)->value.queue;
    mg_element *e = mg_queue_end(o.shard, queue, left);
    MG_BUG_UNLESS(e != NULL); /* an empty list is no item */
    *out = (mg_dict_found){.type = (int32_t)e->type, .number = e->number, .n = e->n, .ttl_ms = ttl_of(&o)};
    if (e->n > room)
        return leave(&o, MG_DICT_ROOM);
    mg_shard_run r = mg_queue_bytes(o.shard, e);
    mg_shard_run_get(&r, to, e->n);
    mg_queue_pop(o.shard, queue, left);
    item_of(&o)->version = ++o.shard->version;
    if (queue_of(&o)->length)
        mg_shard_use(o.shard, o.item);
    else
        mg_shard_remove(o.shard, o.item);
    return leave(&o, MG_DICT_OK);
}

int mg_dict_length(mg_dict *d, const char *key, size_t key_n, uint64_t *length)
{
    *length = 0;
    if (key_n > MG_DICT_KEY_MOST)
        return MG_DICT_KEY;
    op o = enter(d, key, key_n);
    if (!o.item)
        return leave(&o, MG_DICT_ABSENT);
    if (item_of(&o)->type != MG_DICT_LIST)
        return leave(&o, MG_DICT_TYPE);
    *length = queue_of(&o)->length;
    return leave(&o, MG_DICT_OK);
}

/* ---- all of it ---- */

void mg_dict_flush(mg_dict *d)
{
    const mg_dict_region *r = d->region;
    for (uint32_t i = 0; i < r->shards; i++) {
        mg_shard *s = mg_dict_shard(d, i);
        mg_shard_take(s);
        mg_shard_begin(s);
        mg_shard_empty(s);
        mg_shard_end(s);
        mg_shard_give(s);
    }
}

void mg_dict_count(mg_dict *d, mg_dict_numbers *out)
{
    const mg_dict_region *r = d->region;
    *out = (mg_dict_numbers){.size_bytes = r->bytes, .shards = r->shards};
    for (uint32_t i = 0; i < r->shards; i++) {
        mg_shard *s = mg_dict_shard(d, i);
        mg_shard_take(s);
        out->items += s->items;
        out->used_bytes += (uint64_t)(s->fresh - 1 - s->free_count) * MG_CELL;
        out->evicted += s->evicted;
        out->expired += s->expired;
        out->emptied += s->emptied;
        mg_shard_give(s);
    }
}

/* A page under way. */
typedef struct {
    char *to;
    size_t room, used;
    uint64_t count;
} page;

static size_t room_for_bucket(mg_shard *s, uint32_t bucket)
{
    size_t n = 0;
    for (uint32_t i = mg_shard_buckets(s)[bucket]; i; i = ((mg_item *)mg_shard_cell(s, i))->chain)
        n += sizeof(uint32_t) + ((mg_item *)mg_shard_cell(s, i))->key_n;
    return n;
}

static void write_bucket(mg_shard *s, uint32_t bucket, int64_t now, page *p)
{
    for (uint32_t i = mg_shard_buckets(s)[bucket]; i;) {
        const mg_item *it = mg_shard_cell(s, i);
        if (!it->expires_ms || it->expires_ms > now) {
            uint32_t n = it->key_n;
            mg_shard_run r = mg_shard_run_key(s, i);
            memcpy(p->to + p->used, &n, sizeof n);
            mg_shard_run_get(&r, p->to + p->used + sizeof n, n);
            p->used += sizeof n + n;
            p->count++;
        }
        i = it->chain;
    }
}

enum { BUCKETS_A_PAGE = 4096 }; /* the lock is held for as long as this takes: about 10 us */

/* Whole buckets only, since a bucket's items change their order. Returns the bucket where the page ends. */
static uint32_t write_page(mg_shard *s, uint32_t bucket, int64_t now, page *p, uint64_t *needed)
{
    uint32_t end = (uint32_t)MG_MIN((uint64_t)s->buckets, (uint64_t)bucket + BUCKETS_A_PAGE);
    for (; bucket < end; bucket++) {
        size_t n = room_for_bucket(s, bucket);
        if (n > p->room - p->used) {
            *needed = n;
            break;
        }
        write_bucket(s, bucket, now, p);
    }
    return bucket;
}

int mg_dict_keys(mg_dict *d, uint64_t *cursor, char *to, size_t room, uint64_t *count, uint64_t *needed)
{
    const mg_dict_region *r = d->region;
    uint32_t shard = (uint32_t)(*cursor >> 32), bucket = (uint32_t)*cursor;
    page p = {.to = to, .room = room};
    *count = *needed = 0;
    if (shard >= r->shards) {
        *cursor = 0;
        return MG_DICT_OK;
    }
    mg_shard *s = mg_dict_shard(d, shard);
    mg_shard_take(s);
    uint32_t end = write_page(s, MG_MIN(bucket, s->buckets), now_ms(), &p, needed);
    bool done = end >= s->buckets;
    mg_shard_give(s);
    *count = p.count;
    if (end == bucket && *needed)
        return MG_DICT_ROOM;
    *needed = 0;
    if (done)
        *cursor = shard + 1 < r->shards ? (uint64_t)(shard + 1) << 32 : 0;
    else
        *cursor = (uint64_t)shard << 32 | end;
    return MG_DICT_OK;
}
