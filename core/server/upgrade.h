/*
 * upgrade: a new master, from the binary as it is on disk now, takes over the listening sockets.
 *
 *      old master                                  new master
 *         ·  fork, exec  MOONGATE_UPGRADE="…" ───►   loads, takes the sockets it was given, starts its workers
 *         ·  ◄──────────────────────── "ready"       all of them serve
 *         ·  gives up pid file and control socket
 *         ·  "yours" ────────────────────────────►   pid file, control socket, prints its lines
 *       drains, ends with 0                          serves
 *
 * The environment variable names the descriptors: that of the pair's other end, that of the control socket
 * with its path, then the listeners (binding.h); another names the shared dictionaries (shared.h). When the new master ends or does not get ready within
 * MG_UPGRADE_MS, the old one goes on as if nothing had been asked.
 *
 * Ownership: embedded in the master, both roles.
 */
#ifndef MG_SERVER_UPGRADE_H
#define MG_SERVER_UPGRADE_H

#include "os/loop.h"
#include "server/binding.h"

enum { MG_UPGRADE_MS = 60000 };
#define MG_UPGRADE_VARIABLE "MOONGATE_UPGRADE"

typedef struct mg_master mg_master;

typedef struct mg_upgrade_wait mg_upgrade_wait;
struct mg_upgrade_wait {
    mg_link link;
    void (*on_done)(mg_upgrade_wait *w, pid_t new_master, const char *why); /* why NULL: it took over */
};

typedef struct {
    mg_master *master;
    mg_link waiting;
    pid_t pid;             /* of the new master while it gets ready; 0: no upgrade is under way */
    int fd;                /* our end of the pair; -1: none */
    mg_io io;
    mg_child child;
    mg_timer late;
    /* As the new master: what was handed over. */
    bool heir;
    int control_fd;        /* -1: none */
    char *control_path;
    char *listeners;       /* text for mg_bindings_inherit; NULL: taken, or none */
} mg_upgrade;

void mg_upgrade_init(mg_upgrade *u, mg_master *m); /* reads the environment */
void mg_upgrade_ask(mg_upgrade *u, mg_upgrade_wait *w); /* w NULL: nobody waits for the answer */
void mg_upgrade_forget(mg_upgrade_wait *w);
void mg_upgrade_cancel(mg_upgrade *u);    /* the proxy ends: a new master that is not ready yet ends with it */
void mg_upgrade_say_ready(mg_upgrade *u); /* the heir serves; mg_master_succeed() follows when the old one has let go */
void mg_upgrade_fini(mg_upgrade *u);

#endif
