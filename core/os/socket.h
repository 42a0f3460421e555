/*
 * socket: descriptors for TCP and UNIX, non-blocking and close-on-exec always.
 */
#ifndef MG_OS_SOCKET_H
#define MG_OS_SOCKET_H

#include "os/addr.h"

typedef struct {
    int backlog;
    bool reuse_port;  /* one socket per worker */
    bool v6_only;
    unsigned mode;    /* of a UNIX socket's file */
} mg_listen_options;

/* Bound and listening; a stale UNIX socket file is replaced when nobody answers there. *out gets the
 * real address (port 0 chosen by the kernel). Returns the descriptor, or -1 with a sentence. */
int mg_socket_listen(const mg_addr *a, const mg_listen_options *o, mg_addr *out, mg_err *err);

/* Starts to connect. >= 0: the descriptor, *pending says whether it is still under way (wait for MG_WRITE,
 * then mg_socket_error). -1: errno. */
int mg_socket_connect(const mg_addr *a, const mg_addr *source, bool *pending);
int mg_socket_error(int fd);                        /* SO_ERROR: 0 or an errno */
int mg_socket_accept(int listener, mg_addr *peer);  /* -1: errno; TCP_NODELAY set on TCP */
mg_rc mg_socket_local(int fd, mg_addr *out) MG_MUST_CHECK;
void mg_socket_no_delay(int fd);
void mg_socket_reset_on_close(int fd);              /* SO_LINGER 0: close sends RST */
void mg_socket_close(int fd);

/* Descriptors sent over a UNIX stream socket with a message: for handing listeners to workers. */
enum { MG_SOCKET_FDS_MOST = 64 };
mg_rc mg_socket_send_fds(int fd, const void *bytes, size_t n, const int *fds, int count) MG_MUST_CHECK;
/* *n: room, then bytes that came; *count: room, then descriptors. MG_AGAIN, MG_EOF, MG_FAIL. */
mg_rc mg_socket_receive_fds(int fd, void *bytes, size_t *n, int *fds, int *count) MG_MUST_CHECK;

#endif
