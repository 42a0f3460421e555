/*
 * waits: what an exchange is waiting for after each drive, how long it may, and what a late answer means.
 *
 * One deadline serves all the waits of the stages, since an exchange waits for one thing at a time as far as
 * patience goes: connections have their own for writing. A second one bounds the whole exchange.
 */
#include "exchange/inside.h"

#include "base/log.h"

static mg_wait what_is_awaited(const mg_exchange *x)
{
    const mg_side *c = x->client, *o = x->origin;
    if (x->hook_waits)
        return x->hold == 1 ? MG_WAIT_CLIENT_BODY : x->holds_answer ? MG_WAIT_BODY : MG_WAIT_SCRIPT;
    if (mg_exchange_filter_is_at_work(x) && x->stage < MG_STAGE_LOG)
        return MG_WAIT_SCRIPT;
    bool upload = !x->up_done && !x->up_given_up && c && c->got == MG_GOT_HEAD && !c->in.n && o && !o->blocked;
    switch (x->stage) {
    case MG_STAGE_AWAIT:
        if (upload && !(x->req.expect_continue && !x->continue_sent && !c->in_total))
            return MG_WAIT_CLIENT_BODY;
        return o->blocked ? MG_WAIT_NOTHING : MG_WAIT_RESPONSE;
    case MG_STAGE_RELAY:
        if (c->blocked || c->queued)
            return MG_WAIT_NOTHING; /* the connection has its own patience */
        if (x->down_done)
            return upload ? MG_WAIT_CLIENT_BODY : MG_WAIT_NOTHING;
        return x->res_from_origin ? MG_WAIT_BODY : MG_WAIT_SCRIPT;
    case MG_STAGE_TUNNEL:
        return MG_WAIT_TUNNEL;
    default:
        return MG_WAIT_NOTHING;
    }
}

static int64_t patience_for(const mg_exchange *x, mg_wait w)
{
    const mg_timeouts *t = &x->route->timeouts;
    switch (w) {
    case MG_WAIT_SCRIPT:
        return t->script;
    case MG_WAIT_CLIENT_BODY:
        return t->client_body;
    case MG_WAIT_RESPONSE:
        return t->response >= 0 ? t->response : x->upstream->options.response_ms;
    case MG_WAIT_BODY:
        return t->body >= 0 ? t->body : x->upstream->options.body_ms;
    case MG_WAIT_TUNNEL:
        return t->tunnel;
    default:
        return 0;
    }
}

void mg_exchange_arm_patience(mg_exchange *x)
{
    mg_wait w = what_is_awaited(x);
    uint64_t moved = (x->client ? x->client->in_total : 0) + (x->origin ? x->origin->in_total : 0);
    if (w == MG_WAIT_NOTHING) {
        if (x->waiting_for != MG_WAIT_NOTHING)
            mg_deadline_disarm(&x->deadline);
        x->waiting_for = MG_WAIT_NOTHING;
        return;
    }
    if (w == x->waiting_for && mg_deadline_is_armed(&x->deadline)) {
        uint64_t least = 0;
        if (w == MG_WAIT_CLIENT_BODY) /* windows: in each, the minimum rate must be kept */
            least = (uint64_t)x->gen->limits.min_rate * (uint64_t)patience_for(x, w) / 1000;
        if (w == MG_WAIT_SCRIPT || w == MG_WAIT_RESPONSE || moved - x->wait_mark <= least)
            return;
    }
    x->waiting_for = (uint8_t)w;
    x->wait_mark = moved;
    mg_deadline_arm(&x->deadline, patience_for(x, w));
}

void mg_exchange_wait_is_over(mg_exchange *x)
{
    if (x->waiting_for != MG_WAIT_SCRIPT)
        return;
    x->waiting_for = MG_WAIT_NOTHING;
    mg_deadline_disarm(&x->deadline);
}

static void late_script(mg_exchange *x)
{
    mg_warn("%.*s %.*s: a script waited longer than timeouts.script in stage %s", MG_STR_ARG(x->req.method_name),
            MG_STR_ARG(x->req.target), mg_stage_name(x->stage));
    if (x->stage == MG_STAGE_LOG) {
        x->log_is_over = true;
        return;
    }
    mg_exchange_end_hook(x);
    if (x->client->sent != MG_SENT_NOTHING)
        mg_exchange_cut(x, MG_END_SCRIPT_LATE);
    else {
        if (x->stage == MG_STAGE_RESPONSE)
            x->response_failed = true;
        mg_exchange_fail(x, 504, MG_END_SCRIPT_LATE, "proxy_internal_error", "a script waited too long");
        mg_exchange_drop_origin(x, false);
    }
}

static void late_client_body(mg_exchange *x)
{
    bool slow = x->client->in_total > x->wait_mark;
    if (x->client->sent != MG_SENT_NOTHING) {
        mg_exchange_cut(x, slow ? MG_END_CLIENT_SLOW : MG_END_CLIENT_LATE);
        return;
    }
    mg_exchange_end_hook(x);
    x->response_failed |= x->stage == MG_STAGE_RESPONSE;
    mg_exchange_fail(x, 408, slow ? MG_END_CLIENT_SLOW : MG_END_CLIENT_LATE, "http_request_error",
                     slow ? "the body came too slowly" : "the body did not come in time");
    mg_exchange_drop_origin(x, false);
}

/* Before the answer has begun, a hook waits for all of it. */
static void late_body(mg_exchange *x)
{
    if (x->client->sent != MG_SENT_NOTHING) {
        mg_exchange_cut(x, MG_END_ORIGIN_BODY_LATE);
        return;
    }
    mg_exchange_end_hook(x);
    mg_exchange_fail(x, 504, MG_END_ORIGIN_BODY_LATE, "http_response_timeout", "the origin's body did not come in time");
    mg_exchange_drop_origin(x, false);
}

void mg_exchange_on_late(mg_deadline *d)
{
    mg_exchange *x = MG_OWNER(d, mg_exchange, deadline);
    mg_wait w = (mg_wait)x->waiting_for;
    x->waiting_for = MG_WAIT_NOTHING;
    switch (w) {
    case MG_WAIT_SCRIPT:
        late_script(x);
        break;
    case MG_WAIT_CLIENT_BODY:
        late_client_body(x);
        break;
    case MG_WAIT_RESPONSE:
        mg_peer_failed(x->peer_now);
        if (!mg_exchange_try_again(x, MG_END_ORIGIN_LATE, false)) {
            mg_exchange_fail(x, 504, MG_END_ORIGIN_LATE, "http_response_timeout", "the origin did not answer in time");
            mg_exchange_drop_origin(x, false);
        }
        break;
    case MG_WAIT_BODY:
        late_body(x);
        break;
    case MG_WAIT_TUNNEL:
        mg_exchange_cut(x, MG_END_TUNNEL_LATE);
        break;
    case MG_WAIT_NOTHING:
        break;
    }
    mg_exchange_drive(x);
}

void mg_exchange_on_total(mg_deadline *d)
{
    mg_exchange *x = MG_OWNER(d, mg_exchange, total);
    if (x->stage >= MG_STAGE_LOG)
        return;
    if (x->gone_watch && x->client->sent != MG_SENT_NOTHING) {
        /* The answer has begun: writing will tell whether somebody reads. */
        x->gone_watch = false;
        mg_deadline_arm(&x->total, x->route->timeouts.request);
        return;
    }
    mg_end why = x->gone_watch ? MG_END_CLIENT_GONE : MG_END_REQUEST_LATE;
    if (why == MG_END_CLIENT_GONE || x->client->sent != MG_SENT_NOTHING || x->stage == MG_STAGE_FAILED ||
        x->stage == MG_STAGE_RESPONSE) {
        mg_exchange_cut(x, why);
    } else {
        mg_exchange_end_hook(x);
        mg_exchange_fail(x, 504, why, "http_response_timeout", "the request took longer than timeouts.request");
        mg_exchange_drop_origin(x, false);
    }
    mg_exchange_drive(x);
}
