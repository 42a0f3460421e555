/*
 * status: the JSON pages of the control socket, made of what the master knows, the shared numbers, and what
 * the workers said in a survey.
 */
#ifndef MG_SERVER_STATUS_H
#define MG_SERVER_STATUS_H

#include "server/page.h"
#include "server/survey.h"

typedef struct mg_master mg_master;

void mg_status_write(const mg_master *m, const mg_survey *s, mg_page *to);
void mg_status_write_generations(const mg_master *m, const mg_survey *s, mg_page *to);
void mg_status_write_upstreams(const mg_master *m, const mg_survey *s, mg_page *to);

#endif
