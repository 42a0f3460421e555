/*
 * messages: what the master and its workers say to each other, each pair over a socket pair of its own.
 *
 *      master                                          worker
 *        ·  ◄──────────────── MISTAKE 1 "file:1: …"       ·   builds its first generation, as soon as it lives
 *        ·  ◄──────────────── READY 1 │ REFUSED 1         ·
 *        ·                                                ·
 *        ·  LISTEN 2 "id shared address" (+ socket) ────► ·   a listener of the coming generation; without a
 *        ·  DICT 2 "name" (+ memory) ───────────────────► ·   a shared dictionary, new or known
 *        ·  PREPARE 2 ──────────────────────────────────► ·   socket: one that it has already
 *        ·  ◄──────────────── MISTAKE 2 │ READY 2 │ REFUSED 2
 *        ·  COMMIT 2 │ ABORT 2 ─────────────────────────► ·   takes it into service │ forgets it
 *        ·                                                ·
 *        ·  ASK 17 ─────────────────────────────────────► ·
 *        ·  ◄──────────────── REPORT 17 "lines"…, TOLD 17 ·
 *        ·                                                ·
 *        ·  DRAIN ms │ STOP ────────────────────────────► ·   ends by itself, or when it is ended
 *        ·  REOPEN ─────────────────────────────────────► ·   logs
 *
 * The sockets keep message borders (SOCK_SEQPACKET), so a worker that dies in the middle of a word leaves no
 * half of it. Nobody waits: what the other side does not take yet is queued, and a queue of more than
 * MG_CHANNEL_QUEUE messages means that the other side is not alive.
 *
 * Ownership: a channel is embedded; its descriptor is closed by mg_channel_fini. A descriptor in a message
 * stays the sender's, and becomes the receiver's.
 */
#ifndef MG_SERVER_MESSAGES_H
#define MG_SERVER_MESSAGES_H

#include "base/str.h"
#include "os/loop.h"

typedef enum {
    MG_SAY_LISTEN, MG_SAY_DICT, MG_SAY_PREPARE, MG_SAY_COMMIT, MG_SAY_ABORT, MG_SAY_ASK, MG_SAY_DRAIN, MG_SAY_STOP, MG_SAY_REOPEN,
    MG_SAY_MISTAKE, MG_SAY_READY, MG_SAY_REFUSED, MG_SAY_REPORT, MG_SAY_TOLD, MG_SAY_COUNT
} mg_say;

enum { MG_CHANNEL_QUEUE = 65536, MG_CHANNEL_TEXT = 16000 /* bytes of text; more is cut */ };

typedef struct {
    mg_say say;
    uint32_t number; /* of a generation or a question; milliseconds */
    mg_str text;     /* valid during the callback; a NUL stands behind it */
    int fd;          /* the receiver's to close; -1: none */
} mg_message;

typedef struct mg_channel mg_channel;
struct mg_channel {
    int fd;          /* -1: closed */
    mg_io io;
    mg_link queue;   /* what could not be sent yet */
    uint32_t queued;
    void (*on_message)(mg_channel *c, const mg_message *m);
    void (*on_gone)(mg_channel *c); /* once: the other side is gone; mg_channel_fini is still to be called */
};

mg_rc mg_channel_pair(int fds[2]) MG_MUST_CHECK; /* non-blocking, close-on-exec; MG_FAIL: errno */
void mg_channel_init(mg_channel *c, int fd, void (*on_message)(mg_channel *, const mg_message *),
                     void (*on_gone)(mg_channel *)); /* needs the loop */
void mg_channel_fini(mg_channel *c);                 /* harmless when closed */
/* What cannot be delivered any more is forgotten: on_gone says so. `fd` may be -1. */
void mg_channel_send(mg_channel *c, mg_say say, uint32_t number, mg_str text, int fd);
void mg_channel_flush(mg_channel *c, int most_ms);   /* for a process that ends: waits until all is sent */
void mg_channel_drain(mg_channel *c);                /* takes what the other side said before it died */

#endif
