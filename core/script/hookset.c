#include "script/hookset.h"

#include "script/tables.h"

#include <lauxlib.h>

/* Anchors a field of the table on top in the registry. */
static int anchor(lua_State *L, const char *key)
{
    lua_pushstring(L, key);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return LUA_NOREF;
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static mg_hook read_hook(mg_script *s, mg_phase phase)
{
    mg_arena *a = &s->gen->arena;
    mg_hook h = {
        .fn = anchor(s->L, "fn"),
        .self = anchor(s->L, "self"),
        .policy = mg_tables_chars(s->L, -1, "policy", a),
        .open = mg_tables_flag(s->L, -1, "open"),
        .writes_line = mg_tables_flag(s->L, -1, "writes_line"),
    };
    MG_BUG_UNLESS(h.fn != LUA_NOREF && h.policy);
    h.busy = mg_arena_print(a, "%.60s (%s) ", h.policy, mg_phase_name(phase));
    return h;
}

/* The hooks of one phase of the set on top of the stack. */
static void read_phase(mg_script *s, mg_hookset *set, mg_phase phase)
{
    if (!mg_tables_enter(s->L, -1, mg_phase_name(phase)))
        return;
    uint32_t count = (uint32_t)lua_objlen(s->L, -1);
    mg_hook *hooks = mg_arena_alloc(&s->gen->arena, (count ? count : 1) * sizeof *hooks);
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(s->L, -1, (int)i + 1);
        hooks[i] = read_hook(s, phase);
        lua_pop(s->L, 1);
    }
    set->at[phase] = hooks;
    set->count[phase] = count;
    lua_pop(s->L, 1);
}

void mg_hookset_read(mg_script *s, int sets)
{
    uint32_t count = (uint32_t)lua_objlen(s->L, sets);
    s->sets = mg_arena_zalloc(&s->gen->arena, (count + 1) * sizeof *s->sets);
    s->set_count = count + 1;
    for (uint32_t i = 1; i <= count; i++) {
        lua_rawgeti(s->L, sets, (int)i);
        for (unsigned p = 0; p < MG_PHASE_COUNT; p++)
            read_phase(s, &s->sets[i], (mg_phase)p);
        lua_pop(s->L, 1);
    }
}

const mg_hookset *mg_hookset_of(const mg_exchange *x)
{
    const mg_script *s = x->gen->script;
    const mg_route *route = x->route ? x->route : x->site ? &x->site->none : &x->gen->nowhere;
    return &s->sets[route->script];
}
