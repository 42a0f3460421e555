/*
 * name_server_test: a name server for tests, on the loop of the test itself.
 *
 * It is a function from the first label of the name to an answer, over UDP and TCP on one port of
 * 127.0.0.1, and counts the questions:
 *
 *      silent no answer · half only A · none NXDOMAIN · fail SERVFAIL · refuse REFUSED · empty no records ·
 *      only4 only6 · alias CNAME with TTL 5 · trunc truncated over UDP · many 80 addresses · garbage ·
 *      zero TTL 0 · long TTL 1000000 · anything else 10.0.0.1 (TTL 60), 10.0.0.2 and fd00::1
 *
 * Belongs into one file of a program, after base/test.h. One server at a time.
 */
#ifndef MG_OS_NAME_SERVER_TEST_H
#define MG_OS_NAME_SERVER_TEST_H

#include "os/loop.h"
#include "os/socket.h"

#include <errno.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, TC = 0x0200, NXDOMAIN = 3, SERVFAIL = 2, REFUSED = 5 };

static struct {
    mg_io udp, tcp, connection;
    int udp_fd, tcp_fd, connection_fd;
    uint16_t port;
    int asked_a, asked_aaaa, over_tcp;
} server;

typedef struct {
    uint8_t bytes[8192];
    size_t n;
    size_t question; /* where it ends */
    int answers;
} message;

static void put16(message *m, unsigned v)
{
    m->bytes[m->n++] = (uint8_t)(v >> 8);
    m->bytes[m->n++] = (uint8_t)v;
}

static void put_record(message *m, unsigned type, unsigned ttl, const void *data, size_t n)
{
    put16(m, 0xc00c); /* the name of the question */
    put16(m, type);
    put16(m, 1);
    put16(m, ttl >> 16);
    put16(m, ttl & 0xffff);
    put16(m, (unsigned)n);
    memcpy(m->bytes + m->n, data, n);
    m->n += n;
    m->answers++;
}

static void put_a(message *m, unsigned last, unsigned ttl)
{
    uint8_t a[4] = {10, 0, (uint8_t)(last >> 8), (uint8_t)last};
    put_record(m, TYPE_A, ttl, a, sizeof a);
}

static void put_aaaa(message *m, unsigned last, unsigned ttl)
{
    uint8_t a[16] = {0xfd, [15] = (uint8_t)last};
    put_record(m, TYPE_AAAA, ttl, a, sizeof a);
}

/* CNAME to "to.test", and the address of that. */
static void put_alias(message *m, unsigned type)
{
    static const uint8_t target[] = {2, 't', 'o', 4, 't', 'e', 's', 't', 0};
    put_record(m, TYPE_CNAME, 5, target, sizeof target);
    size_t name = m->n - sizeof target;
    size_t record = m->n;
    if (type == TYPE_A)
        put_a(m, 9, 500);
    else
        put_aaaa(m, 9, 500);
    m->bytes[record] = (uint8_t)(0xc0 | name >> 8);
    m->bytes[record + 1] = (uint8_t)name;
}

static mg_str first_label(const message *m)
{
    return (mg_str){(const char *)m->bytes + 13, m->bytes[12]};
}

static bool is_for(const message *m, const char *label)
{
    return mg_str_starts(first_label(m), mg_str_of(label));
}

/* Fills in the answer; false: keeps silent. */
static bool answer(message *m, unsigned type, bool tcp, unsigned *flags)
{
    bool a = type == TYPE_A;
    if (is_for(m, "silent") || (is_for(m, "half") && !a))
        return false;
    if (is_for(m, "none"))
        *flags |= NXDOMAIN;
    else if (is_for(m, "fail"))
        *flags |= SERVFAIL;
    else if (is_for(m, "refuse"))
        *flags |= REFUSED;
    else if (is_for(m, "empty") || (is_for(m, "only4") && !a) || (is_for(m, "only6") && a))
        (void)0;
    else if (is_for(m, "alias"))
        put_alias(m, type);
    else if (is_for(m, "trunc") && !tcp)
        *flags |= TC;
    else if (is_for(m, "many") && a)
        for (unsigned i = 0; i < 80; i++)
            put_a(m, i, 60);
    else if (a) {
        put_a(m, 1, is_for(m, "zero") ? 0 : is_for(m, "long") ? 1000000 : 60);
        put_a(m, 2, is_for(m, "zero") ? 0 : 1000000);
    } else
        put_aaaa(m, 1, is_for(m, "zero") ? 0 : 1000000);
    return true;
}

/* Makes the answer of the question in m, in place. */
static bool serve(message *m, bool tcp)
{
    size_t at = 12;
    while (at < m->n && m->bytes[at])
        at += m->bytes[at] + 1u;
    if (at + 5 > m->n)
        return false;
    unsigned type = (unsigned)(m->bytes[at + 1] << 8 | m->bytes[at + 2]), flags = 0x8180;
    *(type == TYPE_A ? &server.asked_a : &server.asked_aaaa) += 1;
    server.over_tcp += tcp;
    if (is_for(m, "garbage")) {
        memset(m->bytes + 2, 0xee, m->n - 2);
        return true;
    }
    m->n = at + 5;
    m->answers = 0;
    if (!answer(m, type, tcp, &flags))
        return false;
    m->bytes[2] = (uint8_t)(flags >> 8);
    m->bytes[3] = (uint8_t)flags;
    m->bytes[6] = (uint8_t)(m->answers >> 8);
    m->bytes[7] = (uint8_t)m->answers;
    memset(m->bytes + 8, 0, 4); /* no authority, nothing additional */
    return true;
}

static void on_udp(mg_io *io, int events)
{
    message m;
    struct sockaddr_storage from;
    socklen_t n = sizeof from;
    (void)io, (void)events;
    ssize_t got = recvfrom(server.udp_fd, m.bytes, 512, 0, (struct sockaddr *)&from, &n);
    if (got < 12)
        return;
    m.n = (size_t)got;
    if (serve(&m, false))
        CHECK(sendto(server.udp_fd, m.bytes, m.n, 0, (struct sockaddr *)&from, n) == (ssize_t)m.n);
}

static void on_tcp_question(mg_io *io, int events)
{
    message m;
    uint8_t size[2];
    (void)events;
    while (recv(server.connection_fd, size, 2, 0) == 2) {
        m.n = (size_t)size[0] << 8 | size[1];
        CHECK(recv(server.connection_fd, m.bytes, m.n, 0) == (ssize_t)m.n);
        if (!serve(&m, true))
            continue;
        uint8_t framed[sizeof m.bytes + 2] = {(uint8_t)(m.n >> 8), (uint8_t)m.n};
        memcpy(framed + 2, m.bytes, m.n);
        CHECK(send(server.connection_fd, framed, m.n + 2, MSG_NOSIGNAL) == (ssize_t)m.n + 2);
    }
    if (errno != EAGAIN || recv(server.connection_fd, size, 1, MSG_PEEK) == 0) {
        mg_io_stop(io);
        mg_socket_close(server.connection_fd);
        server.connection_fd = -1;
    }
}

static void on_tcp(mg_io *io, int events)
{
    (void)io, (void)events;
    int fd = mg_socket_accept(server.tcp_fd, NULL);
    if (fd < 0)
        return;
    MG_BUG_UNLESS(server.connection_fd < 0);
    server.connection_fd = fd;
    mg_io_init(&server.connection, on_tcp_question);
    mg_io_start(&server.connection, fd, MG_READ);
}

/* One port for both: TCP chooses, UDP follows. */
static bool bind_server(void)
{
    mg_addr any, at;
    mg_err err;
    struct sockaddr_storage sa;
    mg_listen_options o = {0};
    MG_BUG_UNLESS(mg_addr_parse("127.0.0.1:0", &any) == MG_OK);
    server.tcp_fd = mg_socket_listen(&any, &o, &at, &err);
    MG_BUG_UNLESS(server.tcp_fd >= 0);
    server.port = mg_addr_port(&at);
    server.udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t n = mg_addr_sockaddr(&at, &sa);
    if (bind(server.udp_fd, (struct sockaddr *)&sa, n) == 0)
        return true;
    mg_socket_close(server.udp_fd);
    mg_socket_close(server.tcp_fd);
    return false;
}

static void open_server(void)
{
    memset(&server, 0, sizeof server);
    server.connection_fd = -1;
    while (!bind_server())
        ;
    mg_io_init(&server.udp, on_udp);
    mg_io_start(&server.udp, server.udp_fd, MG_READ);
    mg_io_init(&server.tcp, on_tcp);
    mg_io_start(&server.tcp, server.tcp_fd, MG_READ);
}

static void close_server(void)
{
    mg_io_stop(&server.udp);
    mg_io_stop(&server.tcp);
    if (server.connection_fd >= 0) {
        mg_io_stop(&server.connection);
        mg_socket_close(server.connection_fd);
    }
    mg_socket_close(server.udp_fd);
    mg_socket_close(server.tcp_fd);
}

#endif
