/*
 * chain: bytes on their way, as slices of shared blocks that are moved, not copied.
 *
 *      chain ─► link ─────► link ─────► link            a link is a slice of one block;
 *                │            │           │             several links may share a block
 *              [block 1]    [ block 2 .......... ]
 *
 * A block is counted memory that a socket was read into (MG_BLOCK_SIZE with its header, from a
 * per-process pool, most recently used first so that it is warm; larger ones from malloc). Bytes
 * once written into a block do not move, so slices into it (a parsed head, body pieces) stay good as
 * long as somebody holds the block. A chain is a queue of slices; moving bytes from one chain to
 * another moves links.
 *
 * Ownership: a chain holds its blocks. mg_chain_fini gives all back. Not for two threads.
 */
#ifndef MG_BASE_CHAIN_H
#define MG_BASE_CHAIN_H

#include "base/str.h"

#include <sys/uio.h>

enum { MG_BLOCK_SIZE = 16 * 1024 };

typedef struct mg_block {
    uint32_t holds;    /* how many hold it */
    uint32_t size;     /* bytes of data[] */
    uint32_t used;     /* bytes filled so far: [used, size) is room */
    uint32_t pooled;   /* of the pooled size */
    struct mg_block *next_free;
    char data[];
} mg_block;

mg_block *mg_block_new(size_t room);  /* with at least room bytes; room 0: the pooled size */
static inline mg_block *mg_block_hold(mg_block *b)
{
    b->holds++;
    return b;
}
void mg_block_drop(mg_block *b);      /* NULL is fine */
static inline size_t mg_block_room(const mg_block *b)
{
    return b->size - b->used;
}
void mg_block_trim_pool(void);        /* gives free blocks back to malloc */
size_t mg_block_count(void);          /* blocks in use by this process (for numbers and tests) */

typedef struct mg_slice {
    struct mg_slice *next;
    mg_block *block; /* held; NULL: the bytes are static and outlive everything */
    char *p;
    size_t n;
} mg_slice;

typedef struct {
    mg_slice *first, *last;
    size_t n; /* bytes in all */
} mg_chain;

static inline bool mg_chain_is_empty(const mg_chain *c)
{
    return c->n == 0;
}

void mg_chain_fini(mg_chain *c);                                     /* drops all; empty again */
void mg_chain_add_block(mg_chain *c, mg_block *b, char *p, size_t n); /* holds b once more */
void mg_chain_add_static(mg_chain *c, mg_str s);                     /* not copied: must outlive the chain */
void mg_chain_add_copy(mg_chain *c, mg_str s);                       /* copied into blocks */
void mg_chain_move(mg_chain *to, mg_chain *from);                    /* all of it */
void mg_chain_move_some(mg_chain *to, mg_chain *from, size_t n);     /* the first n bytes, n <= from->n */
void mg_chain_copy_some(mg_chain *to, mg_chain *from, size_t n);     /* the same by copying: for a few bytes behind others */
void mg_chain_eat(mg_chain *c, size_t n);                            /* the first n bytes are done with */

/* Room at the tail to write into directly, at least `room` bytes contiguous; after writing n bytes,
 * mg_chain_wrote(c, n). The pointer is good until the next call on c. */
char *mg_chain_reserve(mg_chain *c, size_t room);
void mg_chain_wrote(mg_chain *c, size_t n);

int mg_chain_iov(const mg_chain *c, struct iovec *iov, int most);    /* how many were filled */
size_t mg_chain_copy_out(const mg_chain *c, char *to, size_t most);  /* bytes copied; chain unchanged */

#endif
