/*
 * report: what a worker tells the master about itself when it is asked, as lines of text.
 *
 *      worker OPEN EXCHANGES POOLED RSS LOST        connections, requests under way, idle connections to origins,
 *                                                   resident bytes, log lines lost
 *      generation ID CURRENT EXCHANGES SERVED HEAP  one line each, newest first; CURRENT is 1 or 0
 *      peer PAUSED_MS WEIGHT BACKUP UPSTREAM NAME   of the current generation; PAUSED_MS 0: in service
 *
 * Numbers are decimal; the name is the rest of the line. A long report comes in several messages, cut
 * between lines.
 */
#ifndef MG_SERVER_REPORT_H
#define MG_SERVER_REPORT_H

#include "server/lineage.h"
#include "server/messages.h"

/* Sends the report as REPORT messages and a TOLD with the question's number. `open`: connections of clients. */
void mg_report_send(mg_channel *to, uint32_t number, const mg_lineage *l, uint32_t open);

#endif
