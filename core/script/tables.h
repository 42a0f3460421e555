/*
 * tables: reads fields of a Lua table into C values, for code that walks the checked configuration.
 *
 * What the configuration's schema has checked is not checked again: a field of another type than the one
 * asked for counts as absent. Raw access only: nothing of a script runs.
 *
 * Ownership: texts are copied into the arena given, with a NUL behind them. The stack is left as it was.
 */
#ifndef MG_SCRIPT_TABLES_H
#define MG_SCRIPT_TABLES_H

#include "base/arena.h"

#include <lua.h>

mg_str mg_tables_text(lua_State *L, int table, const char *key, mg_arena *a);  /* p == NULL: absent */
mg_str mg_tables_item(lua_State *L, int table, int index, mg_arena *a);        /* p == NULL: absent */
const char *mg_tables_chars(lua_State *L, int table, const char *key, mg_arena *a); /* NULL: absent */
int64_t mg_tables_int(lua_State *L, int table, const char *key, int64_t otherwise);
uint32_t mg_tables_u32(lua_State *L, int table, const char *key, uint32_t otherwise); /* too large: the largest */
bool mg_tables_flag(lua_State *L, int table, const char *key);
/* Push the table in that field; false, and nothing is pushed, when there is none. */
bool mg_tables_enter(lua_State *L, int table, const char *key);
bool mg_tables_enter_item(lua_State *L, int table, int index);
uint32_t mg_tables_length(lua_State *L, int table, const char *key); /* of the list there; 0: none */

#endif
