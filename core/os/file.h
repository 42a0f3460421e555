/*
 * file: whole small files, folders on the way, paths.
 *
 * These calls may wait for the disk: they are for the configuration, certificates and state files, when a
 * generation is built or by the master, never on a request.
 */
#ifndef MG_OS_FILE_H
#define MG_OS_FILE_H

#include "base/arena.h"
#include "base/err.h"

/* All bytes, with a NUL behind them, in the arena. MG_LIMIT: more than `most` bytes or than the arena may
 * take; MG_FAIL: not to be read; both with a sentence that names the path. */
mg_rc mg_file_read(const char *path, mg_arena *arena, size_t most, mg_str *out, mg_err *err) MG_MUST_CHECK;
/* Whole or not at all: a new file beside it with this mode, synced, then renamed over it. */
mg_rc mg_file_write(const char *path, mg_str bytes, unsigned mode, mg_err *err) MG_MUST_CHECK;
mg_rc mg_file_make_folders(const char *path, mg_err *err) MG_MUST_CHECK; /* those above the last "/" */
mg_str mg_file_folder(mg_str path);                                      /* "." when there is none; borrowed */
bool mg_file_exists(const char *path);
mg_str mg_file_self(mg_arena *arena); /* absolute path of the running binary; "" when unknown */

#endif
