/*
 * bind_tasks: the C functions with which the Lua library waits, wakes and spawns.
 */
#ifndef MG_SCRIPT_BIND_TASKS_H
#define MG_SCRIPT_BIND_TASKS_H

#include <lua.h>

#include <lauxlib.h>

/* For the table of native functions; each has the mg_script as its upvalue. */
extern const luaL_Reg mg_bind_tasks[];

#endif
