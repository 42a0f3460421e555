/*
 * file: whole small files, folders on the way, paths.
 */
#ifndef MG_OS_FILE_H
#define MG_OS_FILE_H

#include "base/arena.h"
#include "base/err.h"

mg_rc mg_file_read(const char *path, mg_arena *arena, size_t most, mg_str *out, mg_err *err) MG_MUST_CHECK;
mg_rc mg_file_write(const char *path, mg_str bytes, unsigned mode, mg_err *err) MG_MUST_CHECK; /* whole or not at all: new file, rename */
mg_rc mg_file_make_folders(const char *path, mg_err *err) MG_MUST_CHECK; /* those above the last "/" */
mg_str mg_file_folder(mg_str path);                      /* "." when there is none */
bool mg_file_exists(const char *path);
mg_str mg_file_self(mg_arena *arena);                    /* absolute path of the running binary */

#endif
