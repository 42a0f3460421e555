/*
 * told: what workers said in a survey (report.h), read and put together for the pages that show it.
 *
 * Ownership: lists are the caller's to free with mg_free.
 */
#ifndef MG_SERVER_TOLD_H
#define MG_SERVER_TOLD_H

#include "server/survey.h"

typedef struct {
    unsigned long long open, exchanges, pooled, resident_bytes, lost;
} mg_told_worker;

typedef struct {
    unsigned id, exchanges;
    int current;             /* of one worker: 0 or 1; of all: in how many it is in service */
    unsigned long long served;
    size_t heap_bytes;
} mg_told_generation;

typedef struct {
    char upstream[64], name[160];
    unsigned weight;
    unsigned paused, told;   /* workers that leave it out; that know it */
    int backup;
    long long paused_ms;     /* the longest of them */
} mg_told_peer;

bool mg_told_worker_of(const mg_survey *s, int index, mg_told_worker *out);
bool mg_told_generation_read(mg_str line, mg_told_generation *out);
/* Sums over all workers, newest first; at most `most`. How many. */
size_t mg_told_generations(const mg_survey *s, mg_told_generation *out, size_t most);
mg_told_peer *mg_told_peers(const mg_survey *s, size_t *count); /* in order of upstream and name */
const char *mg_told_health(const mg_told_peer *p);

#endif
