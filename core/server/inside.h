/*
 * inside: what the files of the master tell each other. Not for other floors.
 *
 *      master.c    start, signals, the end; what workers say goes to whom it concerns
 *      checker.c   reading the configuration in a child
 *      binding.c   listening sockets
 *      shared.c    shared dictionaries
 *      crew.c      workers: started, replaced, watched
 *      reload.c    a new generation in all of them
 *      upgrade.c   a new master
 *      control.c   the control socket; its pages: status.c, metrics.c; what they ask of workers: survey.c
 */
#ifndef MG_SERVER_INSIDE_H
#define MG_SERVER_INSIDE_H

#include "server/control.h"
#include "server/master.h"
#include "server/reload.h"
#include "server/shared.h"
#include "server/upgrade.h"

typedef enum { MG_MASTER_STARTING, MG_MASTER_SERVING, MG_MASTER_DRAINING, MG_MASTER_STOPPING } mg_master_state;

struct mg_master {
    const mg_server_options *options;
    mg_master_state state;
    int exit_code;
    int64_t started_wall_ms, started_ms;
    uint32_t generation;          /* in service */
    int64_t generation_wall_ms;   /* since when */
    mg_plan plan;
    mg_stats *stats;
    mg_dicts *dicts;
    mg_bindings bindings;
    mg_crew crew;
    mg_checker checker;           /* of the start */
    mg_reload reload;
    mg_upgrade upgrade;
    mg_control control;
    mg_signal signals[6];
    mg_timer start_late;
    bool owns_files;              /* sockets in the file system and the pid file are ours to remove */
    pid_t pid;
};

const char *mg_master_state_name(const mg_master *m);
/* How many workers a plan wants, the command line considered; at most what the shared numbers have room for. */
int mg_master_workers(const mg_master *m, const mg_plan *plan);
const char *mg_master_control_path(const mg_master *m, const mg_plan *plan); /* NULL: none */
void mg_master_announce(mg_master *m);        /* prints where it listens, what was not printed yet */
void mg_master_drain(mg_master *m, bool succeeded); /* succeeded: another master took over */
void mg_master_stop(mg_master *m);
void mg_master_reopen_logs(mg_master *m);
void mg_master_succeed(mg_master *m);         /* the heir's turn */
mg_rc mg_master_open_log(const mg_plan *plan, mg_err *err) MG_MUST_CHECK;

#endif
