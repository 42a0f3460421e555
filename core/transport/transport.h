/*
 * transport: the byte layer under a connection.
 *
 *      connection ─► transport ─► socket           plain TCP and UNIX: no layer, the calls are direct
 *                       └► layer (TLS, …)           otherwise: through the layer's own functions
 *
 * All calls are non-blocking. Ownership: embedded in a connection; close gives the descriptor back.
 */
#ifndef MG_TRANSPORT_TRANSPORT_H
#define MG_TRANSPORT_TRANSPORT_H

#include "base/base.h"

#include <sys/uio.h>

typedef struct mg_transport mg_transport;

typedef struct {
    mg_rc (*read)(mg_transport *t, struct iovec *iov, int count, size_t *n);
    mg_rc (*write)(mg_transport *t, const struct iovec *iov, int count, size_t *n);
    void (*close)(mg_transport *t);
} mg_transport_layer;

struct mg_transport {
    int fd; /* -1: none */
    const mg_transport_layer *layer; /* NULL: plain */
    void *state;
};

/* MG_OK: *n > 0 bytes. MG_AGAIN: none now. MG_EOF: the other side ended (read only). MG_GONE: errno. */
mg_rc mg_transport_read(mg_transport *t, struct iovec *iov, int count, size_t *n) MG_MUST_CHECK;
mg_rc mg_transport_write(mg_transport *t, const struct iovec *iov, int count, size_t *n) MG_MUST_CHECK;
void mg_transport_close(mg_transport *t);
void mg_transport_end_writing(mg_transport *t); /* shutdown of our direction */
static inline bool mg_transport_is_plain(const mg_transport *t)
{
    return t->layer == NULL;
}

#endif
