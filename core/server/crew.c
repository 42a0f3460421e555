#include "server/crew.h"

#include "base/clock.h"
#include "base/log.h"
#include "os/socket.h"
#include "server/fork.h"
#include "server/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

const char *mg_crew_state_name(mg_crew_state s)
{
    static const char *const names[] = {"empty", "starting", "serving", "draining", "waiting"};
    return names[s];
}

/* ---- starting ---- */

static void on_message(mg_channel *channel, const mg_message *message)
{
    mg_member *m = MG_OWNER(channel, mg_member, channel);
    if (message->say == MG_SAY_READY && m->state == MG_CREW_STARTING)
        m->state = MG_CREW_SERVING;
    m->crew->on_message(m, message);
    mg_socket_close(message->fd);
}

static void on_child_exit(mg_child *child, pid_t pid, int status);

mg_rc mg_crew_start(mg_crew *c, int index)
{
    mg_member *m = &c->at[index];
    MG_BUG_UNLESS(m->state == MG_CREW_EMPTY || m->state == MG_CREW_WAITING);
    int ends[2];
    if (mg_channel_pair(ends) != MG_OK)
        return MG_FAIL;
    mg_timer_stop(&m->again);
    pid_t pid = mg_fork();
    if (pid == 0) {
        mg_socket_close(ends[0]);
        c->in_child(index, ends[1]);
    }
    mg_socket_close(ends[1]);
    if (pid < 0) {
        mg_socket_close(ends[0]);
        return MG_FAIL;
    }
    m->pid = pid;
    m->state = MG_CREW_STARTING;
    m->started_ms = mg_clock_ms();
    m->stuck = false;
    mg_channel_init(&m->channel, ends[0], on_message, NULL);
    mg_child_start(&m->child, pid, on_child_exit);
    return MG_OK;
}

static void wait_and_start(mg_member *m)
{
    m->state = MG_CREW_WAITING;
    mg_timer_start(&m->again, m->backoff_ms);
    m->backoff_ms = m->backoff_ms ? MG_MIN(m->backoff_ms * 2, MG_CREW_BACKOFF_MOST_MS) : MG_CREW_BACKOFF_FIRST_MS;
}

static void on_again(mg_timer *t)
{
    mg_member *m = MG_OWNER(t, mg_member, again);
    if (m->crew->hold)
        return; /* mg_crew_release comes back to it */
    m->restarts++;
    if (mg_crew_start(m->crew, m->index) == MG_OK)
        return;
    mg_error("cannot start worker %d: %s", m->index, strerror(errno));
    wait_and_start(m);
}

void mg_crew_grow(mg_crew *c, int size)
{
    c->size = size;
    for (int i = 0; i < size; i++) {
        if (c->at[i].state != MG_CREW_EMPTY || mg_crew_start(c, i) == MG_OK)
            continue;
        mg_error("cannot start worker %d: %s", i, strerror(errno));
        wait_and_start(&c->at[i]);
    }
}

void mg_crew_release(mg_crew *c)
{
    c->hold = false;
    for (int i = 0; i < c->size; i++)
        if (c->at[i].state == MG_CREW_WAITING && !mg_timer_is_running(&c->at[i].again))
            mg_timer_start(&c->at[i].again, 0);
}

/* ---- dying ---- */

static void describe(const mg_member *m, int status, char *to, size_t room)
{
    const char *stuck = m->stuck ? ", killed by the watchdog" : "";
    if (WIFSIGNALED(status))
        (void)snprintf(to, room, "worker %d (process %d) died of signal %d (%s)%s", m->index, (int)m->pid,
                       WTERMSIG(status), strsignal(WTERMSIG(status)), stuck);
    else
        (void)snprintf(to, room, "worker %d (process %d) ended with status %d", m->index, (int)m->pid,
                       WEXITSTATUS(status));
}

static void on_child_exit(mg_child *child, pid_t pid, int status)
{
    mg_member *m = MG_OWNER(child, mg_member, child);
    mg_crew *c = m->crew;
    char how[160];
    describe(m, status, how, sizeof how);
    /* What it said before it died has been read by now, or is still in the socket. */
    bool was_leaving = m->state == MG_CREW_LEAVING, was_serving = m->state == MG_CREW_SERVING;
    mg_channel_drain(&m->channel);
    mg_channel_fini(&m->channel);
    mg_timer_stop(&m->kill);
    mg_stats_worker_died(c->stats, m->index);
    (void)pid;
    m->pid = 0;
    m->state = MG_CREW_EMPTY;
    if (!was_leaving || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        mg_error("%s", how);
    if (was_serving && mg_clock_ms() - m->started_ms >= MG_CREW_HEALTHY_MS)
        m->backoff_ms = 0;
    if (c->repair && m->index < c->size)
        wait_and_start(m);
    c->on_died(m, how);
}

static void on_kill(mg_timer *t)
{
    mg_member *m = MG_OWNER(t, mg_member, kill);
    if (!m->pid)
        return;
    mg_warn("worker %d (process %d) does not end and is killed", m->index, (int)m->pid);
    (void)kill(m->pid, SIGKILL);
}

static void leave(mg_member *m, mg_say say, int64_t most_ms, mg_str text)
{
    if (m->state == MG_CREW_WAITING) {
        mg_timer_stop(&m->again);
        m->state = MG_CREW_EMPTY;
    }
    if (!m->pid)
        return;
    m->state = MG_CREW_LEAVING;
    mg_channel_send(&m->channel, say, (uint32_t)most_ms, text, -1);
    mg_timer_start(&m->kill, most_ms + 2 * MG_WORKER_LAST_MS);
}

void mg_crew_drain(mg_crew *c, int from, int64_t most_ms, bool leave_queues)
{
    for (int i = from; i < MG_STATS_WORKERS; i++)
        leave(&c->at[i], MG_SAY_DRAIN, most_ms, leave_queues ? MG_STR("leave") : MG_STR_NONE);
}

void mg_crew_stop(mg_crew *c)
{
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        leave(&c->at[i], MG_SAY_STOP, 0, MG_STR_NONE);
}

/* ---- the watchdog ---- */

static void look_after(mg_member *m, int64_t now)
{
    const mg_stats_beat *beat = mg_stats_beat_of(m->crew->stats, m->index);
    int64_t since = now - beat->beat_ms;
    if ((m->state != MG_CREW_SERVING && m->state != MG_CREW_LEAVING) || m->stuck || beat->pid != m->pid ||
        since < m->crew->watchdog_ms)
        return;
    /* The worker may be writing it at this very moment: a copy that ends. */
    char busy[sizeof beat->busy_with];
    memcpy(busy, beat->busy_with, sizeof busy);
    busy[sizeof busy - 1] = '\0';
    mg_error("worker %d (process %d) has been stuck for %lld ms in %s; it is killed", m->index, (int)m->pid,
             (long long)since, busy[0] ? busy : "no script");
    m->stuck = true;
    (void)kill(m->pid, SIGABRT);
    mg_timer_start(&m->kill, MG_CREW_KILL_MS);
}

static void on_watch(mg_timer *t)
{
    mg_crew *c = MG_OWNER(t, mg_crew, watch);
    int64_t now = mg_clock_ms(), since = now - c->watched_ms;
    c->watched_ms = now;
    /* When we were held up ourselves (a stopped machine), so were they: look again next time. */
    for (int i = 0; i < MG_STATS_WORKERS && since < 4 * MG_CREW_WATCH_MS; i++)
        if (c->at[i].pid)
            look_after(&c->at[i], now);
    mg_timer_start(t, MG_CREW_WATCH_MS);
}

/* ---- all of them ---- */

void mg_crew_init(mg_crew *c)
{
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        mg_member *m = &c->at[i];
        *m = (mg_member){.crew = c, .index = i, .channel = {.fd = -1}};
        mg_timer_init(&m->again, on_again);
        mg_timer_init(&m->kill, on_kill);
    }
    mg_timer_init(&c->watch, on_watch);
    c->watched_ms = mg_clock_ms();
    if (c->watchdog_ms > 0)
        mg_timer_start(&c->watch, MG_CREW_WATCH_MS);
}

void mg_crew_tell(mg_crew *c, mg_say say, uint32_t number)
{
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        if (c->at[i].state == MG_CREW_SERVING || c->at[i].state == MG_CREW_STARTING)
            mg_channel_send(&c->at[i].channel, say, number, MG_STR_NONE, -1);
}

int mg_crew_alive(const mg_crew *c)
{
    int n = 0;
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        n += c->at[i].pid != 0;
    return n;
}

int mg_crew_count(const mg_crew *c, mg_crew_state s)
{
    int n = 0;
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        n += c->at[i].state == s;
    return n;
}

void mg_crew_fini(mg_crew *c)
{
    mg_timer_stop(&c->watch);
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        mg_member *m = &c->at[i];
        mg_timer_stop(&m->again);
        mg_timer_stop(&m->kill);
        mg_channel_fini(&m->channel);
        if (!m->pid)
            continue;
        mg_child_stop(&m->child);
        (void)kill(m->pid, SIGKILL);
        (void)waitpid(m->pid, NULL, 0);
        m->pid = 0;
    }
}
