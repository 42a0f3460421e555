/*
 * busy: what this worker is busy with, for the word that the watchdog of the master says of it.
 *
 *      "api_key (access) GET /x"        while a script runs; empty otherwise
 *
 * Ownership: none; the text lies in shared memory (mg_stats_beat).
 */
#ifndef MG_SCRIPT_BUSY_H
#define MG_SCRIPT_BUSY_H

#include "exchange/exchange.h"

void mg_busy_begin(const mg_exchange *x, mg_str what); /* `what` ends in a space */
void mg_busy_end(void);

#endif
