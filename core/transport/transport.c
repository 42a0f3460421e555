#include "transport/transport.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static mg_rc outcome(ssize_t done, size_t *n)
{
    if (done >= 0) {
        *n = (size_t)done;
        return done ? MG_OK : MG_EOF;
    }
    *n = 0;
    return errno == EAGAIN || errno == EINTR ? MG_AGAIN : MG_GONE;
}

mg_rc mg_transport_read(mg_transport *t, struct iovec *iov, int count, size_t *n)
{
    if (t->layer)
        return t->layer->read(t, iov, count, n);
    ssize_t done = count == 1 ? recv(t->fd, iov->iov_base, iov->iov_len, 0) : readv(t->fd, iov, count);
    return outcome(done, n);
}

mg_rc mg_transport_write(mg_transport *t, const struct iovec *iov, int count, size_t *n)
{
    if (t->layer)
        return t->layer->write(t, iov, count, n);
    if (count == 1)
        return outcome(send(t->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL), n);
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
    return outcome(sendmsg(t->fd, &m, MSG_NOSIGNAL), n);
}

void mg_transport_end_writing(mg_transport *t)
{
    if (t->fd >= 0)
        (void)shutdown(t->fd, SHUT_WR);
}

void mg_transport_close(mg_transport *t)
{
    if (t->fd < 0)
        return;
    if (t->layer)
        t->layer->close(t);
    close(t->fd);
    *t = (mg_transport){.fd = -1};
}
