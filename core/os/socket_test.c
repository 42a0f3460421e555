#include "os/socket.h"

#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static const char *fresh_folder(void)
{
    memcpy(folder, "/tmp/mg-socket-XXXXXX", sizeof "/tmp/mg-socket-XXXXXX");
    return mkdtemp(folder);
}

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "unix:%s/%s", folder, name);
    return path;
}

static int listen_on(const char *text, mg_addr *out, mg_err *err)
{
    mg_addr a;
    if (!CHECK_FOR(mg_addr_parse(text, &a) == MG_OK, text))
        return -1;
    mg_listen_options o = {.backlog = 16};
    return mg_socket_listen(&a, &o, out, err);
}

static bool ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, 5000) == 1;
}

static int connected(const mg_addr *a, const mg_addr *source)
{
    bool pending;
    int fd = mg_socket_connect(a, source, &pending);
    if (fd >= 0 && pending)
        CHECK(ready(fd, POLLOUT) && mg_socket_error(fd) == 0);
    return fd;
}

static void check_descriptor(int fd)
{
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void check_round_trip(const char *where)
{
    mg_addr at, peer, mine;
    mg_err err = {""};
    int listener = listen_on(where, &at, &err);
    CHECK_STR(mg_str_of(err.text), MG_STR(""));
    CHECK(mg_socket_accept(listener, &peer) == -1 && errno == EAGAIN);
    int client = connected(&at, NULL);
    CHECK(ready(listener, POLLIN));
    int server = mg_socket_accept(listener, &peer);
    REQUIRE(listener >= 0 && client >= 0 && server >= 0);
    check_descriptor(listener);
    check_descriptor(client);
    check_descriptor(server);
    CHECK(mg_socket_local(client, &mine) == MG_OK && mg_addr_eq(&mine, &peer));
    if (at.u.family != AF_UNIX) {
        int on = 0;
        socklen_t n = sizeof on;
        CHECK(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, &n) == 0 && on);
        CHECK(mg_addr_port(&at) != 0);
    }
    CHECK(write(client, "hi", 2) == 2 && ready(server, POLLIN));
    char got[8];
    CHECK_INT(read(server, got, sizeof got), 2);
    mg_socket_close(client);
    mg_socket_close(server);
    mg_socket_close(listener);
}

TEST("IPv4, IPv6 and UNIX sockets carry bytes, non-blocking, closed on exec, without delay")
{
    REQUIRE(fresh_folder() != NULL);
    check_round_trip("127.0.0.1:0");
    check_round_trip("[::1]:0");
    check_round_trip(in_folder("a.sock"));
    (void)unlink(in_folder("a.sock") + 5);
    (void)rmdir(folder);
}

TEST("several sockets share a port when asked to, and not otherwise")
{
    mg_addr a, at, again;
    mg_err err;
    mg_listen_options shared = {.reuse_port = true}, alone = {0};
    CHECK(mg_addr_parse("127.0.0.1:0", &a) == MG_OK);
    int one = mg_socket_listen(&a, &shared, &at, &err);
    int two = mg_socket_listen(&at, &shared, &again, &err);
    CHECK(one >= 0 && two >= 0 && mg_addr_eq(&at, &again));
    CHECK(mg_socket_listen(&at, &alone, &again, &err) == -1);
    char wanted[256], name[MG_ADDR_ROOM];
    (void)mg_addr_print(&at, name);
    (void)snprintf(wanted, sizeof wanted, "cannot listen on %s: Address already in use", name);
    CHECK_STR(mg_str_of(err.text), mg_str_of(wanted));
    mg_socket_close(one);
    mg_socket_close(two);
}

TEST("a UNIX socket file whose process is gone is replaced")
{
    REQUIRE(fresh_folder() != NULL);
    mg_addr at;
    mg_err err;
    const char *where = in_folder("stale.sock");
    int first = listen_on(where, &at, &err);
    CHECK(first >= 0);
    CHECK(listen_on(where, &at, &err) == -1); /* somebody answers there */
    mg_socket_close(first);
    int second = listen_on(where, &at, &err);
    CHECK(second >= 0);
    mg_socket_close(second);
    (void)unlink(where + 5);
    (void)rmdir(folder);
}

TEST("a file that is no socket is left where it is")
{
    REQUIRE(fresh_folder() != NULL);
    mg_addr at;
    mg_err err;
    const char *where = in_folder("precious");
    int fd = open(where + 5, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
    CHECK(listen_on(where, &at, &err) == -1);
    CHECK(access(where + 5, F_OK) == 0);
    (void)unlink(where + 5);
    (void)rmdir(folder);
}

TEST("a UNIX socket file has the mode asked for, whatever the umask")
{
    REQUIRE(fresh_folder() != NULL);
    mg_addr a, at;
    mg_err err;
    struct stat st;
    const char *where = in_folder("mode.sock");
    static const unsigned modes[] = {0600, 0666, 0660};
    for (size_t i = 0; i < MG_COUNT(modes); i++) {
        mg_listen_options o = {.mode = modes[i]};
        CHECK(mg_addr_parse(where, &a) == MG_OK);
        mode_t before = umask(077);
        int fd = mg_socket_listen(&a, &o, &at, &err);
        (void)umask(before);
        CHECK(fd >= 0 && stat(where + 5, &st) == 0);
        CHECK_INT(st.st_mode & 0777, modes[i]);
        mg_socket_close(fd);
    }
    (void)unlink(where + 5);
    (void)rmdir(folder);
}

TEST("connecting to a port where nobody listens is refused")
{
    mg_addr at;
    mg_err err;
    bool pending;
    int listener = listen_on("127.0.0.1:0", &at, &err);
    mg_socket_close(listener);
    int fd = mg_socket_connect(&at, NULL, &pending);
    if (fd >= 0) {
        CHECK(ready(fd, POLLOUT));
        CHECK_INT(mg_socket_error(fd), ECONNREFUSED);
        mg_socket_close(fd);
    } else {
        CHECK_INT(errno, ECONNREFUSED);
    }
}

TEST("a connection comes from the source address it was told to")
{
    mg_addr at, source, peer;
    mg_err err;
    char text[MG_ADDR_ROOM];
    int listener = listen_on("127.0.0.1:0", &at, &err);
    CHECK(mg_addr_parse("127.0.0.9:0", &source) == MG_OK);
    int client = connected(&at, &source);
    CHECK(ready(listener, POLLIN));
    int server = mg_socket_accept(listener, &peer);
    (void)mg_addr_print_ip(&peer, text);
    CHECK_STR(mg_str_of(text), MG_STR("127.0.0.9"));
    mg_socket_close(client);
    mg_socket_close(server);
    mg_socket_close(listener);
}

TEST("a socket that is to reset on close does")
{
    mg_addr at;
    mg_err err;
    char byte;
    int listener = listen_on("127.0.0.1:0", &at, &err);
    int client = connected(&at, NULL);
    CHECK(ready(listener, POLLIN));
    int server = mg_socket_accept(listener, NULL);
    mg_socket_reset_on_close(server);
    mg_socket_close(server);
    CHECK(ready(client, POLLIN));
    CHECK(read(client, &byte, 1) == -1 && errno == ECONNRESET);
    mg_socket_close(client);
    mg_socket_close(listener);
}

TEST("descriptors arrive with their message, closed on exec")
{
    int pair[2], pipes[2], got[4], count = 4;
    char bytes[16];
    size_t n = sizeof bytes;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipes) == 0);
    CHECK(mg_socket_receive_fds(pair[1], bytes, &n, got, &count) == MG_AGAIN && n == 0 && count == 0);
    CHECK(mg_socket_send_fds(pair[0], "two", 3, pipes, 2) == MG_OK);
    CHECK(mg_socket_send_fds(pair[0], "none", 4, NULL, 0) == MG_OK);
    n = sizeof bytes, count = 4;
    CHECK(mg_socket_receive_fds(pair[1], bytes, &n, got, &count) == MG_OK);
    CHECK_INT(count, 2);
    CHECK_STR(((mg_str){bytes, MG_MIN(n, (size_t)3)}), MG_STR("two"));
    CHECK(write(got[1], "x", 1) == 1 && read(pipes[0], bytes, 1) == 1 && bytes[0] == 'x');
    CHECK(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
    (void)close(got[0]), (void)close(got[1]);
    n = sizeof bytes, count = 4;
    CHECK(mg_socket_receive_fds(pair[1], bytes, &n, got, &count) == MG_OK && n == 4 && count == 0);
    (void)close(pair[0]);
    n = sizeof bytes, count = 4;
    CHECK(mg_socket_receive_fds(pair[1], bytes, &n, got, &count) == MG_EOF);
    CHECK(mg_socket_send_fds(pair[1], "x", 1, NULL, 0) == MG_GONE);
    (void)close(pair[1]), (void)close(pipes[0]), (void)close(pipes[1]);
}

TEST("when more descriptors come than fit, none is kept open")
{
    int pair[2], pipes[2], got[2], count = 1, many[MG_SOCKET_FDS_MOST];
    char bytes[16];
    size_t n = sizeof bytes;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipes) == 0);
    int lowest = dup(pair[0]);
    (void)close(lowest);
    CHECK(mg_socket_send_fds(pair[0], "x", 1, pipes, 2) == MG_OK);
    CHECK(mg_socket_receive_fds(pair[1], bytes, &n, got, &count) == MG_BAD && count == 0);
    for (size_t i = 0; i < MG_COUNT(many); i++)
        many[i] = pipes[0];
    CHECK(mg_socket_send_fds(pair[0], "y", 1, many, MG_SOCKET_FDS_MOST) == MG_OK);
    n = sizeof bytes, count = MG_SOCKET_FDS_MOST;
    CHECK(mg_socket_receive_fds(pair[1], bytes, &n, many, &count) == MG_OK && count == MG_SOCKET_FDS_MOST);
    for (int i = 0; i < count; i++)
        (void)close(many[i]);
    int after = dup(pair[0]);
    CHECK_INT(after, lowest);
    (void)close(after);
    (void)close(pair[0]), (void)close(pair[1]), (void)close(pipes[0]), (void)close(pipes[1]);
}
