/*
 * list: an intrusive ring of links; the head is a link itself.
 *
 *      head ⇄ a ⇄ b ⇄ c ⇄ head
 *
 * A link is embedded in its owner (MG_OWNER leads back). A link that is in no list points to
 * itself, so cutting it twice is harmless. Nothing is allocated.
 */
#ifndef MG_BASE_LIST_H
#define MG_BASE_LIST_H

#include "base/base.h"

typedef struct mg_link {
    struct mg_link *prev, *next;
} mg_link;

static inline void mg_list_init(mg_link *l)
{
    l->prev = l->next = l;
}

static inline bool mg_list_is_empty(const mg_link *head)
{
    return head->next == head;
}

static inline void mg_list_cut(mg_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    mg_list_init(l);
}

static inline void mg_list_append(mg_link *head, mg_link *l) /* at the tail */
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void mg_list_push(mg_link *head, mg_link *l) /* at the front */
{
    mg_list_append(head->next, l);
}

#define MG_LIST_EACH(l, head) for (mg_link *l = (head)->next; l != (head); l = l->next)
/* Safe when l is cut inside the loop. */
#define MG_LIST_EACH_SAFE(l, after, head) \
    for (mg_link *l = (head)->next, *after = l->next; l != (head); l = after, after = l->next)

#endif
