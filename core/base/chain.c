#include "base/chain.h"

#include <limits.h>

enum { BLOCK_POOL_MOST = 512, SLICE_POOL_MOST = 1024 };

static mg_block *free_blocks;
static unsigned free_block_count;
static size_t blocks_in_use;
static mg_slice *free_slices;
static unsigned free_slice_count;

mg_block *mg_block_new(size_t room)
{
    size_t usual = MG_BLOCK_SIZE - sizeof(mg_block);
    mg_block *b = free_blocks;
    blocks_in_use++;
    if (room <= usual && b) {
        free_blocks = b->next_free;
        free_block_count--;
        b->holds = 1;
        b->used = 0;
        return b;
    }
    size_t size = MG_MAX(room, usual);
    MG_BUG_UNLESS(size <= UINT32_MAX);
    b = mg_alloc(sizeof *b + size);
    *b = (mg_block){.holds = 1, .size = (uint32_t)size, .pooled = room <= usual};
    return b;
}

void mg_block_drop(mg_block *b)
{
    if (!b)
        return;
    MG_BUG_UNLESS(b->holds > 0);
    if (--b->holds)
        return;
    blocks_in_use--;
    if (!b->pooled || free_block_count >= BLOCK_POOL_MOST) {
        mg_free(b);
        return;
    }
    b->next_free = free_blocks;
    free_blocks = b;
    free_block_count++;
}

void mg_block_trim_pool(void)
{
    while (free_blocks) {
        mg_block *b = free_blocks;
        free_blocks = b->next_free;
        mg_free(b);
    }
    free_block_count = 0;
    while (free_slices) {
        mg_slice *s = free_slices;
        free_slices = s->next;
        mg_free(s);
    }
    free_slice_count = 0;
}

size_t mg_block_count(void)
{
    return blocks_in_use;
}

static mg_slice *take_slice(void)
{
    mg_slice *s = free_slices;
    if (!s)
        return mg_alloc(sizeof *s);
    free_slices = s->next;
    free_slice_count--;
    return s;
}

static void give_slice(mg_slice *s)
{
    mg_block_drop(s->block);
    if (free_slice_count >= SLICE_POOL_MOST) {
        mg_free(s);
        return;
    }
    s->next = free_slices;
    free_slices = s;
    free_slice_count++;
}

void mg_chain_fini(mg_chain *c)
{
    while (c->first) {
        mg_slice *s = c->first;
        c->first = s->next;
        give_slice(s);
    }
    *c = (mg_chain){0};
}

/* Takes over one hold on b. */
static void add(mg_chain *c, mg_block *b, char *p, size_t n)
{
    mg_slice *s = take_slice();
    *s = (mg_slice){.block = b, .p = p, .n = n};
    if (c->last)
        c->last->next = s;
    else
        c->first = s;
    c->last = s;
    c->n += n;
}

void mg_chain_add_block(mg_chain *c, mg_block *b, char *p, size_t n)
{
    MG_BUG_UNLESS(p >= b->data && p + n <= b->data + b->size);
    if (!n)
        return;
    mg_slice *last = c->last;
    if (last && last->block == b && last->p + last->n == p) { /* goes on where the last one ends */
        last->n += n;
        c->n += n;
        return;
    }
    add(c, mg_block_hold(b), p, n);
}

void mg_chain_add_static(mg_chain *c, mg_str s)
{
    if (s.n)
        add(c, NULL, (char *)(uintptr_t)s.p, s.n);
}

/* The last slice ends where its block's filled part ends, and nobody else (a connection that reads into
 * it) holds the block: what follows may be written there. */
static bool can_extend(const mg_slice *s)
{
    return s && s->block && s->block->holds == 1 && s->p + s->n == s->block->data + s->block->used;
}

char *mg_chain_reserve(mg_chain *c, size_t room)
{
    if (!can_extend(c->last) || mg_block_room(c->last->block) < room) {
        mg_block *b = mg_block_new(room);
        add(c, b, b->data, 0);
    }
    return c->last->p + c->last->n;
}

void mg_chain_wrote(mg_chain *c, size_t n)
{
    MG_BUG_UNLESS(can_extend(c->last) && mg_block_room(c->last->block) >= n);
    c->last->block->used += (uint32_t)n;
    c->last->n += n;
    c->n += n;
}

void mg_chain_add_copy(mg_chain *c, mg_str s)
{
    while (s.n) {
        char *to = mg_chain_reserve(c, 1);
        size_t n = MG_MIN(s.n, mg_block_room(c->last->block));
        memcpy(to, s.p, n);
        mg_chain_wrote(c, n);
        s.p += n;
        s.n -= n;
    }
}

void mg_chain_move(mg_chain *to, mg_chain *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->n += from->n;
    *from = (mg_chain){0};
}

void mg_chain_move_some(mg_chain *to, mg_chain *from, size_t n)
{
    MG_BUG_UNLESS(n <= from->n);
    if (n == from->n) {
        mg_chain_move(to, from);
        return;
    }
    while (n) {
        mg_slice *s = from->first;
        size_t part = MG_MIN(n, s->n);
        if (part < s->n) {
            add(to, s->block ? mg_block_hold(s->block) : NULL, s->p, part);
            s->p += part;
            s->n -= part;
        } else {
            from->first = s->next;
            if (!from->first)
                from->last = NULL;
            s->next = NULL;
            if (to->last)
                to->last->next = s;
            else
                to->first = s;
            to->last = s;
            to->n += part;
        }
        from->n -= part;
        n -= part;
    }
}

void mg_chain_copy_some(mg_chain *to, mg_chain *from, size_t n)
{
    MG_BUG_UNLESS(n <= from->n);
    while (n) {
        size_t part = MG_MIN(n, from->first->n);
        mg_chain_add_copy(to, (mg_str){from->first->p, part});
        mg_chain_eat(from, part);
        n -= part;
    }
}

void mg_chain_eat(mg_chain *c, size_t n)
{
    MG_BUG_UNLESS(n <= c->n);
    c->n -= n;
    while (c->first && n >= c->first->n) {
        mg_slice *s = c->first;
        n -= s->n;
        c->first = s->next;
        give_slice(s);
    }
    if (!c->first)
        c->last = NULL;
    if (n) {
        c->first->p += n;
        c->first->n -= n;
    }
}

int mg_chain_iov(const mg_chain *c, struct iovec *iov, int most)
{
    int count = 0;
    for (const mg_slice *s = c->first; s && count < most; s = s->next)
        if (s->n)
            iov[count++] = (struct iovec){s->p, s->n};
    return count;
}

size_t mg_chain_copy_out(const mg_chain *c, char *to, size_t most)
{
    size_t done = 0;
    for (const mg_slice *s = c->first; s && done < most; s = s->next) {
        size_t n = MG_MIN(s->n, most - done);
        memcpy(to + done, s->p, n);
        done += n;
    }
    return done;
}
