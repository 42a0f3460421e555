/*
 * table: the status for people, as `moongate status` prints it.
 */
#ifndef MG_SERVER_TABLE_H
#define MG_SERVER_TABLE_H

#include "server/page.h"
#include "server/survey.h"

typedef struct mg_master mg_master;

void mg_table_write(const mg_master *m, const mg_survey *s, mg_page *to);

#endif
