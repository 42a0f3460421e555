#include "server/control.h"

#include "base/arena.h"
#include "base/log.h"
#include "codec/h1_head.h"
#include "codec/h1_write.h"
#include "os/file.h"
#include "os/socket.h"
#include "server/answer.h"
#include "server/inside.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTROL_MODE = 0600, PAUSE_MS = 200, FIELDS_MOST = 64, ARENA_MOST = 64 * 1024 };

typedef struct {
    mg_link link;
    mg_control *control;
    int fd;
    mg_io io;
    mg_timer late;
    mg_arena arena;
    mg_h1_reader reader;
    mg_h1_request request;
    size_t n;                /* bytes of the head so far */
    uint64_t body_left;      /* of the request's body, thrown away */
    const mg_answer_kind *kind;
    mg_answer answer;
    mg_page out;
    size_t written;
    enum { READING, SKIPPING, WAITING, WRITING, HELD } state;
    bool head_only;
    char head[MG_CONTROL_HEAD_MOST];
} connection;

/* ---- the end of a connection ---- */

static void close_connection(connection *c)
{
    mg_io_stop(&c->io);
    mg_timer_stop(&c->late);
    mg_socket_close(c->fd);
    mg_list_cut(&c->link);
    c->control->count--;
    mg_answer_fini(&c->answer);
    mg_page_fini(&c->out);
    mg_arena_fini(&c->arena);
    mg_free(c);
}

static void on_late(mg_timer *t)
{
    close_connection(MG_OWNER(t, connection, late));
}

/* ---- writing ---- */

static void on_written(connection *c)
{
    if (!c->answer.after) {
        close_connection(c);
        return;
    }
    /* Who told the proxy to end sees its end in that of this connection. */
    c->state = HELD;
    mg_io_stop(&c->io);
    mg_timer_stop(&c->late);
    c->answer.after(c->control->master);
}

static void write_on(connection *c)
{
    while (c->written < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->written, c->out.n - c->written, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            mg_io_start(&c->io, c->fd, MG_WRITE);
            return;
        }
        if (n < 0)
            break; /* whoever asked is gone; what was asked for still happens */
        c->written += (size_t)n;
    }
    on_written(c);
}

static void respond(connection *c, const char *allow)
{
    const mg_answer *a = &c->answer;
    mg_str body = mg_page_str(&a->body), reason = mg_status_reason((unsigned)a->status);
    mg_page_print(&c->out, "HTTP/1.1 %d %.*s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n", a->status,
                  MG_STR_ARG(reason), a->type, body.n);
    if (allow)
        mg_page_print(&c->out, "allow: %s\r\n", allow);
    mg_page_put(&c->out, MG_STR("cache-control: no-store\r\nconnection: close\r\n\r\n"));
    if (!c->head_only)
        mg_page_put(&c->out, body);
    c->state = WRITING;
    mg_timer_start(&c->late, MG_CONTROL_ANSWER_MS);
    write_on(c);
}

static void refuse(connection *c, int status, const char *title, const char *detail, const char *allow)
{
    mg_answer_problem(&c->answer, status, title, detail);
    respond(c, allow);
}

static void on_ready_answer(mg_answer *a)
{
    respond(MG_OWNER(a, connection, answer), NULL);
}

/* ---- reading ---- */

static void act(connection *c)
{
    c->state = WAITING;
    mg_timer_stop(&c->late);
    /* Watched on, so that an asker who goes is noticed. */
    mg_io_start(&c->io, c->fd, MG_READ);
    mg_answer_begin(&c->answer, c->control->master, c->kind, on_ready_answer);
}

static void understand(connection *c, size_t head_size)
{
    const mg_h1_request *r = &c->request;
    const char *allow = NULL;
    uint64_t length = r->msg.content_length > 0 ? (uint64_t)r->msg.content_length : 0, came = c->n - head_size;
    mg_str accept = mg_fields_value(&r->msg.fields, MG_FIELD_ACCEPT);
    c->head_only = r->method == MG_METHOD_HEAD;
    c->answer.as_text = mg_str_has_token(accept, MG_STR("text/plain"));
    c->kind = mg_answer_find(r->uri.raw_path, &allow);
    if (!c->kind)
        refuse(c, 404, "there is no such page", NULL, NULL);
    else if (!mg_answer_takes(c->kind, r->method_name))
        refuse(c, 405, "that method is not for this page", NULL, allow);
    else if (r->msg.chunked)
        refuse(c, 411, "a body needs a Content-Length here", NULL, NULL);
    else if (length > MG_CONTROL_BODY_MOST)
        refuse(c, 413, "the body is too large", NULL, NULL);
    else if ((c->body_left = length > came ? length - came : 0) > 0)
        c->state = SKIPPING;
    else
        act(c);
}

static void read_head(connection *c)
{
    static const mg_h1_limits limits = {2048, MG_CONTROL_HEAD_MOST, FIELDS_MOST};
    size_t head_size;
    int status;
    const char *why;
    mg_rc rc = mg_h1_read_request(&c->reader, &limits, c->head, c->n, &c->arena, &c->request, &head_size, &status, &why);
    if (rc == MG_OK)
        understand(c, head_size);
    else if (rc != MG_AGAIN)
        refuse(c, status, "the request cannot be read", why, NULL);
    else if (c->n == sizeof c->head)
        refuse(c, 431, "the head is too large", NULL, NULL);
}

static bool failed_for_good(ssize_t n)
{
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Bytes behind the request; an asker who is done sending still wants the answer, one who hung up does not. */
static void skip(connection *c)
{
    char bytes[4096];
    ssize_t n = read(c->fd, bytes, sizeof bytes);
    if (c->state == WAITING && failed_for_good(n)) {
        struct pollfd p = {.fd = c->fd};
        (void)poll(&p, 1, 0);
        if (p.revents & (POLLHUP | POLLERR))
            close_connection(c);
        else
            mg_io_stop(&c->io);
    } else if (failed_for_good(n)) {
        close_connection(c);
    } else if (n > 0 && c->state == SKIPPING) {
        c->body_left -= MG_MIN((uint64_t)n, c->body_left);
        if (!c->body_left)
            act(c);
    }
}

static void on_ready(mg_io *io, int events)
{
    connection *c = MG_OWNER(io, connection, io);
    (void)events;
    if (c->state == WRITING) {
        write_on(c);
        return;
    }
    if (c->state != READING) {
        skip(c);
        return;
    }
    ssize_t n = read(c->fd, c->head + c->n, sizeof c->head - c->n);
    if (failed_for_good(n)) {
        close_connection(c);
    } else if (n > 0) {
        c->n += (size_t)n;
        read_head(c);
    }
}

/* ---- accepting ---- */

static void on_connection(mg_io *io, int events)
{
    (void)events;
    mg_control *control = MG_OWNER(io, mg_control, io);
    int fd = control->count < MG_CONTROL_MOST ? mg_socket_accept(control->fd, NULL) : -1;
    if (fd < 0) {
        if (control->count < MG_CONTROL_MOST && errno == EAGAIN)
            return;
        mg_io_stop(io);
        mg_timer_start(&control->pause, PAUSE_MS);
        return;
    }
    connection *c = mg_zalloc(sizeof *c);
    c->control = control;
    c->fd = fd;
    mg_list_init(&c->link);
    mg_list_append(&control->connections, &c->link);
    control->count++;
    mg_arena_init(&c->arena, ARENA_MOST);
    mg_io_init(&c->io, on_ready);
    mg_io_start(&c->io, fd, MG_READ);
    mg_timer_init(&c->late, on_late);
    mg_timer_start(&c->late, MG_CONTROL_REQUEST_MS);
}

static void on_pause_over(mg_timer *t)
{
    mg_control *c = MG_OWNER(t, mg_control, pause);
    if (c->fd >= 0)
        mg_io_start(&c->io, c->fd, MG_READ);
}

int mg_control_bind(const char *path, mg_err *err)
{
    mg_addr a = {.path = path}, real;
    a.u.family = AF_UNIX;
    mg_listen_options o = {.backlog = MG_CONTROL_MOST, .mode = CONTROL_MODE};
    bool pending;
    if (strlen(path) > MG_ADDR_PATH_MOST) {
        (void)mg_err_set(err, "control socket %s: a path of at most %d bytes is possible", path, MG_ADDR_PATH_MOST);
        return -1;
    }
    int fd = mg_socket_connect(&a, NULL, &pending);
    if (fd >= 0 || errno == EAGAIN) {
        mg_socket_close(fd);
        (void)mg_err_set(err, "control socket %s: another moongate runs here", path);
        return -1;
    }
    if (mg_file_make_folders(path, err) != MG_OK) {
        (void)mg_err_in(err, "control socket %s", path);
        return -1;
    }
    return mg_socket_listen(&a, &o, &real, err);
}

void mg_control_init(mg_control *c, mg_master *m)
{
    *c = (mg_control){.master = m, .fd = -1};
    mg_list_init(&c->connections);
    mg_io_init(&c->io, on_connection);
    mg_timer_init(&c->pause, on_pause_over);
}

void mg_control_serve(mg_control *c, int fd, const char *path)
{
    mg_control_close(c, true);
    c->fd = fd;
    c->path = mg_strdup(path);
    mg_io_start(&c->io, fd, MG_READ);
}

void mg_control_close(mg_control *c, bool unlink_file)
{
    if (c->fd < 0)
        return;
    mg_io_stop(&c->io);
    mg_timer_stop(&c->pause);
    if (unlink_file)
        (void)unlink(c->path);
    mg_socket_close(c->fd);
    c->fd = -1;
    mg_free(c->path);
    c->path = NULL;
}

void mg_control_fini(mg_control *c, bool unlink_file)
{
    mg_control_close(c, unlink_file);
    MG_LIST_EACH_SAFE(l, after, &c->connections)
        close_connection(MG_OWNER(l, connection, link));
}

void mg_control_leave(mg_control *c)
{
    mg_socket_close(c->fd);
    MG_LIST_EACH(l, &c->connections)
        mg_socket_close(MG_OWNER(l, connection, link)->fd);
}
