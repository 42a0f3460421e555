#include "transport/transport.h"

#include "base/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static mg_transport near;
static int far = -1;

static void open_pair(void)
{
    int fds[2];
    MG_BUG_UNLESS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    near = (mg_transport){.fd = fds[0]};
    far = fds[1];
}

static void close_far(void)
{
    if (far >= 0)
        (void)close(far);
    far = -1;
}

static void close_pair(void)
{
    mg_transport_close(&near);
    close_far();
}

/* What one read gives, into two pieces of 4 bytes. */
static mg_rc read_pieces(int count, mg_str *got)
{
    static char bytes[8];
    struct iovec iov[] = {{bytes, 4}, {bytes + 4, 4}};
    size_t n = 99;
    mg_rc rc = mg_transport_read(&near, iov, count, &n);
    *got = (mg_str){bytes, n};
    return rc;
}

static mg_rc write_pieces(int count, size_t *n)
{
    struct iovec iov[] = {{(char[]){'a', 'b'}, 2}, {(char[]){'c'}, 1}};
    *n = 99;
    return mg_transport_write(&near, iov, count, n);
}

TEST("a plain read fills one piece or several and says how much came, or that nothing does now")
{
    mg_str got;
    open_pair();
    CHECK(mg_transport_is_plain(&near));
    CHECK_INT(read_pieces(1, &got), MG_AGAIN);
    CHECK_INT(got.n, 0);
    CHECK(write(far, "abcdef", 6) == 6);
    CHECK_INT(read_pieces(1, &got), MG_OK);
    CHECK_STR(got, MG_STR("abcd"));
    CHECK(write(far, "ghij", 4) == 4);
    CHECK_INT(read_pieces(2, &got), MG_OK);
    CHECK_STR(got, MG_STR("efghij"));
    CHECK_INT(read_pieces(2, &got), MG_AGAIN);
    close_pair();
}

TEST("an end and a reset are told apart")
{
    mg_str got;
    open_pair();
    close_far();
    CHECK_INT(read_pieces(1, &got), MG_EOF);
    CHECK_INT(got.n, 0);
    CHECK_INT(read_pieces(2, &got), MG_EOF);
    close_pair();
    open_pair();
    CHECK(write(near.fd, "x", 1) == 1);
    close_far(); /* with a byte unread */
    CHECK_INT(read_pieces(1, &got), MG_GONE);
    CHECK_INT(got.n, 0);
    close_pair();
}

TEST("a plain write takes one piece or several, nothing when there is no room, and no signal when nobody reads")
{
    char got[16];
    size_t n;
    open_pair();
    CHECK_INT(write_pieces(1, &n), MG_OK);
    CHECK_INT(n, 2);
    CHECK_INT(write_pieces(2, &n), MG_OK);
    CHECK_INT(n, 3);
    CHECK_INT(read(far, got, sizeof got), 5);
    CHECK_STR(((mg_str){got, 5}), MG_STR("ababc"));
    mg_rc rc;
    while ((rc = write_pieces(2, &n)) == MG_OK)
        ;
    CHECK_INT(rc, MG_AGAIN);
    CHECK_INT(n, 0);
    close_far();
    CHECK_INT(write_pieces(1, &n), MG_GONE);
    CHECK_INT(write_pieces(2, &n), MG_GONE);
    CHECK_INT(n, 0);
    close_pair();
}

TEST("our direction can be ended while the other one goes on")
{
    char got[4];
    mg_str came;
    open_pair();
    mg_transport_end_writing(&near);
    CHECK_INT(read(far, got, sizeof got), 0);
    CHECK(write(far, "x", 1) == 1);
    CHECK_INT(read_pieces(1, &came), MG_OK);
    CHECK_STR(came, MG_STR("x"));
    close_pair();
}

TEST("a closed transport has no descriptor, and closing it again does nothing")
{
    open_pair();
    int fd = near.fd;
    mg_transport_close(&near);
    CHECK_INT(near.fd, -1);
    CHECK_INT(fcntl(fd, F_GETFD), -1);
    mg_transport_end_writing(&near);
    mg_transport_close(&near);
    close_pair();
}

/* ---- layers -------------------------------------------------------------------------------------- */

static int closes, fd_at_close;

static mg_rc read_layer(mg_transport *t, struct iovec *iov, int count, size_t *n)
{
    (void)count;
    CHECK(t->state == &closes);
    memcpy(iov[0].iov_base, "deep", 4);
    *n = 4;
    return MG_OK;
}

static mg_rc write_layer(mg_transport *t, const struct iovec *iov, int count, size_t *n)
{
    (void)t, (void)iov, (void)count;
    *n = 0;
    return MG_AGAIN;
}

static void close_layer(mg_transport *t)
{
    closes++;
    fd_at_close = fcntl(t->fd, F_GETFD);
}

TEST("a layer reads and writes instead of the socket, and hears of the end while the socket is still open")
{
    static const mg_transport_layer layer = {.read = read_layer, .write = write_layer, .close = close_layer};
    mg_str got;
    size_t n;
    open_pair();
    near.layer = &layer;
    near.state = &closes;
    CHECK(!mg_transport_is_plain(&near));
    CHECK_INT(read_pieces(1, &got), MG_OK);
    CHECK_STR(got, MG_STR("deep"));
    CHECK_INT(write_pieces(1, &n), MG_AGAIN);
    closes = 0;
    mg_transport_close(&near);
    CHECK_INT(closes, 1);
    CHECK(fd_at_close >= 0);
    CHECK(mg_transport_is_plain(&near));
    close_pair();
}
