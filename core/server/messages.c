#include "server/messages.h"

#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    uint32_t say, number;
} head;

typedef struct {
    mg_link link;
    int fd; /* our own copy; -1: none */
    size_t n;
    char bytes[];
} waiting;

mg_rc mg_channel_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0 ? MG_OK : MG_FAIL;
}

static void forget(mg_channel *c, waiting *w)
{
    mg_list_cut(&w->link);
    c->queued--;
    mg_socket_close(w->fd);
    mg_free(w);
}

static void forget_all(mg_channel *c)
{
    MG_LIST_EACH_SAFE(l, after, &c->queue)
        forget(c, MG_OWNER(l, waiting, link));
}

static void gone(mg_channel *c)
{
    mg_io_stop(&c->io);
    forget_all(c);
    if (c->on_gone)
        c->on_gone(c);
}

/* MG_OK or MG_AGAIN; MG_GONE for all that cannot be mended. */
static mg_rc put(mg_channel *c, const void *bytes, size_t n, int fd)
{
    mg_rc rc = mg_socket_send_fds(c->fd, bytes, n, &fd, fd >= 0);
    if (rc == MG_FAIL && errno == ENOBUFS)
        return MG_AGAIN;
    return rc == MG_OK || rc == MG_AGAIN ? rc : MG_GONE;
}

static mg_rc send_queued(mg_channel *c)
{
    while (!mg_list_is_empty(&c->queue)) {
        waiting *w = MG_OWNER(c->queue.next, waiting, link);
        mg_rc rc = put(c, w->bytes, w->n, w->fd);
        if (rc != MG_OK)
            return rc;
        forget(c, w);
    }
    return MG_OK;
}

static void keep(mg_channel *c, const char *bytes, size_t n, int fd)
{
    waiting *w = mg_alloc(sizeof *w + n);
    mg_list_init(&w->link);
    w->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    w->n = n;
    memcpy(w->bytes, bytes, n);
    mg_list_append(&c->queue, &w->link);
    c->queued++;
    mg_io_start(&c->io, c->fd, MG_READ | MG_WRITE);
}

void mg_channel_send(mg_channel *c, mg_say say, uint32_t number, mg_str text, int fd)
{
    if (c->fd < 0 || !mg_io_events(&c->io))
        return;
    char bytes[sizeof(head) + MG_CHANNEL_TEXT];
    head h = {say, number};
    size_t n = MG_MIN(text.n, (size_t)MG_CHANNEL_TEXT);
    memcpy(bytes, &h, sizeof h);
    if (n)
        memcpy(bytes + sizeof h, text.p, n);
    mg_rc rc = mg_list_is_empty(&c->queue) ? put(c, bytes, sizeof h + n, fd) : MG_AGAIN;
    /* A break shows when reading as well, in a turn of its own: nobody is called back from here. */
    if (rc == MG_AGAIN && c->queued < MG_CHANNEL_QUEUE)
        keep(c, bytes, sizeof h + n, fd);
}

/* false: nothing more for now, or the channel ended. */
static bool receive(mg_channel *c)
{
    char bytes[sizeof(head) + MG_CHANNEL_TEXT + 1];
    size_t n = sizeof bytes - 1;
    int fd = -1, count = 1;
    mg_rc rc = mg_socket_receive_fds(c->fd, bytes, &n, &fd, &count);
    if (rc == MG_AGAIN)
        return false;
    head h;
    if (rc != MG_OK || n < sizeof h) {
        gone(c);
        return false;
    }
    memcpy(&h, bytes, sizeof h);
    bytes[n] = '\0';
    mg_message m = {h.say, h.number, {bytes + sizeof h, n - sizeof h}, count ? fd : -1};
    c->on_message(c, &m);
    return c->fd >= 0 && mg_io_events(&c->io);
}

static void on_ready(mg_io *io, int events)
{
    mg_channel *c = MG_OWNER(io, mg_channel, io);
    if (events & MG_WRITE) {
        mg_rc rc = send_queued(c);
        if (rc == MG_GONE)
            forget_all(c);
        if (rc != MG_AGAIN)
            mg_io_start(&c->io, c->fd, MG_READ);
    }
    for (int i = 0; i < 64 && (events & MG_READ) && receive(c); i++) {
    }
}

void mg_channel_init(mg_channel *c, int fd, void (*on_message)(mg_channel *, const mg_message *),
                     void (*on_gone)(mg_channel *))
{
    *c = (mg_channel){.fd = fd, .on_message = on_message, .on_gone = on_gone};
    mg_list_init(&c->queue);
    mg_io_init(&c->io, on_ready);
    mg_io_start(&c->io, fd, MG_READ);
}

void mg_channel_fini(mg_channel *c)
{
    if (c->fd < 0)
        return;
    mg_io_stop(&c->io);
    forget_all(c);
    mg_socket_close(c->fd);
    c->fd = -1;
}

void mg_channel_flush(mg_channel *c, int most_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    while (c->fd >= 0 && send_queued(c) == MG_AGAIN && poll(&p, 1, most_ms) > 0) {
    }
}

void mg_channel_drain(mg_channel *c)
{
    c->on_gone = NULL;
    while (c->fd >= 0 && mg_io_events(&c->io) && receive(c)) {
    }
}
