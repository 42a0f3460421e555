#include "server/upgrade.h"

#include "base/number.h"
#include "os/process.h"
#include "os/socket.h"
#include "server/fork.h"
#include "server/inside.h"
#include "server/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the old master ---- */

static void answer(mg_upgrade *u, pid_t pid, const char *why)
{
    while (!mg_list_is_empty(&u->waiting)) {
        mg_upgrade_wait *w = MG_OWNER(u->waiting.next, mg_upgrade_wait, link);
        mg_list_cut(&w->link);
        w->on_done(w, pid, why);
    }
}

static void close_pair(mg_upgrade *u)
{
    mg_io_stop(&u->io);
    mg_socket_close(u->fd);
    u->fd = -1;
}

static void give_up(mg_upgrade *u, const char *why)
{
    mg_error("upgrade failed: %s", why);
    mg_timer_stop(&u->late);
    close_pair(u);
    if (u->pid) {
        mg_child_stop(&u->child);
        (void)kill(u->pid, SIGKILL);
        (void)waitpid(u->pid, NULL, 0);
    }
    u->pid = 0;
    answer(u, 0, why);
}

static void on_late(mg_timer *t)
{
    give_up(MG_OWNER(t, mg_upgrade, late), "the new master did not get ready in time");
}

static void on_new_exit(mg_child *child, pid_t pid, int status)
{
    mg_upgrade *u = MG_OWNER(child, mg_upgrade, child);
    bool was_awaited = u->fd >= 0;
    (void)pid;
    u->pid = 0;
    char why[96];
    if (WIFSIGNALED(status))
        (void)snprintf(why, sizeof why, "the new master died of signal %d", WTERMSIG(status));
    else
        (void)snprintf(why, sizeof why, "the new master ended with status %d (its reasons are in its log)",
                       WEXITSTATUS(status));
    if (was_awaited)
        give_up(u, why);
}

static void hand_over(mg_upgrade *u)
{
    mg_timer_stop(&u->late);
    mg_info("upgrade: process %d takes over", (int)u->pid);
    mg_process_pid_file_drop();
    mg_control_close(&u->master->control, false);
    (void)!write(u->fd, "yours", 5);
    close_pair(u);
    answer(u, u->pid, NULL);
    mg_master_drain(u->master, true);
}

/* "ready" from the new master; its end shows through its exit. */
static void on_word(mg_io *io, int events)
{
    (void)events;
    mg_upgrade *u = MG_OWNER(io, mg_upgrade, io);
    char word[16];
    ssize_t n = read(u->fd, word, sizeof word);
    if (n == 5 && memcmp(word, "ready", 5) == 0)
        hand_over(u);
    else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
        mg_io_stop(io);
}

static void keep_open(int fd)
{
    (void)fcntl(fd, F_SETFD, 0);
}

/* In the child: all that is close-on-exec goes, but what the variable names. */
_Noreturn static void become_new(const mg_upgrade *u, int fd, const char *variable)
{
    const mg_master *m = u->master;
    keep_open(fd);
    if (m->control.fd >= 0)
        keep_open(m->control.fd);
    for (uint32_t i = 0; i < m->bindings.count; i++)
        for (int w = 0; w < MG_STATS_WORKERS; w++)
            if (m->bindings.at[i].fds[w] >= 0)
                keep_open(m->bindings.at[i].fds[w]);
    (void)setenv(MG_UPGRADE_VARIABLE, variable, 1);
    mg_shared_bequeath(m->dicts);
    for (int number = 1; number < 32; number++)
        (void)signal(number, SIG_DFL);
    mg_fork_take_signals();
    (void)execv(m->options->binary, m->options->argv);
    mg_error("upgrade: cannot run %s: %s", m->options->binary, strerror(errno));
    mg_log_flush();
    _exit(127);
}

static mg_rc start(mg_upgrade *u)
{
    mg_master *m = u->master;
    int ends[2];
    if (mg_channel_pair(ends) != MG_OK)
        return MG_FAIL;
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    mg_str variable = mg_arena_print(&arena, "%d %d %s\n%s", ends[1], m->control.fd,
                                     m->control.fd >= 0 ? m->control.path : "", mg_bindings_print(&m->bindings, &arena).p);
    pid_t pid = mg_fork();
    if (pid == 0)
        become_new(u, ends[1], variable.p);
    mg_arena_fini(&arena);
    mg_socket_close(ends[1]);
    if (pid < 0) {
        mg_socket_close(ends[0]);
        return MG_FAIL;
    }
    u->pid = pid;
    u->fd = ends[0];
    mg_io_start(&u->io, u->fd, MG_READ);
    mg_child_start(&u->child, pid, on_new_exit);
    mg_timer_start(&u->late, MG_UPGRADE_MS);
    return MG_OK;
}

void mg_upgrade_ask(mg_upgrade *u, mg_upgrade_wait *w)
{
    if (w) {
        mg_list_init(&w->link);
        mg_list_append(&u->waiting, &w->link);
    }
    if (u->pid)
        return; /* under way: they get the same answer */
    if (u->master->state != MG_MASTER_SERVING || u->master->reload.state != MG_RELOAD_IDLE) {
        answer(u, 0, "the proxy is starting, reloading or ending");
        return;
    }
    mg_info("upgrade: starting %s", u->master->options->binary);
    if (start(u) != MG_OK) {
        char why[128];
        (void)snprintf(why, sizeof why, "cannot start a process: %s", strerror(errno));
        mg_error("upgrade failed: %s", why);
        answer(u, 0, why);
    }
}

void mg_upgrade_forget(mg_upgrade_wait *w)
{
    mg_list_cut(&w->link);
}

void mg_upgrade_cancel(mg_upgrade *u)
{
    if (u->pid && u->fd >= 0)
        give_up(u, "the proxy ends");
}

/* ---- the new master ---- */

static bool cut_number(mg_str *rest, int *out)
{
    ptrdiff_t blank = mg_str_find(*rest, ' ');
    bool negative = rest->n && rest->p[0] == '-';
    uint64_t n;
    mg_str digits = {rest->p + negative, blank < 0 ? 0 : (size_t)blank - negative};
    if (blank < 0 || mg_number_dec(digits, &n) != MG_OK || n > INT32_MAX)
        return false;
    *out = negative ? -1 : (int)n;
    *rest = (mg_str){rest->p + blank + 1, rest->n - (size_t)blank - 1};
    return true;
}

static char *copy(mg_str s)
{
    char *to = mg_alloc(s.n + 1);
    if (s.n)
        memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    return to;
}

/* "PAIR CONTROL PATH\nLISTENERS" */
static void read_heritage(mg_upgrade *u, mg_str text)
{
    int pair, control;
    mg_str path;
    if (!cut_number(&text, &pair) || !cut_number(&text, &control) || !mg_survey_line(&text, &path)) {
        mg_warn("%s is not understood and ignored", MG_UPGRADE_VARIABLE);
        return;
    }
    u->heir = true;
    u->fd = pair;
    u->control_fd = control;
    u->control_path = control >= 0 ? copy(path) : NULL;
    u->listeners = copy(text);
    (void)fcntl(pair, F_SETFD, FD_CLOEXEC);
    if (control >= 0)
        (void)fcntl(control, F_SETFD, FD_CLOEXEC);
}

/* "yours", or the end of the old master: either way it is our turn. */
static void on_yours(mg_io *io, int events)
{
    (void)events;
    mg_upgrade *u = MG_OWNER(io, mg_upgrade, io);
    char word[16];
    if (read(u->fd, word, sizeof word) < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    close_pair(u);
    mg_io_init(&u->io, on_word); /* for an upgrade of our own */
    mg_master_succeed(u->master);
}

void mg_upgrade_say_ready(mg_upgrade *u)
{
    mg_io_init(&u->io, on_yours);
    mg_io_start(&u->io, u->fd, MG_READ);
    (void)!write(u->fd, "ready", 5);
}

void mg_upgrade_init(mg_upgrade *u, mg_master *m)
{
    *u = (mg_upgrade){.master = m, .fd = -1, .control_fd = -1};
    mg_list_init(&u->waiting);
    mg_io_init(&u->io, on_word);
    mg_timer_init(&u->late, on_late);
    /* Kept for good, since the environment's strings were moved to where nobody else knows them
     * (mg_process_title_init). */
    static const char *volatile variable;
    variable = getenv(MG_UPGRADE_VARIABLE);
    if (!variable)
        return;
    read_heritage(u, mg_str_of(variable));
    (void)unsetenv(MG_UPGRADE_VARIABLE);
}

void mg_upgrade_fini(mg_upgrade *u)
{
    mg_timer_stop(&u->late);
    if (u->pid)
        mg_child_stop(&u->child);
    /* Who took over lives on without us; one that was still getting ready must not. */
    if (u->pid && u->fd >= 0) {
        (void)kill(u->pid, SIGKILL);
        (void)waitpid(u->pid, NULL, 0);
    }
    if (u->fd >= 0)
        close_pair(u);
    mg_socket_close(u->control_fd);
    mg_free(u->control_path);
    mg_free(u->listeners);
    answer(u, 0, "the proxy ends");
}
