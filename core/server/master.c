#include "server/master.h"

#include "base/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "server/inside.h"
#include "server/survey.h"
#include "server/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { START_MS = 60000 };

/* The one master of this process; children find here what they have to leave behind. */
static mg_master *master;

static const int heeded[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

/* ---- what plans and options say ---- */

const char *mg_master_state_name(const mg_master *m)
{
    static const char *const names[] = {"starting", "serving", "draining", "stopping"};
    return names[m->state];
}

int mg_master_workers(const mg_master *m, const mg_plan *plan)
{
    int wanted = m->options->workers ? m->options->workers : plan->workers;
    int most = m->stats ? mg_stats_workers(m->stats) : MG_STATS_WORKERS;
    wanted = wanted ? wanted : mg_process_cpus();
    if (wanted > most)
        mg_warn("%d workers are wanted, %d are possible%s", wanted, most, m->stats ? " until a restart or an upgrade" : "");
    return MG_MIN(wanted, most);
}

const char *mg_master_control_path(const mg_master *m, const mg_plan *plan)
{
    return m->options->control ? m->options->control : plan->control;
}

mg_rc mg_master_open_log(const mg_plan *plan, mg_err *err)
{
    if (!plan->error_log.path)
        mg_log_open(STDERR_FILENO, plan->error_log.level);
    else if (mg_file_make_folders(plan->error_log.path, err) != MG_OK)
        return mg_err_in(err, "error log %s", plan->error_log.path);
    else if (mg_log_open_file(plan->error_log.path, plan->error_log.level) != MG_OK)
        return mg_err_set(err, "error log %s: %s", plan->error_log.path, strerror(errno));
    return MG_OK;
}

/* ---- children ---- */

/* In a child: what is the master's alone goes. Of sockets it keeps those of worker `index`; -1: none. */
static void leave_master(int index)
{
    mg_master *m = master;
    for (size_t i = 0; i < MG_COUNT(m->signals); i++)
        mg_signal_stop(&m->signals[i]);
    mg_loop_close();
    mg_control_leave(&m->control);
    mg_socket_close(m->upgrade.fd);
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        mg_socket_close(m->crew.at[i].channel.fd);
        for (uint32_t b = 0; b < m->bindings.count; b++)
            if (i != index && !(m->bindings.at[b].shared && index >= 0))
                mg_socket_close(m->bindings.at[b].fds[i]);
    }
    if (m->checker.running)
        mg_socket_close(m->checker.fd);
    if (m->reload.checker.running)
        mg_socket_close(m->reload.checker.fd);
}

static void leave_for_checker(void)
{
    leave_master(-1);
}

static void become_worker(int index, int channel)
{
    mg_master *m = master;
    leave_master(index);
    mg_worker_job job = {
        .index = index, .channel = channel, .master = m->pid, .generation = m->generation,
        .library = m->options->library, .config = m->options->config, .user = m->plan.user, .group = m->plan.group,
        .stats = m->stats, .dicts = m->dicts, .bindings = &m->bindings, .level = m->plan.error_log.level,
    };
    mg_worker_run(&job);
}

/* ---- serving ---- */

void mg_master_announce(mg_master *m)
{
    for (uint32_t i = 0; i < m->bindings.count; i++) {
        mg_binding *b = &m->bindings.at[i];
        if (b->announced)
            continue;
        printf("moongate: listening on %s\n", b->address);
        mg_info("listening on %s", b->address);
        b->announced = true;
    }
    (void)fflush(stdout);
}

static void say_ready(mg_master *m)
{
    char text[64];
    m->state = MG_MASTER_SERVING;
    mg_master_announce(m);
    printf("moongate: ready\n");
    if (m->options->hints && !m->upgrade.heir)
        printf("%s", m->options->hints);
    (void)fflush(stdout);
    (void)snprintf(text, sizeof text, "READY=1\nMAINPID=%d", (int)getpid());
    mg_process_notify(text);
    mg_info("generation %u is in service, %d workers, ready after %lld ms", m->generation, m->crew.size,
            (long long)(mg_clock_ms() - m->started_ms));
}

static mg_rc take_control(mg_master *m, mg_err *err)
{
    const char *path = mg_master_control_path(m, &m->plan);
    mg_upgrade *u = &m->upgrade;
    if (!path)
        return MG_OK;
    bool inherited = u->control_fd >= 0 && strcmp(u->control_path, path) == 0;
    int fd = inherited ? u->control_fd : mg_control_bind(path, err);
    if (inherited)
        u->control_fd = -1;
    if (fd < 0)
        return MG_FAIL;
    mg_control_serve(&m->control, fd, path);
    return MG_OK;
}

static mg_rc take_pid_file(const mg_plan *plan, mg_err *err)
{
    if (!plan->pid_file)
        return MG_OK;
    if (mg_file_make_folders(plan->pid_file, err) != MG_OK)
        return mg_err_in(err, "pid file %s", plan->pid_file);
    return mg_process_pid_file(plan->pid_file, err);
}

static void give_up(mg_master *m, const char *why)
{
    if (why)
        mg_error("%s", why);
    m->exit_code = EXIT_FAILURE;
    mg_master_stop(m);
}

/* The old master has let go of pid file and control socket. */
void mg_master_succeed(mg_master *m)
{
    mg_err err;
    if (m->state != MG_MASTER_STARTING)
        return;
    m->owns_files = true;
    /* The proxy serves, so neither is worth ending it. */
    if (take_pid_file(&m->plan, &err) != MG_OK)
        mg_error("%s", err.text);
    if (take_control(m, &err) != MG_OK)
        mg_error("%s", err.text);
    say_ready(m);
}

static void on_all_ready(mg_master *m)
{
    mg_timer_stop(&m->start_late);
    m->crew.repair = true;
    if (m->upgrade.heir)
        mg_upgrade_say_ready(&m->upgrade);
    else
        say_ready(m);
}

/* ---- start ---- */

static void on_start_late(mg_timer *t)
{
    give_up(MG_OWNER(t, mg_master, start_late), "the workers did not get ready in time");
}

static mg_rc open_sockets(mg_master *m, int workers, mg_err *err)
{
    if (mg_bindings_make(&m->bindings, &m->plan, NULL, err) != MG_OK)
        return MG_FAIL;
    if (m->upgrade.listeners)
        mg_bindings_inherit(&m->bindings, workers, mg_str_of(m->upgrade.listeners));
    if (mg_bindings_open(&m->bindings, workers, err) != MG_OK)
        return MG_FAIL;
    return m->upgrade.heir ? MG_OK : take_control(m, err);
}

static mg_rc start(mg_master *m, mg_err *err)
{
    int workers = mg_master_workers(m, &m->plan), room = MG_MAX(MG_MAX(workers, mg_process_cpus()), 4);
    if (mg_master_open_log(&m->plan, err) != MG_OK)
        return MG_FAIL;
    m->stats = mg_stats_open(MG_MIN(room, MG_STATS_WORKERS), err);
    if (!m->stats || mg_shared_open(m->dicts, &m->plan, err) != MG_OK)
        return MG_FAIL;
    if (!m->upgrade.heir && take_pid_file(&m->plan, err) != MG_OK)
        return MG_FAIL;
    if (open_sockets(m, workers, err) != MG_OK)
        return MG_FAIL;
    m->generation = 1;
    m->generation_wall_ms = mg_clock_wall_ms();
    m->crew.stats = m->stats;
    mg_crew_grow(&m->crew, workers);
    mg_timer_start(&m->start_late, START_MS);
    return MG_OK;
}

static void say_mistakes(const char *lines)
{
    (void)fputs(lines, stderr);
    (void)fflush(stderr);
}

static void on_checked(mg_checker *c)
{
    mg_master *m = MG_OWNER(c, mg_master, checker);
    mg_err err;
    if (m->state != MG_MASTER_STARTING)
        return;
    if (!c->good) {
        mg_page_put(&c->mistakes, (mg_str){"", 1});
        say_mistakes(c->mistakes.p);
        give_up(m, NULL);
        return;
    }
    mg_plan_fini(&m->plan);
    m->plan = c->plan;
    mg_plan_init(&c->plan);
    if (start(m, &err) != MG_OK) {
        (void)fprintf(stderr, "%s: %s\n", m->options->config, err.text);
        give_up(m, NULL);
    }
}

/* ---- what workers say ---- */

static void on_message(mg_member *member, const mg_message *message)
{
    mg_master *m = master;
    if (mg_survey_heed(member, message) || mg_reload_heed(&m->reload, member, message))
        return;
    if (message->say == MG_SAY_MISTAKE)
        mg_error("worker %d: %.*s", member->index, MG_STR_ARG(message->text));
    else if (message->say == MG_SAY_READY && m->state == MG_MASTER_STARTING && !m->crew.repair &&
             mg_crew_count(&m->crew, MG_CREW_SERVING) == m->crew.size)
        on_all_ready(m);
}

static void end_if_alone(mg_master *m)
{
    if (m->state >= MG_MASTER_DRAINING && !mg_crew_alive(&m->crew))
        mg_loop_stop();
}

static void on_died(mg_member *member, const char *how)
{
    mg_master *m = master;
    mg_survey_member_died(member);
    mg_reload_member_died(&m->reload, member, how);
    if (m->state == MG_MASTER_STARTING && !m->crew.repair)
        give_up(m, "a worker did not get ready; the proxy ends");
    end_if_alone(m);
}

/* ---- the end ---- */

static void begin_to_end(mg_master *m, mg_master_state state)
{
    bool was_serving = m->state == MG_MASTER_SERVING;
    m->state = state;
    m->crew.repair = false;
    mg_timer_stop(&m->start_late);
    mg_reload_cancel(&m->reload, "the proxy ends\n");
    mg_upgrade_cancel(&m->upgrade);
    if (was_serving && m->owns_files)
        mg_process_notify("STOPPING=1");
}

void mg_master_drain(mg_master *m, bool succeeded)
{
    if (m->state >= MG_MASTER_DRAINING)
        return;
    m->owns_files = !succeeded;
    mg_info("draining for at most %lld ms", (long long)m->plan.drain_ms);
    begin_to_end(m, MG_MASTER_DRAINING);
    /* Workers empty the queues of their sockets before they close them; ours must be closed by then. */
    mg_bindings_close(&m->bindings, !succeeded);
    mg_crew_drain(&m->crew, 0, m->plan.drain_ms, succeeded);
    end_if_alone(m);
}

void mg_master_stop(mg_master *m)
{
    if (m->state == MG_MASTER_STOPPING)
        return;
    if (m->state != MG_MASTER_STARTING)
        mg_info("stopping");
    begin_to_end(m, MG_MASTER_STOPPING);
    mg_bindings_close(&m->bindings, m->owns_files);
    mg_crew_stop(&m->crew);
    end_if_alone(m);
}

void mg_master_reopen_logs(mg_master *m)
{
    if (mg_log_reopen() != MG_OK)
        mg_error("the error log cannot be opened again: %s; the old file is kept", strerror(errno));
    mg_crew_tell(&m->crew, MG_SAY_REOPEN, 0);
    mg_info("logs opened again");
}

static void on_signal(mg_signal *s, int number)
{
    mg_master *m = master;
    (void)s;
    switch (number) {
    case SIGHUP:
        mg_reload_ask(&m->reload, NULL);
        return;
    case SIGUSR1:
        mg_master_reopen_logs(m);
        return;
    case SIGUSR2:
        mg_upgrade_ask(&m->upgrade, NULL);
        return;
    case SIGINT:
        mg_master_stop(m);
        return;
    default:
        if (m->state == MG_MASTER_SERVING)
            mg_master_drain(m, false);
        else
            mg_master_stop(m);
    }
}

/* ---- the process ---- */

static void init(mg_master *m, const mg_server_options *options)
{
    *m = (mg_master){.options = options, .state = MG_MASTER_STARTING};
    m->pid = getpid();
    m->started_ms = mg_clock_ms();
    m->started_wall_ms = mg_clock_wall_ms();
    mg_plan_init(&m->plan);
    mg_timer_init(&m->start_late, on_start_late);
    m->crew.watchdog_ms = options->watchdog_ms;
    m->crew.in_child = become_worker;
    m->crew.on_message = on_message;
    m->crew.on_died = on_died;
    mg_crew_init(&m->crew);
    mg_control_init(&m->control, m);
    mg_upgrade_init(&m->upgrade, m);
    m->dicts = mg_dicts_new();
    mg_shared_inherit(m->dicts);
    m->owns_files = !m->upgrade.heir;
    m->checker = (mg_checker){.library = options->library, .config = options->config, .in_child = leave_for_checker,
                              .on_done = on_checked};
    mg_checker_init(&m->checker);
    m->reload.checker = m->checker;
    mg_reload_init(&m->reload, m);
    for (size_t i = 0; i < MG_COUNT(heeded); i++)
        mg_signal_start(&m->signals[i], heeded[i], on_signal);
}

static void fini(mg_master *m)
{
    mg_crew_fini(&m->crew);
    mg_reload_fini(&m->reload);
    mg_upgrade_fini(&m->upgrade);
    mg_checker_fini(&m->checker);
    mg_control_fini(&m->control, m->owns_files);
    mg_bindings_close(&m->bindings, false);
    mg_timer_stop(&m->start_late);
    for (size_t i = 0; i < MG_COUNT(m->signals); i++)
        mg_signal_stop(&m->signals[i]);
    mg_process_pid_file_drop();
    mg_stats_close(m->stats);
    mg_dicts_free(m->dicts);
    mg_plan_fini(&m->plan);
    mg_log_flush();
    mg_loop_close();
}

int mg_server_run(const mg_server_options *options)
{
    mg_log_name("master");
    mg_process_title("moongate: master");
    mg_process_raise_files();
    (void)signal(SIGPIPE, SIG_IGN);
    if (mg_loop_open() != MG_OK) {
        mg_error("no event loop: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    master = mg_alloc(sizeof *master);
    init(master, options);
    mg_checker_start(&master->checker, 1);
    mg_loop_run();
    int code = master->exit_code;
    fini(master);
    mg_free(master);
    master = NULL;
    return code;
}
