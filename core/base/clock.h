/*
 * clock: what time it is, looked at once per turn of the loop.
 *
 * mg_clock_update() reads the clocks (the loop calls it after each wait); everything else reads the
 * stored values, so that one turn sees one time and a request costs no clock call. The HTTP date is
 * made anew only when the second changes.
 */
#ifndef MG_BASE_CLOCK_H
#define MG_BASE_CLOCK_H

#include "base/str.h"

void mg_clock_update(void);
int64_t mg_clock_ms(void);      /* monotonic, milliseconds; never 0 */
int64_t mg_clock_us(void);      /* monotonic, microseconds */
int64_t mg_clock_wall_ms(void); /* since 1970, milliseconds */
mg_str mg_clock_http_date(void); /* RFC 9110 section 5.6.7, 29 bytes; good until the next update */
int64_t mg_clock_precise_us(void); /* reads the monotonic clock now (a system-free call of about 25 ns) */

enum { MG_CLOCK_ISO_ROOM = 32 };
size_t mg_clock_print_iso(int64_t wall_ms, char *to); /* 2026-11-21T03:40:00.123Z; bytes written */

#endif
