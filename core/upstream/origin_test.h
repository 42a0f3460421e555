/*
 * origin_test: origins, dials and one exchange over real sockets, for the tests of this floor.
 *
 *      open_world() ─► open_origin(&o, "127.0.0.1:0") ─► dial(peer_at(&o.addr, …)) ─► … ─► close_world()
 *
 * Origins are functions on the same loop. Nothing waits for a time to pass but what is about a time; a loop
 * that is not stopped by what was awaited ends after GUARD_MS.
 */
#ifndef MG_UPSTREAM_ORIGIN_TEST_H
#define MG_UPSTREAM_ORIGIN_TEST_H

#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"
#include "os/socket.h"
#include "upstream/dial.h"

#include <stdlib.h>
#include <unistd.h>

enum { GUARD_MS = 3000, CONNS_MOST = 16 };

/* ---- an origin ----------------------------------------------------------------------------------- */

/* Answers each request with two bytes, or only accepts. */
typedef struct {
    mg_io io;
    int fd;
    mg_addr addr;
    int accepted, count;
    struct origin_conn {
        mg_io io;
        int fd;
    } conns[CONNS_MOST];
} origin;

static inline void on_conn(mg_io *io, int events)
{
    struct origin_conn *c = MG_OWNER(io, struct origin_conn, io);
    static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    char bytes[4096];
    (void)events;
    ssize_t n = read(c->fd, bytes, sizeof bytes);
    if (n > 0 && memmem(bytes, (size_t)n, "\r\n\r\n", 4))
        n = write(c->fd, answer, sizeof answer - 1);
    if (n <= 0)
        mg_io_stop(io);
}

static inline void on_accept(mg_io *io, int events)
{
    origin *o = MG_OWNER(io, origin, io);
    (void)events;
    int fd = mg_socket_accept(o->fd, NULL);
    if (fd < 0)
        return;
    o->accepted++;
    MG_BUG_UNLESS(o->count < CONNS_MOST);
    struct origin_conn *c = &o->conns[o->count++];
    c->fd = fd;
    mg_io_init(&c->io, on_conn);
    mg_io_start(&c->io, fd, MG_READ);
}

static inline void open_origin(origin *o, const char *bind)
{
    mg_addr want;
    mg_err err;
    memset(o, 0, sizeof *o);
    MG_BUG_UNLESS(mg_addr_parse(bind, &want) == MG_OK);
    o->fd = mg_socket_listen(&want, &(mg_listen_options){0}, &o->addr, &err);
    if (!CHECK_FOR(o->fd >= 0, bind))
        exit(1);
    mg_io_init(&o->io, on_accept);
    mg_io_start(&o->io, o->fd, MG_READ);
}

static inline void close_conns(origin *o)
{
    for (int i = 0; i < o->count; i++) {
        mg_io_stop(&o->conns[i].io);
        mg_socket_close(o->conns[i].fd);
    }
    o->count = 0;
}

static inline void close_origin(origin *o)
{
    close_conns(o);
    mg_io_stop(&o->io);
    mg_socket_close(o->fd);
}

/* ---- the world ----------------------------------------------------------------------------------- */

static struct {
    mg_arena arena;
    mg_pool *pool;
    mg_dns *dns;
    mg_dial dial;
    int dones;
    bool stuck;
    bool (*until)(void *);
    void *until_arg;
    mg_timer guard;
    char hosts[64];
} t;

static inline void on_idle(void *arg)
{
    (void)arg;
    if (t.until && t.until(t.until_arg))
        mg_loop_stop();
}

static inline void on_guard(mg_timer *timer)
{
    (void)timer;
    t.stuck = true;
    mg_loop_stop();
}

static inline bool run_until(bool (*until)(void *), void *arg)
{
    if (until(arg))
        return true;
    t.until = until;
    t.until_arg = arg;
    t.stuck = false;
    mg_timer_start(&t.guard, GUARD_MS);
    mg_loop_run();
    mg_timer_stop(&t.guard);
    t.until = NULL;
    return !t.stuck;
}

static inline void on_done(mg_dial *d)
{
    CHECK(d->state != MG_DIAL_WAIT);
    t.dones++;
}

static inline void open_world(void)
{
    memset(&t, 0, sizeof t);
    mg_log_threshold = MG_LOG_OFF;
    MG_BUG_UNLESS(mg_loop_open() == MG_OK);
    mg_loop_on_idle(on_idle, NULL);
    mg_timer_init(&t.guard, on_guard);
    mg_arena_init(&t.arena, 16u << 20);
    t.pool = mg_pool_new(NULL);
    mg_dial_init(&t.dial, on_done);
}

static inline void close_world(void)
{
    mg_dial_cancel(&t.dial);
    mg_pool_free(t.pool);
    mg_dns_close(t.dns);
    mg_arena_fini(&t.arena);
    mg_loop_close();
    if (t.hosts[0])
        (void)unlink(t.hosts);
}

static const mg_upstream_options options = {.connect_ms = 2000, .keepalive = 8, .keepalive_idle_ms = 60000, .attempts = 1};

static inline mg_peer *peer_with(const char *server, const mg_upstream_options *o)
{
    mg_err err;
    mg_upstream *u = mg_upstream_new(&t.arena, MG_STR("app"), o);
    CHECK_FOR(mg_upstream_add(u, mg_str_of(server), 1, false, &err) == MG_OK, server);
    return &u->peers[0];
}

static inline mg_peer *peer_at(const mg_addr *addr, const mg_upstream_options *o)
{
    char text[MG_ADDR_ROOM];
    (void)mg_addr_print(addr, text);
    return peer_with(text, o);
}

static inline bool is_dialled(void *arg)
{
    (void)arg;
    return t.dial.state != MG_DIAL_WAIT;
}

static inline mg_dial_state dial(mg_peer *p, bool fresh)
{
    t.dones = 0;
    mg_dial_state state = mg_dial_start(&t.dial, t.pool, p, fresh);
    CHECK_INT(t.dones, 0);
    if (state != MG_DIAL_WAIT)
        return state;
    CHECK(run_until(is_dialled, NULL));
    CHECK_INT(t.dones, 1);
    return t.dial.state;
}

static inline bool got_all(void *side)
{
    return ((const mg_side *)side)->got >= MG_GOT_ALL;
}

/* One request and its answer over the connection that was dialled. */
static inline mg_side *exchange(mg_h1_client *c)
{
    static const mg_h1_client_options o = {.limits = {1024, 8192, 32}, .buffer = 65536};
    mg_side *s = mg_h1_client_begin(c, &o, &t.arena, MG_METHOD_GET);
    mg_request_head head = {.method = MG_METHOD_GET, .method_name = MG_STR("GET"), .target = MG_STR("/"),
                            .content_length = -1, .major = 1, .minor = 1};
    mg_fields_init(&head.fields, &t.arena, 8);
    CHECK(mg_fields_add(&head.fields, MG_FIELD_HOST, MG_STR("host"), MG_STR("x")) == MG_OK);
    s->ops->send_request(s, &head);
    s->ops->send_end(s, NULL);
    mg_side_flush(s);
    CHECK(run_until(got_all, s));
    CHECK_INT(s->got, MG_GOT_ALL);
    mg_chain_fini(&s->in);
    return s;
}

static inline mg_h1_client *ask(mg_peer *p, bool fresh)
{
    if (!CHECK_INT(dial(p, fresh), MG_DIAL_READY))
        exit(1);
    mg_h1_client *c = t.dial.client;
    mg_side *s = exchange(c);
    s->ops->release(s, true);
    return c;
}

static inline bool has_idle(void *count)
{
    return mg_pool_idle(t.pool) == *(uint32_t *)count;
}

static inline bool becomes_idle(uint32_t count)
{
    return run_until(has_idle, &count);
}

#endif
