/*
 * h1_server: a connection from a client, HTTP/1.0 and 1.1.
 *
 *      IDLE ─► HEAD ─► BUSY (an exchange has the side) ─► IDLE … │ LINGER ─► closed
 *
 * Pipelined requests wait in the input until the answer before them is out. An idle connection holds no
 * buffer. After an error in framing, or an early answer to an upload, the connection lingers: it ends its
 * sending side, reads and throws away what still comes for a bounded while, then closes, so that the answer
 * is not lost to a reset.
 *
 * Ownership: heap, owns itself: frees itself when it closes. The worker gives it settings and hears of each
 * request through on_request.
 */
#ifndef MG_HTTP_H1_SERVER_H
#define MG_HTTP_H1_SERVER_H

#include "http/side.h"
#include "os/addr.h"
#include "os/loop.h"

typedef struct mg_h1_server mg_h1_server;

/* What a connection goes by; shared by many, read at each request (a reload changes it in place). */
typedef struct mg_h1_server_settings {
    mg_h1_limits limits;
    size_t buffer;
    size_t arena_most;            /* memory cap of one exchange's arena */
    uint32_t min_rate, keepalive_requests;
    int64_t header_ms, idle_ms, write_ms, linger_ms;
    bool draining;                /* answers say close; idle ones are closed */
    /* A whole head came: make an exchange on the side (its arena is s->arena). */
    void (*on_request)(mg_side *s);
    /* A head was refused (status, why): make an exchange that answers the error; the connection closes after. */
    void (*on_refused)(mg_side *s, int status, const char *why);
    void (*on_closed)(mg_h1_server *c);  /* about to free itself; may be NULL */
    /* kept by the connections */
    mg_link idle_list, busy_list, ready_list; /* ready: the next head came together with the one before */
    mg_later later;
    uint64_t accepted;
    uint32_t open;
    void *owner;                  /* whose settings these are */
} mg_h1_server_settings;

void mg_h1_server_settings_init(mg_h1_server_settings *s); /* before the first connection; the rest is filled after */

/* Takes the accepted descriptor over. `owner` travels along for upper floors (the listener). */
mg_h1_server *mg_h1_server_new(int fd, const mg_addr *peer, mg_h1_server_settings *settings, void *owner);
void mg_h1_server_close_idle(mg_h1_server_settings *settings); /* all idle connections that use these settings */
/* All that carry no exchange (reading a head, lingering); end the exchanges first: mg_exchange_stop_all. */
void mg_h1_server_close_all(mg_h1_server_settings *settings);

const mg_request_head *mg_h1_server_request(const mg_side *s);
mg_request_head *mg_h1_server_request_mut(mg_side *s);
const mg_addr *mg_h1_server_peer(const mg_side *s);
int mg_h1_server_fd(const mg_side *s);
void *mg_h1_server_owner(const mg_side *s);
mg_h1_server_settings *mg_h1_server_settings_of(const mg_side *s);
void mg_h1_server_continue(mg_side *s);                        /* sends 100 Continue, once, if it is awaited */
int64_t mg_h1_server_began_us(const mg_side *s);               /* when the head's first byte came */

#endif
