#include "script/bind_tasks.h"

#include "script/runner.h"

static mg_script *script_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static mg_runner *runner_at(lua_State *L, int at)
{
    const mg_script *s = script_of(L);
    lua_Integer number = lua_type(L, at) == LUA_TNUMBER ? lua_tointeger(L, at) : -1;
    return number >= 0 && number < (lua_Integer)s->runner_count ? s->runners[number] : NULL;
}

/* current(): the number of who runs, or nil where nobody may wait (while the generation is built). */
static int current(lua_State *L)
{
    if (!mg_runner_current)
        return 0;
    lua_pushinteger(L, (lua_Integer)mg_runner_current->number);
    return 1;
}

/* alarm(seconds): wakes who runs, once; rang() says whether it did. */
static int alarm(lua_State *L)
{
    lua_Number seconds = lua_tonumber(L, 1);
    /* A wait of a year is as good as for ever, and fits the loop's clock. */
    lua_Number ms = seconds < 3.2e7 ? seconds * 1e3 : 3.2e10;
    if (mg_runner_current)
        mg_runner_sleep(mg_runner_current, (int64_t)(ms + 0.999));
    return 0;
}

static int rang(lua_State *L)
{
    lua_pushboolean(L, mg_runner_current && mg_runner_current->rang);
    return 1;
}

/* still(): the alarm is off. */
static int still(lua_State *L)
{
    (void)L;
    if (mg_runner_current)
        mg_timer_stop(&mg_runner_current->alarm);
    return 0;
}

/* wake(number) */
static int wake(lua_State *L)
{
    mg_runner *r = runner_at(L, 1);
    if (r)
        mg_runner_wake(r);
    return 0;
}

/* cancelled(): true once, when who runs was told to end. */
static int cancelled(lua_State *L)
{
    mg_runner *r = mg_runner_current;
    bool now = r && r->cancelled && !r->cancel_told;
    if (now)
        r->cancel_told = true;
    lua_pushboolean(L, now);
    return 1;
}

/* spawn(task, function, …): the number of its runner. */
static int spawn(lua_State *L)
{
    uint32_t number = mg_runner_spawn(script_of(L), L, lua_gettop(L) - 2);
    lua_pushinteger(L, (lua_Integer)number);
    return 1;
}

/* cancel(number) */
static int cancel(lua_State *L)
{
    mg_runner *r = runner_at(L, 1);
    if (r)
        mg_runner_cancel(r);
    return 0;
}

const luaL_Reg mg_bind_tasks[] = {
    {"current", current}, {"alarm", alarm}, {"rang", rang},     {"still", still}, {"wake", wake},
    {"cancelled", cancelled}, {"spawn", spawn}, {"cancel", cancel}, {NULL, NULL},
};
