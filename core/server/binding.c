#include "server/binding.h"

#include "base/number.h"
#include "os/file.h"
#include "os/socket.h"

#include <fcntl.h>
#include <unistd.h>

static uint32_t last_id;

static void forget_sockets(mg_binding *b)
{
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        b->fds[i] = -1;
}

static void close_sockets(mg_binding *b)
{
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        mg_socket_close(b->fds[i]);
    forget_sockets(b);
}

/* ---- making a set ---- */

static mg_rc read_listener(mg_binding *b, const mg_plan_listener *l, mg_err *err)
{
    *b = (mg_binding){.bind = mg_strdup(l->bind), .backlog = l->backlog, .mode = l->mode, .v6_only = l->v6_only};
    forget_sockets(b);
    if (mg_addr_parse(b->bind, &b->addr) != MG_OK)
        return mg_err_set(err, "cannot listen on %s: not an address", l->bind);
    b->shared = b->addr.u.family == AF_UNIX;
    (void)mg_addr_print(&b->addr, b->address);
    return MG_OK;
}

/* The living listener of the same name; the n-th of several (port 0) for the n-th. */
static mg_binding *counterpart(const mg_bindings *new, uint32_t at, const mg_bindings *living)
{
    uint32_t skip = 0;
    for (uint32_t i = 0; i < at; i++)
        skip += strcmp(new->at[i].bind, new->at[at].bind) == 0;
    for (uint32_t i = 0; living && i < living->count; i++)
        if (strcmp(living->at[i].bind, new->at[at].bind) == 0 && skip-- == 0)
            return &living->at[i];
    return NULL;
}

static void borrow(mg_binding *b, mg_binding *from)
{
    b->id = from->id;
    b->lent = true;
    b->announced = from->announced;
    memcpy(b->fds, from->fds, sizeof b->fds);
    memcpy(b->address, from->address, sizeof b->address);
    b->addr = from->addr;
    if (b->shared)
        b->addr.path = b->bind + (from->addr.path - from->bind);
}

mg_rc mg_bindings_make(mg_bindings *new, const mg_plan *plan, const mg_bindings *living, mg_err *err)
{
    *new = (mg_bindings){.at = mg_zalloc((plan->listener_count + 1) * sizeof *new->at)};
    for (uint32_t i = 0; i < plan->listener_count; i++) {
        mg_binding *b = &new->at[new->count++];
        if (read_listener(b, &plan->listeners[i], err) != MG_OK) {
            mg_bindings_drop(new);
            return MG_FAIL;
        }
        mg_binding *from = counterpart(new, i, living);
        if (from)
            borrow(b, from);
        else
            b->id = ++last_id;
    }
    return MG_OK;
}

/* ---- sockets ---- */

static mg_rc open_one(mg_binding *b, int worker, mg_err *err)
{
    mg_listen_options o = {.backlog = b->backlog, .reuse_port = !b->shared, .v6_only = b->v6_only, .mode = b->mode};
    if (b->shared && mg_file_make_folders(b->addr.path, err) != MG_OK)
        return mg_err_in(err, "cannot listen on %s", b->address);
    mg_addr real;
    int fd = mg_socket_listen(&b->addr, &o, &real, err);
    if (fd < 0)
        return MG_FAIL;
    b->fds[worker] = fd;
    if (!b->shared) {
        b->addr = real; /* port 0: the others take the same */
        (void)mg_addr_print(&real, b->address);
    }
    return MG_OK;
}

mg_rc mg_bindings_open(mg_bindings *b, int workers, mg_err *err)
{
    for (uint32_t i = 0; i < b->count; i++)
        for (int w = 0; w < (b->at[i].shared ? 1 : workers); w++)
            if (b->at[i].fds[w] < 0 && open_one(&b->at[i], w, err) != MG_OK)
                return MG_FAIL;
    return MG_OK;
}

void mg_bindings_drop(mg_bindings *new)
{
    for (uint32_t i = 0; i < new->count; i++) {
        if (!new->at[i].lent) {
            bool made = new->at[i].shared && new->at[i].fds[0] >= 0;
            close_sockets(&new->at[i]);
            if (made)
                (void)unlink(new->at[i].addr.path);
        }
        mg_free(new->at[i].bind);
    }
    mg_free(new->at);
    *new = (mg_bindings){0};
}

static bool has(const mg_bindings *set, uint32_t id)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->at[i].id == id)
            return true;
    return false;
}

void mg_bindings_keep(mg_bindings *living, mg_bindings *new)
{
    for (uint32_t i = 0; i < living->count; i++) {
        mg_binding *b = &living->at[i];
        b->lent = has(new, b->id);
    }
    mg_bindings_drop(living);
    for (uint32_t i = 0; i < new->count; i++)
        new->at[i].lent = false;
    *living = *new;
    *new = (mg_bindings){0};
}

void mg_bindings_close(mg_bindings *b, bool unlink_files)
{
    for (uint32_t i = 0; i < b->count; i++) {
        close_sockets(&b->at[i]);
        if (b->at[i].shared && unlink_files)
            (void)unlink(b->at[i].addr.path);
        mg_free(b->at[i].bind);
    }
    mg_free(b->at);
    *b = (mg_bindings){0};
}

void mg_bindings_close_worker(mg_bindings *b, int worker)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->at[i].shared)
            continue;
        mg_socket_close(b->at[i].fds[worker]);
        b->at[i].fds[worker] = -1;
    }
}

/* ---- handed to the next master ---- */

mg_str mg_bindings_print(const mg_bindings *b, mg_arena *arena)
{
    mg_str text = MG_STR("");
    for (uint32_t i = 0; i < b->count; i++)
        for (int w = 0; w < MG_STATS_WORKERS; w++)
            if (b->at[i].fds[w] >= 0)
                text = mg_arena_join(arena, text, mg_arena_print(arena, "%d %d %s|", b->at[i].fds[w], w, b->at[i].bind));
    return text;
}

static mg_binding *find(mg_bindings *b, mg_str bind, int worker)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (mg_str_eq(mg_str_of(b->at[i].bind), bind) && b->at[i].fds[worker] < 0)
            return &b->at[i];
    return NULL;
}

static void inherit(mg_bindings *b, int workers, int fd, int worker, mg_str bind)
{
    mg_binding *to = worker < workers ? find(b, bind, worker) : NULL;
    if (!to) {
        mg_socket_close(fd);
        return;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    to->fds[worker] = fd;
    if (!to->shared && mg_socket_local(fd, &to->addr) == MG_OK)
        (void)mg_addr_print(&to->addr, to->address);
}

static bool cut_number(mg_str *rest, int *out)
{
    ptrdiff_t blank = mg_str_find(*rest, ' ');
    uint64_t n;
    if (blank < 0 || mg_number_dec((mg_str){rest->p, (size_t)blank}, &n) != MG_OK || n > INT32_MAX)
        return false;
    *out = (int)n;
    *rest = (mg_str){rest->p + blank + 1, rest->n - (size_t)blank - 1};
    return true;
}

void mg_bindings_inherit(mg_bindings *b, int workers, mg_str text)
{
    while (text.n) {
        ptrdiff_t end = mg_str_find(text, '|');
        mg_str item = {text.p, end < 0 ? text.n : (size_t)end};
        text = end < 0 ? MG_STR_NONE : (mg_str){text.p + end + 1, text.n - (size_t)end - 1};
        int fd, worker;
        if (cut_number(&item, &fd) && cut_number(&item, &worker) && worker < MG_STATS_WORKERS)
            inherit(b, workers, fd, worker, item);
    }
}
