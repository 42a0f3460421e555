/*
 * survey: the master asks all workers at once and waits a bounded while for what they say.
 *
 *      mg_survey_start ─► ASK n to each ─► REPORT n …, TOLD n from each ─► on_done
 *                                             └── or MG_SURVEY_MS passed: with what there is
 *
 * Ownership: the survey is its owner's; mg_survey_fini before it goes, also while it is under way.
 */
#ifndef MG_SERVER_SURVEY_H
#define MG_SERVER_SURVEY_H

#include "server/crew.h"
#include "server/page.h"

enum { MG_SURVEY_MS = 1000 };

typedef struct mg_survey mg_survey;
struct mg_survey {
    mg_link link;
    uint32_t number;
    bool asked[MG_STATS_WORKERS]; /* and not told yet */
    mg_page said[MG_STATS_WORKERS]; /* lines as in report.h; empty: nothing */
    mg_timer late;
    mg_later done;
    void (*on_done)(mg_survey *s); /* in a turn of its own */
};

void mg_survey_start(mg_survey *s, mg_crew *crew, void (*on_done)(mg_survey *));
void mg_survey_fini(mg_survey *s);
/* What a worker said belongs to a survey; true: it did. */
bool mg_survey_heed(const mg_member *m, const mg_message *message);
void mg_survey_member_died(const mg_member *m);
/* Cuts the next line off *rest: false at the end. */
bool mg_survey_line(mg_str *rest, mg_str *line);

#endif
