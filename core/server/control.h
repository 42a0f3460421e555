/*
 * control: the master's own little HTTP server, on a UNIX socket that only its user may open (mode 0600).
 *
 *      GET  /v1/status  /v1/generations  /v1/upstreams  /metrics
 *      POST /v1/reload  /v1/upgrade  /v1/stop  /v1/quit
 *
 * One request per connection, then it is closed (after stop and quit: when the proxy ends). Answers are JSON, errors application/problem+json
 * (RFC 9457), numbers Prometheus text. At most MG_CONTROL_MOST connections are open; each has
 * MG_CONTROL_REQUEST_MS for its request, and MG_CONTROL_ANSWER_MS to take the answer.
 *
 * Ownership: embedded in the master; connections are the control's.
 */
#ifndef MG_SERVER_CONTROL_H
#define MG_SERVER_CONTROL_H

#include "base/err.h"
#include "os/loop.h"

enum {
    MG_CONTROL_MOST = 64, MG_CONTROL_HEAD_MOST = 8192, MG_CONTROL_BODY_MOST = 64 * 1024,
    MG_CONTROL_REQUEST_MS = 10000, MG_CONTROL_ANSWER_MS = 30000
};

typedef struct mg_master mg_master;

typedef struct {
    mg_master *master;
    int fd;              /* -1: there is none */
    char *path;
    mg_io io;
    mg_link connections;
    uint32_t count;
    mg_timer pause;      /* out of descriptors */
} mg_control;

/* A socket at `path`, its folders made; a stale one is replaced. -1: with the sentence, also when another
 * moongate answers there. */
int mg_control_bind(const char *path, mg_err *err);
void mg_control_init(mg_control *c, mg_master *m);
void mg_control_serve(mg_control *c, int fd, const char *path); /* takes fd; closes the socket before, if there was one */
void mg_control_close(mg_control *c, bool unlink);              /* the socket; connections stay until answered */
void mg_control_fini(mg_control *c, bool unlink);               /* all, at once */
void mg_control_leave(mg_control *c);                           /* in a child: descriptors only */

#endif
