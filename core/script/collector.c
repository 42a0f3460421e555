#include "script/collector.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

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

void mg_collector_all(mg_script *s)
{
    lua_gc(s->L, LUA_GCCOLLECT, 0);
    lua_gc(s->L, LUA_GCSTOP, 0);
    set_mark(s);
}

static int settle(lua_State *L)
{
    mg_script *s = lua_touserdata(L, 1);
    lua_gc(L, LUA_GCCOLLECT, 0);
    mg_collector_all(s); /* what finalizers let go of */
    return 0;
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

/* Runs a function that collects. Finalizers are scripts: they have a budget, and their errors end here. */
static void run(mg_script *s, lua_CFunction collect)
{
    lua_State *L = s->L;
    mg_budget_enter(&s->budget, s->cpu_ns.hook);
    s->budget.exempt = true;
    int rc = lua_cpcall(L, collect, s);
    s->budget.exempt = false;
    (void)mg_budget_leave(&s->budget);
    if (rc != 0) {
        const char *text = lua_tostring(L, -1);
        mg_error("script: error in a finalizer: %s", text ? text : "(no text)");
        lua_pop(L, 1);
    }
    lua_gc(L, LUA_GCSTOP, 0);
    mg_budget_collected(&s->budget);
}

void mg_collector_settle(mg_script *s)
{
    run(s, settle);
    set_mark(s);
}

static int collect_slice(lua_State *L)
{
    mg_script *s = lua_touserdata(L, 1);
    int64_t until = mg_clock_precise_us() + SLICE_US;
    bool done;
    s->collecting = true;
    do
        done = lua_gc(L, LUA_GCSTEP, STEP_KB) != 0;
    while (!done && mg_clock_precise_us() < until);
    lua_gc(L, LUA_GCSTOP, 0);
    if (done)
        set_mark(s);
    return 0;
}

void mg_collector_idle(void)
{
    MG_LIST_EACH(l, &states) {
        mg_script *s = MG_OWNER(l, mg_script, link);
        if (s->collecting || heap_of(s->L) > s->begin_bytes)
            run(s, collect_slice);
    }
}
