#include "shm/queue.h"

_Static_assert(sizeof(mg_element) == MG_CELL && sizeof(mg_queue) == MG_CELL, "each is one cell");
_Static_assert(offsetof(mg_element, more) == offsetof(mg_cell, next), "an element and its bytes are one chain");
_Static_assert(offsetof(mg_queue, next) == offsetof(mg_cell, next), "a queue is a chain of one");

uint32_t mg_queue_new(mg_shard *s)
{
    uint32_t queue = mg_shard_take_cells(s, 1);
    *(mg_queue *)mg_shard_cell(s, queue) = (mg_queue){.cells = 1};
    return queue;
}

void mg_queue_free(mg_shard *s, uint32_t queue)
{
    const mg_queue *q = mg_shard_cell(s, queue);
    for (uint32_t i = q->first, next; i; i = next) {
        next = ((mg_element *)mg_shard_cell(s, i))->next;
        mg_shard_free_chain(s, i);
    }
    mg_shard_free_chain(s, queue);
}

mg_element *mg_queue_push(mg_shard *s, uint32_t queue, bool left, size_t n)
{
    mg_queue *q = mg_shard_cell(s, queue);
    uint64_t cells = mg_shard_cells_for(n, MG_QUEUE_INSIDE);
    uint32_t i = mg_shard_take_cells(s, cells), *end = left ? &q->first : &q->last;
    mg_element *e = mg_shard_cell(s, i);
    *e = (mg_element){.more = e->more, .prev = left ? 0 : *end, .next = left ? *end : 0, .n = n};
    if (*end) {
        mg_element *neighbour = mg_shard_cell(s, *end);
        *(left ? &neighbour->prev : &neighbour->next) = i;
    } else {
        q->first = q->last = i;
    }
    *end = i;
    q->length++;
    q->cells += cells;
    return e;
}

mg_element *mg_queue_end(mg_shard *s, uint32_t queue, bool left)
{
    const mg_queue *q = mg_shard_cell(s, queue);
    uint32_t i = left ? q->first : q->last;
    return i ? mg_shard_cell(s, i) : NULL;
}

void mg_queue_pop(mg_shard *s, uint32_t queue, bool left)
{
    mg_queue *q = mg_shard_cell(s, queue);
    uint32_t i = left ? q->first : q->last;
    const mg_element *e = mg_shard_cell(s, i);
    uint32_t neighbour = left ? e->next : e->prev;
    *(left ? &q->first : &q->last) = neighbour;
    if (neighbour) {
        mg_element *end = mg_shard_cell(s, neighbour);
        *(left ? &end->prev : &end->next) = 0;
    } else {
        q->first = q->last = 0;
    }
    q->length--;
    q->cells -= mg_shard_cells_for(e->n, MG_QUEUE_INSIDE);
    mg_shard_free_chain(s, i);
}

mg_shard_run mg_queue_bytes(mg_shard *s, mg_element *e)
{
    return (mg_shard_run){s, e->inside, MG_QUEUE_INSIDE, e->more};
}
