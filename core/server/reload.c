#include "server/reload.h"

#include "base/clock.h"
#include "os/socket.h"
#include "server/inside.h"
#include "server/survey.h"

#include <stdio.h>
#include <unistd.h>

static void begin(mg_reload *r);

/* ---- the end of one reload ---- */

static void answer(mg_reload *r, const char *mistakes)
{
    while (!mg_list_is_empty(&r->waiting)) {
        mg_reload_wait *w = MG_OWNER(r->waiting.next, mg_reload_wait, link);
        mg_list_cut(&w->link);
        w->on_done(w, r->generation, mistakes);
    }
}

static void rest(mg_reload *r)
{
    mg_timer_stop(&r->late);
    mg_plan_fini(&r->plan);
    mg_plan_init(&r->plan);
    r->state = MG_RELOAD_IDLE;
    mg_crew_release(&r->master->crew);
    if (!r->again)
        return;
    r->again = false;
    while (!mg_list_is_empty(&r->next)) {
        mg_link *l = r->next.next;
        mg_list_cut(l);
        mg_list_append(&r->waiting, l);
    }
    begin(r);
}

static void log_lines(const char *lines)
{
    mg_str left = mg_str_of(lines), line;
    while (mg_survey_line(&left, &line))
        mg_error("%.*s", MG_STR_ARG(line));
}

static void refuse(mg_reload *r)
{
    mg_page_put(&r->mistakes, (mg_str){"", 1});
    r->refused++;
    mg_error("reload refused; generation %u goes on", r->master->generation);
    log_lines(r->mistakes.p);
    answer(r, r->mistakes.p);
    mg_page_fini(&r->mistakes);
    rest(r);
}

static void abort_prepared(mg_reload *r)
{
    mg_crew_tell(&r->master->crew, MG_SAY_ABORT, r->generation);
    mg_bindings_drop(&r->bindings);
    if (r->control_fd >= 0) {
        mg_socket_close(r->control_fd);
        (void)unlink(mg_master_control_path(r->master, &r->plan));
        r->control_fd = -1;
    }
    refuse(r);
}

/* ---- commit ---- */

static void change_log(mg_reload *r, const mg_plan *before)
{
    const char *old = before->error_log.path, *new = r->master->plan.error_log.path;
    mg_err err;
    mg_log_threshold = r->master->plan.error_log.level;
    if ((!old && !new) || (old && new && strcmp(old, new) == 0))
        return;
    if (mg_master_open_log(&r->master->plan, &err) != MG_OK)
        mg_error("%s; the old one is kept", err.text);
}

static void change_control(mg_reload *r, const mg_plan *before)
{
    mg_master *m = r->master;
    if (r->control_fd >= 0)
        mg_control_serve(&m->control, r->control_fd, mg_master_control_path(m, &m->plan));
    else if (!mg_master_control_path(m, &m->plan) && mg_master_control_path(m, before))
        mg_control_close(&m->control, true);
    r->control_fd = -1;
}

/* A worker that still drains cannot be there twice, and a socket without a worker would only collect connections. */
static int without_leaving(const mg_crew *crew, int size)
{
    for (int i = crew->size; i < size; i++) {
        if (crew->at[i].state != MG_CREW_LEAVING)
            continue;
        mg_warn("worker %d still drains: %d workers for now, reload again when it has ended", i, i);
        return i;
    }
    return size;
}

static void change_size(mg_reload *r)
{
    mg_master *m = r->master;
    int before = m->crew.size, size = without_leaving(&m->crew, mg_master_workers(m, &m->plan));
    mg_err err;
    if (size > before && mg_bindings_open(&m->bindings, size, &err) != MG_OK) {
        mg_error("%s; the number of workers stays %d", err.text, before);
        for (int i = before; i < size; i++)
            mg_bindings_close_worker(&m->bindings, i);
        return;
    }
    for (int i = size; i < before; i++)
        mg_bindings_close_worker(&m->bindings, i);
    if (size < before)
        mg_crew_drain(&m->crew, size, m->plan.drain_ms, false);
    mg_crew_grow(&m->crew, size);
}

static void warn_of_fixed(const mg_plan *before, const mg_plan *now)
{
    static const char text[] = "'%s' changed: that needs a restart or an upgrade";
    const char *const pairs[][3] = {{before->user, now->user, "user"}, {before->group, now->group, "group"},
                                    {before->pid_file, now->pid_file, "pid_file"}};
    for (size_t i = 0; i < MG_COUNT(pairs); i++) {
        const char *a = pairs[i][0], *b = pairs[i][1];
        if ((a && b && strcmp(a, b) != 0) || !a != !b)
            mg_warn(text, pairs[i][2]);
    }
}

static void commit(mg_reload *r)
{
    mg_master *m = r->master;
    mg_plan before = m->plan;
    /* Our sockets of listeners that go are closed first: then workers empty the queues, and nothing follows. */
    mg_bindings_keep(&m->bindings, &r->bindings);
    mg_crew_tell(&m->crew, MG_SAY_COMMIT, r->generation);
    m->plan = r->plan;
    mg_plan_init(&r->plan);
    m->generation = r->generation;
    m->generation_wall_ms = mg_clock_wall_ms();
    change_log(r, &before);
    change_control(r, &before);
    change_size(r);
    warn_of_fixed(&before, &m->plan);
    mg_plan_fini(&before);
    r->taken++;
    mg_info("generation %u is in service", m->generation);
    mg_master_announce(m);
    mg_page_fini(&r->mistakes);
    answer(r, NULL);
    rest(r);
}

/* ---- preparing ---- */

static void look(mg_reload *r)
{
    for (int i = 0; i < MG_STATS_WORKERS; i++)
        if (r->missing[i])
            return;
    commit(r);
}

static void on_late(mg_timer *t)
{
    mg_reload *r = MG_OWNER(t, mg_reload, late);
    mg_page_print(&r->mistakes, "a worker took longer than %d s to build the generation\n", MG_RELOAD_MS / 1000);
    abort_prepared(r);
}

static void send_listeners(const mg_reload *r, mg_member *m)
{
    for (uint32_t i = 0; i < r->bindings.count; i++) {
        const mg_binding *b = &r->bindings.at[i];
        char text[MG_ADDR_ROOM + 32];
        int n = snprintf(text, sizeof text, "%u %d %s", b->id, b->shared, b->address);
        mg_channel_send(&m->channel, MG_SAY_LISTEN, r->generation, (mg_str){text, (size_t)n},
                        b->lent ? -1 : mg_binding_fd(b, m->index));
    }
}

static void prepare(mg_reload *r)
{
    mg_crew *crew = &r->master->crew;
    r->state = MG_RELOAD_PREPARING;
    crew->hold = true;
    mg_timer_start(&r->late, MG_RELOAD_MS);
    for (int i = 0; i < MG_STATS_WORKERS; i++) {
        mg_member *m = &crew->at[i];
        r->missing[i] = m->state == MG_CREW_SERVING || m->state == MG_CREW_STARTING;
        if (!r->missing[i])
            continue;
        send_listeners(r, m);
        mg_shared_send(r->master->dicts, &m->channel, r->generation);
        mg_channel_send(&m->channel, MG_SAY_PREPARE, r->generation, MG_STR_NONE, -1);
    }
    look(r);
}

static mg_rc bind_control(mg_reload *r, mg_err *err)
{
    const char *path = mg_master_control_path(r->master, &r->plan), *now = r->master->control.path;
    r->control_fd = -1;
    if (!path || (now && strcmp(path, now) == 0))
        return MG_OK;
    r->control_fd = mg_control_bind(path, err);
    return r->control_fd >= 0 ? MG_OK : MG_FAIL;
}

static void on_checked(mg_checker *c)
{
    mg_reload *r = MG_OWNER(c, mg_reload, checker);
    mg_err err;
    if (!c->good) {
        mg_page_put(&r->mistakes, mg_page_str(&c->mistakes));
        refuse(r);
        return;
    }
    mg_plan_fini(&r->plan);
    r->plan = c->plan;
    mg_plan_init(&c->plan);
    if (mg_shared_open(r->master->dicts, &r->plan, &err) != MG_OK ||
        mg_bindings_make(&r->bindings, &r->plan, &r->master->bindings, &err) != MG_OK) {
        mg_page_print(&r->mistakes, "%s\n", err.text);
        refuse(r);
    } else if (mg_bindings_open(&r->bindings, r->master->crew.size, &err) != MG_OK || bind_control(r, &err) != MG_OK) {
        mg_page_print(&r->mistakes, "%s\n", err.text);
        mg_bindings_drop(&r->bindings);
        refuse(r);
    } else {
        prepare(r);
    }
}

bool mg_reload_heed(mg_reload *r, const mg_member *m, const mg_message *message)
{
    if (r->state != MG_RELOAD_PREPARING || message->number != r->generation || !r->missing[m->index])
        return false;
    if (message->say == MG_SAY_MISTAKE) {
        /* Each worker says the same; once is enough. */
        mg_str known = mg_page_str(&r->mistakes);
        if (!known.n || !memmem(known.p, known.n, message->text.p, message->text.n))
            mg_page_print(&r->mistakes, "%.*s\n", MG_STR_ARG(message->text));
        return true;
    }
    if (message->say != MG_SAY_READY && message->say != MG_SAY_REFUSED)
        return false;
    r->missing[m->index] = false;
    if (message->say == MG_SAY_READY) {
        look(r);
        return true;
    }
    if (!r->mistakes.n)
        mg_page_print(&r->mistakes, "worker %d refused it without a word\n", m->index);
    abort_prepared(r);
    return true;
}

void mg_reload_member_died(mg_reload *r, const mg_member *m, const char *how)
{
    if (r->state != MG_RELOAD_PREPARING || !r->missing[m->index])
        return;
    r->missing[m->index] = false;
    mg_page_print(&r->mistakes, "%s while it built the generation\n", how);
    abort_prepared(r);
}

/* ---- asking ---- */

static void begin(mg_reload *r)
{
    r->state = MG_RELOAD_CHECKING;
    r->generation = r->master->generation + 1;
    mg_page_fini(&r->mistakes);
    r->checker.user = r->master->plan.user;
    r->checker.group = r->master->plan.group;
    mg_info("reload: reading %s", r->checker.config);
    mg_checker_start(&r->checker, r->generation);
}

void mg_reload_ask(mg_reload *r, mg_reload_wait *w)
{
    bool idle = r->state == MG_RELOAD_IDLE;
    if (w) {
        mg_list_init(&w->link);
        mg_list_append(idle ? &r->waiting : &r->next, &w->link);
    }
    if (r->master->state != MG_MASTER_SERVING)
        mg_reload_cancel(r, "the proxy is about to end, or has not begun yet\n");
    else if (idle)
        begin(r);
    else
        r->again = true;
}

void mg_reload_forget(mg_reload_wait *w)
{
    mg_list_cut(&w->link);
}

void mg_reload_init(mg_reload *r, mg_master *m)
{
    r->master = m;
    r->state = MG_RELOAD_IDLE;
    r->control_fd = -1;
    mg_list_init(&r->waiting);
    mg_list_init(&r->next);
    mg_plan_init(&r->plan);
    mg_timer_init(&r->late, on_late);
    r->checker.on_done = on_checked;
    mg_checker_init(&r->checker);
}

void mg_reload_cancel(mg_reload *r, const char *why)
{
    if (r->state == MG_RELOAD_PREPARING)
        mg_bindings_drop(&r->bindings);
    if (r->state == MG_RELOAD_CHECKING) {
        mg_checker_fini(&r->checker);
        mg_checker_init(&r->checker);
    }
    if (r->control_fd >= 0) {
        mg_socket_close(r->control_fd);
        (void)unlink(mg_master_control_path(r->master, &r->plan));
        r->control_fd = -1;
    }
    mg_timer_stop(&r->late);
    r->state = MG_RELOAD_IDLE;
    r->again = false;
    answer(r, why);
    while (!mg_list_is_empty(&r->next)) {
        mg_link *l = r->next.next;
        mg_list_cut(l);
        mg_list_append(&r->waiting, l);
    }
    answer(r, why);
}

void mg_reload_fini(mg_reload *r)
{
    mg_timer_stop(&r->late);
    mg_checker_fini(&r->checker);
    mg_plan_fini(&r->plan);
    mg_page_fini(&r->mistakes);
}
