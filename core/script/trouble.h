/*
 * trouble: says what went wrong in a script, once, in one line, at the script's own place.
 *
 *      script error in policy 'api_key' (access) at scripts/api_key.lua:12: attempt to index a nil value
 *      [scripts/api_key.lua:12 in 'find' < scripts/api_key.lua:30 in 'access']
 */
#ifndef MG_SCRIPT_TROUBLE_H
#define MG_SCRIPT_TROUBLE_H

#include "exchange/exchange.h"
#include "script/runner.h"

/* The runner failed: the message is on top of its thread, the frames still stand. Logs and counts. */
void mg_trouble_in_hook(mg_runner *r, const char *policy, mg_phase phase);
void mg_trouble_in_task(mg_runner *r);
/* What a hook returned is wrong; `fn` (a registry reference) is the function that returned it. */
void mg_trouble_in_answer(mg_runner *r, const char *policy, mg_phase phase, int fn, const char *what);
/* "place: message [traceback]" of the error on top of a thread whose frames still stand, for loading. Pushes
 * the text on L. */
void mg_trouble_describe(lua_State *L, lua_State *failed, mg_script *s);

/* L runs and is about to be ended because its budget is used up: what there is to say about where is kept,
 * and said by the functions above, until the next entry. Raises no error. */
void mg_trouble_keep(const mg_script *s, lua_State *L, const char *why);
const char *mg_trouble_kept(void); /* as mg_trouble_describe says it */

/* Pushes "file:line: " of the innermost frame of L that is a script's own; an empty text when there is none. */
void mg_trouble_where(lua_State *L, const mg_script *s);

#endif
