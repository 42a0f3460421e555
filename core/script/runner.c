#include "script/runner.h"

#include "base/log.h"
#include "exchange/filter.h"
#include "script/slot.h"
#include "script/trouble.h"

#include <lauxlib.h>

mg_runner *mg_runner_current;
void (*mg_runner_on_task_over)(mg_script *s);

enum { REST_MOST = 256 }; /* threads kept at rest; more are left to the collector */

void *mg_runner_wait_mark(void)
{
    static char mark;
    return &mark;
}

static void on_alarm(mg_timer *t)
{
    mg_runner *r = MG_OWNER(t, mg_runner, alarm);
    r->rang = true;
    mg_runner_wake(r);
}

static void on_due(mg_later *l);

void mg_runner_init(mg_runner *r, mg_script *s)
{
    if (s->runner_count == s->runner_room) {
        s->runner_room = s->runner_room ? s->runner_room * 2 : 16;
        s->runners = mg_realloc(s->runners, s->runner_room * sizeof(mg_runner *));
    }
    *r = (mg_runner){.script = s, .number = s->runner_count, .ref = LUA_NOREF, .task = LUA_NOREF};
    s->runners[s->runner_count++] = r;
    mg_timer_init(&r->alarm, on_alarm);
    mg_later_init(&r->later, on_due);
}

void mg_runner_begin(mg_runner *r, lua_State *L)
{
    mg_script *s = r->script;
    MG_BUG_UNLESS(!r->co);
    if (s->rest_count) {
        r->co = s->rest[--s->rest_count].co;
        r->ref = s->rest[s->rest_count].ref;
    } else {
        r->co = lua_newthread(L);
        r->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    r->waits = r->ready = r->cancelled = r->cancel_told = r->rang = false;
}

void mg_runner_rest(mg_runner *r)
{
    mg_script *s = r->script;
    lua_settop(r->co, 0);
    if (s->rest_count == REST_MOST) {
        mg_runner_drop(r);
        return;
    }
    if (s->rest_count == s->rest_room) {
        s->rest_room = s->rest_room ? s->rest_room * 2 : 8;
        s->rest = mg_realloc(s->rest, s->rest_room * sizeof *s->rest);
    }
    s->rest[s->rest_count].co = r->co;
    s->rest[s->rest_count++].ref = r->ref;
    r->co = NULL;
    r->ref = LUA_NOREF;
}

void mg_runner_drop(mg_runner *r)
{
    mg_timer_stop(&r->alarm);
    mg_later_cancel(&r->later);
    if (!r->co)
        return;
    luaL_unref(r->script->L, LUA_REGISTRYINDEX, r->ref);
    r->co = NULL;
    r->ref = LUA_NOREF;
    r->waits = r->ready = false;
}

/* What it had used up, in the numbers of the worker and the route. */
static void count_used_up(mg_runner *r, int used_up)
{
    mg_stats_row *rows[] = {r->script->gen->worker_stats, r->slot && r->slot->x && r->slot->x->route ? r->slot->x->route->stats : NULL};
    for (size_t i = 0; i < MG_COUNT(rows); i++) {
        if (!rows[i])
            continue;
        rows[i]->script_kills += (used_up & MG_BUDGET_CPU) != 0;
        rows[i]->script_memory_failures += (used_up & MG_BUDGET_MEMORY) != 0;
    }
}

static int64_t cpu_budget_of(const mg_runner *r)
{
    const mg_script *s = r->script;
    if (r->is_task)
        return s->cpu_ns.task;
    return r->slot->set && r->slot->set->cpu_ns ? r->slot->set->cpu_ns : s->cpu_ns.hook;
}

/* "not enough memory" alone does not say whose. */
static void explain_memory(mg_runner *r)
{
    const mg_budget *b = &r->script->budget;
    if (!lua_checkstack(r->co, 2))
        return;
    lua_pop(r->co, 1);
    lua_pushfstring(r->co, MG_BUDGET_NO_MEMORY, (int)(b->hard >> 20));
}

mg_run mg_runner_go(mg_runner *r, int args)
{
    mg_budget *b = &r->script->budget;
    MG_BUG_UNLESS(!mg_runner_current);
    mg_runner_current = r;
    r->waits = r->ready = false;
    mg_budget_enter(b, cpu_budget_of(r));
    int rc = lua_resume(r->co, args);
    int used_up = mg_budget_leave(b);
    mg_runner_current = NULL;
    if (MG_UNLIKELY(used_up != MG_BUDGET_KEPT))
        count_used_up(r, used_up);
    if (rc == LUA_ERRMEM && b->refused)
        explain_memory(r);
    if (rc == 0)
        return MG_RUN_DONE;
    if (rc != LUA_YIELD)
        return MG_RUN_ERROR;
    if (lua_gettop(r->co) < 1 || lua_touserdata(r->co, 1) != mg_runner_wait_mark()) {
        lua_pushliteral(r->co, "coroutine.yield was called outside of a coroutine");
        return MG_RUN_ERROR;
    }
    lua_settop(r->co, 0);
    r->waits = true;
    return MG_RUN_WAITS;
}

/* It waits and is due to go on. */
static void schedule(mg_runner *r)
{
    if (r->is_task)
        mg_later_do(&r->later);
    else if (r->is_body)
        mg_exchange_filter_wake(r->slot->x, (mg_flow)r->flow);
    else if (r->slot && r->slot->x)
        mg_exchange_wake(r->slot->x);
}

void mg_runner_wake(mg_runner *r)
{
    if (!r->co || r->ready)
        return;
    r->ready = true;
    if (r->waits)
        schedule(r);
}

void mg_runner_sleep(mg_runner *r, int64_t ms)
{
    r->rang = false;
    mg_timer_start(&r->alarm, ms);
}

/* ---- tasks ---- */

static mg_runner *take_task(mg_script *s)
{
    mg_runner *r = s->free_runner;
    if (r) {
        s->free_runner = r->next_free;
        return r;
    }
    r = mg_alloc(sizeof *r);
    mg_runner_init(r, s);
    r->is_task = true;
    return r;
}

uint32_t mg_runner_spawn(mg_script *s, lua_State *L, int args)
{
    mg_runner *r = take_task(s);
    bool exempt = s->budget.exempt;
    s->budget.exempt = true; /* an error of memory here would leave half a task */
    mg_runner_begin(r, L);
    lua_xmove(L, r->co, args + 1);
    r->task = luaL_ref(L, LUA_REGISTRYINDEX);
    s->budget.exempt = exempt;
    r->args = args;
    r->slot = mg_runner_current ? mg_runner_current->slot : NULL;
    r->serial = mg_runner_current ? mg_runner_current->serial : 0;
    s->tasks++;
    mg_later_do(&r->later);
    return r->number;
}

/* Tells the Lua object how the task ended: ok, then what lies on top of the task's thread. */
static void tell_end(mg_runner *r, bool ok, int values)
{
    lua_State *L = r->script->L;
    int top = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->script->refs.finish);
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->task);
    lua_pushboolean(L, ok);
    if (values && lua_checkstack(L, values + 1))
        lua_xmove(r->co, L, values);
    else
        values = 0;
    if (lua_pcall(L, 2 + values, 0, 0) != 0)
        mg_error("script: the end of a task could not be told: %s", lua_tostring(L, -1));
    lua_settop(L, top);
}

static void give_back(mg_runner *r)
{
    mg_script *s = r->script;
    luaL_unref(s->L, LUA_REGISTRYINDEX, r->task);
    r->task = LUA_NOREF;
    r->slot = NULL;
    r->next_free = s->free_runner;
    s->free_runner = r;
    s->tasks--;
    if (mg_runner_on_task_over)
        mg_runner_on_task_over(s);
}

static void end_dropped(mg_runner *r)
{
    lua_settop(r->co, 0);
    lua_pushliteral(r->co, "task was cancelled");
    tell_end(r, false, 1);
    mg_runner_drop(r);
    give_back(r);
}

static void on_due(mg_later *l)
{
    mg_runner *r = MG_OWNER(l, mg_runner, later);
    int args = r->args;
    r->args = 0;
    switch (mg_runner_go(r, args)) {
    case MG_RUN_WAITS:
        if (r->cancelled && r->cancel_told)
            end_dropped(r); /* it was told to end, and waits once more */
        else if (r->ready)
            mg_later_do(&r->later);
        return;
    case MG_RUN_DONE:
        mg_timer_stop(&r->alarm);
        tell_end(r, true, lua_gettop(r->co));
        mg_runner_rest(r);
        break;
    case MG_RUN_ERROR:
        if (!r->cancel_told)
            mg_trouble_in_task(r);
        tell_end(r, false, 1);
        mg_runner_drop(r);
        break;
    }
    give_back(r);
}

void mg_runner_cancel(mg_runner *r)
{
    if (!r->is_task || !r->co)
        return;
    r->cancelled = true;
    mg_runner_wake(r);
}

void mg_runner_end_tasks(mg_script *s, bool at_once)
{
    for (uint32_t i = 0; i < s->runner_count; i++) {
        mg_runner *r = s->runners[i];
        if (!r->is_task || !r->co || r == mg_runner_current)
            continue;
        if (!at_once && r->waits) {
            mg_runner_cancel(r);
            continue;
        }
        end_dropped(r);
    }
}

void mg_runner_close(mg_script *s)
{
    for (uint32_t i = 0; i < s->runner_count; i++) {
        mg_runner *r = s->runners[i];
        mg_timer_stop(&r->alarm);
        mg_later_cancel(&r->later);
        if (r->is_task)
            mg_free(r);
    }
    mg_free(s->runners);
    mg_free(s->rest);
}
