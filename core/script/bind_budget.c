#include "script/bind_budget.h"

#include "script/state.h"

static mg_script *script_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* over(): the entry's budget is used up; handlers of errors shall not run any more. */
static int over(lua_State *L)
{
    lua_pushboolean(L, mg_budget_is_over() || (mg_watchdog_is_inside() && mg_budget_has_ended_entry()));
    return 1;
}

/* compiles(): whether scripts may be compiled in this process. */
static int compiles(lua_State *L)
{
    lua_pushboolean(L, script_of(L)->budget.compiles);
    return 1;
}

/* budgets(cpu, task, setup, memory): milliseconds, and bytes. They count from now on. */
static int budgets(lua_State *L)
{
    enum { MS = 1000000 };
    mg_script *s = script_of(L);
    s->cpu_ns.hook = (int64_t)luaL_checknumber(L, 1) * MS;
    s->cpu_ns.task = (int64_t)luaL_checknumber(L, 2) * MS;
    s->cpu_ns.setup = (int64_t)luaL_checknumber(L, 3) * MS;
    mg_watchdog_now.cpu_ns = s->cpu_ns.setup; /* this is being loaded */
    mg_watchdog_tick(s->cpu_ns.hook / 10);
    mg_budget_limit_memory(&s->budget, (int64_t)luaL_checknumber(L, 4));
    return 0;
}

/* on_deep(function): called with true when a stack gets deep, with false when that is over. */
static int on_deep(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    script_of(L)->refs.on_deep = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

const luaL_Reg mg_bind_budget[] = {
    {"over", over}, {"compiles", compiles}, {"budgets", budgets}, {"on_deep", on_deep}, {NULL, NULL},
};
