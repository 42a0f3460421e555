/*
 * access_log: one line per exchange, gathered and written together.
 *
 *      exchange ends ─► line into the buffer ─► one write per loop turn, or when the buffer is full
 *
 * Formats: "combined" (the field's common one, with the reason of the end and the time behind it) and
 * "json" (an object per line). Lines of a script come through mg_access_log_write. A slow reader does not
 * hold up requests: what cannot be written is kept up to MG_ACCESS_LOG_BACKLOG bytes, then lines are lost
 * and counted.
 *
 * Ownership: counted, since generations share the log of one path; the descriptor is opened once per path
 * and worker and reopened on request (SIGUSR1).
 */
#ifndef MG_EXCHANGE_ACCESS_LOG_H
#define MG_EXCHANGE_ACCESS_LOG_H

#include "exchange/exchange.h"

enum { MG_ACCESS_LOG_BUFFER = 64 * 1024, MG_ACCESS_LOG_BACKLOG = 1024 * 1024 };

typedef enum { MG_ACCESS_LOG_COMBINED, MG_ACCESS_LOG_JSON, MG_ACCESS_LOG_SCRIPT } mg_access_log_format;

/* path NULL: standard output. NULL with a sentence when it cannot be opened. */
mg_access_log *mg_access_log_open(const char *path, mg_access_log_format format, mg_err *err);
void mg_access_log_close(mg_access_log *l);            /* flushes; NULL is fine */
void mg_access_log_exchange(mg_access_log *l, mg_exchange *x); /* nothing for MG_ACCESS_LOG_SCRIPT */
void mg_access_log_write(mg_access_log *l, mg_str line);       /* one line; a line feed is added */
void mg_access_log_flush(mg_access_log *l);
void mg_access_log_reopen_all(void);
void mg_access_log_flush_all(void);
uint64_t mg_access_log_lost(void);

#endif
