#include "script/script.h"

#include "base/log.h"
#include "script/bind.h"
#include "script/build.h"
#include "script/collector.h"
#include "script/hooks.h"
#include "script/hookset.h"
#include "script/plan_read.h"
#include "script/slot.h"
#include "script/trouble.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>

enum {
    STOP_MS = 5000, /* how long stop() may wait */
    MS = 1000000    /* in nanoseconds */
};

static uint32_t stopping;

/* ---- the state ---- */

static int on_panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    mg_error("script: error outside of any protection: %s", text ? text : "(no text)");
    mg_log_flush();
    return 0;
}

static void on_task_over(mg_script *s);

static void on_over(mg_budget *b, lua_State *L, const char *why)
{
    mg_trouble_keep(MG_OWNER(b, mg_script, budget), L, why);
}

static void collect(mg_budget *b)
{
    mg_script *s = MG_OWNER(b, mg_script, budget);
    if (s->gen->worker_stats)
        s->gen->worker_stats->script_collections++;
    mg_collector_all(s);
}

/* LuaJIT tells listeners of the recorder even where that overflows the stack, and then forgets which trace it
 * was: the dozenth time it crashes. So nobody listens while a stack is deep (lua/moongate/internal/dual.lua). */
static void on_deep(mg_budget *b, lua_State *L, bool deep)
{
    const mg_script *s = MG_OWNER(b, mg_script, budget);
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->refs.on_deep);
    if (lua_isfunction(L, -1)) {
        lua_pushboolean(L, deep);
        if (lua_pcall(L, 1, 0, 0) == 0)
            return;
    }
    lua_pop(L, 1);
}

static const mg_budget_owner budget_owner = {.on_over = on_over, .collect = collect, .on_deep = on_deep};

static mg_script *open_state(mg_generation *g, const char *library)
{
    mg_script *s = mg_zalloc(sizeof *s);
    mg_list_init(&s->link);
    s->gen = g;
    s->library = mg_strdup(library);
    s->L = luaL_newstate();
    MG_BUG_UNLESS(s->L);
    s->cpu_ns.hook = 50 * MS;
    s->cpu_ns.task = 500 * MS;
    s->cpu_ns.setup = (int64_t)10000 * MS;
    s->refs.on_deep = LUA_NOREF;
    mg_budget_open(&s->budget, s->L, &budget_owner);
    lua_atpanic(s->L, on_panic);
    mg_collector_add(s);
    mg_runner_on_task_over = on_task_over;
    return s;
}

static void close_state(mg_script *s)
{
    mg_collector_remove(s);
    mg_timer_stop(&s->stop_limit);
    mg_runner_close(s);
    mg_budget_close(&s->budget);
    lua_close(s->L);
    mg_slot_close(s);
    mg_body_close(s);
    mg_dicts_free(s->own_dicts);
    mg_free(s->library);
    mg_free(s->folder);
    mg_free(s);
}

static void on_free(mg_generation *g)
{
    mg_script *s = g->script;
    g->script = NULL;
    if (s)
        close_state(s);
}

/* ---- loading ---- */

typedef struct {
    mg_script *script;
    const mg_script_source *source;
    mg_plan *plan;
    bool wanted; /* a generation, not only the plan */
    int mistakes;
} loading;

static void tell(const mg_script_source *source, const char *line)
{
    if (source->tell)
        source->tell(source->tell_arg, line);
}

/* The mistakes that boot.lua found: a list of lines on top of the stack. */
static void tell_all(lua_State *L, loading *l)
{
    int count = (int)lua_objlen(L, -1);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        tell(l->source, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    l->mistakes += MG_MAX(count, 1);
}

static int take_function(lua_State *L, int table, const char *key)
{
    lua_getfield(L, table, key);
    MG_BUG_UNLESS(lua_isfunction(L, -1));
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* The result of boot.lua, a table on top: builds what was asked for. */
static void build(lua_State *L, loading *l)
{
    mg_script *s = l->script;
    int booted = lua_gettop(L);
    lua_getfield(L, booted, "plan");
    int plan = lua_gettop(L);
    lua_getfield(L, booted, "sets");
    mg_hookset_read(s, lua_gettop(L));
    l->mistakes += mg_build_generation(s, plan, l->source);
    if (l->plan)
        mg_plan_read_table(L, plan, l->source->config, l->plan);
    s->refs.new_request = take_function(L, booted, "new_request");
    s->refs.chunks = take_function(L, booted, "chunks");
    s->refs.write = take_function(L, booted, "write");
    s->refs.finish = take_function(L, booted, "finish_task");
    s->refs.start = take_function(L, booted, "start");
    s->refs.stop = take_function(L, booted, "stop");
    lua_getfield(L, booted, "has_scripts");
    if (lua_toboolean(L, -1))
        s->gen->hooks = &mg_hooks_of_scripts;
    lua_settop(L, booted);
}

/* Where an error while loading stood, with its trace. */
static int describe_error(lua_State *L)
{
    mg_script *s = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, 1);
    mg_trouble_describe(L, L, s);
    return 1;
}

static void push_loader(lua_State *L, const mg_script_source *source)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/moongate/boot.lua", source->library);
    if (luaL_loadfile(L, path) != 0)
        lua_error(L);
    lua_call(L, 0, 1); /* the module: a function */
}

static int load_protected(lua_State *L)
{
    loading *l = lua_touserdata(L, 1);
    lua_settop(L, 0);
    luaL_openlibs(L);
    mg_budget_opened_libraries(&l->script->budget);
    push_loader(L, l->source);
    mg_bind_push(L, l->script);
    lua_pushstring(L, l->source->library);
    lua_pushstring(L, l->source->config);
    lua_call(L, 3, 2); /* what was booted, or nil and the list of mistakes */
    if (lua_istable(L, 1)) {
        lua_settop(L, 1);
        build(L, l);
    } else {
        tell_all(L, l);
    }
    return 0;
}

static mg_rc load_state(loading *l)
{
    lua_State *L = l->script->L;
    lua_pushlightuserdata(L, l->script);
    lua_pushcclosure(L, describe_error, 1);
    lua_pushcfunction(L, load_protected);
    lua_pushlightuserdata(L, l);
    mg_budget_enter(&l->script->budget, l->script->cpu_ns.setup);
    int rc = lua_pcall(L, 1, 0, 1);
    (void)mg_budget_leave(&l->script->budget);
    if (rc != 0) {
        const char *text = mg_budget_has_ended_entry() ? mg_trouble_kept() : lua_tostring(L, -1);
        tell(l->source, text ? text : "out of memory");
        l->mistakes++;
    }
    lua_settop(L, 0);
    return l->mistakes ? MG_FAIL : MG_OK;
}

mg_rc mg_script_load(const mg_script_source *source, mg_generation **out, mg_plan *plan)
{
    mg_generation *g = mg_generation_new(source->generation);
    mg_script *s = open_state(g, source->library);
    s->dicts = source->dicts;
    g->script = s;
    g->on_free = on_free;
    loading l = {.script = s, .source = source, .plan = plan, .wanted = out != NULL};
    if (load_state(&l) != MG_OK || !out) {
        mg_generation_drop(g);
        return l.mistakes ? MG_FAIL : MG_OK;
    }
    if (g->hooks) {
        mg_collector_pin(s);
        mg_collector_settle(s);
    } else { /* nothing of it will ever run */
        on_free(g);
        g->on_free = NULL;
    }
    *out = g;
    return MG_OK;
}

/* ---- start and stop ---- */

/* A task that runs a function of boot.lua, which in turn runs a method of every policy. */
static void spawn(mg_script *s, int ref)
{
    lua_newtable(s->L); /* the task's object: nobody waits for it */
    lua_rawgeti(s->L, LUA_REGISTRYINDEX, ref);
    mg_runner_spawn(s, s->L, 0);
}

void mg_script_start(mg_generation *g)
{
    mg_script *s = g->script;
    if (!s || s->started || !g->hooks)
        return;
    s->started = true;
    spawn(s, s->refs.start);
}

static void on_stop_limit(mg_timer *t)
{
    mg_script *s = MG_OWNER(t, mg_script, stop_limit);
    mg_warn("script: generation %u: stop() took more than %d s and was given up", s->gen->id, STOP_MS / 1000);
    mg_runner_end_tasks(s, true);
}

static void on_task_over(mg_script *s)
{
    if (!s->stopping || s->tasks || s->stopped)
        return;
    s->stopped = true;
    mg_timer_stop(&s->stop_limit);
    mg_later_do(&s->let_go); /* not here: the state is in use */
}

static void on_let_go(mg_later *l)
{
    mg_script *s = MG_OWNER(l, mg_script, let_go);
    stopping--;
    mg_generation_drop(s->gen);
}

void mg_script_stop(mg_generation *g)
{
    mg_script *s = g->script;
    if (!s || s->stopping || !s->started)
        return;
    mg_runner_end_tasks(s, false);
    s->stopping = true;
    stopping++;
    mg_generation_hold(g);
    mg_later_init(&s->let_go, on_let_go);
    mg_timer_init(&s->stop_limit, on_stop_limit);
    mg_timer_start(&s->stop_limit, STOP_MS);
    spawn(s, s->refs.stop);
}

uint32_t mg_script_stopping(void)
{
    return stopping;
}

/* ---- the rest ---- */

void mg_script_idle(void *arg)
{
    (void)arg;
    mg_collector_idle();
}

const char *mg_script_policy(const mg_generation *g, const mg_route *route, mg_phase phase, uint32_t index)
{
    const mg_script *s = g->script;
    const mg_hookset *set = s ? &s->sets[route->script] : NULL;
    return set && index < set->count[phase] ? set->at[phase][index].policy : NULL;
}

size_t mg_script_heap_bytes(const mg_generation *g)
{
    const mg_script *s = g->script;
    return s ? (size_t)lua_gc(s->L, LUA_GCCOUNT, 0) * 1024 : 0;
}
