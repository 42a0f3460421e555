#include "os/loop.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>

_Static_assert(sizeof(ev_io) <= sizeof(((mg_io *)0)->room), "room for an ev_io");
_Static_assert(sizeof(ev_timer) <= sizeof(((mg_timer *)0)->room), "room for an ev_timer");
_Static_assert(sizeof(ev_signal) <= sizeof(((mg_signal *)0)->room), "room for an ev_signal");
_Static_assert(sizeof(ev_child) <= sizeof(((mg_child *)0)->room), "room for an ev_child");

struct mg_patience {
    mg_link waiting; /* oldest first */
    int64_t duration_ms;
    mg_timer timer;
    mg_patience *next;
};

static struct ev_loop *loop;
static ev_prepare before_wait;
static ev_check after_wait;
static mg_link due = {&due, &due};
static mg_patience *patiences;
static void (*idle_fn)(void *);
static void *idle_arg;

#define EV(type, watcher) ((type *)(void *)(watcher)->room)

static void run_due(void)
{
    while (!mg_list_is_empty(&due)) {
        mg_later *l = MG_OWNER(due.next, mg_later, link);
        mg_list_cut(&l->link);
        l->run(l);
    }
}

static void on_before_wait(struct ev_loop *l, ev_prepare *w, int events)
{
    (void)l, (void)w, (void)events;
    run_due();
    if (idle_fn)
        idle_fn(idle_arg);
    mg_log_flush();
}

static void on_after_wait(struct ev_loop *l, ev_check *w, int events)
{
    (void)l, (void)w, (void)events;
    mg_clock_update();
}

mg_rc mg_loop_open(void)
{
    MG_BUG_UNLESS(!loop);
    /* The default loop, since only it hears of children. */
    loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!loop)
        return MG_FAIL;
    mg_clock_update();
    ev_prepare_init(&before_wait, on_before_wait);
    ev_check_init(&after_wait, on_after_wait);
    ev_set_priority(&after_wait, EV_MAXPRI);
    ev_prepare_start(loop, &before_wait);
    ev_check_start(loop, &after_wait);
    ev_unref(loop);
    ev_unref(loop);
    return MG_OK;
}

void mg_loop_close(void)
{
    if (!loop)
        return;
    ev_ref(loop);
    ev_ref(loop);
    ev_prepare_stop(loop, &before_wait);
    ev_check_stop(loop, &after_wait);
    while (patiences) {
        mg_patience *p = patiences;
        patiences = p->next;
        mg_timer_stop(&p->timer);
        MG_LIST_EACH_SAFE(l, after, &p->waiting) {
            mg_list_cut(l);
            MG_OWNER(l, mg_deadline, link)->patience = NULL;
        }
        mg_free(p);
    }
    ev_loop_destroy(loop);
    loop = NULL;
    idle_fn = NULL;
    mg_list_init(&due);
}

const char *mg_loop_library(void)
{
    static char name[32];
    (void)snprintf(name, sizeof name, "libev %d.%02d", ev_version_major(), ev_version_minor());
    return name;
}

void mg_loop_run(void)
{
    ev_run(loop, 0);
}

void mg_loop_stop(void)
{
    ev_break(loop, EVBREAK_ALL);
}

void mg_loop_on_idle(void (*fn)(void *), void *arg)
{
    idle_fn = fn;
    idle_arg = arg;
}

static void on_io(struct ev_loop *l, ev_io *w, int events)
{
    (void)l;
    mg_io *io = MG_OWNER(w, mg_io, room);
    io->on_ready(io, (events & EV_READ ? MG_READ : 0) | (events & EV_WRITE ? MG_WRITE : 0));
}

void mg_io_init(mg_io *io, void (*on_ready)(mg_io *, int))
{
    ev_io *w = EV(ev_io, io);
    ev_init(w, on_io);
    w->fd = -1;
    w->events = 0;
    io->on_ready = on_ready;
}

void mg_io_start(mg_io *io, int fd, int events)
{
    ev_io *w = EV(ev_io, io);
    int want = (events & MG_READ ? EV_READ : 0) | (events & MG_WRITE ? EV_WRITE : 0);
    if (ev_is_active(w)) {
        if (w->fd == fd && (w->events & (EV_READ | EV_WRITE)) == want)
            return;
        ev_io_stop(loop, w);
    }
    ev_io_set(w, fd, want);
    if (want)
        ev_io_start(loop, w);
}

void mg_io_stop(mg_io *io)
{
    if (ev_is_active(EV(ev_io, io)))
        ev_io_stop(loop, EV(ev_io, io));
}

int mg_io_events(const mg_io *io)
{
    const ev_io *w = (const ev_io *)(const void *)io->room;
    if (!ev_is_active(w))
        return 0;
    return (w->events & EV_READ ? MG_READ : 0) | (w->events & EV_WRITE ? MG_WRITE : 0);
}

int mg_io_fd(const mg_io *io)
{
    return ((const ev_io *)(const void *)io->room)->fd;
}

static void on_timer(struct ev_loop *l, ev_timer *w, int events)
{
    (void)l, (void)events;
    mg_timer *t = MG_OWNER(w, mg_timer, room);
    t->on_time(t);
}

void mg_timer_init(mg_timer *t, void (*on_time)(mg_timer *))
{
    ev_init(EV(ev_timer, t), on_timer);
    t->on_time = on_time;
}

void mg_timer_start(mg_timer *t, int64_t after_ms)
{
    ev_timer *w = EV(ev_timer, t);
    ev_timer_stop(loop, w);
    ev_timer_set(w, (double)MG_MAX(after_ms, 0) / 1e3, 0.);
    ev_timer_start(loop, w);
}

void mg_timer_stop(mg_timer *t)
{
    if (loop)
        ev_timer_stop(loop, EV(ev_timer, t));
}

bool mg_timer_is_running(const mg_timer *t)
{
    return ev_is_active((const ev_timer *)(const void *)t->room);
}

static void on_ev_signal(struct ev_loop *l, ev_signal *w, int events)
{
    (void)l, (void)events;
    mg_signal *s = MG_OWNER(w, mg_signal, room);
    s->on_signal(s, w->signum);
}

void mg_signal_start(mg_signal *s, int number, void (*on_signal)(mg_signal *, int))
{
    s->on_signal = on_signal;
    ev_signal *w = EV(ev_signal, s);
    ev_signal_init(w, on_ev_signal, number);
    ev_signal_start(loop, w);
    ev_unref(loop);
}

void mg_signal_stop(mg_signal *s)
{
    if (!ev_is_active(EV(ev_signal, s)))
        return;
    ev_ref(loop);
    ev_signal_stop(loop, EV(ev_signal, s));
}

static void on_child(struct ev_loop *l, ev_child *w, int events)
{
    (void)l, (void)events;
    mg_child *c = MG_OWNER(w, mg_child, room);
    pid_t pid = w->rpid;
    int status = w->rstatus;
    ev_child_stop(loop, w);
    c->on_exit(c, pid, status);
}

void mg_child_start(mg_child *c, pid_t pid, void (*on_exit)(mg_child *, pid_t, int))
{
    c->on_exit = on_exit;
    ev_child *w = EV(ev_child, c);
    ev_child_init(w, on_child, pid, 0);
    ev_child_start(loop, w);
}

void mg_child_stop(mg_child *c)
{
    ev_child_stop(loop, EV(ev_child, c));
}

static int64_t late_at(const mg_deadline *d)
{
    return d->since_ms + d->patience->duration_ms;
}

static void on_patience(mg_timer *t)
{
    mg_patience *p = MG_OWNER(t, mg_patience, timer);
    int64_t now = mg_clock_ms();
    while (!mg_list_is_empty(&p->waiting)) {
        mg_deadline *oldest = MG_OWNER(p->waiting.next, mg_deadline, link);
        if (late_at(oldest) > now) {
            mg_timer_start(t, late_at(oldest) - now);
            return;
        }
        mg_deadline_disarm(oldest);
        oldest->on_late(oldest);
    }
}

/* Few distinct durations exist (they are names in the configuration), so a list will do; the one found
 * moves to the front. */
static mg_patience *patience_of(int64_t duration_ms)
{
    for (mg_patience **at = &patiences; *at; at = &(*at)->next) {
        mg_patience *p = *at;
        if (p->duration_ms == duration_ms) {
            *at = p->next;
            p->next = patiences;
            patiences = p;
            return p;
        }
    }
    mg_patience *p = mg_alloc(sizeof *p);
    *p = (mg_patience){.duration_ms = duration_ms, .next = patiences};
    mg_list_init(&p->waiting);
    mg_timer_init(&p->timer, on_patience);
    patiences = p;
    return p;
}

void mg_deadline_init(mg_deadline *d, void (*on_late)(mg_deadline *))
{
    mg_list_init(&d->link);
    d->patience = NULL;
    d->since_ms = 0;
    d->on_late = on_late;
}

void mg_deadline_arm(mg_deadline *d, int64_t patience_ms)
{
    if (patience_ms <= 0) {
        mg_deadline_disarm(d);
        return;
    }
    if (!d->patience || d->patience->duration_ms != patience_ms)
        d->patience = patience_of(patience_ms);
    mg_list_cut(&d->link);
    d->since_ms = mg_clock_ms();
    mg_list_append(&d->patience->waiting, &d->link);
    if (!mg_timer_is_running(&d->patience->timer))
        mg_timer_start(&d->patience->timer, patience_ms);
}

void mg_deadline_disarm(mg_deadline *d)
{
    mg_list_cut(&d->link);
    d->patience = NULL;
}

void mg_later_init(mg_later *l, void (*run)(mg_later *))
{
    mg_list_init(&l->link);
    l->run = run;
}

void mg_later_do(mg_later *l)
{
    if (mg_list_is_empty(&l->link))
        mg_list_append(&due, &l->link);
}

void mg_later_cancel(mg_later *l)
{
    mg_list_cut(&l->link);
}
