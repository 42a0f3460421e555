/*
 * bind_dict: shared dictionaries for lua/moongate/dict.lua: which there are, and every operation on them.
 *
 *      source->dicts (the worker's) ─┬─► mg_script.dicts ─► native.dict_…(number, key, …)
 *      or own ones (check, tests)  ──┘
 *
 * Ownership: those of a worker belong to the worker. A state that is loaded without gets its own, which go with it,
 * so that setup() may touch them.
 */
#ifndef MG_SCRIPT_BIND_DICT_H
#define MG_SCRIPT_BIND_DICT_H

#include "script/state.h"

#include <lauxlib.h>

extern const luaL_Reg mg_bind_dict[]; /* the script is their upvalue */

int64_t mg_bind_dict_ms(double seconds); /* a time to live; 0: for ever */

#endif
