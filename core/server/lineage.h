/*
 * lineage: a worker's generations: the one that is being prepared, the one in service, and those that
 * retired and still have requests to finish.
 *
 *      prepare ─► next ──commit──► current ──commit──► retired ─► … last exchange ends ─► stop() ─► gone
 *                   └──abort──► gone
 *
 * How many may be alive is limits.generations: when there are more, the exchanges of the oldest are ended.
 *
 * Ownership: one lineage per worker process; it holds its generations and their plans.
 */
#ifndef MG_SERVER_LINEAGE_H
#define MG_SERVER_LINEAGE_H

#include "script/script.h"

enum { MG_LINEAGE_RETIRED = 64 };

typedef struct {
    const char *library, *config;
    mg_stats *stats;
    mg_dicts *dicts;
    int worker;
    void (*tell)(void *arg, const char *line); /* each mistake of a generation that is refused */
    void *tell_arg;

    mg_generation *next;    /* prepared; NULL: none */
    mg_plan next_plan;
    mg_generation *current; /* NULL before the first commit */
    mg_plan plan;           /* of the current one */
    mg_generation *retired[MG_LINEAGE_RETIRED]; /* oldest first */
    uint32_t retired_count;
    mg_later sweep;
} mg_lineage;

void mg_lineage_init(mg_lineage *l); /* the first six fields are the caller's to fill before */
/* Builds the generation beside the current one. MG_FAIL: it was told why. */
mg_rc mg_lineage_prepare(mg_lineage *l, uint32_t id) MG_MUST_CHECK;
void mg_lineage_abort(mg_lineage *l);     /* harmless when nothing is prepared */
void mg_lineage_commit(mg_lineage *l);    /* what is prepared takes over: mg_world.current, start() */
void mg_lineage_ended_one(mg_lineage *l, const mg_exchange *x); /* for mg_world.on_end */
/* The process ends: also the current one is let go. Done when mg_script_stopping() is 0. */
void mg_lineage_end(mg_lineage *l);
void mg_lineage_fini(mg_lineage *l);

#endif
