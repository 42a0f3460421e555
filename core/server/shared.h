/*
 * shared: the shared dictionaries of a running proxy: made by the master, mapped by every worker and by an heir.
 *
 *      plan ─► master: makes those that are missing ─ fork ─────────────► a new worker has them all
 *                                   ├─ DICT (+ memory) before PREPARE ──► living workers map the new ones
 *                                   └─ exec, MOONGATE_DICTS="5 7" ──────► the new master of an upgrade maps them
 *
 * A dictionary keeps its size and its content for as long as the proxy runs, upgrades included, also when the
 * configuration names it no more.
 *
 * Ownership: none; mg_dicts owns mappings and descriptors (dicts.h).
 */
#ifndef MG_SERVER_SHARED_H
#define MG_SERVER_SHARED_H

#include "script/plan.h"
#include "server/messages.h"
#include "shm/dicts.h"

#define MG_SHARED_VARIABLE "MOONGATE_DICTS"

/* Makes what the plan wants and there is not yet. MG_FAIL: a sentence. */
mg_rc mg_shared_open(mg_dicts *all, const mg_plan *plan, mg_err *err) MG_MUST_CHECK;
void mg_shared_send(const mg_dicts *all, mg_channel *to, uint32_t generation);
void mg_shared_take(mg_dicts *all, const mg_message *m); /* the other end of it; takes the descriptor */

void mg_shared_bequeath(const mg_dicts *all); /* before exec: the descriptors stay open, and the environment names them */
void mg_shared_inherit(mg_dicts *all);        /* behind it; harmless when there is nothing */

#endif
