#include "upstream/pool.h"

#include "base/map.h"

typedef struct mg_pool_place {
    mg_pool *pool;
    mg_str key;
    mg_link idle; /* newest first */
    uint32_t count;
    uint32_t keep, requests;
    int64_t idle_ms;
    mg_stats_row *peer_stats, *upstream_stats; /* where its idle ones are counted; may be NULL */
} place;

struct mg_pool {
    mg_dns *dns;
    mg_map places;
    uint32_t idle;
};

mg_pool *mg_pool_new(mg_dns *dns)
{
    mg_pool *p = mg_zalloc(sizeof *p);
    p->dns = dns;
    mg_map_init(&p->places);
    return p;
}

uint32_t mg_pool_idle(const mg_pool *p)
{
    return p->idle;
}

void mg_pool_use_dns(mg_pool *p, mg_dns *dns)
{
    p->dns = dns;
}

mg_dns *mg_pool_dns(const mg_pool *p)
{
    return p->dns;
}

static void count(place *at, int by)
{
    at->count += (uint32_t)by;
    at->pool->idle += (uint32_t)by;
    if (at->peer_stats)
        at->peer_stats->idle += by;
    if (at->upstream_stats)
        at->upstream_stats->idle += by;
}

static mg_h1_client *take_newest(place *at)
{
    mg_link *l = at->idle.next;
    mg_list_cut(l);
    count(at, -1);
    return mg_h1_client_of_link(l);
}

static void drop_idle(place *at)
{
    while (at->count)
        mg_h1_client_close(take_newest(at));
}

void mg_pool_drop_idle(mg_pool *p)
{
    size_t i = 0;
    for (const mg_map_slot *slot; (slot = mg_map_next(&p->places, &i));)
        drop_idle(slot->value);
}

void mg_pool_free(mg_pool *p)
{
    if (!p)
        return;
    mg_pool_drop_idle(p);
    size_t i = 0;
    for (const mg_map_slot *slot; (slot = mg_map_next(&p->places, &i));) {
        place *at = slot->value;
        mg_free((char *)(uintptr_t)at->key.p);
        mg_free(at);
    }
    mg_map_fini(&p->places);
    mg_free(p);
}

static place *make_place(mg_pool *p, mg_str key)
{
    place *at = mg_zalloc(sizeof *at);
    char *text = mg_alloc(key.n + 1);
    memcpy(text, key.p, key.n);
    text[key.n] = '\0';
    at->pool = p;
    at->key = (mg_str){text, key.n};
    mg_list_init(&at->idle);
    mg_map_put(&p->places, at->key, at);
    return at;
}

/* One spelling for one address. */
static place *find_place(mg_pool *p, const mg_peer *peer)
{
    char room[MG_ADDR_ROOM];
    mg_str key = peer->name;
    if (peer->addr.u.family == AF_INET || peer->addr.u.family == AF_INET6)
        key = (mg_str){room, mg_addr_print(&peer->addr, room)};
    place *at = mg_map_get(&p->places, key);
    return at ? at : make_place(p, key);
}

static place *place_of(mg_pool *p, mg_peer *peer)
{
    const mg_upstream_options *o = &peer->upstream->options;
    place *at = peer->place;
    if (MG_UNLIKELY(!at || at->pool != p))
        at = peer->place = find_place(p, peer);
    at->keep = o->keepalive;
    at->requests = o->keepalive_requests;
    at->idle_ms = o->keepalive_idle_ms;
    /* Not while some are counted there: they are to be taken off the same rows. */
    if (!at->count) {
        at->peer_stats = peer->stats;
        at->upstream_stats = peer->upstream->stats;
    }
    return at;
}

static void on_idle(mg_h1_client *c, void *arg)
{
    place *at = arg;
    if (at->count >= at->keep || (at->requests && mg_h1_client_requests(c) >= at->requests)) {
        mg_h1_client_close(c);
        return;
    }
    mg_list_push(&at->idle, mg_h1_client_link(c));
    count(at, 1);
    mg_h1_client_idle_for(c, at->idle_ms);
}

static void on_gone(mg_h1_client *c, void *arg)
{
    mg_list_cut(mg_h1_client_link(c));
    count(arg, -1);
}

mg_h1_client *mg_pool_take(mg_pool *p, mg_peer *peer)
{
    place *at = place_of(p, peer);
    while (at->count) {
        mg_h1_client *c = take_newest(at);
        if (mg_h1_client_is_fit(c))
            return c;
        mg_h1_client_close(c);
    }
    return NULL;
}

mg_h1_client *mg_pool_make(mg_pool *p, mg_peer *peer, int fd)
{
    place *at = place_of(p, peer);
    mg_h1_client *c = mg_h1_client_new(fd);
    mg_h1_client_on_idle(c, on_idle, at);
    mg_h1_client_on_gone(c, on_gone, at);
    return c;
}
