/*
 * splice: a long body of known length between two plain sockets, moved inside the kernel.
 *
 *      origin socket ─splice─► pipe ─splice─► client socket
 *
 * Pipes are kept for the next body. A side that cannot go on is told so (spliced_in, spliced_out), and
 * wakes the exchange when it can; meanwhile the other one is paused.
 */
#include "exchange/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { SPLICE_LEAST = 256 * 1024, PIPE_SIZE = 1024 * 1024, PIPES_MOST = 32, TURNS = 4 };

struct mg_pipe {
    int in, out; /* write here, read there */
    size_t n;    /* bytes inside */
    size_t size;
    struct mg_pipe *next_free;
};

static struct mg_pipe *free_pipes;
static unsigned free_count;

static struct mg_pipe *take_pipe(void)
{
    struct mg_pipe *p = free_pipes;
    if (p) {
        free_pipes = p->next_free;
        free_count--;
        return p;
    }
    int fds[2];
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return NULL;
    p = mg_zalloc(sizeof *p);
    p->out = fds[0];
    p->in = fds[1];
    int size = fcntl(p->in, F_SETPIPE_SZ, PIPE_SIZE);
    if (size < 0)
        size = fcntl(p->in, F_GETPIPE_SZ);
    p->size = size > 0 ? (size_t)size : 65536;
    return p;
}

static void close_pipe(struct mg_pipe *p)
{
    close(p->in);
    close(p->out);
    mg_free(p);
}

static void put_back(struct mg_pipe *p)
{
    if (p->n || free_count >= PIPES_MOST) {
        close_pipe(p);
        return;
    }
    p->next_free = free_pipes;
    free_pipes = p;
    free_count++;
}

void mg_exchange_free_pipes(void)
{
    while (free_pipes) {
        struct mg_pipe *p = free_pipes;
        free_pipes = p->next_free;
        close_pipe(p);
    }
    free_count = 0;
}

bool mg_exchange_is_long(mg_side *from)
{
    uint64_t left;
    return from->got == MG_GOT_HEAD && from->ops->splice_in(from, &left) >= 0 && left >= SPLICE_LEAST && left != UINT64_MAX;
}

static bool begin(mg_side *from, mg_side *to, struct mg_pipe **pipe)
{
    uint64_t in_left = 0, out_left = 0;
    if (from->ops->splice_in(from, &in_left) < 0 || to->ops->splice_out(to, &out_left) < 0)
        return false;
    /* Lengths must be known and agree: an end is then never a matter of reading an end of file. */
    if (in_left != out_left)
        return false;
    *pipe = take_pipe();
    if (!*pipe)
        return false;
    from->splice_from = to->splice_to = true;
    return true;
}

void mg_exchange_unsplice(mg_side *from, mg_side *to, struct mg_pipe **pipe)
{
    if (!*pipe)
        return;
    from->splice_from = to->splice_to = false;
    from->ops->pause(from, false);
    put_back(*pipe);
    *pipe = NULL;
}

static mg_rc outcome(ssize_t n)
{
    return n > 0 ? MG_OK : n == 0 ? MG_EOF : errno == EAGAIN || errno == EINTR ? MG_AGAIN : MG_GONE;
}

/* Out of the pipe as far as the socket takes it. */
static mg_rc empty(struct mg_pipe *p, mg_side *to, uint64_t in_left)
{
    uint64_t left;
    int fd = to->ops->splice_out(to, &left);
    while (p->n && fd >= 0) {
        ssize_t n = splice(p->out, NULL, fd, NULL, p->n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (in_left ? SPLICE_F_MORE : 0));
        mg_rc rc = outcome(n);
        to->ops->spliced_out(to, n > 0 ? (uint64_t)n : 0, rc == MG_EOF ? MG_GONE : rc);
        if (rc != MG_OK)
            return rc;
        p->n -= (size_t)n;
    }
    return MG_OK;
}

/* One filling and one emptying. MG_OK: go on; MG_AGAIN: one of the sides will wake us; MG_EOF: over. */
static mg_rc pass_on(mg_side *from, mg_side *to, struct mg_pipe *p)
{
    uint64_t left = 0;
    int fd = from->ops->splice_in(from, &left);
    if (fd >= 0 && !p->n) {
        ssize_t n = splice(fd, NULL, p->in, NULL, (size_t)MG_MIN(left, (uint64_t)p->size), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        mg_rc rc = outcome(n);
        if (rc == MG_AGAIN)
            return MG_AGAIN;
        from->ops->spliced_in(from, n > 0 ? (uint64_t)n : 0, rc);
        if (rc == MG_OK) {
            p->n += (size_t)n;
            left -= (uint64_t)n;
        }
    }
    mg_rc rc = empty(p, to, fd >= 0 ? left : 0);
    if (rc == MG_OK && (fd < 0 || from->got != MG_GOT_HEAD))
        return MG_EOF;
    return rc == MG_GONE || rc == MG_EOF ? MG_EOF : rc;
}

bool mg_exchange_splice(mg_side *from, mg_side *to, struct mg_pipe **pipe)
{
    if (!*pipe && !begin(from, to, pipe))
        return false;
    if (to->blocked)
        return true;
    mg_rc rc = MG_OK;
    for (int turn = 0; turn < TURNS && rc == MG_OK; turn++)
        rc = pass_on(from, to, *pipe);
    if (rc == MG_EOF) { /* all of it has passed, or a side broke */
        mg_exchange_unsplice(from, to, pipe);
        return false;
    }
    from->ops->pause(from, to->blocked);
    return true;
}
