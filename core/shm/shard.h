/*
 * shard: one lock's worth of a shared dictionary: items in cells, found by hash, in the order of their use.
 *
 *      head | buckets | cells of 64 bytes
 *
 *      bucket ─► item ─► item               an item is a cell; what its own 16 bytes cannot hold of key and
 *                 │                         value goes on in further cells, 60 bytes each
 *                 └─ more ─► cell ─► cell
 *
 * All cells are alike, so memory never fragments: a value that was freed makes room for any other. When
 * none are left, items that are past their time go first (a hand that moves over the buckets looks at
 * LOOK of them), then the one not used for longest. Cells never touched cost no memory.
 *
 * Everything is an index, nothing a pointer: processes map the region where they like. Whoever is killed
 * between mg_shard_begin and mg_shard_end leaves the shard half-written: the next one to take the lock
 * finds it and empties it.
 *
 * Ownership: lies in shared memory; all functions but mg_shard_init want the lock to be held.
 */
#ifndef MG_SHM_SHARD_H
#define MG_SHM_SHARD_H

#include "base/str.h"
#include "shm/lock.h"

enum { MG_CELL = 64, MG_CELL_MORE = MG_CELL - 4, MG_ITEM_INSIDE = 16, MG_SHARD_LOOK = 128 };

typedef struct {
    uint32_t chain;        /* the next in the bucket; in a free cell and in `more`, the next of those */
    uint32_t newer, older; /* by use */
    uint32_t hash;
    int64_t expires_ms; /* 0: never */
    uint64_t version;
    union {
        double number;
        uint64_t n;     /* bytes of a string */
        uint32_t queue; /* the cell that begins a list */
    } value;
    uint32_t more;
    uint16_t key_n;
    uint8_t type;   /* the dictionary's */
    uint8_t queued; /* value.queue is in use */
    char inside[MG_ITEM_INSIDE];
} mg_item;

typedef struct {
    uint32_t next;
    char bytes[MG_CELL_MORE];
} mg_cell;

typedef struct {
    mg_lock lock;
    uint32_t writing;          /* between begin and end */
    uint32_t cells, buckets;   /* how many; cell 0 is none */
    uint32_t fresh;            /* cells from here on were never used */
    uint32_t free, free_count; /* cells given back */
    uint32_t newest, oldest;
    uint32_t hand;                             /* the bucket that is looked at next */
    uint64_t version;                          /* grows with each change */
    int64_t soonest_ms;                        /* nothing is past its time before; INT64_MAX: nothing ever */
    int64_t soonest_seen_ms;                   /* of this round of the hand */
    uint64_t items, evicted, expired, emptied; /* emptied: times it was found half-written */
} mg_shard;

typedef struct {
    const char *p;
    size_t n;
    uint32_t hash;
} mg_shard_key;

void mg_shard_init(mg_shard *s, size_t bytes); /* zeroed memory; bytes in all, a multiple of 64, at least 4096 */
void mg_shard_take(mg_shard *s);               /* the lock; mends what a killed process left */
void mg_shard_give(mg_shard *s);
void mg_shard_empty(mg_shard *s);

static inline void mg_shard_begin(mg_shard *s)
{
    s->writing = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* a kill falls between instructions: their order is what counts */
}

static inline void mg_shard_end(mg_shard *s)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    s->writing = 0;
}

static inline void *mg_shard_cell(mg_shard *s, uint32_t i)
{
    char *cells = (char *)s + ((sizeof(mg_shard) + (size_t)s->buckets * 4 + MG_CELL - 1) & ~(size_t)(MG_CELL - 1));
    return cells + (size_t)i * MG_CELL;
}

static inline uint32_t *mg_shard_buckets(mg_shard *s)
{
    return (uint32_t *)(void *)(s + 1);
}

/* The item, or 0: absent. One past its time is removed and so is absent. */
uint32_t mg_shard_find(mg_shard *s, mg_shard_key key, int64_t now_ms);
void mg_shard_use(mg_shard *s, uint32_t item); /* the newest from now on */
void mg_shard_remove(mg_shard *s, uint32_t item);
void mg_shard_expire(mg_shard *s, uint32_t item, int64_t expires_ms);

/* How many cells a head with `inside` bytes of room needs for n bytes. */
static inline uint64_t mg_shard_cells_for(size_t n, size_t inside)
{
    return n <= inside ? 1 : 1 + (n - inside + MG_CELL_MORE - 1) / MG_CELL_MORE;
}

/* Whether so many cells may belong to one item: half of all, so that one cannot push out everything. */
static inline bool mg_shard_may_hold(const mg_shard *s, uint64_t cells)
{
    return cells <= s->cells / 2;
}

/* Removes others until so many cells are free; false when only `keep` (0: none) is left. keep must be the newest. */
bool mg_shard_reserve(mg_shard *s, uint64_t cells, uint32_t keep, int64_t now_ms);
/* Cells that were reserved, chained through mg_cell.next. */
uint32_t mg_shard_take_cells(mg_shard *s, uint64_t count);
void mg_shard_free_chain(mg_shard *s, uint32_t first);
/* A new item with room for its key and n bytes of value; the key is written, the value is not. Its cells
 * must have been reserved and its key be absent. */
uint32_t mg_shard_make(mg_shard *s, mg_shard_key key, size_t n);

/* A place among bytes that go on from cell to cell. */
typedef struct {
    mg_shard *shard;
    char *at;
    size_t room;
    uint32_t next;
} mg_shard_run;
mg_shard_run mg_shard_run_value(mg_shard *s, uint32_t item); /* behind the key */
mg_shard_run mg_shard_run_key(mg_shard *s, uint32_t item);
void mg_shard_run_put(mg_shard_run *r, const char *p, size_t n);
void mg_shard_run_get(mg_shard_run *r, char *to, size_t n);

#endif
