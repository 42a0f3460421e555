/*
 * bind_budget: what the Lua library asks and tells about budgets, as functions of "moongate.internal.native".
 *
 * Ownership: none of it holds anything. Each has the mg_script as its upvalue.
 */
#ifndef MG_SCRIPT_BIND_BUDGET_H
#define MG_SCRIPT_BIND_BUDGET_H

#include <lauxlib.h>

extern const luaL_Reg mg_bind_budget[];

#endif
