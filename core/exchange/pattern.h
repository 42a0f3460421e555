/*
 * pattern: a regular expression (PCRE2 with JIT) that always ends.
 *
 * Unanchored, as "~" is elsewhere: "^" and "$" are the writer's to set; "$" is the very end, never before a
 * last newline. Bytes, not characters: paths are percent-encoded anyway. A match that backtracks more than
 * MG_PATTERN_EFFORT times is given up (MG_LIMIT), which is an answer of its own: neither a match nor none.
 *
 * Ownership: heap. One thread.
 */
#ifndef MG_EXCHANGE_PATTERN_H
#define MG_EXCHANGE_PATTERN_H

#include "base/err.h"
#include "base/str.h"

enum {
    MG_PATTERN_EFFORT = 100000,   /* about a millisecond */
    MG_PATTERN_PARAMS_MOST = 16   /* named groups; more are refused */
};

/* A part of a path with its name: ":id" or a named group. */
typedef struct {
    mg_str name, value;
} mg_param;

typedef struct mg_pattern mg_pattern;

mg_pattern *mg_pattern_new(mg_str regex, mg_err *err); /* NULL with a sentence that says where it is wrong */
void mg_pattern_free(mg_pattern *p);                   /* NULL is fine */

/* MG_OK: it matches; the named groups that took part are in params (room for MG_PATTERN_PARAMS_MOST, or NULL)
 * as slices of text, names good as long as the pattern. MG_EOF: it does not. MG_LIMIT: given up. */
mg_rc mg_pattern_match(mg_pattern *p, mg_str text, mg_param *params, uint32_t *count) MG_MUST_CHECK;

#endif
