#include "script/bind_dict.h"

#include "script/trouble.h"
#include "shm/dict.h"

#include <math.h>

static mg_script *script_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int MG_PRINTF(2, 3) blame(lua_State *L, const char *format, ...)
{
    va_list args;
    mg_trouble_where(L, script_of(L));
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 2);
    return lua_error(L);
}

/* ---- which there are ---- */

/* dict_open(name, bytes): its number and its address. */
static int dict_open(lua_State *L)
{
    mg_script *s = script_of(L);
    mg_str name;
    mg_err err;
    name.p = luaL_checklstring(L, 1, &name.n);
    if (!s->dicts)
        s->dicts = s->own_dicts = mg_dicts_new();
    mg_dict *d = s->own_dicts ? mg_dicts_open(s->dicts, name, (uint64_t)luaL_checknumber(L, 2), &err)
                              : mg_dicts_find(s->dicts, name.p, name.n);
    if (!d) /* one of its own would be shared with nobody */
        return luaL_error(L, "%s", s->own_dicts ? err.text : "a dictionary of the configuration has not reached this worker");
    lua_Integer number = 0;
    while (mg_dicts_at(s->dicts, (size_t)number) != d)
        number++;
    lua_pushinteger(L, number);
    lua_pushnumber(L, (lua_Number)(uintptr_t)d);
    return 2;
}

/* ---- what the functions below are given ---- */

static mg_dict *dict_at(lua_State *L)
{
    const mg_script *s = script_of(L);
    mg_dict *d = s->dicts && lua_type(L, 1) == LUA_TNUMBER && lua_tonumber(L, 1) >= 0
                     ? mg_dicts_at(s->dicts, (size_t)lua_tonumber(L, 1)) : NULL;
    if (!d)
        (void)blame(L, "this is no dictionary, or the configuration that names it is still being read");
    return d;
}

static mg_str key_at(lua_State *L, int at)
{
    mg_str key;
    int type = lua_type(L, at);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        (void)blame(L, "a key is a text, not a %s", luaL_typename(L, at));
    key.p = lua_tolstring(L, at, &key.n);
    return key;
}

static int64_t ttl_at(lua_State *L, int at)
{
    return mg_bind_dict_ms(lua_tonumber(L, at));
}

typedef struct {
    int type;
    double number;
    mg_str text;
} value;

static value value_at(lua_State *L, int at)
{
    value v = {.text = {"", 0}};
    switch (lua_type(L, at)) {
    case LUA_TNIL:
    case LUA_TNONE:
        v.type = MG_DICT_NIL;
        break;
    case LUA_TBOOLEAN:
        v.type = MG_DICT_BOOLEAN;
        v.number = lua_toboolean(L, at);
        break;
    case LUA_TNUMBER:
        v.type = MG_DICT_NUMBER;
        v.number = lua_tonumber(L, at);
        break;
    case LUA_TSTRING:
        v.type = MG_DICT_STRING;
        v.text.p = lua_tolstring(L, at, &v.text.n);
        break;
    default:
        (void)blame(L, "a dictionary holds booleans, numbers and texts, not a %s", luaL_typename(L, at));
    }
    return v;
}

/* ---- what they give back ---- */

static int say(lua_State *L, const char *message, const char *code)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushstring(L, code);
    return 3;
}

/* What can happen in life: nil, message, code. `wanted`: what a value of another type ought to be. */
static int give_up(lua_State *L, int rc, const char *wanted)
{
    switch (rc) {
    case MG_DICT_ABSENT:
        return say(L, "there is no such key", "absent");
    case MG_DICT_EXISTS:
        return say(L, "the key is there already", "exists");
    case MG_DICT_CHANGED:
        return say(L, "the value has changed", "changed");
    case MG_DICT_FULL:
        return say(L, "the value is too large for the dictionary", "full");
    case MG_DICT_KEY:
        return say(L, "the key is longer than 65535 bytes", "key");
    default:
        return blame(L, "the value of \"%s\" is not %s", lua_tostring(L, 2), wanted);
    }
}

static void push_found(lua_State *L, const mg_dict_found *f, const char *text)
{
    switch (f->type) {
    case MG_DICT_BOOLEAN:
        lua_pushboolean(L, f->number != 0);
        return;
    case MG_DICT_NUMBER:
        lua_pushnumber(L, f->number);
        return;
    case MG_DICT_STRING:
        lua_pushlstring(L, text, f->n);
        return;
    default:
        lua_pushnil(L);
    }
}

typedef int (*fetch)(mg_dict *d, int left, mg_str key, char *to, size_t room, mg_dict_found *out);

static int fetch_value(mg_dict *d, int left, mg_str key, char *to, size_t room, mg_dict_found *out)
{
    (void)left;
    return mg_dict_get(d, key.p, key.n, to, room, out);
}

static int fetch_popped(mg_dict *d, int left, mg_str key, char *to, size_t room, mg_dict_found *out)
{
    return mg_dict_pop(d, left, key.p, key.n, to, room, out);
}

/* Pushes what is found. A text may grow while room is made for it: asked again until it fits. */
static int fetch_and_push(lua_State *L, fetch how, int left, mg_dict_found *f)
{
    mg_dict *d = dict_at(L);
    mg_str key = key_at(L, 2);
    char small[4096];
    int rc = how(d, left, key, small, sizeof small, f);
    if (rc == MG_DICT_OK)
        push_found(L, f, small);
    while (rc == MG_DICT_ROOM) {
        size_t room = f->n;
        char *large = lua_newuserdata(L, room); /* a failure further on frees it */
        rc = how(d, left, key, large, room, f);
        if (rc == MG_DICT_OK)
            push_found(L, f, large);
    }
    return rc;
}

/* ---- values ---- */

/* dict_get(dict, key): the value, or nil. */
static int dict_get(lua_State *L)
{
    mg_dict_found f;
    int rc = fetch_and_push(L, fetch_value, 0, &f);
    return rc == MG_DICT_OK ? 1 : rc == MG_DICT_ABSENT || rc == MG_DICT_KEY ? 0 : give_up(L, rc, "a value but a list");
}

/* dict_read(dict, key): the value, its version (0: nothing is there), and the seconds that it has left (0: for ever). */
static int dict_read(lua_State *L)
{
    mg_dict_found f;
    int rc = fetch_and_push(L, fetch_value, 0, &f);
    if (rc == MG_DICT_ABSENT) {
        lua_pushnil(L);
        f.version = 0;
        f.ttl_ms = 0;
    } else if (rc != MG_DICT_OK) {
        return give_up(L, rc, "a value but a list");
    }
    lua_pushnumber(L, (lua_Number)f.version);
    lua_pushnumber(L, (lua_Number)f.ttl_ms / 1e3);
    return 3;
}

/* dict_put(dict, how, key, value, seconds, version) */
static int dict_put(lua_State *L)
{
    mg_dict *d = dict_at(L);
    int how = (int)lua_tointeger(L, 2);
    lua_remove(L, 2);
    mg_str key = key_at(L, 2);
    value v = value_at(L, 3);
    int rc = mg_dict_put(d, how, key.p, key.n, v.type, v.number, v.text.p, v.text.n, ttl_at(L, 4), (uint64_t)lua_tonumber(L, 5));
    if (rc != MG_DICT_OK)
        return give_up(L, rc, "a value but a list");
    lua_pushboolean(L, true);
    return 1;
}

/* dict_incr(dict, key, by, init or nil, seconds) */
static int dict_incr(lua_State *L)
{
    mg_dict *d = dict_at(L);
    mg_str key = key_at(L, 2);
    if (lua_type(L, 3) != LUA_TNUMBER)
        return blame(L, "incr adds a number, not a %s", luaL_typename(L, 3));
    if (!lua_isnoneornil(L, 4) && lua_type(L, 4) != LUA_TNUMBER)
        return blame(L, "init is a number, not a %s", luaL_typename(L, 4));
    double init = lua_isnoneornil(L, 4) ? NAN : lua_tonumber(L, 4), out;
    int rc = mg_dict_incr(d, key.p, key.n, lua_tonumber(L, 3), init, ttl_at(L, 5), &out);
    if (rc != MG_DICT_OK)
        return give_up(L, rc, "a number");
    lua_pushnumber(L, out);
    return 1;
}

/* dict_delete(dict, key): whether it was there. */
static int dict_delete(lua_State *L)
{
    mg_dict *d = dict_at(L);
    mg_str key = key_at(L, 2);
    lua_pushboolean(L, mg_dict_delete(d, key.p, key.n) == MG_DICT_OK);
    return 1;
}

/* dict_touch(dict, key, seconds) */
static int dict_touch(lua_State *L)
{
    mg_dict *d = dict_at(L);
    mg_str key = key_at(L, 2);
    int rc = mg_dict_touch(d, key.p, key.n, ttl_at(L, 3));
    if (rc != MG_DICT_OK)
        return give_up(L, rc, "");
    lua_pushboolean(L, true);
    return 1;
}

/* dict_ttl(dict, key): seconds; infinity: for ever. */
static int dict_ttl(lua_State *L)
{
    mg_dict *d = dict_at(L);
    mg_str key = key_at(L, 2);
    int64_t ms;
    if (mg_dict_ttl(d, key.p, key.n, &ms) != MG_DICT_OK)
        return 0;
    lua_pushnumber(L, ms ? (lua_Number)ms / 1e3 : (lua_Number)INFINITY);
    return 1;
}

/* ---- lists ---- */

/* dict_push(dict, key, left, value, seconds): its length. */
static int dict_push(lua_State *L)
{
    mg_dict *d = dict_at(L);
    mg_str key = key_at(L, 2);
    value v = value_at(L, 4);
    uint64_t length;
    if (v.type == MG_DICT_NIL)
        return blame(L, "a list holds booleans, numbers and texts, not nil");
    int rc = mg_dict_push(d, lua_toboolean(L, 3), key.p, key.n, v.type, v.number, v.text.p, v.text.n, ttl_at(L, 5), &length);
    if (rc != MG_DICT_OK)
        return give_up(L, rc, "a list");
    lua_pushnumber(L, (lua_Number)length);
    return 1;
}

/* dict_pop(dict, key, left): the value, or nil. */
static int dict_pop(lua_State *L)
{
    mg_dict_found f;
    int rc = fetch_and_push(L, fetch_popped, lua_toboolean(L, 3), &f);
    return rc == MG_DICT_OK ? 1 : rc == MG_DICT_ABSENT || rc == MG_DICT_KEY ? 0 : give_up(L, rc, "a list");
}

/* dict_length(dict, key): 0 when there is none. */
static int dict_length(lua_State *L)
{
    mg_dict *d = dict_at(L);
    mg_str key = key_at(L, 2);
    uint64_t length = 0;
    int rc = mg_dict_length(d, key.p, key.n, &length);
    if (rc == MG_DICT_TYPE)
        return give_up(L, rc, "a list");
    lua_pushnumber(L, rc == MG_DICT_OK ? (lua_Number)length : 0);
    return 1;
}

/* ---- all of it ---- */

static void push_keys(lua_State *L, const char *at, uint64_t count)
{
    lua_createtable(L, (int)count, 0);
    for (uint64_t i = 1; i <= count; i++) {
        uint32_t n;
        memcpy(&n, at, sizeof n);
        lua_pushlstring(L, at + sizeof n, n);
        lua_rawseti(L, -2, (int)i);
        at += sizeof n + n;
    }
}

/* dict_keys(dict, cursor): a list of keys, and the next cursor; 0 behind the last. */
static int dict_keys(lua_State *L)
{
    mg_dict *d = dict_at(L);
    uint64_t cursor = (uint64_t)lua_tonumber(L, 2), count, needed = 0;
    size_t room = 16384;
    char *to = lua_newuserdata(L, room);
    while (mg_dict_keys(d, &cursor, to, room, &count, &needed) == MG_DICT_ROOM) {
        room = (size_t)needed;
        to = lua_newuserdata(L, room);
        lua_replace(L, -2);
    }
    push_keys(L, to, count);
    lua_pushnumber(L, (lua_Number)cursor);
    return 2;
}

static void put_number(lua_State *L, const char *name, uint64_t n)
{
    lua_pushnumber(L, (lua_Number)n);
    lua_setfield(L, -2, name);
}

/* dict_stats(dict) */
static int dict_stats(lua_State *L)
{
    mg_dict_numbers n;
    mg_dict_count(dict_at(L), &n);
    lua_createtable(L, 0, 7);
    put_number(L, "items", n.items);
    put_number(L, "used", n.used_bytes);
    put_number(L, "size", n.size_bytes);
    put_number(L, "evicted", n.evicted);
    put_number(L, "expired", n.expired);
    put_number(L, "emptied", n.emptied);
    put_number(L, "shards", n.shards);
    return 1;
}

/* dict_clear(dict) */
static int dict_clear(lua_State *L)
{
    mg_dict_flush(dict_at(L));
    return 0;
}

const luaL_Reg mg_bind_dict[] = {
    {"dict_open", dict_open},   {"dict_get", dict_get},   {"dict_read", dict_read},     {"dict_put", dict_put},
    {"dict_incr", dict_incr},   {"dict_delete", dict_delete}, {"dict_touch", dict_touch}, {"dict_ttl", dict_ttl},
    {"dict_push", dict_push},   {"dict_pop", dict_pop},   {"dict_length", dict_length}, {"dict_keys", dict_keys},
    {"dict_stats", dict_stats}, {"dict_clear", dict_clear}, {NULL, NULL},
};
