#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

struct mg_arena_page {
    mg_arena_page *next;
    size_t size; /* of the whole page */
};

enum { POOL_MOST = 256 };

static mg_arena_page *pool;
static unsigned pooled;

static mg_arena_page *take_page(size_t size)
{
    mg_arena_page *page = pool;
    if (size == MG_ARENA_PAGE && page) {
        pool = page->next;
        pooled--;
        return page;
    }
    page = mg_alloc(size);
    page->size = size;
    return page;
}

static void give_page(mg_arena_page *page)
{
    if (page->size != MG_ARENA_PAGE || pooled >= POOL_MOST) {
        mg_free(page);
        return;
    }
    page->next = pool;
    pool = page;
    pooled++;
}

void mg_arena_trim_pool(void)
{
    while (pool) {
        mg_arena_page *page = pool;
        pool = page->next;
        mg_free(page);
    }
    pooled = 0;
}

void mg_arena_init(mg_arena *a, size_t cap)
{
    *a = (mg_arena){.cap = cap};
}

void mg_arena_fini(mg_arena *a)
{
    while (a->pages) {
        mg_arena_page *page = a->pages;
        a->pages = page->next;
        give_page(page);
    }
    a->at = a->end = NULL;
    a->used = 0;
}

static void *take_room(mg_arena *a, size_t size, size_t cap)
{
    if (size > SIZE_MAX - MG_ARENA_PAGE)
        return NULL;
    size = (size + 7) & ~(size_t)7;
    size_t room = MG_ARENA_PAGE - sizeof(mg_arena_page);
    bool own = size > room / 2;
    size_t whole = own ? size + sizeof(mg_arena_page) : MG_ARENA_PAGE;
    if (whole < size || whole > cap || a->used > cap - whole)
        return NULL;
    mg_arena_page *page = take_page(whole);
    char *data = (char *)(page + 1);
    a->used += whole;
    if (own && a->pages) { /* behind the newest, whose room is still good */
        page->next = a->pages->next;
        a->pages->next = page;
        return data;
    }
    page->next = a->pages;
    a->pages = page;
    a->at = data + size;
    a->end = (char *)page + whole;
    return data;
}

void *mg_arena_try_slow(mg_arena *a, size_t size)
{
    return size ? take_room(a, size, a->cap) : mg_arena_try(a, 1);
}

void *mg_arena_alloc(mg_arena *a, size_t size)
{
    void *got = mg_arena_try(a, size);
    if (MG_UNLIKELY(!got))
        got = take_room(a, MG_MAX(size, (size_t)1), a->cap + MG_MIN((size_t)MG_ARENA_OWN, SIZE_MAX - a->cap));
    MG_BUG_UNLESS(got != NULL);
    return got;
}

void *mg_arena_zalloc(mg_arena *a, size_t size)
{
    return memset(mg_arena_alloc(a, size), 0, size);
}

mg_str mg_arena_copy(mg_arena *a, mg_str s)
{
    return mg_arena_join(a, s, MG_STR_NONE);
}

mg_str mg_arena_join(mg_arena *a, mg_str first, mg_str second)
{
    char *p = mg_arena_alloc(a, first.n + second.n + 1);
    if (first.n)
        memcpy(p, first.p, first.n);
    if (second.n)
        memcpy(p + first.n, second.p, second.n);
    p[first.n + second.n] = '\0';
    return (mg_str){p, first.n + second.n};
}

mg_str mg_arena_print(mg_arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    MG_BUG_UNLESS(n >= 0);
    char *p = mg_arena_alloc(a, (size_t)n + 1);
    (void)vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return (mg_str){p, (size_t)n};
}
