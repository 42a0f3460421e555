#include "upstream/dial.h"

#include "os/file.h"
#include "upstream/origin_test.h"

#include <arpa/inet.h>

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

static bool is_told(void *dial)
{
    return ((mg_dial *)dial)->state != MG_DIAL_WAIT;
}

TEST("a dial that is cancelled while its name is looked up calls nobody, who waits for the same name is told")
{
    mg_dial other;
    open_world();
    open_server(true);
    open_names("", server.text);
    mg_peer *p = peer_with("nobody.test:80", &options);
    mg_dial_init(&other, on_done);
    CHECK_INT(mg_dial_start(&t.dial, t.pool, p, false), MG_DIAL_WAIT);
    CHECK_INT(mg_dial_start(&other, t.pool, p, false), MG_DIAL_WAIT);
    mg_dial_cancel(&t.dial);
    CHECK(run_until(is_told, &other));
    CHECK_INT(t.dones, 1);
    CHECK_INT(other.state, MG_DIAL_FAILED);
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
