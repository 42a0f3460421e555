#include "server/worker.h"

#include "base/clock.h"
#include "base/number.h"
#include "exchange/access_log.h"
#include "os/dns.h"
#include "os/process.h"
#include "os/socket.h"
#include "server/fork.h"
#include "server/lineage.h"
#include "server/listener.h"
#include "server/messages.h"
#include "server/report.h"
#include "server/shared.h"
#include "upstream/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OLD_DNS_MS = 60000, /* how long a resolver is kept after the configuration changed to another one */
    GRACE_MS = 50,      /* a drain closes idle connections only then: a request may be on its way on them */
    LINGER_MS = 500     /* how long a drain waits for clients to close what was ended */
};

/* The one worker of this process. */
static struct {
    int index;
    mg_channel channel;
    mg_stats_row *row;
    mg_stats_beat *beat;
    mg_timer pulse;
    mg_h1_server_settings settings;
    mg_listeners listeners;
    mg_lineage lineage;
    mg_dicts *dicts;
    mg_dns *dns, *old_dns;
    mg_timer old_dns_timer;
    mg_timer grace; /* of idle connections when a drain begins */
    mg_timer bound; /* of the drain, then of the last things */
    mg_later look;  /* whether a drain is over */
    mg_signal term, quit;
    bool draining, cut, letting_go;
} w;

/* ---- the end ---- */

static void let_go(void)
{
    w.letting_go = true;
    mg_timer_start(&w.bound, MG_WORKER_LAST_MS);
    mg_lineage_end(&w.lineage);
}

static void cut(void)
{
    if (w.cut)
        return;
    w.cut = true;
    if (mg_world.count)
        mg_warn("%u requests under way are cut", mg_world.count);
    mg_timer_start(&w.bound, MG_WORKER_LAST_MS);
    mg_exchange_stop_all();
    mg_h1_server_close_all(&w.settings);
    mg_later_do(&w.look);
}

static void on_bound(mg_timer *t)
{
    (void)t;
    if (w.letting_go || w.cut)
        mg_loop_stop();
    else
        cut();
}

static void on_look(mg_later *l)
{
    (void)l;
    if (w.draining && !w.letting_go && !w.settings.open && !mg_world.count)
        let_go();
}

static void on_grace_over(mg_timer *t)
{
    (void)t;
    mg_h1_server_close_idle(&w.settings);
}

static void drain(int64_t most_ms, bool take_waiting)
{
    if (!w.draining) {
        mg_debug("draining for at most %lld ms", (long long)most_ms);
        w.draining = w.settings.draining = true;
        w.settings.linger_ms = MG_MIN(w.settings.linger_ms, LINGER_MS);
        mg_listeners_close(&w.listeners, take_waiting);
        mg_timer_start(&w.grace, GRACE_MS);
        mg_pool_drop_idle(mg_world.pool);
    }
    if (!w.cut && !w.letting_go)
        mg_timer_start(&w.bound, most_ms);
    mg_later_do(&w.look);
}

static void stop(void)
{
    drain(1, false);
    cut();
}

static void on_idle(void *arg)
{
    mg_script_idle(arg);
    if (w.letting_go && !mg_script_stopping())
        mg_loop_stop();
}

/* ---- generations ---- */

static void tell(void *arg, const char *line)
{
    const uint32_t *number = arg;
    mg_channel_send(&w.channel, MG_SAY_MISTAKE, *number, mg_str_of(line), -1);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_resolver(const mg_plan *a, const mg_plan *b)
{
    if (a->resolver.nameserver_count != b->resolver.nameserver_count)
        return false;
    for (uint32_t i = 0; i < a->resolver.nameserver_count; i++)
        if (strcmp(a->resolver.nameservers[i], b->resolver.nameservers[i]) != 0)
            return false;
    return same_text(a->resolver.hosts_file, b->resolver.hosts_file) &&
           a->resolver.attempts == b->resolver.attempts && a->resolver.timeout_ms == b->resolver.timeout_ms &&
           a->resolver.min_ttl_ms == b->resolver.min_ttl_ms && a->resolver.max_ttl_ms == b->resolver.max_ttl_ms;
}

static mg_dns *open_dns(const mg_plan *plan, mg_err *err)
{
    mg_arena arena;
    mg_arena_init(&arena, SIZE_MAX / 2);
    mg_str servers = MG_STR_NONE;
    for (uint32_t i = 0; i < plan->resolver.nameserver_count; i++)
        servers = mg_arena_print(&arena, "%.*s%s%s", MG_STR_ARG(servers), i ? "," : "", plan->resolver.nameservers[i]);
    mg_dns_config c = {
        .nameservers = servers.p, .hosts_file = plan->resolver.hosts_file ? plan->resolver.hosts_file : "",
        .timeout_ms = plan->resolver.timeout_ms, .attempts = (int)plan->resolver.attempts,
        .min_ttl_ms = plan->resolver.min_ttl_ms, .max_ttl_ms = plan->resolver.max_ttl_ms,
    };
    mg_dns *dns = mg_dns_open(&c, err);
    mg_arena_fini(&arena);
    return dns;
}

static void on_old_dns(mg_timer *t)
{
    (void)t;
    mg_dns_close(w.old_dns);
    w.old_dns = NULL;
}

/* Queries under way are answered by the resolver that they were put to; then it goes. */
static void change_resolver(const mg_plan *plan)
{
    mg_err err;
    mg_dns *dns = open_dns(plan, &err);
    if (!dns) {
        mg_error("%s; the resolver stays as it was", err.text);
        return;
    }
    mg_dns_close(w.old_dns);
    w.old_dns = w.dns;
    w.dns = dns;
    mg_pool_use_dns(mg_world.pool, dns);
    mg_timer_start(&w.old_dns_timer, OLD_DNS_MS);
}

static void change_log(const mg_plan *plan)
{
    const char *path = plan->error_log.path;
    if (!path)
        mg_log_open(STDERR_FILENO, plan->error_log.level);
    else if (mg_log_open_file(path, plan->error_log.level) != MG_OK)
        mg_error("error log %s: %s; the old one is kept", path, strerror(errno));
}

static void apply(void)
{
    const mg_plan *plan = &w.lineage.plan;
    mg_exchange_settings(&w.settings, w.lineage.current);
    mg_log_threshold = plan->error_log.level;
    w.beat->generation = w.lineage.current->id;
    mg_listeners_take(&w.listeners, plan->connections);
}

static void prepare(uint32_t number)
{
    w.lineage.tell_arg = &number;
    mg_rc rc = mg_lineage_prepare(&w.lineage, number);
    w.lineage.tell_arg = NULL;
    mg_channel_send(&w.channel, rc == MG_OK ? MG_SAY_READY : MG_SAY_REFUSED, number, MG_STR_NONE, -1);
}

static void commit(uint32_t number)
{
    if (!w.lineage.next || w.lineage.next->id != number || w.draining)
        return;
    if (!same_resolver(&w.lineage.plan, &w.lineage.next_plan))
        change_resolver(&w.lineage.next_plan);
    if (!same_text(w.lineage.plan.error_log.path, w.lineage.next_plan.error_log.path))
        change_log(&w.lineage.next_plan);
    mg_lineage_commit(&w.lineage);
    apply();
    mg_debug("generation %u is in service", number);
}

static void abandon(void)
{
    mg_lineage_abort(&w.lineage);
    mg_listeners_forget(&w.listeners);
}

/* "ID SHARED ADDRESS" */
static void take_listener(const mg_message *m)
{
    unsigned id, shared;
    int at = 0;
    if (sscanf(m->text.p, "%u %u %n", &id, &shared, &at) < 2) {
        mg_socket_close(m->fd);
        return;
    }
    mg_listeners_offer(&w.listeners, id, m->fd, shared, (mg_str){m->text.p + at, m->text.n - (size_t)at});
}

static void on_message(mg_channel *c, const mg_message *m)
{
    switch (m->say) {
    case MG_SAY_LISTEN:
        take_listener(m);
        return;
    case MG_SAY_DICT:
        mg_shared_take(w.dicts, m);
        return;
    case MG_SAY_PREPARE:
        prepare(m->number);
        break;
    case MG_SAY_COMMIT:
        commit(m->number);
        break;
    case MG_SAY_ABORT:
        abandon();
        break;
    case MG_SAY_ASK:
        mg_report_send(c, m->number, &w.lineage, w.settings.open);
        break;
    case MG_SAY_DRAIN:
        drain(m->number, !mg_str_eq(m->text, MG_STR("leave")));
        break;
    case MG_SAY_STOP:
        stop();
        break;
    case MG_SAY_REOPEN:
        if (mg_log_reopen() != MG_OK)
            mg_error("the error log cannot be opened again; the old file is kept");
        mg_access_log_reopen_all();
        break;
    default:
        break;
    }
    mg_socket_close(m->fd);
}

static void on_master_gone(mg_channel *c)
{
    (void)c;
    stop();
}

/* ---- connections, requests, pulse ---- */

static void on_closed(mg_h1_server *c)
{
    (void)c;
    mg_listeners_closed_one(&w.listeners);
    if (w.draining)
        mg_later_do(&w.look);
}

static void on_end(mg_exchange *x)
{
    mg_lineage_ended_one(&w.lineage, x);
    if (w.draining)
        mg_later_do(&w.look);
}

static void on_pulse(mg_timer *t)
{
    w.beat->beat_ms = mg_clock_ms();
    w.row->idle = (int64_t)w.settings.open - (int64_t)MG_MIN(mg_world.count, w.settings.open);
    mg_timer_start(t, MG_WORKER_BEAT_MS);
}

static void on_term(mg_signal *s, int number)
{
    (void)s, (void)number;
    drain(w.lineage.plan.drain_ms, true);
}

/* ---- the process ---- */

_Noreturn static void refuse(const char *why)
{
    if (why)
        mg_channel_send(&w.channel, MG_SAY_MISTAKE, 0, mg_str_of(why), -1);
    mg_channel_send(&w.channel, MG_SAY_REFUSED, 0, MG_STR_NONE, -1);
    mg_channel_flush(&w.channel, 1000);
    mg_log_flush();
    mg_channel_fini(&w.channel);
    mg_loop_close();
    exit(EXIT_FAILURE);
}

/* Signals that a terminal sends to all are the master's to understand. */
static void take_signals(void)
{
    static const int ignored[] = {SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};
    for (size_t i = 0; i < MG_COUNT(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    mg_signal_start(&w.term, SIGTERM, on_term);
    mg_signal_start(&w.quit, SIGQUIT, on_term);
    mg_fork_take_signals();
}

static void begin(const mg_worker_job *job)
{
    char name[32];
    (void)snprintf(name, sizeof name, "worker %d", job->index);
    mg_log_name(name);
    (void)snprintf(name, sizeof name, "moongate: worker %d", job->index);
    mg_process_title(name);
    w.index = job->index;
    if (mg_loop_open() != MG_OK)
        exit(EXIT_FAILURE);
    take_signals();
    mg_channel_init(&w.channel, job->channel, on_message, on_master_gone);
    mg_err err;
    if (mg_process_become(job->user, job->group, &err) != MG_OK)
        refuse(err.text);
    mg_process_die_with_parent(job->master);
    w.beat = mg_stats_beat_of(job->stats, job->index);
    w.row = mg_stats_row_of(job->stats, MG_STATS_WORKER, MG_STR("worker"), job->index);
    *w.beat = (mg_stats_beat){.beat_ms = mg_clock_ms(), .pid = getpid()};
    mg_timer_init(&w.pulse, on_pulse);
    mg_timer_init(&w.grace, on_grace_over);
    mg_timer_init(&w.bound, on_bound);
    mg_timer_init(&w.old_dns_timer, on_old_dns);
    mg_later_init(&w.look, on_look);
}

static void load(const mg_worker_job *job)
{
    uint32_t number = job->generation;
    w.dicts = job->dicts;
    w.lineage = (mg_lineage){.library = job->library, .config = job->config, .stats = job->stats, .dicts = job->dicts,
                             .worker = job->index, .tell = tell, .tell_arg = &number};
    mg_lineage_init(&w.lineage);
    if (mg_lineage_prepare(&w.lineage, number) != MG_OK)
        refuse(NULL);
    w.lineage.tell_arg = NULL;
}

static void take_bindings(mg_bindings *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        const mg_binding *from = &b->at[i];
        mg_listeners_offer(&w.listeners, from->id, mg_binding_fd(from, w.index), from->shared, mg_str_of(from->address));
    }
}

static void serve(const mg_worker_job *job)
{
    mg_err err;
    w.dns = open_dns(&w.lineage.next_plan, &err);
    if (!w.dns)
        refuse(err.text);
    mg_exchange_world_init(mg_pool_new(w.dns));
    mg_world.on_end = on_end;
    mg_world.beat = w.beat;
    mg_h1_server_settings_init(&w.settings);
    w.settings.on_closed = on_closed;
    mg_listeners_init(&w.listeners, &w.settings, w.row);
    take_bindings(job->bindings);
    mg_lineage_commit(&w.lineage);
    apply();
    on_pulse(&w.pulse);
    mg_loop_on_idle(on_idle, NULL);
    mg_channel_send(&w.channel, MG_SAY_READY, job->generation, MG_STR_NONE, -1);
    mg_loop_run();
}

static void end(void)
{
    mg_timer_stop(&w.pulse);
    mg_timer_stop(&w.grace);
    mg_timer_stop(&w.bound);
    mg_timer_stop(&w.old_dns_timer);
    mg_later_cancel(&w.look);
    mg_listeners_fini(&w.listeners);
    mg_lineage_fini(&w.lineage);
    mg_dicts_free(w.dicts);
    mg_pool_free(mg_world.pool);
    mg_dns_close(w.old_dns);
    mg_dns_close(w.dns);
    mg_access_log_flush_all();
    mg_signal_stop(&w.term);
    mg_signal_stop(&w.quit);
    mg_channel_fini(&w.channel);
    mg_arena_trim_pool();
    mg_log_flush();
    mg_loop_close();
}

_Noreturn void mg_worker_run(const mg_worker_job *job)
{
    begin(job);
    load(job);
    serve(job);
    end();
    exit(EXIT_SUCCESS);
}
