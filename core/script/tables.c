#include "script/tables.h"

#include <lauxlib.h>

/* Pushes table[key], raw. */
static void push_field(lua_State *L, int table, const char *key)
{
    if (table < 0 && table > LUA_REGISTRYINDEX)
        table = lua_gettop(L) + table + 1;
    lua_pushstring(L, key);
    lua_rawget(L, table);
}

static mg_str pop_text(lua_State *L, mg_arena *a)
{
    mg_str out = MG_STR_NONE;
    if (lua_type(L, -1) == LUA_TSTRING) {
        mg_str found;
        found.p = lua_tolstring(L, -1, &found.n);
        out = mg_arena_copy(a, found);
    }
    lua_pop(L, 1);
    return out;
}

mg_str mg_tables_text(lua_State *L, int table, const char *key, mg_arena *a)
{
    push_field(L, table, key);
    return pop_text(L, a);
}

mg_str mg_tables_item(lua_State *L, int table, int index, mg_arena *a)
{
    lua_rawgeti(L, table, index);
    return pop_text(L, a);
}

const char *mg_tables_chars(lua_State *L, int table, const char *key, mg_arena *a)
{
    return mg_tables_text(L, table, key, a).p;
}

int64_t mg_tables_int(lua_State *L, int table, const char *key, int64_t otherwise)
{
    push_field(L, table, key);
    if (lua_type(L, -1) == LUA_TNUMBER)
        otherwise = (int64_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
    return otherwise;
}

uint32_t mg_tables_u32(lua_State *L, int table, const char *key, uint32_t otherwise)
{
    int64_t found = mg_tables_int(L, table, key, otherwise);
    return found < 0 ? 0 : found > UINT32_MAX ? UINT32_MAX : (uint32_t)found;
}

bool mg_tables_flag(lua_State *L, int table, const char *key)
{
    push_field(L, table, key);
    bool found = lua_type(L, -1) == LUA_TBOOLEAN && lua_toboolean(L, -1);
    lua_pop(L, 1);
    return found;
}

static bool keep_table(lua_State *L)
{
    if (lua_istable(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

bool mg_tables_enter(lua_State *L, int table, const char *key)
{
    luaL_checkstack(L, 8, "configuration");
    push_field(L, table, key);
    return keep_table(L);
}

bool mg_tables_enter_item(lua_State *L, int table, int index)
{
    luaL_checkstack(L, 8, "configuration");
    lua_rawgeti(L, table, index);
    return keep_table(L);
}

uint32_t mg_tables_length(lua_State *L, int table, const char *key)
{
    if (!mg_tables_enter(L, table, key))
        return 0;
    uint32_t n = (uint32_t)lua_objlen(L, -1);
    lua_pop(L, 1);
    return n;
}
