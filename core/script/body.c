#include "script/body.h"

#include "exchange/filter.h"
#include "script/busy.h"
#include "script/hookset.h"
#include "script/slot.h"
#include "script/trouble.h"

enum { CHUNK_MOST = 64 * 1024 }; /* of one piece; what lies in several small ones is given in one */

/* What a hook does. */
typedef enum {
    NEW,
    RUNS,
    WAITS, /* for something of its own: a timer, a socket */
    TAKES, /* for a piece */
    PUTS,  /* until what it wrote has gone on */
    OVER
} state;

struct mg_body_stage {
    mg_runner runner;
    const mg_hook *hook;
    mg_body_stage *before, *after; /* NULL: the exchange's filter */
    mg_body_stage *next_all, *next_free;
    uint8_t state;
    bool wrote;                    /* something, since it was given a piece */
    int piece;                     /* what it wrote and nobody has used up, by reference; LUA_NOREF: nothing */
    size_t given;                  /* bytes that it was given and has not used up */
};

static mg_exchange *exchange_of(const mg_body_stage *s)
{
    return s->runner.slot->x;
}

static mg_flow flow_of(const mg_body_stage *s)
{
    return (mg_flow)s->runner.flow;
}

static mg_phase phase_of(mg_flow flow)
{
    return flow == MG_FLOW_DOWN ? MG_PHASE_RESPONSE_BODY : MG_PHASE_REQUEST_BODY;
}

/* ---- the row of hooks ---- */

static mg_body_stage *take_stage(mg_slot *slot, mg_flow flow, const mg_hook *h)
{
    mg_script *script = slot->script;
    mg_body_stage *s = script->free_stages;
    if (s) {
        script->free_stages = s->next_free;
    } else {
        s = mg_zalloc(sizeof *s);
        mg_runner_init(&s->runner, script);
        s->runner.is_body = true;
        s->next_all = script->stages;
        script->stages = s;
    }
    s->runner.flow = (uint8_t)flow;
    s->runner.slot = slot;
    s->runner.serial = slot->serial;
    s->hook = h;
    s->before = s->after = NULL;
    s->state = NEW;
    s->wrote = false;
    s->piece = LUA_NOREF;
    s->given = 0;
    return s;
}

static void drop_piece(mg_body_stage *s)
{
    luaL_unref(s->runner.script->L, LUA_REGISTRYINDEX, s->piece);
    s->piece = LUA_NOREF;
}

static void give_stage(mg_body_stage *s)
{
    mg_script *script = s->runner.script;
    mg_runner_drop(&s->runner);
    drop_piece(s);
    s->runner.slot = NULL;
    s->next_free = script->free_stages;
    script->free_stages = s;
}

static void begin(mg_slot *slot, mg_body *b, mg_flow flow)
{
    const mg_hookset *set = mg_hookset_of(slot->x);
    mg_phase phase = phase_of(flow);
    b->begun = true;
    for (uint32_t i = 0; i < set->count[phase]; i++) {
        mg_body_stage *s = take_stage(slot, flow, &set->at[phase][i]);
        s->before = b->last;
        if (b->last)
            b->last->after = s;
        b->last = s;
    }
}

void mg_body_end(mg_body *b)
{
    while (b->last) {
        mg_body_stage *s = b->last;
        b->last = s->before;
        give_stage(s);
    }
    b->begun = false;
}

void mg_body_close(mg_script *s)
{
    while (s->stages) {
        mg_body_stage *one = s->stages;
        s->stages = one->next_all;
        mg_free(one);
    }
}

/* ---- pieces ---- */

/* What the hook was given last is done with. */
static void use_up(mg_body_stage *s)
{
    if (!s->given)
        return;
    if (s->before)
        drop_piece(s->before);
    else
        mg_exchange_filter_took(exchange_of(s), flow_of(s), s->given);
    s->given = 0;
}

static void push_piece_of_filter(mg_body_stage *s, lua_State *L, mg_str piece)
{
    static char room[CHUNK_MOST];
    const mg_chain *in = &exchange_of(s)->filters[s->runner.flow]->in;
    if (piece.n < in->n && piece.n < CHUNK_MOST)
        piece = (mg_str){room, mg_chain_copy_out(in, room, sizeof room)};
    piece.n = MG_MIN(piece.n, (size_t)CHUNK_MOST);
    lua_pushlstring(L, piece.p, piece.n);
    s->given = piece.n;
}

/* The next piece for a hook, or nil behind the last. False: there is none yet. */
static bool push_piece(mg_body_stage *s, lua_State *L)
{
    const mg_body_stage *before = s->before;
    mg_str piece;
    mg_rc rc;
    if (before && before->piece != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, before->piece);
        s->given = lua_objlen(L, -1);
        return true;
    }
    if (before) {
        lua_pushnil(L);
        return before->state == OVER;
    }
    rc = mg_exchange_filter_take(exchange_of(s), flow_of(s), &piece);
    if (rc == MG_OK)
        push_piece_of_filter(s, L, piece);
    else
        lua_pushnil(L);
    return rc != MG_AGAIN;
}

static int refuse(lua_State *L, const char *format, const char *more)
{
    mg_trouble_where(L, lua_touserdata(L, lua_upvalueindex(1)));
    lua_pushfstring(L, format, more);
    lua_concat(L, 2);
    return lua_error(L);
}

/* The hook that runs, if it is one of a body. */
static mg_body_stage *stage_of(lua_State *L, const char *what)
{
    mg_runner *now = mg_runner_current;
    if (!now || !now->is_body)
        (void)refuse(L, "%s is for the body hook itself that was given it, not for tasks and other hooks", what);
    return MG_OWNER(now, mg_body_stage, runner);
}

/* chunk(): the next piece; nil behind the last; false: wait, then ask again. */
static int chunk(lua_State *L)
{
    mg_body_stage *s = stage_of(L, "chunks()");
    use_up(s);
    s->wrote = false;
    if (push_piece(s, L))
        return 1;
    s->state = TAKES;
    lua_pushboolean(L, false);
    return 1;
}

/* put(text): false: it is taken, but wait before going on. */
static int put(lua_State *L)
{
    mg_body_stage *s = stage_of(L, "write()");
    mg_str text;
    int type = lua_type(L, 1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        return refuse(L, "write takes a text, not a %s", luaL_typename(L, 1));
    text.p = lua_tolstring(L, 1, &text.n);
    bool goes_on = !text.n;
    if (!goes_on) {
        s->wrote = true;
        if (!s->after) {
            goes_on = mg_exchange_filter_write(exchange_of(s), flow_of(s), text) == MG_OK;
        } else {
            lua_settop(L, 1); /* a text by now, and not an empty one */
            s->piece = luaL_ref(L, LUA_REGISTRYINDEX);
        }
    }
    if (!goes_on)
        s->state = PUTS;
    lua_pushboolean(L, goes_on);
    return 1;
}

const luaL_Reg mg_body_functions[] = {{"chunk", chunk}, {"put", put}, {NULL, NULL}};

/* ---- whose turn it is ---- */

static bool has_piece(mg_body_stage *s)
{
    mg_str piece;
    if (s->before)
        return s->before->piece != LUA_NOREF || s->before->state == OVER;
    return mg_exchange_filter_take(exchange_of(s), flow_of(s), &piece) != MG_AGAIN;
}

/* The last hook, or the one that it waits for in the end. NULL: all wait for something from outside. */
static mg_body_stage *whose_turn(const mg_body *b)
{
    mg_body_stage *s = b->last;
    while (s->state == TAKES && !has_piece(s)) {
        s = s->before;
        if (!s)
            return NULL;
    }
    if (s->state == WAITS)
        return s->runner.ready ? s : NULL;
    if (s->state == PUTS && !s->after && !mg_exchange_filter_has_room(exchange_of(s), flow_of(s)))
        return NULL;
    return s;
}

/* ---- one hook ---- */

static int push_call(mg_body_stage *s)
{
    const mg_slot *slot = s->runner.slot;
    lua_State *co = s->runner.co;
    lua_rawgeti(co, LUA_REGISTRYINDEX, s->hook->fn);
    if (s->hook->self != LUA_NOREF)
        lua_rawgeti(co, LUA_REGISTRYINDEX, s->hook->self);
    lua_rawgeti(co, LUA_REGISTRYINDEX, slot->request);
    if (s->runner.flow == MG_FLOW_DOWN)
        lua_rawgeti(co, LUA_REGISTRYINDEX, slot->response);
    lua_rawgeti(co, LUA_REGISTRYINDEX, slot->script->refs.chunks);
    lua_rawgeti(co, LUA_REGISTRYINDEX, slot->script->refs.write);
    return lua_gettop(co) - 1;
}

static mg_run resume(mg_body_stage *s)
{
    int args = 0;
    if (s->state == NEW) {
        mg_runner_begin(&s->runner, s->runner.script->L);
        args = push_call(s);
    }
    s->state = RUNS;
    mg_busy_begin(exchange_of(s), s->hook->busy);
    mg_run outcome = mg_runner_go(&s->runner, args);
    mg_busy_end();
    return outcome;
}

/* The hook has returned. False: something that it may not. */
static bool finish(mg_body_stage *s)
{
    bool fine = lua_gettop(s->runner.co) == 0 || lua_isnil(s->runner.co, 1);
    if (!fine)
        mg_trouble_in_answer(&s->runner, s->hook->policy, phase_of(flow_of(s)), s->hook->fn,
                             "a body hook returns nothing: what is to be sent is given to write()");
    mg_timer_stop(&s->runner.alarm);
    mg_runner_rest(&s->runner);
    s->state = OVER;
    return fine;
}

/* What was written for a hook that is gone, and nobody comes behind it: on to the filter. */
static void hand_on(mg_body_stage *s)
{
    lua_State *L = s->runner.script->L;
    mg_str text;
    if (s->piece == LUA_NOREF)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->piece);
    text.p = lua_tolstring(L, -1, &text.n);
    if (mg_exchange_filter_write(exchange_of(s), flow_of(s), text) == MG_AGAIN)
        s->state = PUTS; /* as it does already */
    lua_pop(L, 1);
    drop_piece(s);
}

/* A hook that failed and may: the others go on without it. */
static void take_out(mg_body *b, mg_body_stage *s)
{
    if (s->wrote)
        use_up(s);
    if (s->before)
        s->before->after = s->after;
    if (s->after)
        s->after->before = s->before;
    else
        b->last = s->before;
    if (!s->after && s->before)
        hand_on(s->before);
    give_stage(s);
}

/* False: the body has failed. */
static bool step(mg_body *b, mg_body_stage *s)
{
    bool fine = true;
    switch (resume(s)) {
    case MG_RUN_WAITS:
        if (s->state == RUNS)
            s->state = WAITS;
        return true;
    case MG_RUN_DONE:
        fine = finish(s);
        break;
    case MG_RUN_ERROR:
        mg_trouble_in_hook(&s->runner, s->hook->policy, phase_of(flow_of(s)));
        mg_runner_drop(&s->runner);
        fine = false;
        break;
    }
    if (!fine && s->hook->open)
        take_out(b, s);
    return fine || s->hook->open;
}

/* No hook is left: the rest goes through as it is. */
static mg_hook_result pass(mg_exchange *x, mg_flow flow)
{
    mg_str piece;
    mg_rc rc = mg_exchange_filter_has_room(x, flow) ? MG_OK : MG_AGAIN;
    while (rc == MG_OK) {
        rc = mg_exchange_filter_take(x, flow, &piece);
        if (rc != MG_OK)
            break;
        rc = mg_exchange_filter_write(x, flow, piece);
        mg_exchange_filter_took(x, flow, piece.n);
    }
    return rc == MG_EOF ? MG_HOOK_DONE : MG_HOOK_WAIT;
}

mg_hook_result mg_body_filter(mg_exchange *x, mg_flow flow)
{
    mg_slot *slot = mg_slot_of(x);
    mg_body *b = &slot->bodies[flow];
    if (!b->begun)
        begin(slot, b, flow);
    while (b->last && b->last->state != OVER) {
        mg_body_stage *s = whose_turn(b);
        if (!s)
            return MG_HOOK_WAIT;
        if (!step(b, s)) {
            mg_body_end(b);
            return MG_HOOK_FAILED;
        }
    }
    if (!b->last)
        return pass(x, flow);
    mg_body_end(b);
    b->begun = true;
    return MG_HOOK_DONE;
}
