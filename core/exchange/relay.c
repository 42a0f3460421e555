#include "exchange/filter.h"
#include "exchange/inside.h"

#include "base/clock.h"

/* ---- up ---- */

static void throw_away(mg_side *s)
{
    if (s->in.n) {
        mg_chain_eat(&s->in, s->in.n);
        mg_side_took(s);
    }
}

/* What a script has had collected goes first; it stays, so that another try can send it again. False: all of
 * it is on its way. */
static bool send_held(mg_exchange *x)
{
    if (x->origin->out_total >= x->held.n)
        return false;
    size_t skip = (size_t)x->origin->out_total, n = MG_MIN(x->held.n - skip, mg_side_room(x->origin));
    mg_chain part = {0};
    for (const mg_slice *s = x->held.first; s && part.n < n; s = s->next) {
        if (skip >= s->n) {
            skip -= s->n;
            continue;
        }
        mg_chain_add_block(&part, s->block, s->p + skip, MG_MIN(s->n - skip, n - part.n));
        skip = 0;
    }
    x->origin->ops->send_body(x->origin, &part, part.n);
    return x->origin->out_total < x->held.n;
}

static bool over_limit(mg_exchange *x)
{
    if (x->client->in_total <= x->route->body_limit)
        return false;
    if (x->client->sent == MG_SENT_NOTHING) {
        mg_exchange_end_hook(x);
        mg_exchange_fail(x, 413, MG_END_LIMIT, "http_request_error", "the body is larger than its limit");
        mg_exchange_drop_origin(x, false);
    } else {
        mg_exchange_cut(x, MG_END_LIMIT);
    }
    return true;
}

static void finish_up(mg_exchange *x)
{
    mg_side *o = x->origin, *c = x->client;
    if (c->got != MG_GOT_ALL || c->in.n || x->pipe_up || o->out_total < x->held.n)
        return;
    o->ops->send_end(o, c->trailers);
    x->up_done = true;
}

/* Bytes that have left the client's side for an origin cannot be sent to another one. */
static void send_up(mg_exchange *x)
{
    mg_side *c = x->client, *o = x->origin;
    uint64_t before = o->out_total;
    size_t n = MG_MIN(c->in.n, mg_side_room(o));
    if (n) {
        o->ops->send_body(o, &c->in, n);
        mg_side_took(c);
    }
    if (x->pipe_up || mg_exchange_is_long(c)) {
        mg_side_flush(o);
        (void)mg_exchange_splice(c, o, &x->pipe_up);
    }
    x->body_sent_up |= o->out_total != before || x->pipe_up;
}

static void move_up(mg_exchange *x)
{
    mg_side *c = x->client, *o = x->origin;
    if (x->up_done || over_limit(x))
        return;
    if (!o || o->sent == MG_SENT_BROKEN || (o->got == MG_GOT_ALL && o->half_closed))
        x->up_given_up = true;
    if (x->up_given_up) {
        throw_away(c);
        return;
    }
    if (x->filters[MG_FLOW_UP]) {
        mg_exchange_filter_up(x);
        return;
    }
    if (send_held(x))
        return;
    send_up(x);
    finish_up(x);
}

/* Nothing wakes an exchange whose queue went out at once: what found no room in it gets a turn of its own. */
static bool has_room_again(const mg_side *to)
{
    return to->sent == MG_SENT_HEAD && !to->blocked && mg_side_room(to);
}

void mg_exchange_pump_up(mg_exchange *x)
{
    move_up(x);
    if (!x->origin)
        return;
    mg_side_flush(x->origin);
    bool more = x->client->in.n || x->origin->out_total < x->held.n;
    if (more && !x->up_done && !x->up_given_up && !x->filters[MG_FLOW_UP] && has_room_again(x->origin))
        mg_later_do(&x->again);
}

void mg_exchange_collect(mg_exchange *x)
{
    mg_side *c = x->client;
    mg_chain_move(&x->held, &c->in);
    mg_side_took(c);
    if (x->held.n > x->held_most)
        x->hold = 3;
    else if (c->got == MG_GOT_ALL || !x->req.has_body)
        x->hold = 2;
    else if (c->got == MG_GOT_BROKEN)
        x->hold = 4;
    if (x->hold != 1)
        x->hook_ready = true;
}

mg_rc mg_exchange_hold_body(mg_exchange *x, uint64_t most)
{
    if (x->hold == 0 || (x->hold == 3 && most > x->held_most)) {
        x->held_most = most;
        if (x->req.content_length > 0 && (uint64_t)x->req.content_length > most)
            return MG_LIMIT;
        x->hold = 1;
        if (x->req.has_body && x->req.expect_continue) {
            mg_h1_server_continue(x->client);
            x->continue_sent = true;
        }
        mg_exchange_collect(x);
    }
    switch (x->hold) {
    case 1:
        return MG_AGAIN;
    case 2:
        return x->held.n > most ? MG_LIMIT : MG_OK;
    case 3:
        return MG_LIMIT;
    default:
        return MG_GONE;
    }
}

/* ---- down ---- */

static void finish_down(mg_exchange *x, const mg_fields *trailers)
{
    x->client->ops->send_end(x->client, trailers);
    x->down_done = true;
}

mg_rc mg_exchange_hold_answer(mg_exchange *x, uint64_t most)
{
    mg_side *o = x->origin;
    mg_chain *body = &x->answer.body;
    x->holds_answer = false;
    if (!x->res_from_origin)
        return !x->answer.whole ? MG_BAD : body->n > most ? MG_LIMIT : MG_OK;
    if (body->n > most || (x->res.has_body && x->res.content_length > 0 && (uint64_t)x->res.content_length > most))
        return MG_LIMIT;
    mg_chain_move(body, &o->in);
    if (body->n > most)
        return MG_LIMIT; /* no more is read until it has been sent on */
    mg_side_took(o);
    if (o->got == MG_GOT_ALL)
        return MG_OK;
    if (o->got == MG_GOT_BROKEN)
        return MG_GONE;
    x->holds_answer = true;
    x->answer_most = most;
    return MG_AGAIN;
}

/* What a script has had collected goes first. False: some of it has to wait. */
static bool send_collected(mg_exchange *x)
{
    mg_side *c = x->client;
    while (x->answer.body.n && c->sent != MG_SENT_BROKEN) {
        size_t n = MG_MIN(x->answer.body.n, mg_side_room(c));
        if (!n)
            return false;
        c->ops->send_body(c, &x->answer.body, n);
        mg_side_flush(c);
    }
    mg_side_took(x->origin);
    return !x->answer.body.n;
}

static void down_from_origin(mg_exchange *x)
{
    mg_side *c = x->client, *o = x->origin;
    if (x->answer.body.n && !send_collected(x))
        return;
    size_t n = MG_MIN(o->in.n, mg_side_room(c));
    if (n) {
        c->ops->send_body(c, &o->in, n);
        mg_side_took(o);
    }
    if (x->pipe_down || mg_exchange_is_long(o)) {
        mg_side_flush(c);
        if (mg_exchange_splice(o, c, &x->pipe_down))
            return;
    }
    if (o->in.n)
        return;
    if (o->got == MG_GOT_ALL)
        finish_down(x, o->trailers);
    else if (o->got == MG_GOT_BROKEN) /* never passed on as complete */
        mg_exchange_cut(x, o->broke == MG_BROKE_SYNTAX ? MG_END_ORIGIN_BAD : MG_END_ORIGIN_TRUNCATED);
}

/* When all that was there has gone on, the script is asked for more. */
void mg_exchange_pull_answer(mg_exchange *x)
{
    if (x->answer.whole || x->answer.body.n || !x->answer.pull || (x->hook_waits && !x->hook_ready))
        return;
    if (x->hook_waits)
        mg_exchange_wait_is_over(x);
    x->hook_ready = false;
    mg_hook_result r = x->gen->hooks->pull(x);
    x->hook_waits = r == MG_HOOK_WAIT ? MG_PHASE_HANDLER + 1 : 0;
    if (r == MG_HOOK_FAILED)
        mg_exchange_cut(x, MG_END_SCRIPT);
    else if (r == MG_HOOK_DONE)
        x->answer.whole = true;
}

static void down_from_answer(mg_exchange *x)
{
    mg_side *c = x->client;
    for (;;) {
        size_t n = MG_MIN(x->answer.body.n, mg_side_room(c));
        if (n)
            c->ops->send_body(c, &x->answer.body, n);
        if (x->answer.body.n || c->sent == MG_SENT_BROKEN)
            return;
        if (x->answer.whole) {
            finish_down(x, NULL);
            return;
        }
        mg_exchange_pull_answer(x);
        if (x->stage != MG_STAGE_RELAY)
            return;
        mg_side_flush(c);
        if (!x->answer.body.n && !x->answer.whole)
            return;
    }
}

void mg_exchange_pump_down(mg_exchange *x)
{
    if (x->down_done || x->client->sent == MG_SENT_BROKEN)
        return;
    if (x->filters[MG_FLOW_DOWN])
        mg_exchange_filter_down(x);
    else if (x->res_from_origin)
        down_from_origin(x);
    else
        down_from_answer(x);
    if (x->stage != MG_STAGE_RELAY)
        return;
    mg_side_flush(x->client);
    bool more = x->res_from_origin ? x->origin && x->origin->in.n : x->answer.body.n > 0;
    if (more && !x->down_done && !x->filters[MG_FLOW_DOWN] && has_room_again(x->client))
        mg_later_do(&x->again);
}

void mg_exchange_run_relay(mg_exchange *x)
{
    mg_exchange_pump_down(x);
    if (x->stage != MG_STAGE_RELAY)
        return;
    mg_exchange_pump_up(x);
    if (x->stage != MG_STAGE_RELAY)
        return;
    if (!x->down_done || x->client->queued)
        return;
    if (x->client->sent == MG_SENT_BROKEN)
        return;
    /* The answer is out. An upload that the origin still takes goes on, to the last byte in the splicer's pipe;
     * any other is thrown away by the connection, which lingers. */
    if (!x->up_done && !x->up_given_up && x->origin)
        return;
    if (x->origin && x->origin->queued && x->origin->sent != MG_SENT_BROKEN)
        return;
    mg_exchange_go(x, MG_STAGE_LOG);
}

/* ---- tunnel ---- */

static void pour(mg_side *from, mg_side *to)
{
    size_t n = MG_MIN(from->in.n, mg_side_room(to));
    if (n && to->sent == MG_SENT_HEAD) {
        to->ops->send_body(to, &from->in, n);
        mg_side_took(from);
    }
    mg_side_flush(to);
    if (from->got == MG_GOT_ALL && !from->in.n && to->sent == MG_SENT_HEAD && !to->queued)
        to->ops->send_end(to, NULL);
}

static bool is_broken(const mg_side *s)
{
    return s->got == MG_GOT_BROKEN || s->sent == MG_SENT_BROKEN;
}

void mg_exchange_run_tunnel(mg_exchange *x)
{
    mg_side *c = x->client, *o = x->origin;
    pour(c, o);
    pour(o, c);
    if (is_broken(c))
        mg_exchange_cut(x, c->broke == MG_BROKE_LATE   ? MG_END_CLIENT_WRITE_LATE
                           : c->broke == MG_BROKE_SLOW ? MG_END_CLIENT_SLOW
                                                       : MG_END_CLIENT_GONE);
    else if (is_broken(o))
        mg_exchange_cut(x, o->broke >= MG_BROKE_LATE ? MG_END_ORIGIN_BODY_LATE : MG_END_ORIGIN_RESET);
    else if (c->sent == MG_SENT_ALL && o->sent == MG_SENT_ALL)
        mg_exchange_cut(x, MG_END_DONE);
}
