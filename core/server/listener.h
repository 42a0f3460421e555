/*
 * listener: a worker's ears: sockets that the master bound, from which it accepts connections.
 *
 *      ready ─► accept, at most MG_LISTENER_BURST a turn ─► mg_h1_server
 *         full: no more connections than limits.connections ─► wait until one closes
 *         out of descriptors ─► wait MG_LISTENER_PAUSE_MS
 *
 * While a worker waits, connections queue in the kernel, and the other workers go on with theirs.
 *
 * A reload offers the coming set one by one; then the set is taken (new ones are started, those that were not
 * offered again are closed after what waits in their queues was accepted) or forgotten.
 *
 * Ownership: mg_listeners is embedded in the worker and owns its sockets. A listener that was closed stays in
 * memory until the end, since connections that came through it still name it.
 */
#ifndef MG_SERVER_LISTENER_H
#define MG_SERVER_LISTENER_H

#include "http/h1_server.h"
#include "os/loop.h"
#include "shm/stats.h"

enum { MG_LISTENER_BURST = 64, MG_LISTENER_PAUSE_MS = 100 };

typedef struct mg_listeners mg_listeners;

typedef struct {
    mg_link link;
    mg_listeners *set;
    uint32_t id;       /* the binding's */
    int fd;            /* -1: closed */
    mg_io io;
    bool shared;       /* other workers accept from the same socket */
    bool in_service;   /* taken into service; otherwise only offered */
    bool offered;      /* belongs to the coming set */
    char address[MG_ADDR_ROOM];
} mg_listener;

struct mg_listeners {
    mg_link all;
    mg_h1_server_settings *settings;
    mg_stats_row *stats;             /* may be NULL */
    uint32_t most;                   /* connections */
    bool full, closed;
    mg_timer pause;
    mg_later resume;
};

void mg_listeners_init(mg_listeners *l, mg_h1_server_settings *settings, mg_stats_row *stats);
void mg_listeners_fini(mg_listeners *l); /* no connection may be left */

/* The coming set: `fd` is taken over; -1: the listener with this id, which is in service. */
void mg_listeners_offer(mg_listeners *l, uint32_t id, int fd, bool shared, mg_str address);
void mg_listeners_take(mg_listeners *l, uint32_t most);
void mg_listeners_forget(mg_listeners *l);

/* No more connections. `take_waiting`: those that wait in queues of this worker alone are accepted first. */
void mg_listeners_close(mg_listeners *l, bool take_waiting);
void mg_listeners_closed_one(mg_listeners *l); /* a connection closed: there is room for one more */

#endif
