#include "script/answer.h"

#include "script/refusal.h"

#include <lauxlib.h>
#include <stdio.h>

static char wrong_text[512];

static bool refuse(const char **wrong, const char *format, ...) MG_PRINTF(2, 3);
static bool refuse(const char **wrong, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(wrong_text, sizeof wrong_text, format, args);
    va_end(args);
    *wrong = wrong_text;
    return false;
}

static bool read_status(lua_State *L, int at, int *status, const char **wrong)
{
    if (lua_isnil(L, at))
        return true;
    lua_Number n = lua_type(L, at) == LUA_TNUMBER ? lua_tonumber(L, at) : 0;
    if (n < 200 || n > 599 || n != (int)n)
        return refuse(wrong, "the answer's status must be a whole number from 200 to 599, not %s",
                      lua_type(L, at) == LUA_TNUMBER ? lua_tostring(L, at) : luaL_typename(L, at));
    *status = (int)n;
    return true;
}

static bool add_field(mg_exchange *x, mg_str name, lua_State *L, int at, const char **wrong)
{
    int type = lua_type(L, at);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        return refuse(wrong, "the answer's header '%.*s' must be a text or a list of texts, not a %s", MG_STR_ARG(name), luaL_typename(L, at));
    mg_field_id id = mg_field_id_of(name);
    if (id != MG_FIELD_CONTENT_LENGTH && mg_refusal_is_own_field(id)) /* a length is taken as told, and checked */
        return refuse(wrong, "the answer's header '%.*s' is written by the proxy itself", MG_STR_ARG(name));
    mg_str value;
    lua_pushvalue(L, at); /* converting a number in place would confuse lua_next */
    value.p = lua_tolstring(L, -1, &value.n);
    mg_rc rc = mg_exchange_answer_field(x, name, value);
    lua_pop(L, 1);
    if (rc == MG_LIMIT)
        return refuse(wrong, "the answer has too many headers");
    if (rc != MG_OK)
        return refuse(wrong, "the answer's header '%.*s' has a name or value that cannot be sent", MG_STR_ARG(name));
    return true;
}

static bool add_fields(mg_exchange *x, mg_str name, lua_State *L, int at, const char **wrong)
{
    if (!lua_istable(L, at))
        return add_field(x, name, L, at, wrong);
    int count = (int)lua_objlen(L, at);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, at, i);
        if (!add_field(x, name, L, lua_gettop(L), wrong))
            return false;
        lua_pop(L, 1);
    }
    return true;
}

static bool read_headers(mg_exchange *x, lua_State *L, int at, bool *has_type, const char **wrong)
{
    if (lua_isnil(L, at))
        return true;
    if (!lua_istable(L, at))
        return refuse(wrong, "the answer's headers must be a table, not a %s", luaL_typename(L, at));
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            return refuse(wrong, "the answer's headers must have names, not the key of a list");
        mg_str name;
        name.p = lua_tolstring(L, -2, &name.n);
        *has_type |= mg_field_id_of(name) == MG_FIELD_CONTENT_TYPE;
        if (!add_fields(x, name, L, lua_gettop(L), wrong))
            return false;
    }
    return true;
}

static bool give_body(mg_slot *slot, lua_State *L, int at, bool has_type, const char **wrong)
{
    int type = lua_type(L, at);
    if (type == LUA_TNIL)
        return true;
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TFUNCTION)
        return refuse(wrong, "the answer's body must be a text or a function, not a %s", luaL_typename(L, at));
    if (!has_type && mg_exchange_answer_field(slot->x, MG_STR("content-type"), MG_STR("text/plain; charset=utf-8")) != MG_OK)
        return refuse(wrong, "the answer has too many headers");
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, at);
        slot->pull = luaL_ref(L, LUA_REGISTRYINDEX);
        mg_exchange_answer_pull(slot->x);
        return true;
    }
    mg_str body;
    body.p = lua_tolstring(L, at, &body.n);
    mg_exchange_answer_body(slot->x, body);
    return true;
}

static bool has_only_known_keys(lua_State *L, int at, const char **wrong)
{
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (!key)
            return refuse(wrong, "an answer has status, headers and body, not list entries");
        if (strcmp(key, "status") != 0 && strcmp(key, "headers") != 0 && strcmp(key, "body") != 0)
            return refuse(wrong, "an answer has status, headers and body, not '%s'", key);
    }
    return true;
}

static bool give_table(mg_slot *slot, lua_State *L, int at, const char **wrong)
{
    int status = 200;
    bool has_type = false;
    if (!has_only_known_keys(L, at, wrong))
        return false;
    lua_pushliteral(L, "status");
    lua_rawget(L, at);
    lua_pushliteral(L, "headers");
    lua_rawget(L, at);
    lua_pushliteral(L, "body");
    lua_rawget(L, at);
    if (!read_status(L, at + 1, &status, wrong))
        return false;
    bool has_body = !lua_isnil(L, at + 3) && !(lua_type(L, at + 3) == LUA_TSTRING && lua_objlen(L, at + 3) == 0);
    if (has_body && (status == 204 || status == 205 || status == 304))
        return refuse(wrong, "an answer with status %d has no body", status);
    mg_exchange_answer(slot->x, status);
    return read_headers(slot->x, L, at + 2, &has_type, wrong) && give_body(slot, L, at + 3, has_type, wrong);
}

bool mg_answer_give(mg_slot *slot, const char **wrong)
{
    lua_State *L = slot->runner.co;
    int at = lua_gettop(L), status = 200;
    if (!lua_checkstack(L, 16))
        return refuse(wrong, "the stack is full");
    if (slot->pull != LUA_NOREF) { /* of an earlier answer, which this one replaces */
        luaL_unref(L, LUA_REGISTRYINDEX, slot->pull);
        slot->pull = LUA_NOREF;
    }
    switch (lua_type(L, at)) {
    case LUA_TTABLE:
        return give_table(slot, L, at, wrong);
    case LUA_TNUMBER:
        if (!read_status(L, at, &status, wrong))
            return false;
        mg_exchange_answer(slot->x, status);
        return true;
    case LUA_TSTRING:
        mg_exchange_answer(slot->x, status);
        return give_body(slot, L, at, false, wrong);
    default:
        return refuse(wrong, "an answer is a table, a text or a status, not a %s", luaL_typename(L, at));
    }
}
