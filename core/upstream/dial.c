#include "upstream/dial.h"

#include "base/fault.h"
#include "os/socket.h"

#include <errno.h>

static void on_answer(mg_dns_query *q, const mg_dns_answer *a);
static void on_connected(mg_io *io, int events);
static void on_late(mg_deadline *l);
static void on_part_late(mg_deadline *l);

void mg_dial_init(mg_dial *d, void (*on_done)(mg_dial *))
{
    *d = (mg_dial){.on_done = on_done, .state = MG_DIAL_FAILED, .fd = -1, .query = {.on_answer = on_answer}};
    mg_list_init(&d->query.link);
    mg_io_init(&d->io, on_connected);
    mg_deadline_init(&d->deadline, on_late);
    mg_deadline_init(&d->part, on_part_late);
}

/* ---- ends ---------------------------------------------------------------------------------------- */

static void let_go_of_socket(mg_dial *d)
{
    mg_deadline_disarm(&d->part);
    if (d->fd < 0)
        return;
    mg_io_stop(&d->io);
    mg_socket_close(d->fd);
    d->fd = -1;
}

static void let_go(mg_dial *d)
{
    let_go_of_socket(d);
    mg_deadline_disarm(&d->deadline);
    mg_dns_cancel(&d->query);
}

void mg_dial_cancel(mg_dial *d)
{
    if (d->state != MG_DIAL_WAIT)
        return;
    let_go(d);
    d->state = MG_DIAL_FAILED;
    d->why = "cancelled";
}

static void blame(mg_dial *d, const char *why, const char *error_type, bool late)
{
    d->why = why;
    d->error_type = error_type;
    d->late = late;
    d->is_ours = false;
}

static void blame_us(mg_dial *d, const char *why)
{
    blame(d, why, "proxy_internal_error", false);
    d->is_ours = true;
}

static void blame_errno(mg_dial *d, int error)
{
    switch (error) {
    case EADDRNOTAVAIL: blame_us(d, "no port is free here"); break;
    case EMFILE:
    case ENFILE: blame_us(d, "no descriptor is free here"); break;
    case ENOBUFS:
    case ENOMEM: blame_us(d, "no kernel memory is free here"); break;
    case ECONNREFUSED: blame(d, "connection refused", "connection_refused", false); break;
    case ENOENT: blame(d, "no such socket", "connection_refused", false); break;
    case EACCES:
    case EPERM: blame(d, "permission denied", "connection_refused", false); break;
    case EAGAIN: blame(d, "its queue is full", "connection_limit_reached", false); break; /* UNIX sockets only */
    case ETIMEDOUT: blame(d, "timeout", "connection_timeout", true); break;
    case ECONNRESET:
    case EPIPE: blame(d, "connection reset", "connection_terminated", false); break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EAFNOSUPPORT: blame(d, "no route", "destination_ip_unroutable", false); break;
    default: blame(d, "connecting failed", "destination_unavailable", false); break;
    }
}

/* The state after which nothing more happens; who was told to wait is told now. */
static void finish(mg_dial *d, mg_dial_state state)
{
    d->state = state;
    if (state == MG_DIAL_WAIT)
        return;
    let_go(d);
    d->on_done(d);
}

/* ---- connecting ---------------------------------------------------------------------------------- */

static mg_dial_state become_ready(mg_dial *d, int fd)
{
    mg_stats_row *rows[] = {d->peer->stats, d->peer->upstream->stats};
    for (size_t i = 0; i < MG_COUNT(rows); i++)
        if (rows[i])
            rows[i]->connections_opened++;
    d->client = mg_pool_make(d->pool, d->peer, fd);
    return MG_DIAL_READY;
}

static int64_t patience_of(const mg_dial *d)
{
    return d->connect_ms > 0 ? d->connect_ms : d->peer->upstream->options.connect_ms;
}

static mg_dial_state connect_next(mg_dial *d)
{
    while (d->addr_at < d->addr_count) {
        bool pending = false;
        const mg_addr *to = &d->addrs[d->addr_at++];
        errno = ECONNREFUSED;
        int fd = MG_FAULT("connect") ? -1 : mg_socket_connect(to, NULL, &pending);
        if (fd < 0) {
            blame_errno(d, errno);
            continue;
        }
        if (!pending)
            return become_ready(d, fd);
        d->fd = fd;
        mg_io_start(&d->io, fd, MG_WRITE);
        if (d->addr_at < d->addr_count)
            mg_deadline_arm(&d->part, patience_of(d) / d->addr_count);
        return MG_DIAL_WAIT;
    }
    return MG_DIAL_FAILED;
}

static void on_connected(mg_io *io, int events)
{
    (void)events;
    mg_dial *d = MG_OWNER(io, mg_dial, io);
    int error = mg_socket_error(d->fd), fd = d->fd;
    if (error) {
        blame_errno(d, error);
        let_go_of_socket(d);
        finish(d, connect_next(d));
        return;
    }
    mg_io_stop(io);
    d->fd = -1;
    finish(d, become_ready(d, fd));
}

static void on_part_late(mg_deadline *l)
{
    mg_dial *d = MG_OWNER(l, mg_dial, part);
    blame_errno(d, ETIMEDOUT);
    let_go_of_socket(d);
    finish(d, connect_next(d));
}

static void on_late(mg_deadline *l)
{
    mg_dial *d = MG_OWNER(l, mg_dial, deadline);
    blame_errno(d, ETIMEDOUT);
    if (d->fd < 0)
        blame(d, "timeout of the name look-up", "dns_timeout", true);
    finish(d, MG_DIAL_FAILED);
}

/* ---- names --------------------------------------------------------------------------------------- */

/* The resolver puts the preferred family first; those of it take turns, the others are what is left then. */
static void take_addresses(mg_dial *d, const mg_dns_answer *a)
{
    int run = 0;
    while (run < a->count && a->addrs[run].u.family == a->addrs[0].u.family)
        run++;
    int start = run ? (int)(d->peer->turn++ % (uint32_t)run) : 0;
    d->addr_count = MG_MIN(a->count, MG_DIAL_ADDRS_MOST);
    for (int i = 0; i < d->addr_count; i++) {
        d->addrs[i] = a->addrs[i < run ? (start + i) % run : i];
        mg_addr_set_port(&d->addrs[i], d->peer->port);
    }
}

static mg_dial_state go_on_with(mg_dial *d, const mg_dns_answer *a)
{
    if (a->error || !a->count) {
        const char *why = a->error ? a->error : "no such name";
        bool late = strcmp(why, "timeout") == 0;
        blame(d, late ? "timeout of the name look-up" : why, late ? "dns_timeout" : "dns_error", late);
        return MG_DIAL_FAILED;
    }
    take_addresses(d, a);
    return connect_next(d);
}

static void on_answer(mg_dns_query *q, const mg_dns_answer *a)
{
    mg_dial *d = MG_OWNER(q, mg_dial, query);
    finish(d, go_on_with(d, a));
}

static mg_dial_state look_up(mg_dial *d)
{
    mg_dns_answer now;
    mg_dns *dns = mg_pool_dns(d->pool);
    if (!dns) {
        blame(d, "no resolver", "dns_error", false);
        return MG_DIAL_FAILED;
    }
    return mg_dns_ask(dns, d->peer->host, &d->query, &now) ? go_on_with(d, &now) : MG_DIAL_WAIT;
}

/* ---- the start ----------------------------------------------------------------------------------- */

static mg_dial_state start_fresh(mg_dial *d)
{
    const mg_addr *addr = &d->peer->addr;
    d->addr_at = d->addr_count = 0;
    blame(d, NULL, NULL, false);
    if (addr->u.family == AF_UNSPEC)
        return look_up(d);
    d->addrs[0] = *addr;
    d->addr_count = 1;
    return connect_next(d);
}

mg_dial_state mg_dial_start(mg_dial *d, mg_pool *pool, mg_peer *peer, bool fresh)
{
    MG_BUG_UNLESS(d->state != MG_DIAL_WAIT);
    d->pool = pool;
    d->peer = peer;
    d->client = fresh ? NULL : mg_pool_take(pool, peer);
    d->reused = d->client != NULL;
    if (d->reused)
        return d->state = MG_DIAL_READY;
    d->state = start_fresh(d);
    if (d->state == MG_DIAL_WAIT)
        mg_deadline_arm(&d->deadline, patience_of(d));
    return d->state;
}
