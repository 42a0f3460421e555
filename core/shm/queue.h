/*
 * queue: a list of values inside an item of a shard, taken from and added to at both ends.
 *
 *      item ─► [ first last length ] ─► element ⇄ element ⇄ element
 *                                         └─ more ─► cell
 *
 * An element keeps 32 bytes of a string in its own cell and goes on in further cells. A queue and all
 * that is in it belong to its item: they are removed together.
 */
#ifndef MG_SHM_QUEUE_H
#define MG_SHM_QUEUE_H

#include "shm/shard.h"

enum { MG_QUEUE_INSIDE = 32 };

typedef struct {
    uint32_t more; /* where a cell has `next`: a chain of an element and its bytes is one chain */
    uint32_t prev, next;
    uint32_t type; /* the dictionary's */
    uint64_t n;    /* bytes of a string */
    double number;
    char inside[MG_QUEUE_INSIDE];
} mg_element;

typedef struct {
    uint32_t next; /* 0 */
    uint32_t first, last;
    uint32_t unused;
    uint64_t length, cells;
    char rest[32];
} mg_queue;

uint32_t mg_queue_new(mg_shard *s); /* of one reserved cell; empty */
void mg_queue_free(mg_shard *s, uint32_t queue);
/* A new element for n bytes at the left or right end; its cells were reserved. To be filled by the caller. */
mg_element *mg_queue_push(mg_shard *s, uint32_t queue, bool left, size_t n);
mg_element *mg_queue_end(mg_shard *s, uint32_t queue, bool left); /* NULL when empty */
void mg_queue_pop(mg_shard *s, uint32_t queue, bool left);        /* not empty */
mg_shard_run mg_queue_bytes(mg_shard *s, mg_element *e);

#endif
