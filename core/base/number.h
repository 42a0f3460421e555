/*
 * number: digits to numbers, strictly: no sign, no space, no overflow, nothing left over.
 */
#ifndef MG_BASE_NUMBER_H
#define MG_BASE_NUMBER_H

#include "base/str.h"

mg_rc mg_number_dec(mg_str s, uint64_t *out) MG_MUST_CHECK; /* MG_BAD: not all digits, or over 2^63-1 */
mg_rc mg_number_hex(mg_str s, uint64_t *out) MG_MUST_CHECK; /* either letter case */
mg_rc mg_number_duration(mg_str s, int64_t *out_ms) MG_MUST_CHECK; /* "250ms" "30s" "5m" "1h" "7d"; bare: seconds */
mg_rc mg_number_size(mg_str s, uint64_t *out_bytes) MG_MUST_CHECK; /* "16k" "10m" "2g"; bare: bytes */

enum { MG_NUMBER_ROOM = 20 };                      /* digits of the largest uint64_t */
size_t mg_number_print(uint64_t value, char *to); /* decimal, no NUL; to has MG_NUMBER_ROOM; bytes written */
size_t mg_number_print_hex(uint64_t value, char *to);

#endif
