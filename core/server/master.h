/*
 * master: the process that holds everything together and never reads a request.
 *
 *      moongate run ─► checker child: plan ─► logs, shared numbers, sockets ─► workers ─► READY (all) ─► serving
 *                           └ mistakes: exit 1                                    └ REFUSED: exit 1
 *
 *      serving ─ SIGHUP ─► reload        ─ SIGUSR1 ─► logs opened again     ─ SIGUSR2 ─► upgrade
 *              ─ SIGTERM, SIGQUIT ─► drain (again: stop)                    ─ SIGINT ─► stop
 *
 * On standard output it says, a line each, where it listens ("moongate: listening on 127.0.0.1:8080"), and
 * then, once all workers serve, "moongate: ready".
 *
 * Ownership: mg_server_run owns the process until it returns.
 */
#ifndef MG_SERVER_MASTER_H
#define MG_SERVER_MASTER_H

#include "base/base.h"

typedef struct {
    const char *config;   /* the configuration file, as the user named it */
    const char *library;  /* the folder of our Lua modules */
    const char *control;  /* instead of the configuration's; NULL: that one */
    int workers;          /* instead of the configuration's; 0: that number */
    int64_t watchdog_ms;  /* 0: none */
    const char *version;  /* "0.1.0" */
    const char *commit, *profile;
    const char *binary;   /* what an upgrade starts */
    char **argv;          /* and with which words; ends with NULL */
    const char *hints;    /* lines to print once it is ready for the first time; NULL: none */
} mg_server_options;

enum { MG_SERVER_WATCHDOG_MS = 10000 };

/* Serves until it is told to end. The exit status of the process. */
int mg_server_run(const mg_server_options *options);

#endif
