/*
 * map: from a string to a pointer, by open addressing.
 *
 *      slots: [ hash key value ][ empty ][ … ]     a power of two, at most 3/4 full
 *
 * Keys are borrowed: they must outlive the map (they mostly lie in a generation's arena). The hash
 * is seeded once per process from the kernel's random numbers, so nobody outside can choose keys
 * that collide.
 */
#ifndef MG_BASE_MAP_H
#define MG_BASE_MAP_H

#include "base/str.h"

typedef struct {
    uint64_t hash;
    mg_str key;
    void *value; /* NULL: empty */
} mg_map_slot;

typedef struct {
    mg_map_slot *slots;
    size_t size, count;
} mg_map;

uint64_t mg_hash(mg_str s);               /* seeded; differs from process to process */
void mg_map_init(mg_map *m);              /* takes no memory yet */
void mg_map_fini(mg_map *m);
void *mg_map_get(const mg_map *m, mg_str key); /* NULL when absent */
void *mg_map_put(mg_map *m, mg_str key, void *value); /* value not NULL; returns what stood there */
void *mg_map_remove(mg_map *m, mg_str key);           /* returns what stood there, or NULL */

/* for (size_t i = 0; (slot = mg_map_next(m, &i)); ) … */
const mg_map_slot *mg_map_next(const mg_map *m, size_t *i);

#endif
