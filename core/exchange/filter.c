#include "exchange/filter.h"

#include "exchange/inside.h"

enum { TURNS = 16 }; /* rounds in a row before others have their turn */

bool mg_exchange_has_filter(const mg_exchange *x, mg_flow flow)
{
    return x->route->hooks >> (flow == MG_FLOW_DOWN ? MG_PHASE_RESPONSE_BODY : MG_PHASE_REQUEST_BODY) & 1;
}

static void on_turn(mg_timer *t)
{
    mg_exchange_drive(MG_OWNER(t, mg_filter, turn)->exchange);
}

static mg_filter *open_filter(mg_exchange *x, mg_flow flow)
{
    mg_filter *f = mg_arena_try(x->arena, sizeof *f);
    if (!f)
        return NULL;
    *f = (mg_filter){.exchange = x};
    mg_timer_init(&f->turn, on_turn);
    x->filters[flow] = f;
    return f;
}

static void close_filter(mg_exchange *x, mg_flow flow)
{
    mg_filter *f = x->filters[flow];
    if (!f)
        return;
    mg_timer_stop(&f->turn);
    mg_chain_fini(&f->in);
    mg_chain_fini(&f->out);
    x->filters[flow] = NULL;
}

void mg_exchange_close_filters(mg_exchange *x)
{
    close_filter(x, MG_FLOW_DOWN);
    close_filter(x, MG_FLOW_UP);
}

bool mg_exchange_filter_is_at_work(const mg_exchange *x)
{
    for (int flow = 0; flow < 2; flow++) {
        const mg_filter *f = x->filters[flow];
        bool up_over = flow == MG_FLOW_UP && (x->up_done || x->up_given_up || !x->origin);
        if (f && f->begun && !f->done && !f->wants_in && !f->wants_room && !up_over)
            return true;
    }
    return false;
}

void mg_exchange_filter_fields(mg_fields *f)
{
    static const char *const untrue[] = {"content-md5", "digest", "content-digest", "repr-digest", "accept-ranges"};
    mg_fields_remove(f, MG_FIELD_CONTENT_LENGTH, mg_field_name(MG_FIELD_CONTENT_LENGTH));
    for (size_t i = 0; i < MG_COUNT(untrue); i++)
        mg_fields_remove(f, MG_FIELD_OTHER, mg_str_of(untrue[i]));
    mg_field *etag = mg_fields_find(f, MG_FIELD_ETAG);
    if (etag && !mg_str_starts(etag->value, MG_STR("W/"))) {
        char *weak = mg_arena_try(f->arena, etag->value.n + 2);
        if (!weak) {
            etag->flags |= MG_FIELD_GONE;
            return;
        }
        memcpy(weak, "W/", 2);
        memcpy(weak + 2, etag->value.p, etag->value.n);
        etag->value = (mg_str){weak, etag->value.n + 2};
    }
}

/* ---- what the script asks for ---- */

static mg_side *reader(const mg_exchange *x, mg_flow flow)
{
    return flow == MG_FLOW_DOWN ? x->client : x->origin;
}

static bool is_read(const mg_exchange *x, mg_flow flow)
{
    const mg_side *to = reader(x, flow);
    return to && to->sent != MG_SENT_BROKEN;
}

mg_rc mg_exchange_filter_take(mg_exchange *x, mg_flow flow, mg_str *piece)
{
    mg_filter *f = x->filters[flow];
    for (const mg_slice *s = f->in.first; s; s = s->next)
        if (s->n) {
            *piece = (mg_str){s->p, s->n};
            return MG_OK;
        }
    if (f->in_ended)
        return MG_EOF;
    f->wants_in = true;
    return MG_AGAIN;
}

void mg_exchange_filter_took(mg_exchange *x, mg_flow flow, size_t n)
{
    mg_chain_eat(&x->filters[flow]->in, n);
}

bool mg_exchange_filter_has_room(mg_exchange *x, mg_flow flow)
{
    mg_filter *f = x->filters[flow];
    if (is_read(x, flow) && f->out.n < x->gen->limits.buffer)
        return true;
    f->wants_room = true;
    return false;
}

mg_rc mg_exchange_filter_write(mg_exchange *x, mg_flow flow, mg_str bytes)
{
    if (is_read(x, flow))
        mg_chain_add_copy(&x->filters[flow]->out, bytes);
    return mg_exchange_filter_has_room(x, flow) ? MG_OK : MG_AGAIN;
}

void mg_exchange_filter_wake(mg_exchange *x, mg_flow flow)
{
    x->filters[flow]->ready = true;
    mg_later_do(&x->wake_filter);
}

/* ---- the hook runs ---- */

static bool may_run(const mg_exchange *x, mg_flow flow)
{
    const mg_filter *f = x->filters[flow];
    if (f->done || !is_read(x, flow))
        return false;
    if (!f->begun || f->ready)
        return true;
    if (f->wants_in)
        return f->in.n || f->in_ended;
    return f->wants_room && f->out.n < x->gen->limits.buffer;
}

/* Only behind its head. Bytes that have left for an origin cannot be sent to another one. */
static void give(mg_exchange *x, mg_flow flow)
{
    mg_filter *f = x->filters[flow];
    mg_side *to = reader(x, flow);
    size_t n = to->sent == MG_SENT_HEAD ? MG_MIN(f->out.n, mg_side_room(to)) : 0;
    if (!n)
        return;
    to->ops->send_body(to, &f->out, n);
    x->body_sent_up |= flow == MG_FLOW_UP;
}

static void fail(mg_exchange *x, mg_flow flow)
{
    if (x->worker_stats)
        x->worker_stats->script_errors++;
    close_filter(x, flow);
    if (x->client->sent != MG_SENT_NOTHING || x->stage == MG_STAGE_FAILED) {
        mg_exchange_cut(x, MG_END_SCRIPT);
        return;
    }
    mg_exchange_end_hook(x);
    mg_exchange_fail(x, 500, MG_END_SCRIPT, "proxy_internal_error", "a body hook failed");
    mg_exchange_drop_origin(x, false);
}

/* False: the hook failed and the exchange has been told. */
static bool run(mg_exchange *x, mg_flow flow)
{
    mg_filter *f = x->filters[flow];
    while (may_run(x, flow)) {
        f->begun = true;
        f->ready = f->wants_in = f->wants_room = false;
        mg_hook_result r = x->gen->hooks->filter(x, flow);
        if (r == MG_HOOK_FAILED) {
            fail(x, flow);
            return false;
        }
        f->done = r == MG_HOOK_DONE;
        give(x, flow);
    }
    return true;
}

/* ---- what it takes ---- */

static void feed(mg_exchange *x, mg_filter *f, mg_chain *from)
{
    size_t room = f->in.n < x->gen->limits.buffer ? x->gen->limits.buffer - f->in.n : 0;
    mg_chain_move_some(&f->in, from, MG_MIN(from->n, room));
}

/* A body that a script has had collected stays what it is: req:body() may be asked for again. */
static void feed_held(mg_exchange *x, mg_filter *f)
{
    if (f->held_given)
        return;
    f->held_given = true;
    for (const mg_slice *s = x->held.first; s; s = s->next)
        mg_chain_add_block(&f->in, s->block, s->p, s->n);
}

static void feed_up(mg_exchange *x)
{
    mg_filter *f = x->filters[MG_FLOW_UP];
    mg_side *c = x->client;
    feed_held(x, f);
    feed(x, f, &c->in);
    mg_side_took(c);
    f->in_ended = c->got == MG_GOT_ALL && !c->in.n;
}

static void feed_down(mg_exchange *x)
{
    mg_filter *f = x->filters[MG_FLOW_DOWN];
    mg_side *o = x->origin;
    if (x->res_from_origin) {
        feed(x, f, &x->answer.body); /* what a script has had collected goes first */
        if (!x->answer.body.n)
            feed(x, f, &o->in);
        mg_side_took(o);
        f->in_ended = o->got == MG_GOT_ALL && !o->in.n && !x->answer.body.n;
    } else {
        feed(x, f, &x->answer.body);
        f->in_ended = x->answer.whole && !x->answer.body.n;
    }
}

/* Trailers can only be sent behind a body that has not been given up before its end. */
static const mg_fields *trailers(const mg_exchange *x, mg_flow flow)
{
    if (!x->filters[flow]->in_ended)
        return NULL;
    if (flow == MG_FLOW_UP)
        return x->client->trailers;
    return x->res_from_origin ? x->origin->trailers : NULL;
}

mg_rc mg_exchange_begin_filter(mg_exchange *x, mg_flow flow, int64_t *length)
{
    mg_filter *f = x->filters[flow] ? x->filters[flow] : open_filter(x, flow); /* another try goes on with it */
    *length = -1;
    if (!f) {
        fail(x, flow);
        return MG_FAIL;
    }
    if (flow == MG_FLOW_UP)
        feed_up(x);
    else
        feed_down(x);
    if (!run(x, flow))
        return MG_FAIL;
    if (f->done && !trailers(x, flow))
        *length = (int64_t)f->out.n;
    return MG_OK;
}

/* ---- the pumps ---- */

/* The hook may go on at once: what it wrote has left, or there is more for it. */
static bool goes_on(const mg_exchange *x, mg_flow flow, size_t left)
{
    const mg_filter *f = x->filters[flow];
    const mg_side *to = reader(x, flow);
    if (to->sent == MG_SENT_BROKEN)
        return false;
    return (f->out.n && mg_side_room(to)) || (f->wants_in && left);
}

/* More of an answer that a script gives piece by piece. True: there is some. */
static bool pull_more(mg_exchange *x)
{
    const mg_filter *f = x->filters[MG_FLOW_DOWN];
    if (x->res_from_origin || !f->wants_in || x->answer.body.n || x->answer.whole)
        return false;
    mg_side_flush(x->client);
    mg_exchange_pull_answer(x);
    return x->stage == MG_STAGE_RELAY && (x->answer.body.n || x->answer.whole);
}

static bool origin_broke(mg_exchange *x)
{
    const mg_side *o = x->origin;
    if (!x->res_from_origin || o->got != MG_GOT_BROKEN || o->in.n || x->answer.body.n)
        return false;
    mg_exchange_cut(x, o->broke == MG_BROKE_SYNTAX ? MG_END_ORIGIN_BAD : MG_END_ORIGIN_TRUNCATED);
    return true;
}

void mg_exchange_filter_down(mg_exchange *x)
{
    mg_filter *f = x->filters[MG_FLOW_DOWN];
    mg_side *c = x->client;
    for (int turn = 0; turn < TURNS; turn++) {
        feed_down(x);
        give(x, MG_FLOW_DOWN);
        if (!run(x, MG_FLOW_DOWN))
            return;
        if (f->done && !f->out.n) {
            c->ops->send_end(c, trailers(x, MG_FLOW_DOWN));
            x->down_done = true;
            return;
        }
        if (!f->done && origin_broke(x))
            return;
        if (f->out.n)
            mg_side_flush(c);
        bool more = pull_more(x);
        if (x->stage != MG_STAGE_RELAY)
            return;
        if (!more && !goes_on(x, MG_FLOW_DOWN, x->answer.body.n + (x->res_from_origin ? x->origin->in.n : 0)))
            return;
    }
    mg_timer_start(&f->turn, 0);
}

/* All that the hook wrote is on its way, and what it did not take is of no use to anybody. */
static void finish_up(mg_exchange *x, const mg_filter *f)
{
    x->origin->ops->send_end(x->origin, trailers(x, MG_FLOW_UP));
    if (f->in_ended)
        x->up_done = true;
    else
        x->up_given_up = true;
}

void mg_exchange_filter_up(mg_exchange *x)
{
    mg_filter *f = x->filters[MG_FLOW_UP];
    mg_side *o = x->origin;
    for (int turn = 0; turn < TURNS; turn++) {
        feed_up(x);
        give(x, MG_FLOW_UP);
        if (!run(x, MG_FLOW_UP))
            return;
        if (f->done && !f->out.n) {
            finish_up(x, f);
            return;
        }
        if (f->out.n)
            mg_side_flush(o);
        if (!goes_on(x, MG_FLOW_UP, x->client->in.n))
            return;
    }
    mg_timer_start(&f->turn, 0);
}
