/*
 * str: a borrowed run of bytes, and the small things one does with it.
 *
 *      p ─► [ n bytes, any value, no end mark ]
 *
 * Ownership: none. Whoever hands out an mg_str says until when it holds. The empty string may have
 * p == NULL; "absent" is p == NULL as well where a function says so.
 */
#ifndef MG_BASE_STR_H
#define MG_BASE_STR_H

#include "base/base.h"

#include <string.h>

typedef struct {
    const char *p;
    size_t n;
} mg_str;

#define MG_STR(literal) ((mg_str){(literal), sizeof(literal) - 1})
#define MG_STR_NONE ((mg_str){NULL, 0})
#define MG_STR_ARG(s) (int)(s).n, (s).p ? (s).p : "" /* for "%.*s" */

static inline mg_str mg_str_of(const char *text)
{
    return (mg_str){text, text ? strlen(text) : 0};
}

static inline bool mg_str_eq(mg_str a, mg_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline char mg_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

bool mg_str_eq_nocase(mg_str a, mg_str b);            /* ASCII letters only */
bool mg_str_starts(mg_str s, mg_str with);
bool mg_str_starts_nocase(mg_str s, mg_str with);
bool mg_str_ends(mg_str s, mg_str with);
mg_str mg_str_trim(mg_str s);                         /* spaces and tabs off both ends */
ptrdiff_t mg_str_find(mg_str s, char c);              /* index, or -1 */

/* Cut the next element of a comma-separated list off *rest, trimmed; false at the end. Empty
 * elements are skipped (RFC 9110 section 5.6.1.2). Quoted strings are kept whole. */
bool mg_str_next_item(mg_str *rest, mg_str *item);

/* Whether a comma-separated list holds a token, letters in any case. */
bool mg_str_has_token(mg_str list, mg_str token);

#endif
