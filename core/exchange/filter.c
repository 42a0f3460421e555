#include "exchange/filter.h"

#include "exchange/inside.h"

static bool has_hooks(const mg_exchange *x, mg_flow flow)
{
    return x->route->hooks >> (flow == MG_FLOW_DOWN ? MG_PHASE_RESPONSE_BODY : MG_PHASE_REQUEST_BODY) & 1;
}

mg_filter *mg_exchange_open_filter(mg_exchange *x, mg_flow flow)
{
    if (!has_hooks(x, flow) || x->filters[flow])
        return x->filters[flow];
    mg_filter *f = mg_arena_try(x->arena, sizeof *f);
    if (f) {
        memset(f, 0, sizeof *f);
        x->filters[flow] = f;
    }
    return f;
}

void mg_exchange_close_filters(mg_exchange *x)
{
    for (int i = 0; i < 2; i++)
        if (x->filters[i]) {
            mg_chain_fini(&x->filters[i]->in);
            mg_chain_fini(&x->filters[i]->out);
            x->filters[i] = NULL;
        }
}

bool mg_exchange_filter_is_at_work(const mg_exchange *x)
{
    for (int i = 0; i < 2; i++) {
        const mg_filter *f = x->filters[i];
        if (f && f->begun && !f->done && !f->wants_in && !f->wants_room)
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

mg_rc mg_exchange_filter_write(mg_exchange *x, mg_flow flow, mg_str bytes)
{
    mg_filter *f = x->filters[flow];
    const mg_side *to = flow == MG_FLOW_DOWN ? x->client : x->origin;
    if (!to || to->sent == MG_SENT_BROKEN)
        return MG_GONE;
    mg_chain_add_copy(&f->out, bytes);
    if (f->out.n < x->gen->limits.buffer)
        return MG_OK;
    f->wants_room = true;
    return MG_AGAIN;
}

void mg_exchange_filter_wake(mg_exchange *x, mg_flow flow)
{
    x->filters[flow]->ready = true;
    mg_later_do(&x->wake_filter);
}

/* ---- the pump ---- */

static bool may_run(const mg_exchange *x, const mg_filter *f)
{
    if (f->done)
        return false;
    if (!f->begun || f->ready)
        return true;
    if (f->wants_in)
        return f->in.n || f->in_ended;
    return f->wants_room && f->out.n < x->gen->limits.buffer;
}

static void give(mg_filter *f, mg_side *to)
{
    size_t n = MG_MIN(f->out.n, mg_side_room(to));
    if (n)
        to->ops->send_body(to, &f->out, n);
}

/* False: the hook failed and the exchange has been told. */
static bool run(mg_exchange *x, mg_flow flow, mg_side *to)
{
    mg_filter *f = x->filters[flow];
    while (may_run(x, f)) {
        f->begun = true;
        f->ready = f->wants_in = f->wants_room = false;
        mg_hook_result r = x->gen->hooks->filter(x, flow);
        if (r == MG_HOOK_FAILED) {
            if (flow == MG_FLOW_UP && x->client->sent == MG_SENT_NOTHING && x->stage < MG_STAGE_FAILED) {
                mg_exchange_fail(x, 500, MG_END_SCRIPT, "proxy_internal_error", "a body hook failed");
                mg_exchange_drop_origin(x, false);
            } else {
                mg_exchange_cut(x, MG_END_SCRIPT);
            }
            return false;
        }
        if (r == MG_HOOK_DONE)
            f->done = true;
        give(f, to);
    }
    return true;
}

static void feed(mg_exchange *x, mg_filter *f, mg_chain *from)
{
    size_t room = f->in.n < x->gen->limits.buffer ? x->gen->limits.buffer - f->in.n : 0;
    if (f->done)
        mg_chain_eat(from, from->n); /* nobody will take it */
    else
        mg_chain_move_some(&f->in, from, MG_MIN(from->n, room));
}

void mg_exchange_filter_down(mg_exchange *x)
{
    mg_filter *f = x->filters[MG_FLOW_DOWN];
    mg_side *c = x->client, *o = x->origin;
    const mg_fields *trailers = NULL;
    if (x->res_from_origin) {
        feed(x, f, &o->in);
        mg_side_took(o);
        if (!o->in.n && o->got == MG_GOT_BROKEN) {
            mg_exchange_cut(x, o->broke == MG_BROKE_SYNTAX ? MG_END_ORIGIN_BAD : MG_END_ORIGIN_TRUNCATED);
            return;
        }
        f->in_ended = o->got == MG_GOT_ALL && !o->in.n;
        trailers = o->trailers;
    } else {
        if (!f->in.n)
            mg_exchange_pull_answer(x);
        if (x->stage != MG_STAGE_RELAY)
            return;
        feed(x, f, &x->answer.body);
        f->in_ended = x->answer.whole && !x->answer.body.n;
    }
    give(f, c);
    if (!run(x, MG_FLOW_DOWN, c))
        return;
    if (f->done && !f->out.n && f->in_ended) {
        c->ops->send_end(c, trailers);
        x->down_done = true;
    }
}

void mg_exchange_filter_up(mg_exchange *x)
{
    mg_filter *f = x->filters[MG_FLOW_UP];
    mg_side *c = x->client, *o = x->origin;
    if (x->held.n) {
        mg_chain_move(&f->in, &x->held);
        x->body_sent_up = true;
    }
    x->body_sent_up |= c->in.n > 0;
    feed(x, f, &c->in);
    mg_side_took(c);
    f->in_ended = c->got == MG_GOT_ALL && !c->in.n;
    give(f, o);
    if (!run(x, MG_FLOW_UP, o))
        return;
    if (f->done && !f->out.n && f->in_ended) {
        o->ops->send_end(o, c->trailers);
        x->up_done = true;
    }
}
