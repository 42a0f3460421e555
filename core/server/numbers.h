/*
 * numbers: all shared numbers as they are at one moment, read once for a page that shows many of them.
 *
 * Ownership: the caller's; names stay in shared memory.
 */
#ifndef MG_SERVER_NUMBERS_H
#define MG_SERVER_NUMBERS_H

#include "shm/stats.h"

typedef struct {
    mg_stats_view *at; /* in order of kind and name */
    size_t count, room;
} mg_numbers;

mg_numbers mg_numbers_gather(const mg_stats *s);
/* The sum over all workers; a row of zeros when nobody counted that. Valid as long as the numbers. */
const mg_stats_row *mg_numbers_find(const mg_numbers *n, mg_stats_kind kind, mg_str name);
void mg_numbers_fini(mg_numbers *n);

#endif
