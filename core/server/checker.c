#include "server/checker.h"

#include "os/process.h"
#include "os/socket.h"
#include "script/script.h"
#include "server/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- in the child ---- */

static void write_all(int fd, mg_str text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text = (mg_str){text.p + n, text.n - (size_t)n};
    }
}

static void tell(void *arg, const char *line)
{
    mg_page_put(arg, mg_str_of(line));
    mg_page_put(arg, MG_STR("\n"));
}

_Noreturn static void check(const mg_checker *c, int fd, uint32_t generation, pid_t master)
{
    c->in_child();
    mg_fork_take_signals();
    mg_log_name("checker");
    mg_process_title("moongate: checker");
    mg_page page = {0};
    mg_err err;
    mg_plan plan;
    mg_plan_init(&plan);
    mg_generation *g = NULL;
    mg_script_source source = {.library = c->library, .config = c->config, .generation = generation, .tell = tell,
                               .tell_arg = &page};
    bool good = mg_process_become(c->user, c->group, &err) == MG_OK;
    if (!good)
        tell(&page, err.text);
    mg_process_die_with_parent(master);
    good = good && mg_script_load(&source, &g, &plan) == MG_OK;
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    write_all(fd, good ? MG_STR("plan\n") : MG_STR("mistakes\n"));
    write_all(fd, good ? mg_plan_print(&plan, &arena) : mg_page_str(&page));
    mg_arena_fini(&arena);
    mg_plan_fini(&plan);
    mg_page_fini(&page);
    if (g)
        mg_generation_drop(g);
    exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ---- in the master ---- */

static void mistake(mg_checker *c, const char *text)
{
    mg_page_put(&c->mistakes, mg_str_of(text));
    mg_page_put(&c->mistakes, MG_STR("\n"));
}

static void judge(mg_checker *c)
{
    mg_str all = mg_page_str(&c->answer), plan = MG_STR("plan\n"), mistakes = MG_STR("mistakes\n");
    mg_err err;
    if (mg_str_starts(all, plan) && WIFEXITED(c->status) && WEXITSTATUS(c->status) == EXIT_SUCCESS) {
        mg_plan_fini(&c->plan);
        mg_plan_init(&c->plan);
        c->good = mg_plan_parse(&c->plan, (mg_str){all.p + plan.n, all.n - plan.n}, &err) == MG_OK;
        if (!c->good)
            mistake(c, err.text);
    } else if (mg_str_starts(all, mistakes) && all.n > mistakes.n) {
        mg_page_put(&c->mistakes, (mg_str){all.p + mistakes.n, all.n - mistakes.n});
    } else if (WIFSIGNALED(c->status)) {
        mg_page_print(&c->mistakes, "%s: reading it ended with signal %d\n", c->config, WTERMSIG(c->status));
    } else {
        mg_page_print(&c->mistakes, "%s: reading it ended without a word\n", c->config);
    }
}

/* Both the end of the answer and the end of the process are awaited. */
static void conclude(mg_checker *c)
{
    if (c->fd >= 0 || c->status < 0)
        return;
    mg_timer_stop(&c->late);
    c->running = false;
    if (!c->mistakes.n)
        judge(c);
    mg_page_fini(&c->answer);
    c->on_done(c);
}

static void close_pipe(mg_checker *c)
{
    mg_io_stop(&c->io);
    mg_socket_close(c->fd);
    c->fd = -1;
}

static void on_readable(mg_io *io, int events)
{
    (void)events;
    mg_checker *c = MG_OWNER(io, mg_checker, io);
    char bytes[16384];
    ssize_t n = read(c->fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        mg_page_put(&c->answer, (mg_str){bytes, (size_t)n});
        if (c->answer.n <= MG_CHECKER_ANSWER_MOST)
            return;
        (void)kill(c->pid, SIGKILL);
    }
    close_pipe(c);
    conclude(c);
}

static void on_exit_of(mg_child *child, pid_t pid, int status)
{
    (void)pid;
    mg_checker *c = MG_OWNER(child, mg_checker, child);
    c->status = status;
    conclude(c);
}

static void on_late(mg_timer *t)
{
    mg_checker *c = MG_OWNER(t, mg_checker, late);
    mg_page_print(&c->mistakes, "%s: reading it took longer than %d s and was given up\n", c->config,
                  MG_CHECKER_MS / 1000);
    (void)kill(c->pid, SIGKILL);
    /* What it started itself may hold the pipe open. */
    close_pipe(c);
    conclude(c);
}

void mg_checker_init(mg_checker *c)
{
    c->running = false;
    c->fd = -1;
    mg_plan_init(&c->plan);
    mg_io_init(&c->io, on_readable);
    mg_timer_init(&c->late, on_late);
}

static void start_failed(mg_timer *t)
{
    mg_checker *c = MG_OWNER(t, mg_checker, late);
    mg_timer_init(&c->late, on_late);
    c->running = false;
    c->on_done(c);
}

static void fail_soon(mg_checker *c)
{
    mg_page_print(&c->mistakes, "cannot start a process that reads the configuration: %s\n", strerror(errno));
    mg_timer_init(&c->late, start_failed);
    mg_timer_start(&c->late, 0);
}

void mg_checker_start(mg_checker *c, uint32_t generation)
{
    MG_BUG_UNLESS(!c->running);
    c->running = true;
    c->good = false;
    c->status = -1;
    mg_page_fini(&c->mistakes);
    mg_page_fini(&c->answer);
    int ends[2];
    pid_t master = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fail_soon(c);
        return;
    }
    c->pid = mg_fork();
    if (c->pid == 0) {
        mg_socket_close(ends[0]);
        check(c, ends[1], generation, master);
    }
    mg_socket_close(ends[1]);
    if (c->pid < 0) {
        mg_socket_close(ends[0]);
        fail_soon(c);
        return;
    }
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    c->fd = ends[0];
    mg_io_start(&c->io, c->fd, MG_READ);
    mg_child_start(&c->child, c->pid, on_exit_of);
    mg_timer_start(&c->late, MG_CHECKER_MS);
}

void mg_checker_fini(mg_checker *c)
{
    if (c->running && c->fd >= 0)
        close_pipe(c);
    if (c->running && c->status < 0 && c->pid > 0) {
        mg_child_stop(&c->child);
        (void)kill(c->pid, SIGKILL);
        (void)waitpid(c->pid, NULL, 0);
    }
    mg_timer_stop(&c->late);
    c->running = false;
    mg_plan_fini(&c->plan);
    mg_page_fini(&c->mistakes);
    mg_page_fini(&c->answer);
}
