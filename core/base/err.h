/*
 * err: one sentence for a human, carried from where something went wrong to where it is read.
 *
 * Used for configuration, certificates, sockets and scripts at load time; requests carry codes.
 * An mg_err lives on its reader's stack. The first sentence stays: later ones are put before it
 * with mg_err_in("listener 0.0.0.0:80", …).
 */
#ifndef MG_BASE_ERR_H
#define MG_BASE_ERR_H

#include "base/base.h"

typedef struct {
    char text[1024]; /* ends with NUL, no newline */
} mg_err;

/* Both return MG_FAIL, so that one may write `return mg_err_set(err, …)`. A NULL err is fine. */
mg_rc mg_err_set(mg_err *err, const char *format, ...) MG_PRINTF(2, 3);
mg_rc mg_err_in(mg_err *err, const char *where, ...) MG_PRINTF(2, 3); /* "where: text" */

#endif
