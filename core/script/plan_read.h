/*
 * plan_read: fills the master's plan from the checked configuration, a Lua table.
 */
#ifndef MG_SCRIPT_PLAN_READ_H
#define MG_SCRIPT_PLAN_READ_H

#include "script/plan.h"

#include <lua.h>

/* The table (moongate.plan) at that place of the stack into an initialised plan. */
void mg_plan_read_table(lua_State *L, int table, const char *config, mg_plan *out);

#endif
