#include "upstream/upstream.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

static const mg_upstream_options DEFAULTS = {
    .connect_ms = 5000, .response_ms = 60000, .body_ms = 60000, .attempts = 2, .retry_connect = true,
    .retry_reset = true, .keepalive = 64, .keepalive_idle_ms = 55000, .keepalive_requests = 10000, .fails = 3,
    .within_ms = 10000, .pause_ms = 10000,
};

mg_upstream *mg_upstream_new(mg_arena *arena, mg_str name, const mg_upstream_options *o)
{
    mg_upstream *u = mg_arena_zalloc(arena, sizeof *u);
    u->name = name;
    u->options = o ? *o : DEFAULTS;
    u->arena = arena;
    return u;
}

/* ---- servers ------------------------------------------------------------------------------------- */

static bool is_host_name(mg_str host)
{
    if (!host.n || host.n > 253)
        return false;
    for (size_t i = 0; i < host.n; i++) {
        char c = mg_lower(host.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return true;
}

static mg_str lower_copy(mg_arena *arena, mg_str s)
{
    mg_str copy = mg_arena_copy(arena, s);
    char *to = (char *)(uintptr_t)copy.p;
    for (size_t i = 0; i < copy.n; i++)
        to[i] = mg_lower(to[i]);
    return copy;
}

static mg_rc read_server(mg_upstream *u, mg_peer *p, mg_err *err)
{
    mg_str host;
    if (mg_str_starts(p->name, MG_STR("unix:"))) {
        if (mg_addr_parse(p->name.p, &p->addr) != MG_OK)
            return mg_err_set(err, "\"%s\" is no UNIX socket: \"unix:/path\", at most %d bytes", p->name.p,
                              MG_ADDR_PATH_MOST);
        return MG_OK;
    }
    if (mg_addr_split(p->name, &host, &p->port) != MG_OK || !p->port)
        return mg_err_set(err, "\"%s\" is no server: \"host:port\", \"[::1]:port\" or \"unix:/path\"", p->name.p);
    /* Both stand for every address, which is for listeners. */
    if (!host.n || mg_str_eq(host, MG_STR("*")))
        return mg_err_set(err, "\"%s\" says no host", p->name.p);
    p->host = lower_copy(u->arena, host);
    if (mg_addr_parse(p->name.p, &p->addr) == MG_OK)
        return MG_OK;
    p->addr = (mg_addr){0};
    if (!is_host_name(host))
        return mg_err_set(err, "\"%.*s\" is no host name", MG_STR_ARG(host));
    return MG_OK;
}

static void grow(mg_upstream *u)
{
    uint32_t room = u->peer_room ? u->peer_room * 2 : 4;
    mg_peer *peers = mg_arena_alloc(u->arena, room * sizeof *peers);
    if (u->peer_count)
        memcpy(peers, u->peers, u->peer_count * sizeof *peers);
    u->peers = peers;
    u->peer_room = room;
}

mg_rc mg_upstream_add(mg_upstream *u, mg_str server, uint32_t weight, bool backup, mg_err *err)
{
    mg_peer p = {.upstream = u, .index = u->peer_count, .weight = weight, .backup = backup};
    p.name = mg_arena_copy(u->arena, server);
    mg_rc rc = read_server(u, &p, err);
    if (rc != MG_OK)
        return rc;
    if (u->peer_count == u->peer_room)
        grow(u);
    u->peers[u->peer_count++] = p;
    u->seated = false;
    return MG_OK;
}

/* ---- rings --------------------------------------------------------------------------------------- */

static void seat(mg_upstream *u, mg_ring *ring, bool backup)
{
    uint32_t start = ring->next;
    *ring = (mg_ring){.equal = true};
    ring->seats = mg_arena_alloc(u->arena, u->peer_count * sizeof *ring->seats);
    for (uint32_t i = 0; i < u->peer_count; i++) {
        const mg_peer *p = &u->peers[i];
        if (p->backup != backup || !p->weight)
            continue;
        ring->seats[ring->count++] = (struct mg_seat){.peer = i, .weight = p->weight};
        ring->equal = ring->equal && p->weight == ring->seats[0].weight;
    }
    ring->next = ring->count ? start % ring->count : 0;
}

static void seat_all(mg_upstream *u)
{
    if (!u->peer_count)
        return;
    seat(u, &u->servers, false);
    seat(u, &u->backups, true);
    u->seated = true;
}

void mg_upstream_use_stats(mg_upstream *u, mg_stats *stats, int worker)
{
    u->stats = mg_stats_row_of(stats, MG_STATS_UPSTREAM, u->name, worker);
    for (uint32_t i = 0; i < u->peer_count; i++) {
        char name[MG_STATS_NAME];
        int n = snprintf(name, sizeof name, "%.*s %.*s", MG_STR_ARG(u->name), MG_STR_ARG(u->peers[i].name));
        mg_str series = {name, MG_MIN((size_t)MG_MAX(n, 0), sizeof name - 1)};
        u->peers[i].stats = mg_stats_row_of(stats, MG_STATS_PEER, series, worker);
    }
    /* So that workers do not all ask the first server first. */
    u->servers.next = u->backups.next = (uint32_t)worker;
    u->seated = false;
}

/* ---- picks --------------------------------------------------------------------------------------- */

/* What a round may take. */
typedef struct {
    uint64_t not_these;
    bool paused; /* those that are left out, too */
} choice;

static bool may_take(const mg_upstream *u, const mg_peer *p, choice c)
{
    return !(mg_peer_bit(p) & c.not_these) && (!u->paused || c.paused || !mg_peer_is_paused(p));
}

/* Plain round robin: the first from `next` on that may be taken. */
static mg_peer *take_in_turn(mg_upstream *u, mg_ring *ring, choice c)
{
    for (uint32_t i = 0, at = ring->next; i < ring->count; i++) {
        mg_peer *p = &u->peers[ring->seats[at].peer];
        at = at + 1 == ring->count ? 0 : at + 1;
        if (may_take(u, p, c)) {
            ring->next = at;
            return p;
        }
    }
    return NULL;
}

/* Smooth weighted round robin: all that may be taken gain their weight, the one with most is taken and pays
 * what all gained together. */
static mg_peer *take_by_weight(mg_upstream *u, mg_ring *ring, choice c)
{
    bool all = !u->paused && !c.not_these;
    struct mg_seat *best = NULL;
    int32_t gained = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        struct mg_seat *s = &ring->seats[i];
        if (!all && !may_take(u, &u->peers[s->peer], c))
            continue;
        s->current += (int32_t)s->weight;
        gained += (int32_t)s->weight;
        if (!best || s->current > best->current)
            best = s;
    }
    if (!best)
        return NULL;
    best->current -= gained;
    return &u->peers[best->peer];
}

static mg_peer *take(mg_upstream *u, choice c)
{
    mg_ring *rings[] = {&u->servers, &u->backups};
    mg_peer *p = NULL;
    for (size_t i = 0; i < MG_COUNT(rings) && !p; i++)
        p = rings[i]->equal ? take_in_turn(u, rings[i], c) : take_by_weight(u, rings[i], c);
    return p;
}

mg_peer *mg_upstream_pick(mg_upstream *u, uint64_t tried, bool again)
{
    if (!u->seated)
        seat_all(u);
    mg_peer *p = take(u, (choice){tried, false});
    if (!p && u->paused)
        p = take(u, (choice){tried, true});
    if (!p && again && tried) {
        p = take(u, (choice){0, false});
        if (!p)
            p = take(u, (choice){0, true});
    }
    /* Its pause is over: this request tries it, and no other until it is known how that went. */
    if (p && p->paused_until_ms && !mg_peer_is_paused(p))
        p->paused_until_ms = mg_clock_ms() + u->options.pause_ms;
    return p;
}

/* ---- failover ------------------------------------------------------------------------------------ */

bool mg_peer_is_paused(const mg_peer *p)
{
    return p->paused_until_ms > mg_clock_ms();
}

static void leave_out(mg_peer *p)
{
    mg_upstream *u = p->upstream;
    if (!p->paused_until_ms) {
        u->paused++;
        mg_warn("upstream %.*s: %.*s is left out after %u failures in a row", MG_STR_ARG(u->name), MG_STR_ARG(p->name),
                p->failures);
    }
    p->paused_until_ms = mg_clock_ms() + u->options.pause_ms;
}

void mg_peer_failed(mg_peer *p)
{
    mg_upstream *u = p->upstream;
    int64_t now = mg_clock_ms();
    if (p->stats)
        p->stats->failures++;
    if (u->stats)
        u->stats->failures++;
    if (!p->failures || now - p->failed_since_ms > u->options.within_ms) {
        p->failures = 0;
        p->failed_since_ms = now;
    }
    p->failures++;
    if (u->options.fails && (p->paused_until_ms || p->failures >= u->options.fails))
        leave_out(p);
}

void mg_peer_worked(mg_peer *p)
{
    p->failures = 0;
    if (!p->paused_until_ms)
        return;
    p->paused_until_ms = 0;
    p->upstream->paused--;
    mg_info("upstream %.*s: %.*s is back", MG_STR_ARG(p->upstream->name), MG_STR_ARG(p->name));
}
