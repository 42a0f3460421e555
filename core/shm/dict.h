/*
 * dict: a dictionary that all workers share and that outlives reloads.
 *
 *      hash of the key ─► shard ─► lock ─► item          which memory: dicts.h; what a shard is: shard.h
 *
 * Values are nil (absent), booleans, numbers and strings; a key may also hold a list of them, a queue with
 * two ends. When a shard is full, items past their time and then those not used for longest make room. One
 * item may fill half a shard: MG_DICT_FULL beyond that.
 *
 * Times are milliseconds on the monotonic clock as of this turn of the loop; a TTL of 0 is for ever. Each
 * operation is whole or not at all for all processes; one that is killed inside costs at most the content
 * of one shard and blocks nobody.
 *
 * The operations take scalars and pointers only: Lua calls them by FFI. They return an mg_dict_rc as int.
 * Strings are copied in and out; nothing of the caller's is kept.
 */
#ifndef MG_SHM_DICT_H
#define MG_SHM_DICT_H

#include "shm/dicts.h"

typedef enum {
    MG_DICT_OK = 0,
    MG_DICT_ABSENT = 1,  /* no such key */
    MG_DICT_EXISTS = 2,  /* add: it is there already */
    MG_DICT_CHANGED = 3, /* cas: the version is another by now */
    MG_DICT_ROOM = 4,    /* the buffer is too small; n says how large it has to be */
    MG_DICT_TYPE = -1,   /* not a number, not a list, or a list */
    MG_DICT_FULL = -2,   /* more than half a shard */
    MG_DICT_KEY = -3     /* longer than MG_DICT_KEY_MOST */
} mg_dict_rc;

typedef enum { MG_DICT_NIL, MG_DICT_BOOLEAN, MG_DICT_NUMBER, MG_DICT_STRING, MG_DICT_LIST } mg_dict_type;

/* How a value is stored: whatever is there, only if nothing is, only if something is, only if it is still
 * of that version (0: nothing is there). */
typedef enum { MG_DICT_SET, MG_DICT_ADD, MG_DICT_REPLACE, MG_DICT_CAS } mg_dict_how;

enum { MG_DICT_KEY_MOST = 65535 };

/* What was found. */
typedef struct {
    int32_t type; /* mg_dict_type; MG_DICT_LIST: n is its length */
    int32_t unused;
    double number;    /* of a boolean: 0 or 1 */
    uint64_t n;       /* bytes of a string */
    uint64_t version; /* for MG_DICT_CAS; never 0 */
    int64_t ttl_ms;   /* what is left; 0: for ever */
} mg_dict_found;

/* What a dictionary has come to. */
typedef struct {
    uint64_t items;                  /* some may be past their time, but not removed yet */
    uint64_t used_bytes, size_bytes; /* of cells in use; of the whole region */
    uint64_t evicted;                /* still good, but room was needed */
    uint64_t expired;
    uint64_t emptied; /* shards that a killed process left half-written */
    uint64_t shards;
} mg_dict_numbers;

/* ---- values ---- */

/* A string goes into to[room]; when it is longer, MG_DICT_ROOM and out->n: call again with that room. A
 * list is MG_DICT_TYPE, with its length. The key counts as used. */
int mg_dict_get(mg_dict *d, const char *key, size_t key_n, char *to, size_t room, mg_dict_found *out);
/* type BOOLEAN, NUMBER: `number`; STRING: p[n]; NIL: removes the key (OK also when absent, unless REPLACE or
 * CAS). A list is replaced as well. `version` is for CAS alone. */
int mg_dict_put(mg_dict *d, int how, const char *key, size_t key_n, int type, double number, const char *p, size_t n,
                int64_t ttl_ms, uint64_t version);
/* Adds and says what came of it. An absent key begins with `init` and gets the TTL, or is ABSENT when init is
 * NaN; an existing one keeps its TTL. */
int mg_dict_incr(mg_dict *d, const char *key, size_t key_n, double by, double init, int64_t ttl_ms, double *out);
int mg_dict_touch(mg_dict *d, const char *key, size_t key_n, int64_t ttl_ms); /* a new TTL; the key counts as used */
int mg_dict_ttl(mg_dict *d, const char *key, size_t key_n, int64_t *ttl_ms);  /* 0: for ever */
int mg_dict_delete(mg_dict *d, const char *key, size_t key_n);
void mg_dict_flush(mg_dict *d); /* everything */

/* ---- lists ---- */

/* left: 1 or 0 (right). An absent key becomes a list, with the TTL unless 0; an existing one keeps its own
 * unless ttl_ms is not 0. *length: with this one. NIL is MG_DICT_TYPE. */
int mg_dict_push(mg_dict *d, int left, const char *key, size_t key_n, int type, double number, const char *p, size_t n,
                 int64_t ttl_ms, uint64_t *length);
/* Takes the value out; out->version is 0. MG_DICT_ROOM takes nothing. The last one takes the key with it. */
int mg_dict_pop(mg_dict *d, int left, const char *key, size_t key_n, char *to, size_t room, mg_dict_found *out);
int mg_dict_length(mg_dict *d, const char *key, size_t key_n, uint64_t *length);

/* ---- all of it ---- */

/* A page of keys into to[room], each as a uint32_t of its length and its bytes, without padding; *count of
 * them. *cursor is 0 at first and 0 again after the last page; a page may be empty before. A key that is there
 * from the first page to the last comes exactly once. MG_DICT_ROOM: *needed bytes are for the next page. */
int mg_dict_keys(mg_dict *d, uint64_t *cursor, char *to, size_t room, uint64_t *count, uint64_t *needed);
void mg_dict_count(mg_dict *d, mg_dict_numbers *out);

/* For tests: what time it is, in place of mg_clock_ms. NULL: as before. */
void mg_dict_set_clock(int64_t (*now_ms)(void));

#endif
