/*
 * A name the resolver knows of is an entry. It is ASKING (c-ares has a query for it, askers wait on its
 * list), READY (the answer came, askers are about to be told) or KNOWN (the answer is in the cache).
 * c-ares' callbacks only fill entries; askers are told later in the same turn, when c-ares is not on
 * the stack, so that they may do as they please.
 */
#include "os/dns.h"

#include "base/clock.h"
#include "base/map.h"
#include "os/hosts.h"

#include <ares.h>
#include <limits.h>

typedef enum { ASKING, READY, KNOWN } entry_state;

typedef struct {
    mg_link by_use;  /* KNOWN: in the cache's list, least recently asked for first; READY: in `ready` */
    mg_link waiting; /* queries */
    mg_dns *dns;
    mg_addr *addrs;
    const char *error;
    int64_t expires_ms;
    int count;
    entry_state state;
    size_t n;
    char name[]; /* with a NUL, since c-ares wants one */
} entry;

typedef struct socket_watch {
    mg_io io;
    mg_link link;
    mg_dns *dns;
    int fd;
} socket_watch;

struct mg_dns {
    ares_channel channel;
    mg_hosts *hosts;
    mg_map names;  /* of entries; keys lie in them */
    mg_link cache; /* KNOWN entries */
    mg_link ready; /* READY entries */
    mg_link left;  /* entries and addresses of this turn that nobody may find any more */
    mg_link sockets;
    mg_timer timer;
    mg_later tell;
    mg_arena digits; /* answers of this turn that needed no entry */
    int64_t turn_us;
    int64_t min_ttl_ms, max_ttl_ms;
    bool closed, telling;
};

static mg_str name_of(const entry *e)
{
    return (mg_str){e->name, e->n};
}

static void free_entry(entry *e)
{
    mg_free(e->addrs);
    mg_free(e);
}

/* ---- c-ares and the loop ---- */

static void arm_timer(mg_dns *d)
{
    struct timeval wait;
    if (!ares_timeout(d->channel, NULL, &wait))
        mg_timer_stop(&d->timer);
    else
        mg_timer_start(&d->timer, (int64_t)wait.tv_sec * 1000 + (wait.tv_usec + 999) / 1000);
}

static void on_timer(mg_timer *t)
{
    mg_dns *d = MG_OWNER(t, mg_dns, timer);
    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timer(d);
}

static void on_socket(mg_io *io, int events)
{
    socket_watch *w = MG_OWNER(io, socket_watch, io);
    mg_dns *d = w->dns;
    int fd = w->fd; /* w may be gone when c-ares is done with this socket */
    ares_process_fd(d->channel, events & MG_READ ? fd : ARES_SOCKET_BAD, events & MG_WRITE ? fd : ARES_SOCKET_BAD);
    arm_timer(d);
}

static socket_watch *watch_of(mg_dns *d, int fd)
{
    MG_LIST_EACH(l, &d->sockets)
    {
        socket_watch *w = MG_OWNER(l, socket_watch, link);
        if (w->fd == fd)
            return w;
    }
    socket_watch *w = mg_zalloc(sizeof *w);
    *w = (socket_watch){.dns = d, .fd = fd};
    mg_io_init(&w->io, on_socket);
    mg_list_append(&d->sockets, &w->link);
    return w;
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    socket_watch *w = watch_of(arg, fd);
    if (readable || writable) {
        mg_io_start(&w->io, fd, (readable ? MG_READ : 0) | (writable ? MG_WRITE : 0));
        return;
    }
    mg_io_stop(&w->io);
    mg_list_cut(&w->link);
    mg_free(w);
}

/* ---- what c-ares answers ---- */

static const char *say(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
        return "no such name";
    case ARES_ENODATA:
        return "the name has no address";
    case ARES_ETIMEOUT:
        return "timeout";
    case ARES_ECONNREFUSED: /* so c-ares says when each server was not there, failed or refused */
    case ARES_EREFUSED:
    case ARES_ESERVFAIL:
        return "the name servers fail";
    case ARES_EBADNAME:
        return "not a name";
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED:
        return "resolver closed";
    default:
        return "bad answer";
    }
}

static int64_t clamp_ttl(const mg_dns *d, int64_t ttl_ms)
{
    return MG_MAX(MG_MIN(ttl_ms, d->max_ttl_ms), d->min_ttl_ms);
}

/* The addresses of one family behind those that are there, and the shortest life of any. */
static void take_family(entry *e, const struct ares_addrinfo *found, int family, int64_t *ttl_s)
{
    for (const struct ares_addrinfo_node *n = found->nodes; n && e->count < MG_DNS_ADDRS_MOST; n = n->ai_next) {
        if (n->ai_family != family)
            continue;
        mg_addr_from(&e->addrs[e->count], n->ai_addr);
        mg_addr_set_port(&e->addrs[e->count++], 0);
        *ttl_s = MG_MIN(*ttl_s, n->ai_ttl);
    }
}

static void take_answer(entry *e, const struct ares_addrinfo *found)
{
    int64_t ttl_s = INT_MAX;
    mg_free(e->addrs);
    e->addrs = mg_zalloc(MG_DNS_ADDRS_MOST * sizeof *e->addrs);
    e->count = 0;
    take_family(e, found, AF_INET, &ttl_s);
    take_family(e, found, AF_INET6, &ttl_s);
    for (const struct ares_addrinfo_cname *c = found->cnames; c; c = c->next)
        ttl_s = MG_MIN(ttl_s, c->ttl);
    e->addrs = mg_realloc(e->addrs, (size_t)MG_MAX(e->count, 1) * sizeof *e->addrs);
    e->error = e->count ? NULL : say(ARES_ENODATA);
    e->expires_ms = mg_clock_ms() + (e->count ? clamp_ttl(e->dns, ttl_s * 1000) : MG_DNS_ABSENT_MS);
}

static void on_found(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    (void)timeouts;
    entry *e = arg;
    mg_dns *d = e->dns;
    if (status == ARES_SUCCESS) {
        take_answer(e, found);
    } else {
        bool absent = status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME;
        e->error = say(status);
        e->expires_ms = mg_clock_ms() + (absent ? MG_DNS_ABSENT_MS : MG_DNS_FAILED_MS);
    }
    if (found)
        ares_freeaddrinfo(found);
    e->state = READY;
    mg_list_append(&d->ready, &e->by_use);
    mg_later_do(&d->tell);
}

/* ---- telling those who wait ---- */

static void answer_from(const entry *e, mg_dns_answer *a)
{
    *a = (mg_dns_answer){.addrs = e->addrs,
                         .count = e->error ? 0 : e->count,
                         .ttl_ms = MG_MAX(e->expires_ms - mg_clock_ms(), 1),
                         .error = e->error};
}

static void tell_entry(entry *e)
{
    while (!mg_list_is_empty(&e->waiting)) {
        mg_dns_query *q = MG_OWNER(e->waiting.next, mg_dns_query, link);
        mg_dns_answer a;
        mg_list_cut(&q->link);
        q->state = NULL;
        answer_from(e, &a);
        q->on_answer(q, &a);
    }
}

static void tell_all(mg_dns *d)
{
    d->telling = true;
    while (!mg_list_is_empty(&d->ready)) {
        entry *e = MG_OWNER(d->ready.next, entry, by_use);
        tell_entry(e); /* e is READY meanwhile, and so is not evicted */
        mg_list_cut(&e->by_use);
        e->state = KNOWN;
        mg_list_append(&d->cache, &e->by_use);
    }
    d->telling = false;
}

static void free_left(mg_dns *d)
{
    MG_LIST_EACH_SAFE(l, after, &d->left)
    free_entry(MG_OWNER(l, entry, by_use));
    mg_list_init(&d->left);
}

static void free_dns(mg_dns *d)
{
    size_t i = 0;
    const mg_map_slot *slot;
    mg_later_cancel(&d->tell);
    while ((slot = mg_map_next(&d->names, &i)))
        free_entry(slot->value);
    mg_map_fini(&d->names);
    free_left(d);
    mg_arena_fini(&d->digits);
    mg_hosts_close(d->hosts);
    mg_free(d);
}

static void on_tell(mg_later *l)
{
    mg_dns *d = MG_OWNER(l, mg_dns, tell);
    tell_all(d);
    if (d->closed)
        free_dns(d);
}

/* ---- opening and closing ---- */

static mg_rc open_channel(mg_dns *d, const mg_dns_config *c, mg_err *err)
{
    int64_t timeout_ms = c->timeout_ms > 0 ? c->timeout_ms : 2000;
    char lookups[] = "b"; /* name servers only: the hosts file is read here */
    struct ares_options o = {.flags = ARES_FLAG_EDNS | (c->nameservers ? ARES_FLAG_NOSEARCH : 0),
                             .timeout = (int)MG_MIN(timeout_ms, 600000),
                             .tries = c->attempts > 0 ? c->attempts : 2,
                             .ednspsz = 1232, /* what passes unfragmented nearly everywhere */
                             .lookups = lookups,
                             .sock_state_cb = on_socket_state,
                             .sock_state_cb_data = d};
    int rc = ares_library_init(ARES_LIB_INIT_ALL);
    if (rc != ARES_SUCCESS)
        return mg_err_set(err, "resolver: %s", ares_strerror(rc));
    rc = ares_init_options(&d->channel, &o,
                           ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS |
                               ARES_OPT_SOCK_STATE_CB);
    if (rc != ARES_SUCCESS) {
        ares_library_cleanup();
        return mg_err_set(err, "resolver: %s", ares_strerror(rc));
    }
    if (c->nameservers && (rc = ares_set_servers_ports_csv(d->channel, c->nameservers)) != ARES_SUCCESS) {
        ares_destroy(d->channel);
        ares_library_cleanup();
        return mg_err_set(err, "resolver: name servers '%s': %s", c->nameservers, ares_strerror(rc));
    }
    return MG_OK;
}

mg_dns *mg_dns_open(const mg_dns_config *config, mg_err *err)
{
    static const mg_dns_config defaults;
    const mg_dns_config *c = config ? config : &defaults;
    mg_dns *d = mg_zalloc(sizeof *d);
    mg_map_init(&d->names);
    mg_list_init(&d->cache);
    mg_list_init(&d->ready);
    mg_list_init(&d->left);
    mg_list_init(&d->sockets);
    mg_timer_init(&d->timer, on_timer);
    mg_later_init(&d->tell, on_tell);
    mg_arena_init(&d->digits, SIZE_MAX);
    d->min_ttl_ms = c->min_ttl_ms > 0 ? c->min_ttl_ms : 1000;
    d->max_ttl_ms = MG_MAX(c->max_ttl_ms > 0 ? c->max_ttl_ms : 3600 * 1000, d->min_ttl_ms);
    if (open_channel(d, c, err) != MG_OK) {
        mg_free(d);
        return NULL;
    }
    d->hosts = mg_hosts_open(c->hosts_file ? c->hosts_file : "/etc/hosts");
    return d;
}

void mg_dns_close(mg_dns *d)
{
    if (!d || d->closed)
        return;
    d->closed = true;
    ares_destroy(d->channel); /* each query comes back, each socket is reported closed */
    ares_library_cleanup();
    MG_BUG_UNLESS(mg_list_is_empty(&d->sockets));
    mg_timer_stop(&d->timer);
    if (d->telling) /* called by one of those being told: on_tell goes on and then frees */
        return;
    tell_all(d);
    free_dns(d);
}

/* ---- asking ---- */

/* What was handed out in an earlier turn is no longer needed. */
static void begin_turn(mg_dns *d)
{
    if (d->turn_us == mg_clock_us())
        return;
    d->turn_us = mg_clock_us();
    free_left(d);
    if (d->digits.used) {
        mg_arena_fini(&d->digits);
        mg_arena_init(&d->digits, SIZE_MAX);
    }
}

/* Letters small, the root's dot off. Underscores are no host names, but used (RFC 2181 section 11). */
static bool fold_name(mg_str name, char *to, mg_str *out)
{
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n == 0 || name.n > 253 || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = mg_lower(name.p[i]);
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                    (c == '.' && name.p[i - 1] != '.');
        if (!good)
            return false;
        to[i] = c;
    }
    *out = (mg_str){to, name.n};
    return true;
}

static bool answer_error(mg_dns_answer *now, const char *error)
{
    *now = (mg_dns_answer){.error = error, .ttl_ms = MG_DNS_FAILED_MS};
    return true;
}

static bool answer_digits(mg_dns *d, mg_str name, mg_dns_answer *now)
{
    mg_addr a;
    if (mg_addr_parse_ip(name, &a) != MG_OK)
        return false;
    mg_addr *kept = mg_arena_alloc(&d->digits, sizeof *kept);
    *kept = a;
    *now = (mg_dns_answer){.addrs = kept, .count = 1, .ttl_ms = d->max_ttl_ms};
    return true;
}

static bool answer_from_hosts(mg_dns *d, mg_str name, mg_dns_answer *now)
{
    const mg_addr *addrs;
    int count = mg_hosts_find(d->hosts, name, &addrs);
    *now = (mg_dns_answer){.addrs = addrs, .count = count, .ttl_ms = MG_MAX(d->min_ttl_ms, (int64_t)MG_HOSTS_LOOK_MS)};
    return count > 0;
}

/* Out of the cache; its addresses may have been handed out in this turn. */
static void leave(mg_dns *d, entry *e)
{
    (void)mg_map_remove(&d->names, name_of(e));
    mg_list_cut(&e->by_use);
    mg_list_append(&d->left, &e->by_use);
}

static entry *new_entry(mg_dns *d, mg_str name)
{
    entry *e = mg_zalloc(sizeof *e + name.n + 1);
    e->dns = d;
    e->state = ASKING;
    e->n = name.n;
    memcpy(e->name, name.p, name.n);
    mg_list_init(&e->by_use);
    mg_list_init(&e->waiting);
    (void)mg_map_put(&d->names, name_of(e), e);
    return e;
}

static void start_query(mg_dns *d, entry *e)
{
    /* Addresses come in the servers' order, which may be a choice of theirs. */
    static const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(d->channel, e->name, NULL, &hints, on_found, e);
    arm_timer(d);
}

/* The answer in the cache that still holds, or NULL. */
static entry *find_known(mg_dns *d, mg_str name)
{
    entry *e = mg_map_get(&d->names, name);
    if (!e || e->state == ASKING || (e->state == KNOWN && e->expires_ms <= mg_clock_ms()))
        return NULL;
    if (e->state == KNOWN) {
        mg_list_cut(&e->by_use);
        mg_list_append(&d->cache, &e->by_use);
    }
    return e;
}

/* The entry with a query under way, begun now if need be; NULL when there are too many of them. */
static entry *find_asking(mg_dns *d, mg_str name)
{
    entry *e = mg_map_get(&d->names, name);
    if (e && e->state == ASKING)
        return e;
    if (e)
        leave(d, e);
    if (d->names.count >= MG_DNS_NAMES) {
        if (mg_list_is_empty(&d->cache))
            return NULL;
        leave(d, MG_OWNER(d->cache.next, entry, by_use));
    }
    e = new_entry(d, name);
    start_query(d, e);
    return e;
}

bool mg_dns_ask(mg_dns *d, mg_str name, mg_dns_query *q, mg_dns_answer *now)
{
    char folded[256];
    q->state = NULL;
    if (d->closed)
        return answer_error(now, say(ARES_EDESTRUCTION));
    begin_turn(d);
    if (answer_digits(d, name, now))
        return true;
    if (!fold_name(name, folded, &name))
        return answer_error(now, say(ARES_EBADNAME));
    if (answer_from_hosts(d, name, now))
        return true;
    entry *e = find_known(d, name);
    if (!e)
        e = find_asking(d, name);
    if (!e)
        return answer_error(now, "too many names are being asked for");
    if (e->state != ASKING) { /* known, or c-ares answered on the spot */
        answer_from(e, now);
        return true;
    }
    q->state = e;
    mg_list_init(&q->link);
    mg_list_append(&e->waiting, &q->link);
    return false;
}

void mg_dns_cancel(mg_dns_query *q)
{
    if (!q->state)
        return;
    q->state = NULL;
    mg_list_cut(&q->link);
}
