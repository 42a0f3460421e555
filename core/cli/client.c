#include "cli/client.h"

#include "base/arena.h"
#include "codec/h1_head.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path, mg_err *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof to.sun_path) {
        (void)mg_err_set(err, "%s: too long for the path of a socket", path);
        return -1;
    }
    memcpy(to.sun_path, path, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (errno == ENOENT || errno == ECONNREFUSED)
        (void)mg_err_set(err, "%s: no moongate runs here", path);
    else
        (void)mg_err_set(err, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static mg_rc read_all(int fd, mg_client_answer *out, size_t *n, mg_err *err)
{
    size_t room = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (room - *n < 65536) {
            room = room * 2 + 65536;
            out->bytes = mg_realloc(out->bytes, room);
        }
        /* Once it answers it is alive, and may have its reasons to keep the connection open. */
        if (poll(&p, 1, *n ? -1 : MG_CLIENT_MS) == 0)
            return mg_err_set(err, "no answer within %d s", MG_CLIENT_MS / 1000);
        ssize_t got = read(fd, out->bytes + *n, room - *n);
        if (got == 0)
            return MG_OK;
        if (got < 0 && errno != EINTR)
            return mg_err_set(err, "the answer broke off: %s", strerror(errno));
        *n += got > 0 ? (size_t)got : 0;
        if (*n > MG_CLIENT_ANSWER_MOST)
            return mg_err_set(err, "the answer is too large");
    }
}

static mg_rc understand(mg_client_answer *out, size_t n, mg_err *err)
{
    static const mg_h1_limits limits = {1024, 16384, 64};
    mg_arena arena;
    mg_h1_reader reader = {0};
    mg_h1_response head;
    size_t head_size;
    const char *why = "it ends in the middle";
    mg_arena_init(&arena, 1024 * 1024);
    mg_rc rc = mg_h1_read_response(&reader, &limits, out->bytes, n, &arena, &head, &head_size, &why);
    if (rc == MG_OK) {
        out->status = head.status;
        out->body = (mg_str){out->bytes + head_size, n - head_size};
        if (head.msg.content_length >= 0 && (uint64_t)head.msg.content_length != out->body.n) {
            rc = MG_FAIL;
            why = "it ends in the middle";
        }
    }
    mg_arena_fini(&arena);
    return rc == MG_OK ? MG_OK : mg_err_set(err, "the answer is not understood: %s", why);
}

mg_rc mg_client_ask(const char *socket_path, const char *method, const char *path, const char *accept,
                    mg_client_answer *out, mg_err *err)
{
    char request[512];
    *out = (mg_client_answer){0};
    int n = snprintf(request, sizeof request,
                     "%s %s HTTP/1.1\r\nhost: moongate\r\naccept: %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                     method, path, accept);
    MG_BUG_UNLESS(n > 0 && (size_t)n < sizeof request);
    int fd = connect_to(socket_path, err);
    if (fd < 0)
        return MG_FAIL;
    size_t got = 0;
    mg_rc rc = send(fd, request, (size_t)n, MSG_NOSIGNAL) == n ? read_all(fd, out, &got, err)
                                                               : mg_err_set(err, "cannot ask: %s", strerror(errno));
    (void)close(fd);
    if (rc == MG_OK)
        rc = understand(out, got, err);
    if (rc != MG_OK)
        mg_client_answer_fini(out);
    return rc;
}

void mg_client_answer_fini(mg_client_answer *a)
{
    mg_free(a->bytes);
    *a = (mg_client_answer){0};
}
