#include "script/slot.h"

#include "script/hookset.h"

#include <lauxlib.h>

/* The Lua object of a slot keeps what belongs to one request here (see lua/moongate/request.lua). */
enum { CTX_AT = 4 };

static void make_objects(mg_slot *slot)
{
    lua_State *L = slot->script->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, slot->script->refs.new_request);
    lua_pushnumber(L, (lua_Number)(uintptr_t)slot);
    lua_pushinteger(L, (lua_Integer)slot->number);
    lua_call(L, 2, 2);
    slot->response = luaL_ref(L, LUA_REGISTRYINDEX);
    slot->request = luaL_ref(L, LUA_REGISTRYINDEX);
}

static mg_slot *make(mg_script *s)
{
    if (s->slot_count == s->slot_room) {
        s->slot_room = s->slot_room ? s->slot_room * 2 : 16;
        s->slots = mg_realloc(s->slots, s->slot_room * sizeof(mg_slot *));
    }
    mg_slot *slot = mg_zalloc(sizeof *slot);
    slot->script = s;
    slot->number = s->slot_count;
    slot->pull = LUA_NOREF;
    s->slots[s->slot_count++] = slot;
    mg_runner_init(&slot->runner, s);
    slot->runner.slot = slot;
    make_objects(slot);
    return slot;
}

mg_slot *mg_slot_of(mg_exchange *x)
{
    if (MG_LIKELY(x->script))
        return x->script;
    mg_script *s = x->gen->script;
    mg_slot *slot = s->free_slot;
    if (slot)
        s->free_slot = slot->next_free;
    else
        slot = make(s);
    slot->x = x;
    slot->runner.serial = ++slot->serial;
    slot->waits_body = slot->has_ctx = false;
    slot->set = mg_hookset_of(x);
    x->script = slot;
    return slot;
}

void mg_slot_release(mg_slot *slot)
{
    lua_State *L = slot->script->L;
    mg_runner_drop(&slot->runner);
    mg_body_end(&slot->bodies[MG_FLOW_DOWN]);
    mg_body_end(&slot->bodies[MG_FLOW_UP]);
    if (slot->pull != LUA_NOREF) {
        luaL_unref(L, LUA_REGISTRYINDEX, slot->pull);
        slot->pull = LUA_NOREF;
    }
    if (slot->has_ctx) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, slot->request);
        lua_pushnil(L);
        lua_rawseti(L, -2, CTX_AT);
        lua_pop(L, 1);
    }
    slot->x = NULL;
    slot->serial++; /* what it spawned has lost it from now on */
    slot->next_free = slot->script->free_slot;
    slot->script->free_slot = slot;
}

void mg_slot_close(mg_script *s)
{
    for (uint32_t i = 0; i < s->slot_count; i++)
        mg_free(s->slots[i]);
    mg_free(s->slots);
}
