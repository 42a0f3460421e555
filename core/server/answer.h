/*
 * answer: what the control socket says, once the question is understood: which page a request is for, and
 * the ends of those that take time (a reload, an upgrade, a survey of the workers).
 *
 *      control.c: bytes ─► mg_answer_find ─► mg_answer_begin ─► … ─► done(status, type, body) ─► bytes
 *
 * Ownership: embedded in the control's connection; mg_answer_fini when that goes first.
 */
#ifndef MG_SERVER_ANSWER_H
#define MG_SERVER_ANSWER_H

#include "server/page.h"
#include "server/reload.h"
#include "server/survey.h"
#include "server/upgrade.h"

typedef struct mg_answer mg_answer;
typedef struct mg_answer_kind mg_answer_kind;

struct mg_answer {
    mg_master *master;
    const mg_answer_kind *kind;
    mg_reload_wait reload;
    mg_upgrade_wait upgrade;
    mg_survey survey;
    bool waits_reload, waits_upgrade;
    bool as_text;            /* plain text for people is wanted where there would be JSON */
    int status;
    const char *type;        /* of the content */
    mg_page body;
    void (*on_ready)(mg_answer *a); /* status, type and body are there; at once or later */
    void (*after)(mg_master *m);    /* to be done when the answer is out; may be NULL */
};

/* The page for a path (without query); NULL: none. *allow: the methods it knows. */
const mg_answer_kind *mg_answer_find(mg_str path, const char **allow);
bool mg_answer_takes(const mg_answer_kind *kind, mg_str method);
/* `a` is zero but for as_text. */
void mg_answer_begin(mg_answer *a, mg_master *m, const mg_answer_kind *kind, void (*on_ready)(mg_answer *));
/* An error instead: application/problem+json, or text. `detail` may be NULL. */
void mg_answer_problem(mg_answer *a, int status, const char *title, const char *detail);
void mg_answer_fini(mg_answer *a);

#endif
