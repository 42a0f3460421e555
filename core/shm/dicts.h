/*
 * dicts: the shared dictionaries that a process has, and the memory of each.
 *
 *      mg_dicts ─► mg_dict "limits" ───► [ head | shard 0 | shard 1 | … ]
 *                  mg_dict "sessions" ─► [ head | shard 0 | … ]
 *
 * Each dictionary has one region of memory behind a descriptor. The master makes them before it forks;
 * those made on a later reload go to the living workers as descriptors (mg_dict_fd, then mg_socket_send_fds,
 * there mg_dicts_attach), and an upgraded master may get them the same way. The descriptor is sealed
 * against shrinking, so that no process can take pages from under another.
 *
 * A region is a head of one page and 1 to 64 shards, a power of two, of at least half a megabyte unless the
 * dictionary is smaller. Memory that is never touched costs nothing.
 *
 * Ownership: mg_dicts owns the mappings and descriptors of this process; the memory goes when the last
 * process has let go of it. A dictionary stays until then, also when no configuration names it any more.
 */
#ifndef MG_SHM_DICTS_H
#define MG_SHM_DICTS_H

#include "base/err.h"
#include "shm/hash.h"
#include "shm/shard.h"

enum { MG_DICT_NAME = 64, MG_DICT_SHARDS = 64, MG_DICT_LEAST_BYTES = 64 * 1024 };

typedef struct mg_dict mg_dict;
typedef struct mg_dicts mg_dicts;

mg_dicts *mg_dicts_new(void);
void mg_dicts_free(mg_dicts *all); /* unmaps them; NULL is fine */
/* The dictionary of this name, made if there is none. One that exists keeps its size, whatever is asked. A
 * size is rounded up to pages and to MG_DICT_LEAST_BYTES. NULL with a sentence. */
mg_dict *mg_dicts_open(mg_dicts *all, mg_str name, uint64_t bytes, mg_err *err);
/* One that another process made, by its descriptor, which is taken; it tells its name itself. When there is
 * one by this name already, that one stays. NULL with a sentence when it is no dictionary of this layout. */
mg_dict *mg_dicts_attach(mg_dicts *all, int fd, mg_err *err);
mg_dict *mg_dicts_find(const mg_dicts *all, const char *name, size_t name_n); /* NULL: none */
mg_dict *mg_dicts_at(const mg_dicts *all, size_t i); /* in the order of their making; NULL behind the last */
int mg_dict_fd(const mg_dict *d);                    /* borrowed */
mg_str mg_dict_name(const mg_dict *d);
uint64_t mg_dict_bytes(const mg_dict *d); /* of the whole region */

/* For dict.c: where a key's shard is. */
typedef struct {
    char magic[8];
    uint32_t layout; /* of the head and the shards */
    uint32_t shards;
    uint64_t bytes, shard_bytes;
    mg_shm_seed seed;
    uint32_t name_n;
    char name[MG_DICT_NAME];
} mg_dict_region;

struct mg_dict {
    mg_dict_region *region;
    int fd;
};

enum { MG_DICT_HEAD = 4096, MG_DICT_SHARD_LEAST = 512 * 1024 };

static inline mg_shard *mg_dict_shard(const mg_dict *d, uint32_t i)
{
    return (mg_shard *)(void *)((char *)d->region + MG_DICT_HEAD + (size_t)i * d->region->shard_bytes);
}

#endif
