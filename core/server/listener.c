#include "server/listener.h"

#include "base/clock.h"
#include "base/log.h"
#include "os/socket.h"

#include <errno.h>
#include <stdio.h>

static void accept_now(mg_listener *l, uint32_t burst);

static void on_ready(mg_io *io, int events)
{
    (void)events;
    accept_now(MG_OWNER(io, mg_listener, io), MG_LISTENER_BURST);
}

/* ---- waiting, and going on ---- */

static void listen_all(mg_listeners *set, bool on)
{
    MG_LIST_EACH(link, &set->all) {
        mg_listener *l = MG_OWNER(link, mg_listener, link);
        if (on && l->in_service && l->fd >= 0)
            mg_io_start(&l->io, l->fd, MG_READ);
        else
            mg_io_stop(&l->io);
    }
}

static void on_resume(mg_later *later)
{
    mg_listeners *set = MG_OWNER(later, mg_listeners, resume);
    if (set->closed || (set->full && set->settings->open >= set->most) || mg_timer_is_running(&set->pause))
        return;
    set->full = false;
    listen_all(set, true);
}

static void on_pause_over(mg_timer *t)
{
    mg_later_do(&MG_OWNER(t, mg_listeners, pause)->resume);
}

static bool is_full(mg_listeners *set)
{
    if (set->settings->open < set->most)
        return false;
    if (!set->full)
        mg_warn("%u connections are open (limits.connections): new ones wait", set->settings->open);
    set->full = true;
    listen_all(set, false);
    return true;
}

static void pause_for_want(mg_listeners *set)
{
    static int64_t told_ms;
    if (!told_ms || mg_clock_ms() - told_ms > 1000) {
        mg_error("cannot accept a connection: %s; new ones wait", strerror(errno));
        told_ms = mg_clock_ms();
    }
    listen_all(set, false);
    mg_timer_start(&set->pause, MG_LISTENER_PAUSE_MS);
}

/* ---- accepting ---- */

static void accept_now(mg_listener *l, uint32_t burst)
{
    mg_listeners *set = l->set;
    while (burst-- && !is_full(set)) {
        mg_addr peer;
        int fd = mg_socket_accept(l->fd, &peer);
        if (fd >= 0) {
            if (set->stats) {
                set->stats->connections_opened++;
                set->stats->connections++;
            }
            (void)mg_h1_server_new(fd, &peer, set->settings, l);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_for_want(set);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
        /* Everything else is this one connection's own trouble (it was reset while it waited). */
    }
}

void mg_listeners_closed_one(mg_listeners *set)
{
    if (set->stats)
        set->stats->connections--;
    if (set->full)
        mg_later_do(&set->resume);
}

/* ---- the set ---- */

void mg_listeners_init(mg_listeners *l, mg_h1_server_settings *settings, mg_stats_row *stats)
{
    *l = (mg_listeners){.settings = settings, .stats = stats, .most = UINT32_MAX};
    mg_list_init(&l->all);
    mg_timer_init(&l->pause, on_pause_over);
    mg_later_init(&l->resume, on_resume);
}

static void free_one(mg_listener *l)
{
    mg_io_stop(&l->io);
    mg_socket_close(l->fd);
    mg_list_cut(&l->link);
    mg_free(l);
}

void mg_listeners_fini(mg_listeners *l)
{
    mg_timer_stop(&l->pause);
    mg_later_cancel(&l->resume);
    MG_LIST_EACH_SAFE(link, after, &l->all)
        free_one(MG_OWNER(link, mg_listener, link));
}

static mg_listener *find(mg_listeners *set, uint32_t id)
{
    MG_LIST_EACH(link, &set->all) {
        mg_listener *l = MG_OWNER(link, mg_listener, link);
        if (l->id == id && l->fd >= 0)
            return l;
    }
    return NULL;
}

void mg_listeners_offer(mg_listeners *set, uint32_t id, int fd, bool shared, mg_str address)
{
    mg_listener *l = find(set, id);
    if (l && fd >= 0)
        mg_socket_close(fd);
    if (!l && fd >= 0) {
        l = mg_zalloc(sizeof *l);
        *l = (mg_listener){.set = set, .id = id, .fd = fd, .shared = shared};
        mg_io_init(&l->io, on_ready);
        (void)snprintf(l->address, sizeof l->address, "%.*s", MG_STR_ARG(address));
        mg_list_append(&set->all, &l->link);
    }
    if (l)
        l->offered = true;
}

static void close_one(mg_listener *l, bool take_waiting)
{
    mg_io_stop(&l->io);
    if (take_waiting && !l->shared)
        accept_now(l, UINT32_MAX);
    mg_socket_close(l->fd);
    l->fd = -1;
    l->in_service = false;
}

void mg_listeners_take(mg_listeners *set, uint32_t most)
{
    set->most = most;
    MG_LIST_EACH(link, &set->all) {
        mg_listener *l = MG_OWNER(link, mg_listener, link);
        if (l->fd >= 0 && !l->offered)
            close_one(l, true);
        l->in_service = l->fd >= 0 && !set->closed;
        l->offered = false;
    }
    mg_later_do(&set->resume);
}

void mg_listeners_forget(mg_listeners *set)
{
    MG_LIST_EACH_SAFE(link, after, &set->all) {
        mg_listener *l = MG_OWNER(link, mg_listener, link);
        l->offered = false;
        if (l->fd >= 0 && !l->in_service)
            free_one(l);
    }
}

void mg_listeners_close(mg_listeners *set, bool take_waiting)
{
    if (set->closed)
        return;
    set->closed = true;
    MG_LIST_EACH(link, &set->all) {
        mg_listener *l = MG_OWNER(link, mg_listener, link);
        if (l->fd >= 0)
            close_one(l, take_waiting && l->in_service);
    }
}
