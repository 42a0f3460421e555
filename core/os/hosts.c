#include "os/hosts.h"

#include "base/clock.h"
#include "base/map.h"
#include "os/file.h"

#include <sys/stat.h>

enum { ADDRS_MOST = 64 }; /* of one name */

typedef struct {
    int count, v4, room; /* the first v4 of count are IPv4 */
    mg_addr *addrs;
} entry;

typedef struct {
    mg_arena arena;
    mg_map names;
} table;

struct mg_hosts {
    char *path;
    table *now, *before;
    struct timespec changed;
    off_t size;
    int64_t looked_ms;
};

static table *free_table(table *t)
{
    if (t) {
        mg_map_fini(&t->names);
        mg_arena_fini(&t->arena);
        mg_free(t);
    }
    return NULL;
}

static void add_addr(table *t, entry *e, const mg_addr *a)
{
    for (int i = 0; i < e->count; i++)
        if (mg_addr_eq(&e->addrs[i], a))
            return;
    if (e->count == ADDRS_MOST)
        return;
    if (e->count == e->room) {
        e->room = e->room ? MG_MIN(e->room * 4, (int)ADDRS_MOST) : 2;
        mg_addr *more = mg_arena_alloc(&t->arena, (size_t)e->room * sizeof *more);
        if (e->count)
            memcpy(more, e->addrs, (size_t)e->count * sizeof *more);
        e->addrs = more;
    }
    int at = a->u.family == AF_INET ? e->v4++ : e->count;
    memmove(&e->addrs[at + 1], &e->addrs[at], (size_t)(e->count - at) * sizeof *e->addrs);
    e->addrs[at] = *a;
    e->count++;
}

static void add_name(table *t, mg_str name, const mg_addr *a)
{
    char *lower = mg_arena_alloc(&t->arena, name.n);
    for (size_t i = 0; i < name.n; i++)
        lower[i] = mg_lower(name.p[i]);
    mg_str key = {lower, name.n};
    entry *e = mg_map_get(&t->names, key);
    if (!e) {
        e = mg_arena_zalloc(&t->arena, sizeof *e);
        (void)mg_map_put(&t->names, key, e);
    }
    add_addr(t, e, a);
}

static mg_str cut(mg_str *rest, const char *ends)
{
    size_t n = 0;
    while (n < rest->n && !strchr(ends, rest->p[n]))
        n++;
    mg_str got = {rest->p, n};
    size_t more = n < rest->n;
    *rest = (mg_str){rest->p + n + more, rest->n - n - more};
    return got;
}

static mg_str next_word(mg_str *line)
{
    mg_str word = {NULL, 0};
    while (line->n && !word.n)
        word = cut(line, " \t\r\f\v");
    return word;
}

static void read_line(table *t, mg_str line)
{
    line = cut(&line, "#");
    mg_addr a;
    if (mg_addr_parse_ip(next_word(&line), &a) != MG_OK)
        return;
    for (mg_str name = next_word(&line); name.n; name = next_word(&line))
        add_name(t, name, &a);
}

static void read_file(mg_hosts *h)
{
    mg_arena text;
    mg_str all;
    table *t = mg_zalloc(sizeof *t);
    mg_arena_init(&text, SIZE_MAX);
    mg_arena_init(&t->arena, SIZE_MAX);
    mg_map_init(&t->names);
    if (mg_file_read(h->path, &text, MG_HOSTS_MOST, &all, NULL) == MG_OK)
        while (all.n)
            read_line(t, cut(&all, "\n"));
    mg_arena_fini(&text);
    (void)free_table(h->before);
    h->before = h->now;
    h->now = t;
}

static void look(mg_hosts *h)
{
    struct stat st = {0};
    int64_t now = mg_clock_ms();
    if (h->now && now - h->looked_ms < MG_HOSTS_LOOK_MS)
        return;
    h->looked_ms = now;
    (void)stat(h->path, &st); /* gone: an empty file of no time */
    if (h->now && st.st_size == h->size && st.st_mtim.tv_sec == h->changed.tv_sec &&
        st.st_mtim.tv_nsec == h->changed.tv_nsec)
        return;
    h->changed = st.st_mtim;
    h->size = st.st_size;
    read_file(h);
}

mg_hosts *mg_hosts_open(const char *path)
{
    mg_hosts *h = mg_zalloc(sizeof *h);
    h->path = mg_strdup(path);
    look(h);
    return h;
}

void mg_hosts_close(mg_hosts *h)
{
    if (!h)
        return;
    (void)free_table(h->now);
    (void)free_table(h->before);
    mg_free(h->path);
    mg_free(h);
}

static int find_loopback(const mg_addr **addrs)
{
    static mg_addr loopback[2];
    loopback[0].u.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    loopback[1].u.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    *addrs = loopback;
    return 2;
}

int mg_hosts_find(mg_hosts *h, mg_str name, const mg_addr **addrs)
{
    look(h);
    const entry *e = mg_map_get(&h->now->names, name);
    if (e) {
        *addrs = e->addrs;
        return e->count;
    }
    if (mg_str_eq(name, MG_STR("localhost")) || mg_str_ends(name, MG_STR(".localhost")))
        return find_loopback(addrs);
    return 0;
}
