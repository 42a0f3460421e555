#include "script/collector.h"

#include "base/clock.h"
#include "base/list.h"

#include <lauxlib.h>
#include <string.h>

enum {
    SLICE_US = 200,
    STEP_KB = 8,               /* of one step; several make a slice */
    GROWTH_LEAST = 2 * 1024 * 1024, /* a cycle costs the whole heap: not for every few requests of a small one */
    PINNED_TABLE = 16384,      /* entries that the table of strings grows to */
    PINNED_STRINGS = PINNED_TABLE / 4 + 64
};

static mg_link states = {&states, &states};

static size_t heap_of(lua_State *L)
{
    return (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
}

void mg_collector_add(mg_script *s)
{
    lua_gc(s->L, LUA_GCSTOP, 0);
    mg_list_append(&states, &s->link);
}

void mg_collector_remove(mg_script *s)
{
    mg_list_cut(&s->link);
}

static void set_mark(mg_script *s)
{
    size_t heap = heap_of(s->L);
    s->begin_bytes = heap + MG_MAX(heap / 10 * 3, (size_t)GROWTH_LEAST);
    s->collecting = false;
}

void mg_collector_settle(mg_script *s)
{
    lua_gc(s->L, LUA_GCCOLLECT, 0);
    lua_gc(s->L, LUA_GCCOLLECT, 0); /* what finalizers let go of */
    lua_gc(s->L, LUA_GCSTOP, 0);
    set_mark(s);
}

/* The strings live until the end of the state; those in between are garbage at once, and made the table grow. */
void mg_collector_pin(mg_script *s)
{
    lua_State *L = s->L;
    char text[8] = "\1pinned";
    lua_createtable(L, PINNED_STRINGS, 0);
    for (int i = 1; i <= PINNED_TABLE; i++) {
        memcpy(text, &i, sizeof i);
        lua_pushlstring(L, text, sizeof text);
        if (i <= PINNED_STRINGS)
            lua_rawseti(L, -2, i);
        else
            lua_pop(L, 1);
    }
    luaL_ref(L, LUA_REGISTRYINDEX);
}

static void collect_slice(mg_script *s)
{
    int64_t until = mg_clock_precise_us() + SLICE_US;
    bool done;
    s->collecting = true;
    do
        done = lua_gc(s->L, LUA_GCSTEP, STEP_KB) != 0;
    while (!done && mg_clock_precise_us() < until);
    lua_gc(s->L, LUA_GCSTOP, 0);
    if (done)
        set_mark(s);
}

void mg_collector_idle(void)
{
    MG_LIST_EACH(l, &states) {
        mg_script *s = MG_OWNER(l, mg_script, link);
        if (s->collecting || heap_of(s->L) > s->begin_bytes)
            collect_slice(s);
    }
}
