#include "script/bind.h"

#include "base/clock.h"
#include "base/log.h"
#include "script/api.h"
#include "script/bind_budget.h"
#include "script/bind_dict.h"
#include "script/bind_tasks.h"
#include "script/body.h"
#include "script/items.h"
#include "script/refusal.h"
#include "script/slot.h"
#include "script/trouble.h"

#include <lauxlib.h>

#include "api_rules.h"

/* What the library keeps in the array part of its objects (lua/moongate/request.lua). */
enum { SLOT_AT = 2, KIND_AT = 3 };

static mg_script *script_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Raises an error at the line of the script that called the library. */
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

/* The slot of the object that is the first argument. */
static mg_slot *slot_of(lua_State *L)
{
    const mg_script *s = script_of(L);
    if (!lua_istable(L, 1))
        (void)blame(L, "this is called with a colon, as in req.headers:all(name)");
    lua_rawgeti(L, 1, SLOT_AT);
    lua_Integer number = lua_type(L, -1) == LUA_TNUMBER ? lua_tointeger(L, -1) : -1;
    lua_pop(L, 1);
    if (number < 0 || number >= (lua_Integer)s->slot_count)
        (void)blame(L, "this is no request, answer or list of one");
    return s->slots[number];
}

static int kind_of(lua_State *L)
{
    lua_rawgeti(L, 1, KIND_AT);
    int kind = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return kind;
}

/* A name given by the script as the argument at that place. */
static mg_str name_at(lua_State *L, int at)
{
    mg_str name;
    if (lua_type(L, at) != LUA_TSTRING)
        (void)blame(L, "a name must be a text, not a %s", luaL_typename(L, at));
    name.p = lua_tolstring(L, at, &name.n);
    return name;
}

static int give_text(lua_State *L, int rc, const mg_text *found)
{
    if (rc == MG_API_REFUSED)
        return blame(L, "%s", mg_refusal());
    if (rc == MG_API_ABSENT)
        return 0;
    lua_pushlstring(L, found->p, found->n);
    return 1;
}

/* ---- fields ---- */

static int field_at(lua_State *L)
{
    int field = (int)lua_tointeger(L, 2);
    if (field < 0 || field >= MG_API_FIELDS)
        (void)blame(L, "there is no such field");
    return field;
}

/* field_get(object, field) */
static int field_get(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    int field = field_at(L);
    mg_text found;
    double number;
    if (!mg_api_rules[field].number)
        return give_text(L, mg_api_text(slot, field, &found), &found);
    int rc = mg_api_number(slot, field, &number);
    if (rc == MG_API_FOUND)
        lua_pushnumber(L, number);
    else if (rc == MG_API_REFUSED)
        return blame(L, "%s", mg_refusal());
    return rc == MG_API_FOUND ? 1 : 0;
}

/* field_set(object, field, value) */
static int field_set(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    int field = field_at(L), type = lua_type(L, 3), rc;
    const mg_api_rule *rule = &mg_api_rules[field];
    if (rule->writes && !(type == LUA_TNIL || (rule->number ? type == LUA_TNUMBER : type == LUA_TSTRING)))
        return blame(L, "%s takes a %s, not a %s", rule->name, rule->number ? "number" : "text", luaL_typename(L, 3));
    if (rule->number) {
        rc = mg_api_set_number(slot, field, lua_tonumber(L, 3));
    } else {
        size_t n = 0;
        const char *text = type == LUA_TNIL ? NULL : lua_tolstring(L, 3, &n);
        rc = mg_api_set_text(slot, field, text, n);
    }
    return rc == MG_API_REFUSED ? blame(L, "%s", mg_refusal()) : 0;
}

/* alive(object): an error when its request is over. */
static int alive(lua_State *L)
{
    if (!mg_slot_exchange(slot_of(L)))
        return blame(L, "this request is over, or is not the one that runs here");
    return 0;
}

/* made_ctx(object): its ctx is to be forgotten with the request. */
static int made_ctx(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    if (!mg_slot_exchange(slot))
        return blame(L, "this request is over, or is not the one that runs here");
    slot->has_ctx = true;
    return 0;
}

static void add_timing(lua_State *L, const char *name, int64_t from, int64_t to)
{
    if (!from || !to || to < from)
        return;
    lua_pushnumber(L, (lua_Number)(to - from) / 1e6);
    lua_setfield(L, -2, name);
}

/* timings(response) */
static int timings(lua_State *L)
{
    const mg_exchange *x = mg_slot_exchange(slot_of(L));
    if (!x)
        return blame(L, "this request is over, or is not the one that runs here");
    lua_createtable(L, 0, 4);
    add_timing(L, "total", x->at.began, x->at.ended ? x->at.ended : mg_clock_us());
    add_timing(L, "connect", x->at.dialled, x->at.connected);
    add_timing(L, "response", x->at.connected, x->at.response_head);
    return 1;
}

/* ---- header fields ---- */

/* header_get(headers, name) */
static int header_get(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    mg_str name = name_at(L, 2);
    mg_text found;
    return give_text(L, mg_api_header(slot, kind_of(L), name.p, name.n, &found), &found);
}

/* The fields of the object that is the first argument; NULL: there is no such message. */
static const mg_fields *fields_of(lua_State *L)
{
    const mg_slot *slot = slot_of(L);
    if (!mg_slot_exchange(slot))
        (void)blame(L, "this request is over, or is not the one that runs here");
    return mg_api_fields(slot, kind_of(L));
}

/* header_all(headers, name): a list. */
static int header_all(lua_State *L)
{
    const mg_fields *f = fields_of(L);
    mg_str name = name_at(L, 2);
    lua_createtable(L, 0, 0);
    const mg_field *field;
    int count = 0;
    for (uint32_t at = 0; f && (field = mg_fields_find_name(f, name, at)); at = (uint32_t)(field - f->at) + 1) {
        lua_pushlstring(L, field->value.p ? field->value.p : "", field->value.n);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* header_at(headers, index): the next index, name and value of the first field from there on. */
static int header_at(lua_State *L)
{
    const mg_fields *f = fields_of(L);
    for (uint32_t at = (uint32_t)lua_tointeger(L, 2); f && at < f->count; at++) {
        const mg_field *field = &f->at[at];
        if (field->flags & MG_FIELD_GONE)
            continue;
        lua_pushinteger(L, (lua_Integer)at + 1);
        lua_pushlstring(L, field->name.p, field->name.n);
        lua_pushlstring(L, field->value.p ? field->value.p : "", field->value.n);
        return 3;
    }
    return 0;
}

/* A value for a header: a text or a number. */
static mg_str value_at(lua_State *L, int at, mg_str name)
{
    mg_str value;
    int type = lua_type(L, at);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        (void)blame(L, "the header '%s' takes a text, a number or a list of texts, not a %s", name.p, luaL_typename(L, at));
    value.p = lua_tolstring(L, at, &value.n);
    return value;
}

static void check(lua_State *L, int rc)
{
    if (rc == MG_API_REFUSED)
        (void)blame(L, "%s", mg_refusal());
}

/* header_set(headers, name, text | number | list | nil) */
static int header_set(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    int message = kind_of(L);
    mg_str name = name_at(L, 2);
    if (lua_isnil(L, 3)) {
        check(L, mg_api_remove_header(slot, message, name.p, name.n));
        return 0;
    }
    if (!lua_istable(L, 3)) {
        mg_str value = value_at(L, 3, name);
        check(L, mg_api_set_header(slot, message, name.p, name.n, value.p, value.n));
        return 0;
    }
    int count = (int)lua_objlen(L, 3);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, 3, i);
        (void)value_at(L, 4, name); /* all are looked at before the first is written */
        lua_settop(L, 3);
    }
    check(L, mg_api_remove_header(slot, message, name.p, name.n));
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, 3, i);
        mg_str value = value_at(L, 4, name);
        check(L, mg_api_add_header(slot, message, name.p, name.n, value.p, value.n));
        lua_settop(L, 3);
    }
    return 0;
}

/* header_add(headers, name, value) */
static int header_add(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    mg_str name = name_at(L, 2), value = value_at(L, 3, name);
    check(L, mg_api_add_header(slot, kind_of(L), name.p, name.n, value.p, value.n));
    return 0;
}

/* ---- lists that the client gave ---- */

/* item_get(items, name) */
static int item_get(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    mg_str name = name_at(L, 2);
    mg_text found;
    return give_text(L, mg_api_item(slot, kind_of(L), name.p, name.n, &found), &found);
}

/* item_next(items, at): the next `at`, name and value. */
static int item_next(lua_State *L)
{
    const mg_exchange *x = mg_slot_exchange(slot_of(L));
    uint64_t at = (uint64_t)lua_tonumber(L, 2);
    mg_str name, value;
    if (!x)
        return blame(L, "this request is over, or is not the one that runs here");
    if (!mg_items_next(x, kind_of(L), &at, &name, &value))
        return 0;
    lua_pushnumber(L, (lua_Number)at);
    lua_pushlstring(L, name.p ? name.p : "", name.n);
    lua_pushlstring(L, value.p ? value.p : "", value.n);
    return 3;
}

/* ---- the body ---- */

/* In one piece of memory first: joining slices as texts would leave several times their size as garbage. */
static void push_chain(lua_State *L, const mg_chain *c)
{
    if (!c->first || !c->first->next) {
        lua_pushlstring(L, c->first ? c->first->p : "", c->n);
        return;
    }
    char *whole = lua_newuserdata(L, c->n);
    lua_pushlstring(L, whole, mg_chain_copy_out(c, whole, c->n));
    lua_remove(L, -2);
}

/* body(request, limit or nil): the text; or nil, message, code; or false: wait, then ask again. */
static int body(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    mg_exchange *x = mg_slot_exchange(slot);
    if (!x)
        return blame(L, "this request is over, or is not the one that runs here");
    if (mg_runner_current != &slot->runner)
        return blame(L, "req:body() is for the request's own hooks, not for tasks and body hooks");
    if (!x->hold && !(slot->phase <= MG_PHASE_HANDLER || (slot->phase == MG_PHASE_UPSTREAM_REQUEST && !x->body_sent_up)))
        return blame(L, "req:body() must be asked for in rewrite, access, upstream_request or a handler; in phase '%s' the body has been sent on",
                     mg_phase_name(slot->phase));
    uint64_t route_limit = x->route ? x->route->body_limit : x->gen->limits.body;
    uint64_t most = lua_isnoneornil(L, 2) ? MG_MIN(route_limit, (uint64_t)1 << 20) : (uint64_t)lua_tonumber(L, 2);
    mg_rc rc = mg_exchange_hold_body(x, most);
    slot->waits_body = rc == MG_AGAIN;
    switch (rc) {
    case MG_OK:
        push_chain(L, &x->held);
        return 1;
    case MG_AGAIN:
        lua_pushboolean(L, false);
        return 1;
    case MG_LIMIT:
        lua_pushnil(L);
        lua_pushfstring(L, "the body is larger than %f bytes", (lua_Number)most);
        lua_pushliteral(L, "limit");
        return 3;
    default:
        lua_pushnil(L);
        lua_pushliteral(L, "the client ended before its body was complete");
        lua_pushliteral(L, "gone");
        return 3;
    }
}

/* answer_body(response, limit or nil): the same for the answer. */
static int answer_body(lua_State *L)
{
    mg_slot *slot = slot_of(L);
    mg_exchange *x = mg_slot_exchange(slot);
    if (!x)
        return blame(L, "this request is over, or is not the one that runs here");
    if (mg_runner_current != &slot->runner || (slot->phase != MG_PHASE_UPSTREAM_RESPONSE && slot->phase != MG_PHASE_RESPONSE) || !x->res_known)
        return blame(L, "res:body() is for the hooks upstream_response and response");
    uint64_t most = lua_isnoneornil(L, 2) ? (uint64_t)1 << 20 : (uint64_t)lua_tonumber(L, 2);
    mg_rc rc = mg_exchange_hold_answer(x, most);
    slot->waits_body = rc == MG_AGAIN;
    switch (rc) {
    case MG_OK:
        push_chain(L, &x->answer.body);
        return 1;
    case MG_AGAIN:
        lua_pushboolean(L, false);
        return 1;
    case MG_LIMIT:
        lua_pushnil(L);
        lua_pushfstring(L, "the body is larger than %f bytes", (lua_Number)most);
        lua_pushliteral(L, "limit");
        return 3;
    case MG_BAD:
        lua_pushnil(L);
        lua_pushliteral(L, "the body is given piece by piece");
        lua_pushliteral(L, "stream");
        return 3;
    default:
        lua_pushnil(L);
        lua_pushliteral(L, "the origin ended before its body was complete");
        lua_pushliteral(L, "gone");
        return 3;
    }
}

/* ---- the rest ---- */

/* log(level, text) */
static int write_log(lua_State *L)
{
    mg_log_level level = (mg_log_level)lua_tointeger(L, 1);
    mg_str text;
    text.p = lua_tolstring(L, 2, &text.n);
    if (text.p)
        mg_log_at(level, "%.*s", MG_STR_ARG(text));
    return 0;
}

/* logs(level): whether such lines are written. */
static int logs(lua_State *L)
{
    lua_pushboolean(L, (mg_log_level)lua_tointeger(L, 1) >= mg_log_threshold);
    return 1;
}

static int clock_now(lua_State *L)
{
    lua_pushnumber(L, mg_api_now());
    return 1;
}

static int clock_monotonic(lua_State *L)
{
    lua_pushnumber(L, mg_api_monotonic());
    return 1;
}

/* next(table, key) and pairs(table), for the place of Lua's own: the LuaJIT of Debian 12 (of 2022-03-20)
 * compiles those so that loops now and then end early or read a broken pointer (LuaJIT issues 827, 829);
 * functions like these are never compiled. */
static int plain_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

static int plain_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_pushnil(L);
    return 3;
}

/* describe(error): the handler of a protected call: the error, its place and its trace in one line. */
static int describe(lua_State *L)
{
    lua_settop(L, 1);
    mg_trouble_describe(L, L, script_of(L));
    return 1;
}

/* folder(path): the configuration's, whose scripts are named from there. */
static int set_folder(lua_State *L)
{
    mg_script *s = script_of(L);
    mg_free(s->folder);
    s->folder = mg_strdup(luaL_checkstring(L, 1));
    return 0;
}

/* raise(text): an error at the script's line. */
static int raise(lua_State *L)
{
    return blame(L, "%s", lua_tostring(L, 1));
}

static const luaL_Reg functions[] = {
    {"field_get", field_get},     {"field_set", field_set},   {"alive", alive},
    {"made_ctx", made_ctx},       {"timings", timings},       {"header_get", header_get},
    {"header_all", header_all},   {"header_at", header_at},   {"header_set", header_set},
    {"header_add", header_add},   {"item_get", item_get},     {"item_next", item_next},
    {"body", body},               {"answer_body", answer_body},
                  {"log", write_log},         {"logs", logs},
    {"now", clock_now},           {"monotonic", clock_monotonic}, {"raise", raise},
    {"describe", describe},       {"folder", set_folder},
    {NULL, NULL},
};

void mg_bind_push(lua_State *L, mg_script *s)
{
    lua_newtable(L);
    lua_pushlightuserdata(L, s);
    luaL_openlib(L, NULL, functions, 1);
    lua_pushlightuserdata(L, s);
    luaL_openlib(L, NULL, mg_bind_tasks, 1);
    lua_pushlightuserdata(L, s);
    luaL_openlib(L, NULL, mg_bind_budget, 1);
    lua_pushlightuserdata(L, s);
    luaL_openlib(L, NULL, mg_body_functions, 1);
    lua_pushlightuserdata(L, s);
    luaL_openlib(L, NULL, mg_bind_dict, 1);
    lua_pushcfunction(L, plain_next);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "next");
    lua_pushcclosure(L, plain_pairs, 1);
    lua_setfield(L, -2, "pairs");
    lua_pushlightuserdata(L, mg_runner_wait_mark());
    lua_setfield(L, -2, "WAIT");
}
