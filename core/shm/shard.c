#include "shm/shard.h"

#include "shm/queue.h"

_Static_assert(sizeof(mg_item) == MG_CELL && sizeof(mg_cell) == MG_CELL, "items and their cells are alike");
_Static_assert(offsetof(mg_item, chain) == offsetof(mg_cell, next), "free items are free cells");

static mg_item *item_at(mg_shard *s, uint32_t i)
{
    return mg_shard_cell(s, i);
}

/* ---- the whole ---- */

static void clear(mg_shard *s)
{
    s->fresh = 1;
    s->free = s->free_count = 0;
    s->newest = s->oldest = 0;
    s->hand = 0;
    s->items = 0;
    s->soonest_ms = s->soonest_seen_ms = INT64_MAX;
}

void mg_shard_init(mg_shard *s, size_t bytes)
{
    MG_BUG_UNLESS(bytes >= 4096 && bytes % MG_CELL == 0);
    size_t cells = (bytes - sizeof *s - MG_CELL) / (MG_CELL + sizeof(uint32_t));
    s->cells = s->buckets = (uint32_t)MG_MIN(cells, (size_t)UINT32_MAX);
    MG_BUG_UNLESS((char *)mg_shard_cell(s, s->cells) <= (char *)s + bytes);
    mg_lock_init(&s->lock);
    clear(s);
}

void mg_shard_empty(mg_shard *s)
{
    memset(mg_shard_buckets(s), 0, (size_t)s->buckets * sizeof(uint32_t));
    clear(s);
    s->version++; /* nobody's version of what was here is current */
}

void mg_shard_take(mg_shard *s)
{
    if (MG_LIKELY(!mg_lock_take(&s->lock)))
        return;
    if (s->writing) {
        mg_shard_empty(s);
        s->emptied++;
        mg_shard_end(s);
    }
    mg_lock_mended(&s->lock);
}

void mg_shard_give(mg_shard *s)
{
    mg_lock_give(&s->lock);
}

/* ---- runs of bytes ---- */

static void next_cell(mg_shard_run *r)
{
    mg_cell *c = mg_shard_cell(r->shard, r->next);
    MG_BUG_UNLESS(r->next != 0);
    *r = (mg_shard_run){r->shard, c->bytes, MG_CELL_MORE, c->next};
}

void mg_shard_run_put(mg_shard_run *r, const char *p, size_t n)
{
    while (n) {
        if (!r->room)
            next_cell(r);
        size_t part = MG_MIN(n, r->room);
        memcpy(r->at, p, part);
        r->at += part, r->room -= part;
        p += part, n -= part;
    }
}

void mg_shard_run_get(mg_shard_run *r, char *to, size_t n)
{
    while (n) {
        if (!r->room)
            next_cell(r);
        size_t part = MG_MIN(n, r->room);
        memcpy(to, r->at, part);
        r->at += part, r->room -= part;
        to += part, n -= part;
    }
}

static void skip(mg_shard_run *r, size_t n)
{
    while (n) {
        if (!r->room)
            next_cell(r);
        size_t part = MG_MIN(n, r->room);
        r->at += part, r->room -= part;
        n -= part;
    }
}

static bool begins_with(mg_shard_run r, const char *p, size_t n)
{
    while (n) {
        if (!r.room)
            next_cell(&r);
        size_t part = MG_MIN(n, r.room);
        if (memcmp(r.at, p, part) != 0)
            return false;
        r.room -= part;
        p += part, n -= part;
    }
    return true;
}

mg_shard_run mg_shard_run_key(mg_shard *s, uint32_t item)
{
    mg_item *it = item_at(s, item);
    return (mg_shard_run){s, it->inside, MG_ITEM_INSIDE, it->more};
}

mg_shard_run mg_shard_run_value(mg_shard *s, uint32_t item)
{
    mg_shard_run r = mg_shard_run_key(s, item);
    skip(&r, item_at(s, item)->key_n);
    return r;
}

/* ---- cells ---- */

static uint64_t available(const mg_shard *s)
{
    return s->free_count + (uint64_t)(s->cells - s->fresh);
}

uint32_t mg_shard_take_cells(mg_shard *s, uint64_t count)
{
    uint32_t first = 0, *link = &first;
    MG_BUG_UNLESS(count <= available(s));
    for (; count; count--) {
        uint32_t got = s->free;
        mg_cell *c;
        if (got) {
            c = mg_shard_cell(s, got);
            s->free = c->next;
            s->free_count--;
        } else {
            got = s->fresh++;
            c = mg_shard_cell(s, got);
        }
        *link = got;
        link = &c->next;
        c->next = 0;
    }
    return first;
}

void mg_shard_free_chain(mg_shard *s, uint32_t first)
{
    if (!first)
        return;
    uint32_t count = 1;
    mg_cell *last = mg_shard_cell(s, first);
    for (; last->next; count++)
        last = mg_shard_cell(s, last->next);
    last->next = s->free;
    s->free = first;
    s->free_count += count;
}

/* ---- items ---- */

static uint32_t *bucket_of(mg_shard *s, uint32_t hash)
{
    return &mg_shard_buckets(s)[(uint64_t)hash * s->buckets >> 32];
}

static void cut_from_use(mg_shard *s, mg_item *it)
{
    *(it->newer ? &item_at(s, it->newer)->older : &s->newest) = it->older;
    *(it->older ? &item_at(s, it->older)->newer : &s->oldest) = it->newer;
}

static void put_newest(mg_shard *s, uint32_t item)
{
    mg_item *it = item_at(s, item);
    it->newer = 0;
    it->older = s->newest;
    *(s->newest ? &item_at(s, s->newest)->newer : &s->oldest) = item;
    s->newest = item;
}

void mg_shard_use(mg_shard *s, uint32_t item)
{
    if (s->newest == item)
        return;
    cut_from_use(s, item_at(s, item));
    put_newest(s, item);
}

void mg_shard_remove(mg_shard *s, uint32_t item)
{
    mg_item *it = item_at(s, item);
    uint32_t *link = bucket_of(s, it->hash);
    while (*link != item)
        link = &item_at(s, *link)->chain;
    *link = it->chain;
    cut_from_use(s, it);
    if (it->queued)
        mg_queue_free(s, it->value.queue);
    it->chain = it->more; /* as cells: this one, then the further ones */
    mg_shard_free_chain(s, item);
    s->items--;
}

static bool is_past(const mg_item *it, int64_t now_ms)
{
    return it->expires_ms && it->expires_ms <= now_ms;
}

uint32_t mg_shard_find(mg_shard *s, mg_shard_key key, int64_t now_ms)
{
    for (uint32_t i = *bucket_of(s, key.hash); i;) {
        mg_item *it = item_at(s, i);
        if (it->hash == key.hash && it->key_n == key.n && begins_with(mg_shard_run_key(s, i), key.p, key.n)) {
            if (MG_LIKELY(!is_past(it, now_ms)))
                return i;
            mg_shard_remove(s, i);
            s->expired++;
            return 0;
        }
        i = it->chain;
    }
    return 0;
}

void mg_shard_expire(mg_shard *s, uint32_t item, int64_t expires_ms)
{
    item_at(s, item)->expires_ms = expires_ms;
    if (expires_ms) {
        s->soonest_ms = MG_MIN(s->soonest_ms, expires_ms);
        s->soonest_seen_ms = MG_MIN(s->soonest_seen_ms, expires_ms);
    }
}

uint32_t mg_shard_make(mg_shard *s, mg_shard_key key, size_t n)
{
    uint32_t item = mg_shard_take_cells(s, mg_shard_cells_for(key.n + n, MG_ITEM_INSIDE));
    mg_item *it = item_at(s, item);
    uint32_t more = it->chain, *bucket = bucket_of(s, key.hash);
    *it = (mg_item){.chain = *bucket, .hash = key.hash, .more = more, .key_n = (uint16_t)key.n};
    *bucket = item;
    put_newest(s, item);
    mg_shard_run r = mg_shard_run_key(s, item);
    mg_shard_run_put(&r, key.p, key.n);
    s->items++;
    return item;
}

/* ---- making room ---- */

static void look_at_bucket(mg_shard *s, uint32_t bucket, uint32_t keep, int64_t now_ms)
{
    for (uint32_t i = mg_shard_buckets(s)[bucket], next; i; i = next) {
        mg_item *it = item_at(s, i);
        next = it->chain;
        if (i != keep && is_past(it, now_ms)) {
            mg_shard_remove(s, i);
            s->expired++;
        } else if (it->expires_ms) {
            s->soonest_seen_ms = MG_MIN(s->soonest_seen_ms, it->expires_ms);
        }
    }
}

/* Moves the hand on until enough is free or LOOK buckets were looked at. */
static void sweep(mg_shard *s, uint64_t cells, uint32_t keep, int64_t now_ms)
{
    for (int i = 0; i < MG_SHARD_LOOK && available(s) < cells && s->soonest_ms <= now_ms; i++) {
        look_at_bucket(s, s->hand, keep, now_ms);
        if (++s->hand == s->buckets) {
            s->hand = 0;
            s->soonest_ms = s->soonest_seen_ms;
            s->soonest_seen_ms = INT64_MAX;
        }
    }
}

bool mg_shard_reserve(mg_shard *s, uint64_t cells, uint32_t keep, int64_t now_ms)
{
    while (available(s) < cells) {
        sweep(s, cells, keep, now_ms);
        if (available(s) >= cells)
            return true;
        if (!s->oldest || s->oldest == keep)
            return false;
        mg_shard_remove(s, s->oldest);
        s->evicted++;
    }
    return true;
}
