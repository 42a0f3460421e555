/*
 * Dials and the pool over real sockets: origins are functions on the same loop. Nothing waits for a time to
 * pass but what is about a time; a loop that is not stopped by what was awaited ends after GUARD_MS.
 */
#include "upstream/dial.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/test.h"
#include "os/file.h"
#include "os/socket.h"

#include <arpa/inet.h>
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

static void on_conn(mg_io *io, int events)
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

static void on_accept(mg_io *io, int events)
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

static void open_origin(origin *o, const char *bind)
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

static void close_conns(origin *o)
{
    for (int i = 0; i < o->count; i++) {
        mg_io_stop(&o->conns[i].io);
        mg_socket_close(o->conns[i].fd);
    }
    o->count = 0;
}

static void close_origin(origin *o)
{
    close_conns(o);
    mg_io_stop(&o->io);
    mg_socket_close(o->fd);
}

/* A listener whose queue is full: who connects is left waiting. */
typedef struct {
    int listener, waiting[8];
} full_queue;

static void open_full_queue(full_queue *q, const char *ip, mg_addr *addr)
{
    struct sockaddr_storage sa;
    mg_addr want;
    bool pending;
    MG_BUG_UNLESS(mg_addr_parse_ip(mg_str_of(ip), &want) == MG_OK);
    if (mg_addr_port(addr))
        mg_addr_set_port(&want, mg_addr_port(addr));
    q->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t n = mg_addr_sockaddr(&want, &sa);
    CHECK(bind(q->listener, (struct sockaddr *)&sa, n) == 0);
    CHECK(listen(q->listener, 0) == 0);
    CHECK(mg_socket_local(q->listener, addr) == MG_OK);
    for (size_t i = 0; i < MG_COUNT(q->waiting); i++)
        q->waiting[i] = mg_socket_connect(addr, NULL, &pending);
}

static void close_full_queue(full_queue *q)
{
    for (size_t i = 0; i < MG_COUNT(q->waiting); i++)
        mg_socket_close(q->waiting[i]);
    mg_socket_close(q->listener);
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

static void on_idle(void *arg)
{
    (void)arg;
    if (t.until && t.until(t.until_arg))
        mg_loop_stop();
}

static void on_guard(mg_timer *timer)
{
    (void)timer;
    t.stuck = true;
    mg_loop_stop();
}

static bool run_until(bool (*until)(void *), void *arg)
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

static void on_done(mg_dial *d)
{
    CHECK(d->state != MG_DIAL_WAIT);
    t.dones++;
}

static void open_world(void)
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

static void close_world(void)
{
    mg_dial_cancel(&t.dial);
    mg_pool_free(t.pool);
    mg_dns_close(t.dns);
    mg_arena_fini(&t.arena);
    mg_loop_close();
    if (t.hosts[0])
        (void)unlink(t.hosts);
}

static mg_upstream_options options = {.connect_ms = 2000, .keepalive = 8, .keepalive_idle_ms = 60000, .attempts = 1};

static mg_peer *peer_with(const char *server, const mg_upstream_options *o)
{
    mg_err err;
    mg_upstream *u = mg_upstream_new(&t.arena, MG_STR("app"), o);
    CHECK_FOR(mg_upstream_add(u, mg_str_of(server), 1, false, &err) == MG_OK, server);
    return &u->peers[0];
}

static mg_peer *peer_at(const mg_addr *addr, const mg_upstream_options *o)
{
    char text[MG_ADDR_ROOM];
    (void)mg_addr_print(addr, text);
    return peer_with(text, o);
}

static bool is_dialled(void *arg)
{
    (void)arg;
    return t.dial.state != MG_DIAL_WAIT;
}

static mg_dial_state dial(mg_peer *p, bool fresh)
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

static bool got_all(void *side)
{
    return ((const mg_side *)side)->got >= MG_GOT_ALL;
}

/* One request and its answer over the connection that was dialled. */
static mg_side *exchange(mg_h1_client *c)
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

static mg_h1_client *ask(mg_peer *p, bool fresh)
{
    if (!CHECK_INT(dial(p, fresh), MG_DIAL_READY))
        exit(1);
    mg_h1_client *c = t.dial.client;
    mg_side *s = exchange(c);
    s->ops->release(s, true);
    return c;
}

static bool has_idle(void *count)
{
    return mg_pool_idle(t.pool) == *(uint32_t *)count;
}

static bool becomes_idle(uint32_t count)
{
    return run_until(has_idle, &count);
}

/* ---- connecting ---------------------------------------------------------------------------------- */

TEST("a server that listens is reached")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    CHECK_INT(dial(peer_at(&o.addr, &options), false), MG_DIAL_READY);
    CHECK(!t.dial.reused);
    REQUIRE(t.dial.client != NULL);
    mg_h1_client_close(t.dial.client);
    close_origin(&o);
    close_world();
}

TEST("a server that does not listen is refused, in words and in those of Proxy-Status")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_addr addr = o.addr;
    close_origin(&o);
    CHECK_INT(dial(peer_at(&addr, &options), false), MG_DIAL_FAILED);
    CHECK_STR(mg_str_of(t.dial.why), MG_STR("connection refused"));
    CHECK_STR(mg_str_of(t.dial.error_type), MG_STR("connection_refused"));
    CHECK(!t.dial.late && !t.dial.is_ours);
    close_world();
}

TEST("a server that does not take the connection in time is late")
{
    full_queue q;
    mg_addr addr = {0};
    open_world();
    open_full_queue(&q, "127.0.0.1", &addr);
    t.dial.connect_ms = 20;
    CHECK_INT(dial(peer_at(&addr, &options), false), MG_DIAL_FAILED);
    CHECK(t.dial.late);
    CHECK_STR(mg_str_of(t.dial.why), MG_STR("timeout"));
    CHECK_STR(mg_str_of(t.dial.error_type), MG_STR("connection_timeout"));
    close_full_queue(&q);
    close_world();
}

TEST("without a patience of its own a dial has the upstream's")
{
    full_queue q;
    mg_addr addr = {0};
    mg_upstream_options o = options;
    o.connect_ms = 20;
    open_world();
    open_full_queue(&q, "127.0.0.1", &addr);
    CHECK_INT(dial(peer_at(&addr, &o), false), MG_DIAL_FAILED);
    CHECK(t.dial.late);
    close_full_queue(&q);
    close_world();
}

static bool never(void *turns)
{
    return (*(int *)turns)-- == 0;
}

TEST("a cancelled dial calls nobody, and can be started again")
{
    static origin o;
    full_queue q;
    mg_addr addr = {0};
    int turns = 3;
    open_world();
    open_full_queue(&q, "127.0.0.1", &addr);
    open_origin(&o, "127.0.0.1:0");
    t.dial.connect_ms = 10;
    CHECK_INT(mg_dial_start(&t.dial, t.pool, peer_at(&addr, &options), false), MG_DIAL_WAIT);
    mg_dial_cancel(&t.dial);
    CHECK_INT(t.dial.state, MG_DIAL_FAILED);
    mg_dial_cancel(&t.dial);
    t.dial.connect_ms = 2000;
    CHECK_INT(dial(peer_at(&o.addr, &options), false), MG_DIAL_READY);
    t.dones = 0;
    (void)run_until(never, &turns);
    CHECK_INT(t.dones, 0);
    mg_dial_cancel(&t.dial);
    mg_h1_client_close(t.dial.client);
    close_origin(&o);
    close_full_queue(&q);
    close_world();
}

TEST("a UNIX socket is reached, and one that is not there is said to be absent")
{
    static origin o;
    char folder[] = "/tmp/mg-dial-XXXXXX", text[64];
    open_world();
    REQUIRE(mkdtemp(folder) != NULL);
    (void)snprintf(text, sizeof text, "unix:%s/s", folder);
    CHECK_INT(dial(peer_with(text, &options), false), MG_DIAL_FAILED);
    CHECK_STR(mg_str_of(t.dial.why), MG_STR("no such socket"));
    open_origin(&o, text);
    mg_peer *p = peer_with(text, &options);
    mg_h1_client *c = ask(p, false);
    CHECK(ask(p, false) == c);
    CHECK_INT(o.accepted, 1);
    close_origin(&o);
    (void)unlink(text + 5);
    (void)rmdir(folder);
    close_world();
}

/* ---- names --------------------------------------------------------------------------------------- */

static void open_names(const char *hosts, const char *nameserver)
{
    mg_err err;
    (void)snprintf(t.hosts, sizeof t.hosts, "/tmp/mg-hosts-%d", (int)getpid());
    CHECK(mg_file_write(t.hosts, mg_str_of(hosts), 0600, &err) == MG_OK);
    mg_dns_config c = {.nameservers = nameserver, .hosts_file = t.hosts, .timeout_ms = 200, .attempts = 1};
    t.dns = mg_dns_open(&c, &err);
    CHECK(t.dns != NULL);
    mg_pool_use_dns(t.pool, t.dns);
}

static mg_peer *named(const char *name, const mg_addr *addr)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s:%u", name, mg_addr_port(addr));
    return peer_with(text, &options);
}

TEST("a name is looked up and its next address is tried when one refuses")
{
    static origin o;
    open_world();
    open_names("127.0.0.2 app.test\n127.0.0.1 app.test\n127.0.0.3 app.test\n", "127.0.0.1:1");
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = named("App.Test", &o.addr);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(dial(p, true), MG_DIAL_READY);
        mg_h1_client_close(t.dial.client);
    }
    close_origin(&o);
    CHECK_INT(dial(p, true), MG_DIAL_FAILED);
    CHECK_STR(mg_str_of(t.dial.why), MG_STR("connection refused"));
    close_world();
}

TEST("the addresses of a name take turns")
{
    static origin first, second;
    char text[32];
    open_world();
    open_names("127.0.0.1 app.test\n127.0.0.2 app.test\n", "127.0.0.1:1");
    open_origin(&first, "127.0.0.1:0");
    (void)snprintf(text, sizeof text, "127.0.0.2:%u", mg_addr_port(&first.addr));
    open_origin(&second, text);
    mg_peer *p = named("app.test", &first.addr);
    for (int i = 0; i < 8; i++)
        (void)ask(p, true);
    CHECK_INT(first.accepted, 4);
    CHECK_INT(second.accepted, 4);
    close_origin(&first);
    close_origin(&second);
    close_world();
}

TEST("an address that takes nobody costs a part of the patience, then the next has its turn")
{
    static origin o;
    full_queue q;
    mg_addr addr = {0};
    open_world();
    open_names("127.0.0.2 app.test\n127.0.0.1 app.test\n", "127.0.0.1:1");
    open_origin(&o, "127.0.0.1:0");
    addr = o.addr;
    open_full_queue(&q, "127.0.0.2", &addr);
    mg_peer *p = named("app.test", &o.addr);
    t.dial.connect_ms = 100;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(dial(p, true), MG_DIAL_READY);
        mg_h1_client_close(t.dial.client);
    }
    close_full_queue(&q);
    close_origin(&o);
    close_world();
}

/* A name server that hears and does not answer, or says that there is no such name. */
static struct {
    mg_io io;
    int fd;
    bool answers;
    char text[MG_ADDR_ROOM];
} server;

static void on_question(mg_io *io, int events)
{
    unsigned char bytes[512];
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    (void)io, (void)events;
    ssize_t n = recvfrom(server.fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
    if (n < 12 || !server.answers)
        return;
    bytes[2] |= 0x80;
    bytes[3] = 3;
    /* Only the question goes back; extensions were counted in the last two bytes of the head. */
    bytes[10] = bytes[11] = 0;
    size_t end = 12;
    while (end < (size_t)n && bytes[end])
        end += bytes[end] + 1u;
    (void)sendto(server.fd, bytes, end + 5, 0, (struct sockaddr *)&from, length);
}

static void open_server(bool answers)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    mg_addr addr;
    server.answers = answers;
    server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(bind(server.fd, (struct sockaddr *)&sin, sizeof sin) == 0);
    CHECK(mg_socket_local(server.fd, &addr) == MG_OK);
    (void)mg_addr_print(&addr, server.text);
    mg_io_init(&server.io, on_question);
    mg_io_start(&server.io, server.fd, MG_READ);
}

static void close_server(void)
{
    mg_io_stop(&server.io);
    mg_socket_close(server.fd);
}

TEST("a name that does not exist fails as an error of DNS")
{
    open_world();
    open_server(true);
    open_names("", server.text);
    mg_peer *p = peer_with("nobody.test:80", &options);
    CHECK_INT(dial(p, false), MG_DIAL_FAILED);
    CHECK_STR(mg_str_of(t.dial.why), MG_STR("no such name"));
    CHECK_STR(mg_str_of(t.dial.error_type), MG_STR("dns_error"));
    CHECK(!t.dial.late);
    /* Known by now: no callback, the answer is the result of the start. */
    CHECK_INT(mg_dial_start(&t.dial, t.pool, p, false), MG_DIAL_FAILED);
    close_server();
    close_world();
}

TEST("a look-up that takes too long is late, the dial's patience includes it")
{
    open_world();
    open_server(false);
    open_names("", server.text);
    t.dial.connect_ms = 20;
    CHECK_INT(dial(peer_with("silent.test:80", &options), false), MG_DIAL_FAILED);
    CHECK(t.dial.late);
    CHECK_STR(mg_str_of(t.dial.error_type), MG_STR("dns_timeout"));
    close_server();
    close_world();
}

TEST("a dial that is cancelled while its name is looked up calls nobody")
{
    int turns = 2;
    open_world();
    open_server(true);
    open_names("", server.text);
    CHECK_INT(mg_dial_start(&t.dial, t.pool, peer_with("nobody.test:80", &options), false), MG_DIAL_WAIT);
    mg_dial_cancel(&t.dial);
    (void)run_until(never, &turns);
    CHECK_INT(t.dones, 0);
    close_server();
    close_world();
}

TEST("without a resolver a name fails at once and says so")
{
    open_world();
    CHECK_INT(mg_dial_start(&t.dial, t.pool, peer_with("app.test:80", &options), false), MG_DIAL_FAILED);
    CHECK_STR(mg_str_of(t.dial.why), MG_STR("no resolver"));
    close_world();
}

/* ---- the pool ------------------------------------------------------------------------------------ */

TEST("a connection that carried a request carries the next one")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    mg_h1_client *c = ask(p, false);
    CHECK_INT(mg_pool_idle(t.pool), 1);
    CHECK_INT(mg_dial_start(&t.dial, t.pool, p, false), MG_DIAL_READY);
    CHECK(t.dial.reused);
    CHECK(t.dial.client == c);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    mg_side *s = exchange(c);
    s->ops->release(s, true);
    CHECK_INT(mg_h1_client_requests(c), 2);
    CHECK_INT(o.accepted, 1);
    close_origin(&o);
    close_world();
}

TEST("who asks for a fresh connection gets one")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    (void)ask(p, false);
    (void)ask(p, true);
    CHECK(!t.dial.reused);
    CHECK_INT(o.accepted, 2);
    CHECK_INT(mg_pool_idle(t.pool), 2);
    close_origin(&o);
    close_world();
}

TEST("the connection that became idle last is used first")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    mg_h1_client *old = ask(p, true), *warm = ask(p, true);
    CHECK(old != warm);
    CHECK(ask(p, false) == warm);
    CHECK(ask(p, false) == warm);
    close_origin(&o);
    close_world();
}

TEST("a place keeps as many as its upstream allows")
{
    static origin o;
    mg_upstream_options two = options, none = options;
    two.keepalive = 2;
    none.keepalive = 0;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &two);
    mg_side *sides[3];
    for (int i = 0; i < 3; i++) {
        CHECK_INT(dial(p, false), MG_DIAL_READY);
        sides[i] = exchange(t.dial.client);
    }
    for (int i = 0; i < 3; i++)
        sides[i]->ops->release(sides[i], true);
    CHECK_INT(mg_pool_idle(t.pool), 2);
    mg_pool_drop_idle(t.pool);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    (void)ask(peer_at(&o.addr, &none), false);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    close_origin(&o);
    close_world();
}

TEST("a connection carries no more requests than its upstream allows")
{
    static origin o;
    mg_upstream_options two = options;
    two.keepalive_requests = 2;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &two);
    (void)ask(p, false);
    CHECK_INT(mg_pool_idle(t.pool), 1);
    (void)ask(p, false);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    (void)ask(p, false);
    CHECK_INT(o.accepted, 2);
    close_origin(&o);
    close_world();
}

TEST("an idle connection that its origin closes leaves the pool")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    (void)ask(p, true);
    (void)ask(p, true);
    close_conns(&o);
    CHECK(becomes_idle(0));
    (void)ask(p, false);
    CHECK(!t.dial.reused);
    close_origin(&o);
    close_world();
}

TEST("bytes that nobody asked for end an idle connection")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    (void)ask(p, true);
    CHECK_INT(write(o.conns[0].fd, "HTTP/1.1 200 OK\r\n", 17), 17);
    CHECK(becomes_idle(0));
    close_origin(&o);
    close_world();
}

TEST("an idle connection goes when its time is over")
{
    static origin o;
    mg_upstream_options brief = options;
    brief.keepalive_idle_ms = 20;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    (void)ask(peer_at(&o.addr, &brief), false);
    CHECK_INT(mg_pool_idle(t.pool), 1);
    int64_t since = mg_clock_ms();
    CHECK(becomes_idle(0));
    CHECK(mg_clock_ms() - since >= 19);
    close_origin(&o);
    close_world();
}

TEST("a connection that did not end cleanly is not kept")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_peer *p = peer_at(&o.addr, &options);
    CHECK_INT(dial(p, false), MG_DIAL_READY);
    mg_side *s = exchange(t.dial.client);
    s->ops->release(s, false);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    CHECK_INT(dial(p, false), MG_DIAL_READY);
    s = exchange(t.dial.client);
    s->ops->abort(s);
    CHECK_INT(mg_pool_idle(t.pool), 0);
    close_origin(&o);
    close_world();
}

TEST("idle connections outlive the upstream that dialled them and serve the next one of that address")
{
    static origin o;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_arena old;
    mg_arena_init(&old, 1u << 20);
    mg_arena keep = t.arena;
    t.arena = old;
    CHECK_INT(dial(peer_at(&o.addr, &options), false), MG_DIAL_READY);
    old = t.arena;
    t.arena = keep;
    mg_side *s = exchange(t.dial.client);
    mg_arena_fini(&old);
    mg_arena_trim_pool(); /* really freed, for those who watch memory */
    s->ops->release(s, true);
    CHECK_INT(mg_pool_idle(t.pool), 1);
    (void)ask(peer_at(&o.addr, &options), false);
    CHECK(t.dial.reused);
    close_origin(&o);
    close_world();
}

TEST("connections made and idle are counted in the rows of the server and of its upstream")
{
    static origin o;
    mg_err err;
    open_world();
    open_origin(&o, "127.0.0.1:0");
    mg_stats *stats = mg_stats_open(1, &err);
    REQUIRE(stats != NULL);
    mg_peer *p = peer_at(&o.addr, &options);
    mg_upstream_use_stats(p->upstream, stats, 0);
    (void)ask(p, true);
    (void)ask(p, true);
    CHECK_INT(p->stats->connections_opened, 2);
    CHECK_INT(p->upstream->stats->connections_opened, 2);
    CHECK_INT(p->stats->idle, 2);
    (void)ask(p, false);
    CHECK_INT(p->stats->connections_opened, 2);
    close_conns(&o);
    CHECK(becomes_idle(0));
    CHECK_INT(p->stats->idle, 0);
    CHECK_INT(p->upstream->stats->idle, 0);
    close_origin(&o);
    mg_pool_free(t.pool);
    t.pool = NULL;
    mg_stats_close(stats);
    close_world();
}
