/*
 * log: leveled lines for the operator, written without ever waiting.
 *
 *      2026-11-21T03:40:00.123Z info  worker 1: listening on 0.0.0.0:8080
 *
 * A line is written whole with one write to a descriptor (stderr or a file opened for appending).
 * When the reader is slow and the descriptor would block, lines are kept up to MG_LOG_BACKLOG bytes
 * and then dropped and counted; the next line that gets through says how many were lost. Control
 * bytes in the text are escaped, so nobody can forge a line.
 */
#ifndef MG_BASE_LOG_H
#define MG_BASE_LOG_H

#include "base/str.h"

typedef enum { MG_LOG_DEBUG, MG_LOG_INFO, MG_LOG_WARN, MG_LOG_ERROR, MG_LOG_OFF } mg_log_level;

enum { MG_LOG_LINE = 8192, MG_LOG_BACKLOG = 256 * 1024 };

extern mg_log_level mg_log_threshold; /* lines below it cost one comparison */

mg_rc mg_log_parse_level(mg_str name, mg_log_level *out) MG_MUST_CHECK;
void mg_log_open(int fd, mg_log_level level);  /* fd is borrowed; made non-blocking only if it is a pipe or file of ours */
mg_rc mg_log_open_file(const char *path, mg_log_level level) MG_MUST_CHECK; /* appends, created 0640; errno */
mg_rc mg_log_reopen(void);                     /* the same path again (after rotation) */
void mg_log_name(const char *who);             /* "worker 2", "master": stands in each line; copied */
void mg_log_write(mg_log_level level, const char *format, ...) MG_PRINTF(2, 3);
void mg_log_flush(void);                       /* try what is kept back once more; the loop calls it */
uint64_t mg_log_lost(void);                    /* lines dropped so far */

#define mg_log_at(level, ...) \
    do { \
        if (MG_UNLIKELY((level) >= mg_log_threshold)) \
            mg_log_write((level), __VA_ARGS__); \
    } while (0)
#define mg_debug(...) mg_log_at(MG_LOG_DEBUG, __VA_ARGS__)
#define mg_info(...) mg_log_at(MG_LOG_INFO, __VA_ARGS__)
#define mg_warn(...) mg_log_at(MG_LOG_WARN, __VA_ARGS__)
#define mg_error(...) mg_log_at(MG_LOG_ERROR, __VA_ARGS__)

#endif
