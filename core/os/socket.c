#include "os/socket.h"

#include "base/fault.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int open_socket(int family)
{
    if (MG_FAULT("socket")) {
        errno = EMFILE;
        return -1;
    }
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

void mg_socket_close(int fd)
{
    int before = errno;
    if (fd >= 0)
        (void)close(fd); /* also after EINTR the descriptor is free on Linux */
    errno = before;
}

/* ---- listening ---- */

static int bind_to(int fd, const mg_addr *a)
{
    struct sockaddr_storage sa;
    socklen_t n = mg_addr_sockaddr(a, &sa);
    return bind(fd, (struct sockaddr *)&sa, n);
}

/* A socket file outlives its process. Nobody behind it: connect is refused, and the file may go. */
static bool is_stale(const mg_addr *a)
{
    struct stat st;
    if (stat(a->path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = open_socket(AF_UNIX);
    if (fd < 0)
        return false;
    struct sockaddr_storage sa;
    socklen_t n = mg_addr_sockaddr(a, &sa);
    bool refused = connect(fd, (struct sockaddr *)&sa, n) != 0 && errno == ECONNREFUSED;
    mg_socket_close(fd);
    return refused;
}

static int bind_unix(int fd, const mg_addr *a, unsigned mode)
{
    if (mode == 0)
        mode = 0660;
    /* The file is made with the mode of the descriptor, less the umask; chmod then gives back what the
     * umask took. In this order nobody can connect who may not. */
    if (fchmod(fd, mode) != 0)
        return -1;
    if (bind_to(fd, a) != 0) {
        if (errno != EADDRINUSE)
            return -1;
        if (!is_stale(a)) {
            errno = EADDRINUSE;
            return -1;
        }
        if (unlink(a->path) != 0 || bind_to(fd, a) != 0)
            return -1;
    }
    return chmod(a->path, mode);
}

static int bind_inet(int fd, const mg_addr *a, const mg_listen_options *o)
{
    if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0)
        return -1;
    if (o->reuse_port && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
        return -1;
    if (a->u.family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6_only) != 0)
        return -1;
    mg_socket_no_delay(fd);
    return bind_to(fd, a);
}

int mg_socket_listen(const mg_addr *a, const mg_listen_options *o, mg_addr *out, mg_err *err)
{
    char name[MG_ADDR_ROOM];
    (void)mg_addr_print(a, name);
    bool local = a->u.family == AF_UNIX;
    int fd = open_socket(a->u.family);
    int rc = fd < 0 ? -1 : local ? bind_unix(fd, a, o->mode) : bind_inet(fd, a, o);
    if (rc == 0)
        rc = listen(fd, o->backlog > 0 ? o->backlog : SOMAXCONN);
    if (rc != 0) {
        (void)mg_err_set(err, "cannot listen on %s: %s", name, strerror(errno));
        mg_socket_close(fd);
        return -1;
    }
    *out = *a;
    if (!local && mg_socket_local(fd, out) != MG_OK) {
        (void)mg_err_set(err, "cannot listen on %s: %s", name, strerror(errno));
        mg_socket_close(fd);
        return -1;
    }
    return fd;
}

int mg_socket_accept(int listener, mg_addr *peer)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    if (MG_FAULT("accept")) {
        errno = EMFILE;
        return -1;
    }
    int fd = accept4(listener, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && peer)
        mg_addr_from(peer, (struct sockaddr *)&sa);
    return fd;
}

/* ---- connecting ---- */

static int bind_source(int fd, const mg_addr *source)
{
    /* The port is chosen in connect, per destination: 28,000 connections per origin instead of in all. */
    if (source->u.family != AF_UNIX && mg_addr_port(source) == 0)
        (void)set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    return bind_to(fd, source);
}

int mg_socket_connect(const mg_addr *a, const mg_addr *source, bool *pending)
{
    *pending = false;
    if (MG_FAULT("connect")) {
        errno = ECONNREFUSED;
        return -1;
    }
    int fd = open_socket(a->u.family);
    if (fd < 0)
        return -1;
    if (a->u.family != AF_UNIX)
        mg_socket_no_delay(fd);
    struct sockaddr_storage sa;
    socklen_t n = mg_addr_sockaddr(a, &sa);
    if ((source && bind_source(fd, source) != 0) || connect(fd, (struct sockaddr *)&sa, n) != 0) {
        if (errno != EINPROGRESS) {
            mg_socket_close(fd);
            return -1;
        }
        *pending = true;
    }
    return fd;
}

int mg_socket_error(int fd)
{
    int error = 0;
    socklen_t n = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 ? error : errno;
}

mg_rc mg_socket_local(int fd, mg_addr *out)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
        return MG_FAIL;
    mg_addr_from(out, (struct sockaddr *)&sa);
    return MG_OK;
}

bool mg_socket_is_quiet(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR);
}

int64_t mg_socket_unacked(int fd)
{
    int n = 0;
    return ioctl(fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

void mg_socket_no_delay(int fd)
{
    (void)set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void mg_socket_reset_on_close(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* ---- descriptors in messages ---- */

typedef union {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int) * MG_SOCKET_FDS_MOST)];
} control;

static mg_rc failed(void)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return MG_AGAIN;
    return errno == EPIPE || errno == ECONNRESET ? MG_GONE : MG_FAIL;
}

mg_rc mg_socket_send_fds(int fd, const void *bytes, size_t n, const int *fds, int count)
{
    MG_BUG_UNLESS(n > 0 && n <= MG_SOCKET_MESSAGE_MOST && count >= 0 && count <= MG_SOCKET_FDS_MOST);
    control c;
    memset(&c, 0, sizeof c);
    struct iovec iov = {.iov_len = n};
    memcpy(&iov.iov_base, &bytes, sizeof bytes); /* sendmsg does not write there, though its type would let it */
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        m.msg_control = c.room;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        c.head.cmsg_level = SOL_SOCKET;
        c.head.cmsg_type = SCM_RIGHTS;
        c.head.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(&c.head), fds, sizeof(int) * (size_t)count);
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return failed();
    /* The kernel puts a message of this size into one buffer, so there is no half of it. */
    MG_BUG_UNLESS((size_t)sent == n);
    return MG_OK;
}

/* Moves what came into fds; false when there was no room for all, and then all are closed. */
static bool take_fds(struct msghdr *m, int *fds, int *count)
{
    int got[MG_SOCKET_FDS_MOST], n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t size = MG_MIN(c->cmsg_len - CMSG_LEN(0), sizeof got - sizeof(int) * (size_t)n);
        memcpy(got + n, CMSG_DATA(c), size);
        n += (int)(size / sizeof(int));
    }
    bool fit = n <= *count && !(m->msg_flags & MSG_CTRUNC);
    if (fit && n)
        memcpy(fds, got, sizeof(int) * (size_t)n);
    for (int i = 0; !fit && i < n; i++)
        mg_socket_close(got[i]);
    *count = fit ? n : 0;
    return fit;
}

mg_rc mg_socket_receive_fds(int fd, void *bytes, size_t *n, int *fds, int *count)
{
    control c;
    struct iovec iov = {.iov_base = bytes, .iov_len = *n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof c.room};
    ssize_t got;
    do
        got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    *n = got > 0 ? (size_t)got : 0;
    if (got <= 0) {
        *count = 0;
        return got == 0 ? MG_EOF : failed();
    }
    return take_fds(&m, fds, count) ? MG_OK : MG_BAD;
}
