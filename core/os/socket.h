/*
 * socket: descriptors for TCP and UNIX, non-blocking and close-on-exec always.
 *
 * Ownership: whoever is given a descriptor closes it with mg_socket_close, after its watcher was stopped.
 */
#ifndef MG_OS_SOCKET_H
#define MG_OS_SOCKET_H

#include "os/addr.h"

typedef struct {
    int backlog;     /* <= 0: the kernel's most */
    bool reuse_port; /* one socket per worker */
    bool v6_only;
    unsigned mode; /* of a UNIX socket's file; 0: 0660. Never wider, not even for a moment */
} mg_listen_options;

/* Bound and listening; a stale UNIX socket file is replaced when nobody answers there. *out gets the
 * real address (port 0 chosen by the kernel; a UNIX path stays borrowed from a). Returns the descriptor,
 * or -1 with a sentence that names the address. */
int mg_socket_listen(const mg_addr *a, const mg_listen_options *o, mg_addr *out, mg_err *err);

/* Starts to connect, from the address `source` unless NULL. >= 0: the descriptor, *pending says whether it
 * is still under way (wait for MG_WRITE, then mg_socket_error). -1: errno. */
int mg_socket_connect(const mg_addr *a, const mg_addr *source, bool *pending);
int mg_socket_error(int fd); /* SO_ERROR: 0 or an errno */
/* -1: errno (EAGAIN: nobody waits). TCP_NODELAY is inherited from the listener: mg_socket_listen set it;
 * call mg_socket_no_delay once on a listener that was made elsewhere. peer may be NULL. */
int mg_socket_accept(int listener, mg_addr *peer);
mg_rc mg_socket_local(int fd, mg_addr *out) MG_MUST_CHECK; /* a UNIX socket's path is left out */
void mg_socket_no_delay(int fd);                           /* harmless on UNIX sockets */
bool mg_socket_is_quiet(int fd);                    /* connected, and nothing has arrived: no byte, no end, no error */
int64_t mg_socket_unacked(int fd);     /* bytes that were written and that the other side has not taken yet */
void mg_socket_reset_on_close(int fd); /* SO_LINGER 0: close sends RST */
void mg_socket_close(int fd);          /* -1 is fine; errno stays */

/* Descriptors sent over a UNIX stream socket with a message: for handing listeners to workers.
 * A message has 1 to MG_SOCKET_MESSAGE_MOST bytes and goes whole or not at all (MG_AGAIN). The sender
 * keeps its own descriptors. MG_GONE: the other side is closed; MG_FAIL: errno. */
enum { MG_SOCKET_FDS_MOST = 64, MG_SOCKET_MESSAGE_MOST = 16384 };
mg_rc mg_socket_send_fds(int fd, const void *bytes, size_t n, const int *fds, int count) MG_MUST_CHECK;
/* *n: room, then bytes that came; *count: room, then descriptors, which are the receiver's to close. One
 * call never yields the descriptors of two messages; bytes are a stream, so messages need a length or an
 * end mark of their own. When more descriptors come than there is room for, all are closed: MG_BAD.
 * Else MG_OK, MG_AGAIN, MG_EOF, MG_GONE, MG_FAIL. */
mg_rc mg_socket_receive_fds(int fd, void *bytes, size_t *n, int *fds, int *count) MG_MUST_CHECK;

#endif
