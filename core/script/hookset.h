/*
 * hookset: which functions run in which phase, resolved once when the generation is built.
 *
 *      set 3:  access ─► [ request_id ][ rate_limit ][ api_key ]      (global, site, route, in that order)
 *              log    ─► [ audit ]
 *
 * Sites and routes with the same policies share a set. A set with nothing in a phase costs nothing there:
 * the route's bit for the phase stays clear.
 */
#ifndef MG_SCRIPT_HOOKSET_H
#define MG_SCRIPT_HOOKSET_H

#include "exchange/exchange.h"
#include "script/state.h"

/* Reads the list of sets at that place of the stack: { [phase name] = { { fn =, self =, policy =, open = }, … } }.
 * Set 0 is the empty one. */
void mg_hookset_read(mg_script *s, int sets);
/* The set of a request, as far as its route is known. */
const mg_hookset *mg_hookset_of(const mg_exchange *x);

#endif
