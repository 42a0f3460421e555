/*
 * arena: memory for many small things that end together.
 *
 *      page ─► page ─► page          bump inside the newest; reset gives all but the first back
 *
 * An exchange, a generation and other lifetimes each have one. Pages come from a per-process pool of
 * MG_ARENA_PAGE bytes; what does not fit has a page of its own from malloc. An arena has a cap:
 * mg_arena_try answers NULL past it, so that what a client sends cannot grow memory without bound.
 * mg_arena_alloc is for what the house itself adds, whose size is bounded by code (a date, an error page):
 * it may go past the cap by MG_ARENA_OWN bytes, so that an exchange whose memory is used up can still be
 * answered and logged. More than that is our own bug.
 *
 * Ownership: the arena owns all; nothing is freed singly. Not for use from two threads.
 */
#ifndef MG_BASE_ARENA_H
#define MG_BASE_ARENA_H

#include "base/str.h"

enum { MG_ARENA_PAGE = 4096, MG_ARENA_OWN = 8 * MG_ARENA_PAGE };

typedef struct mg_arena_page mg_arena_page;

typedef struct {
    mg_arena_page *pages; /* newest first */
    char *at, *end;       /* free room in the newest */
    size_t used, cap;     /* bytes of pages taken, and how many may be */
} mg_arena;

void mg_arena_init(mg_arena *a, size_t cap); /* takes no memory yet */
void mg_arena_fini(mg_arena *a);             /* all given back; may be used again after init */

/* size bytes aligned to 8 (0: a pointer all the same), or NULL when the cap is reached. */
void *mg_arena_try_slow(mg_arena *a, size_t size);
static inline void *mg_arena_try(mg_arena *a, size_t size)
{
    /* The room is a multiple of 8, so what fits also fits rounded up; 0 bytes go the slow way. */
    if (MG_LIKELY(size - 1 < (size_t)(a->end - a->at))) {
        void *got = a->at;
        a->at += (size + 7) & ~(size_t)7;
        return got;
    }
    return mg_arena_try_slow(a, size);
}

void *mg_arena_alloc(mg_arena *a, size_t size);  /* never NULL */
void *mg_arena_zalloc(mg_arena *a, size_t size); /* zeroed */
mg_str mg_arena_copy(mg_arena *a, mg_str s);     /* a copy with a NUL after it */
mg_str mg_arena_join(mg_arena *a, mg_str first, mg_str second);
mg_str mg_arena_print(mg_arena *a, const char *format, ...) MG_PRINTF(2, 3);

void mg_arena_trim_pool(void); /* gives pooled pages back to malloc (tests, idle workers) */

#endif
