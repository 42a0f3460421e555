#include "script/hooks.h"

#include "exchange/access_log.h"
#include "script/answer.h"
#include "script/body.h"
#include "script/busy.h"
#include "script/hookset.h"
#include "script/slot.h"
#include "script/trouble.h"

#include <lauxlib.h>
#include <stdio.h>

/* ---- one hook ---- */

static void push_failure(lua_State *L, const mg_exchange *x)
{
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, x->failure.status);
    lua_setfield(L, -2, "status");
    lua_pushstring(L, x->failure.error);
    lua_setfield(L, -2, "error");
    lua_pushstring(L, x->failure.detail);
    lua_setfield(L, -2, "detail");
}

static int push_call(mg_slot *slot, const mg_hook *h)
{
    lua_State *co = slot->runner.co;
    int args = 1;
    lua_rawgeti(co, LUA_REGISTRYINDEX, h->fn);
    if (h->self != LUA_NOREF) {
        lua_rawgeti(co, LUA_REGISTRYINDEX, h->self);
        args++;
    }
    lua_rawgeti(co, LUA_REGISTRYINDEX, slot->request);
    switch (slot->phase) {
    case MG_PHASE_UPSTREAM_RESPONSE:
    case MG_PHASE_RESPONSE:
    case MG_PHASE_LOG:
        lua_rawgeti(co, LUA_REGISTRYINDEX, slot->response);
        return args + 1;
    case MG_PHASE_FAILED:
        push_failure(co, slot->x);
        return args + 1;
    default:
        return args;
    }
}

static mg_run run_hook(mg_slot *slot, const mg_hook *h, bool begin)
{
    int args = 0;
    if (begin) {
        mg_runner_begin(&slot->runner, slot->script->L);
        args = push_call(slot, h);
    }
    mg_busy_begin(slot->x, h->busy);
    mg_run outcome = mg_runner_go(&slot->runner, args);
    mg_busy_end();
    return outcome;
}

/* ---- what it returned ---- */

/* DONE: nothing that ends the phase. */
static mg_hook_result take_answer(mg_slot *slot, const mg_hook *h)
{
    const char *wrong;
    lua_settop(slot->runner.co, 1);
    if (mg_answer_give(slot, &wrong)) {
        slot->pulled_from = h->policy;
        return MG_HOOK_ANSWER;
    }
    mg_trouble_in_answer(&slot->runner, h->policy, slot->phase, h->fn, wrong);
    return MG_HOOK_FAILED;
}

static mg_hook_result take_result(mg_slot *slot, const mg_hook *h)
{
    lua_State *co = slot->runner.co;
    bool nothing = lua_gettop(co) == 0 || lua_isnil(co, 1);
    switch (slot->phase) {
    case MG_PHASE_WHEN:
        return !nothing && lua_toboolean(co, 1) ? MG_HOOK_DONE : MG_HOOK_ANSWER;
    case MG_PHASE_LOG:
        if (h->writes_line && !nothing && lua_isstring(co, 1)) {
            mg_str line;
            line.p = lua_tolstring(co, 1, &line.n);
            mg_access_log_write(slot->x->gen->access_log, line);
        }
        return MG_HOOK_DONE;
    case MG_PHASE_HANDLER:
        if (!nothing)
            return take_answer(slot, h);
        mg_trouble_in_answer(&slot->runner, h->policy, slot->phase, h->fn, "a handler must return an answer; this one returned nothing");
        return MG_HOOK_FAILED;
    default:
        return nothing ? MG_HOOK_DONE : take_answer(slot, h);
    }
}

/* ---- the phase ---- */

static mg_hook_result finish_hook(mg_slot *slot, const mg_hook *h, mg_run outcome)
{
    if (outcome == MG_RUN_ERROR) {
        mg_trouble_in_hook(&slot->runner, h->policy, slot->phase);
        mg_runner_drop(&slot->runner);
        return h->open ? MG_HOOK_DONE : MG_HOOK_FAILED;
    }
    mg_hook_result result = take_result(slot, h);
    mg_timer_stop(&slot->runner.alarm);
    mg_runner_rest(&slot->runner);
    return result == MG_HOOK_FAILED && h->open ? MG_HOOK_DONE : result;
}

/* Whether what the hook waits for may be there. */
static bool may_go_on(mg_slot *slot)
{
    return slot->runner.ready || slot->waits_body;
}

static mg_hook_result run_phase(mg_slot *slot, bool begin)
{
    const mg_hookset *set = slot->set;
    for (; slot->hook < set->count[slot->phase]; slot->hook++, begin = true) {
        const mg_hook *h = &set->at[slot->phase][slot->hook];
        mg_run outcome = run_hook(slot, h, begin);
        if (outcome == MG_RUN_WAITS) {
            if (slot->runner.ready) /* woken while it ran */
                mg_exchange_wake(slot->x);
            return MG_HOOK_WAIT;
        }
        mg_hook_result result = finish_hook(slot, h, outcome);
        if (result != MG_HOOK_DONE)
            return result;
    }
    return MG_HOOK_DONE;
}

static mg_hook_result run(mg_exchange *x, mg_phase phase)
{
    mg_slot *slot = mg_slot_of(x);
    if (slot->runner.co && slot->phase == phase)
        return may_go_on(slot) ? run_phase(slot, false) : MG_HOOK_WAIT;
    mg_runner_drop(&slot->runner); /* an earlier phase was given up while it waited */
    slot->waits_body = false;
    slot->phase = phase;
    slot->set = mg_hookset_of(x); /* that counts for all of the phase, even if a hook changes the host */
    slot->hook = 0;
    return run_phase(slot, true);
}

/* ---- bodies that a function gives ---- */

static mg_hook_result take_piece(mg_slot *slot)
{
    lua_State *co = slot->runner.co;
    if (lua_gettop(co) == 0 || lua_isnil(co, 1)) {
        luaL_unref(co, LUA_REGISTRYINDEX, slot->pull);
        slot->pull = LUA_NOREF;
        return MG_HOOK_DONE;
    }
    if (!lua_isstring(co, 1)) {
        char what[96];
        snprintf(what, sizeof what, "a body's function must return a text or nil, not a %s", luaL_typename(co, 1));
        mg_trouble_in_answer(&slot->runner, slot->pulled_from, slot->phase, slot->pull, what);
        return MG_HOOK_FAILED;
    }
    mg_str piece;
    piece.p = lua_tolstring(co, 1, &piece.n);
    mg_exchange_answer_body(slot->x, piece);
    return MG_HOOK_ANSWER;
}

static mg_hook_result pull(mg_exchange *x)
{
    mg_slot *slot = x->script;
    if (!slot || slot->pull == LUA_NOREF)
        return MG_HOOK_DONE;
    if (slot->runner.co && !may_go_on(slot))
        return MG_HOOK_WAIT;
    if (!slot->runner.co) {
        mg_runner_begin(&slot->runner, slot->script->L);
        lua_rawgeti(slot->runner.co, LUA_REGISTRYINDEX, slot->pull);
    }
    mg_busy_begin(x, MG_STR("answer's body "));
    mg_run outcome = mg_runner_go(&slot->runner, 0);
    mg_busy_end();
    if (outcome == MG_RUN_WAITS) {
        if (slot->runner.ready)
            mg_exchange_wake(x);
        return MG_HOOK_WAIT;
    }
    if (outcome == MG_RUN_ERROR) {
        mg_trouble_in_hook(&slot->runner, slot->pulled_from, slot->phase);
        mg_runner_drop(&slot->runner);
        return MG_HOOK_FAILED;
    }
    mg_hook_result result = take_piece(slot);
    mg_runner_rest(&slot->runner);
    return result;
}

static void end(mg_exchange *x)
{
    mg_slot *slot = x->script;
    if (!slot)
        return;
    x->script = NULL;
    mg_slot_release(slot);
}

const mg_hooks mg_hooks_of_scripts = {.run = run, .pull = pull, .filter = mg_body_filter, .end = end};
