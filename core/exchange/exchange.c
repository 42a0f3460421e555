#include "exchange/exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/h1_write.h"
#include "exchange/access_log.h"
#include "exchange/filter.h"
#include "exchange/inside.h"

static void run_rewrite(mg_exchange *x);
static void run_route(mg_exchange *x);
static void run_access(mg_exchange *x);
static void run_act(mg_exchange *x);
static void run_handler(mg_exchange *x);
static void run_failed(mg_exchange *x);
static void run_response(mg_exchange *x);
static void run_log(mg_exchange *x);
static void run_gone(mg_exchange *x);

#define TO(stage) (1u << MG_STAGE_##stage)
#define ANSWERS (TO(RESPONSE) | TO(FAILED) | TO(LOG))

static const struct row {
    const char *name;
    void (*run)(mg_exchange *x);
    unsigned leads_to;
} rows[MG_STAGE_COUNT] = {
    /*                      name        run                       may lead to */
    [MG_STAGE_REWRITE]  = {"rewrite",  run_rewrite,              TO(ROUTE) | ANSWERS},
    [MG_STAGE_ROUTE]    = {"route",    run_route,                TO(ACCESS) | ANSWERS},
    [MG_STAGE_ACCESS]   = {"access",   run_access,               TO(ACT) | ANSWERS},
    [MG_STAGE_ACT]      = {"act",      run_act,                  TO(DIAL) | TO(HANDLER) | ANSWERS},
    [MG_STAGE_HANDLER]  = {"handler",  run_handler,              ANSWERS},
    [MG_STAGE_DIAL]     = {"dial",     mg_exchange_run_dial,     TO(SEND) | TO(DIAL) | ANSWERS},
    [MG_STAGE_SEND]     = {"send",     mg_exchange_run_send,     TO(AWAIT) | TO(DIAL) | ANSWERS},
    [MG_STAGE_AWAIT]    = {"await",    mg_exchange_run_await,    TO(TAKE) | TO(DIAL) | ANSWERS},
    [MG_STAGE_TAKE]     = {"take",     mg_exchange_run_take,     ANSWERS},
    [MG_STAGE_FAILED]   = {"failed",   run_failed,               TO(RESPONSE) | TO(FAILED) | TO(LOG)},
    [MG_STAGE_RESPONSE] = {"response", run_response,             TO(RELAY) | TO(TUNNEL) | TO(FAILED) | TO(LOG)},
    [MG_STAGE_RELAY]    = {"relay",    mg_exchange_run_relay,    TO(LOG)},
    [MG_STAGE_TUNNEL]   = {"tunnel",   mg_exchange_run_tunnel,   TO(LOG)},
    [MG_STAGE_LOG]      = {"log",      run_log,                  TO(GONE)},
    [MG_STAGE_GONE]     = {"gone",     run_gone,                 0},
};

const char *mg_stage_name(mg_stage s)
{
    return rows[s].name;
}

void mg_exchange_go(mg_exchange *x, mg_stage next)
{
    MG_BUG_UNLESS(rows[x->stage].leads_to & 1u << next);
    x->stage = next;
}

void mg_exchange_cut(mg_exchange *x, mg_end why)
{
    if (x->stage >= MG_STAGE_LOG)
        return;
    x->end = (uint8_t)why;
    x->close_client = true;
    mg_exchange_go(x, MG_STAGE_LOG);
}

/* Nobody waits for the whole body any more; what has been collected goes first when the body is sent on. */
static void stop_collecting(mg_exchange *x)
{
    if (x->hold == 1)
        x->hold = 0;
}

mg_hook_result mg_exchange_hook(mg_exchange *x, mg_phase phase)
{
    if (MG_LIKELY(!(x->route->hooks >> phase & 1)))
        return MG_HOOK_DONE;
    if (x->hook_waits) {
        if (x->hold == 1)
            mg_exchange_collect(x);
        if (x->holds_answer && mg_exchange_hold_answer(x, x->answer_most) != MG_AGAIN)
            x->hook_ready = true;
        if (!x->hook_ready)
            return MG_HOOK_WAIT;
        mg_exchange_wait_is_over(x);
    }
    x->hook_ready = false;
    mg_hook_result r = x->gen->hooks->run(x, phase);
    x->hook_waits = r == MG_HOOK_WAIT ? (uint8_t)(phase + 1) : 0;
    if (r != MG_HOOK_WAIT)
        stop_collecting(x);
    if (r == MG_HOOK_FAILED && x->worker_stats)
        x->worker_stats->script_errors++;
    return r;
}

void mg_exchange_end_hook(mg_exchange *x)
{
    if (!x->hook_waits)
        return;
    x->holds_answer = false;
    x->gen->hooks->end(x);
    x->script = NULL;
    x->hook_waits = 0;
    stop_collecting(x);
}

/* For the phases that may answer: true when the stage is to go on. */
static bool answering_hook(mg_exchange *x, mg_phase phase)
{
    switch (mg_exchange_hook(x, phase)) {
    case MG_HOOK_DONE:
        return true;
    case MG_HOOK_ANSWER:
        mg_exchange_go(x, MG_STAGE_RESPONSE);
        break;
    case MG_HOOK_FAILED:
        mg_exchange_fail(x, 500, MG_END_SCRIPT, "proxy_internal_error", "a script failed");
        break;
    case MG_HOOK_WAIT:
        break;
    }
    return false;
}

/* ---- the stages before the origin ---- */

static void choose_site(mg_exchange *x)
{
    x->site = mg_router_site(x->gen->router, x->req.host);
    x->route = x->site ? &x->site->none : &x->gen->nowhere;
}

static void run_rewrite(mg_exchange *x)
{
    if (!x->hook_waits)
        choose_site(x);
    if (answering_hook(x, MG_PHASE_REWRITE))
        mg_exchange_go(x, MG_STAGE_ROUTE);
}

static void no_route(mg_exchange *x)
{
    x->route = x->site ? &x->site->none : &x->gen->nowhere;
    if (!x->site)
        mg_exchange_fail(x, 421, MG_END_REFUSED, NULL, "no site serves this host");
    else if (x->search && x->search->failed) /* one that was passed over might be the one with the access rules */
        mg_exchange_fail(x, 500, MG_END_LIMIT, "proxy_internal_error", "a route's regex gave up on this path");
    else if (x->search && x->search->allow.p)
        mg_exchange_fail(x, 405, MG_END_REFUSED, NULL, "no route allows this method here");
    else
        mg_exchange_fail(x, 404, MG_END_REFUSED, NULL, "no route matches");
}

static bool start_search(mg_exchange *x)
{
    x->search = mg_arena_try(x->arena, sizeof *x->search);
    if (!x->search)
        return false;
    memset(x->search, 0, sizeof *x->search);
    x->search->path = x->req.path;
    x->search->query = x->req.query;
    x->search->method = x->req.method;
    x->search->method_name = x->req.method_name;
    x->search->fields = x->req.fields;
    x->search->arena = x->arena;
    return true;
}

static void found_route(mg_exchange *x)
{
    if (x->req.method == MG_METHOD_TRACE && !x->route->trace) {
        mg_exchange_fail(x, 405, MG_END_REFUSED, NULL, "TRACE is not allowed");
        return;
    }
    x->at.routed = mg_clock_us();
    if (x->route->timeouts.request > 0)
        mg_deadline_arm(&x->total, x->route->timeouts.request);
    mg_exchange_go(x, MG_STAGE_ACCESS);
}

static void run_route(mg_exchange *x)
{
    if (!x->search) {
        choose_site(x); /* a hook may have changed the host */
        if (!x->site) {
            no_route(x);
            return;
        }
        if (!start_search(x)) {
            mg_exchange_fail(x, 431, MG_END_LIMIT, NULL, "the request's memory is used up");
            return;
        }
    }
    for (;;) {
        if (!x->hook_waits) {
            mg_route *r = mg_router_next(x->gen->router, x->site, x->search);
            if (!r) {
                no_route(x);
                return;
            }
            x->route = r;
            if (!x->search->wants_when) {
                found_route(x);
                return;
            }
        }
        switch (mg_exchange_hook(x, MG_PHASE_WHEN)) {
        case MG_HOOK_DONE:
            found_route(x);
            return;
        case MG_HOOK_WAIT:
            return;
        case MG_HOOK_FAILED:
            mg_exchange_fail(x, 500, MG_END_SCRIPT, "proxy_internal_error", "a script failed");
            return;
        case MG_HOOK_ANSWER: /* not this one */
            break;
        }
    }
}

static void run_access(mg_exchange *x)
{
    if (answering_hook(x, MG_PHASE_ACCESS))
        mg_exchange_go(x, MG_STAGE_ACT);
}

static void run_act(mg_exchange *x)
{
    const mg_route *r = x->route;
    if (x->req.content_length > 0 && (uint64_t)x->req.content_length > r->body_limit) {
        mg_exchange_fail(x, 413, MG_END_LIMIT, "http_request_error", "the body is larger than its limit");
        return;
    }
    if (x->upstream || r->action == MG_ACTION_UPSTREAM) { /* a hook's choice comes first */
        if (!x->upstream)
            x->upstream = r->upstream;
        mg_exchange_go(x, MG_STAGE_DIAL);
        return;
    }
    switch (r->action) {
    case MG_ACTION_HANDLER:
        mg_exchange_go(x, MG_STAGE_HANDLER);
        return;
    case MG_ACTION_REPLY:
        mg_exchange_reply(x);
        mg_exchange_go(x, MG_STAGE_RESPONSE);
        return;
    case MG_ACTION_REDIRECT:
        if (mg_exchange_redirect(x) == MG_OK)
            mg_exchange_go(x, MG_STAGE_RESPONSE);
        else
            mg_exchange_fail(x, 431, MG_END_LIMIT, NULL, "the request's memory is used up");
        return;
    default:
        mg_exchange_fail(x, 404, MG_END_REFUSED, NULL, "the route does nothing");
        return;
    }
}

static void run_handler(mg_exchange *x)
{
    if (answering_hook(x, MG_PHASE_HANDLER))
        mg_exchange_fail(x, 500, MG_END_SCRIPT, "proxy_internal_error", "the handler gave no answer");
}

/* ---- answers ---- */

static void run_failed(mg_exchange *x)
{
    if (!x->hook_waits) {
        mg_exchange_make_error(x);
        if (x->failed_ran) { /* the hook for failures failed itself */
            mg_exchange_go(x, MG_STAGE_RESPONSE);
            return;
        }
    }
    x->failed_ran = true;
    switch (mg_exchange_hook(x, MG_PHASE_FAILED)) {
    case MG_HOOK_WAIT:
        return;
    case MG_HOOK_FAILED:
        mg_exchange_make_error(x);
        break;
    default:
        break;
    }
    mg_exchange_go(x, MG_STAGE_RESPONSE);
}

/* An answer to HEAD, and one that confirms what the client has, say what the answer to GET would. False: a hook
 * failed, and the exchange goes elsewhere. */
static bool begin_filter(mg_exchange *x)
{
    if (!mg_exchange_has_filter(x, MG_FLOW_DOWN) || x->tunnel || x->is_internal_error)
        return true;
    bool stands_for_one = x->req.method == MG_METHOD_HEAD || x->res.status == 304;
    if (!x->res.has_body && !stands_for_one)
        return true;
    mg_exchange_filter_fields(&x->res.fields);
    x->res.content_length = -1;
    return !x->res.has_body || mg_exchange_begin_filter(x, MG_FLOW_DOWN, &x->res.content_length) == MG_OK;
}

static void send_head(mg_exchange *x)
{
    mg_side *c = x->client;
    if (x->res_from_origin) {
        bool bodiless = x->req.method == MG_METHOD_HEAD || x->res.status == 204 || x->res.status == 304 || x->tunnel;
        if (!bodiless && !x->res.has_body) /* a hook gave it another status */
            x->res.content_length = 0;
        x->res.has_body = !bodiless;
    } else {
        mg_exchange_send_answer_head(x);
    }
    if (!begin_filter(x))
        return;
    if (mg_exchange_clean_response(x) != MG_OK) {
        if (x->is_internal_error) {
            mg_exchange_cut(x, MG_END_LIMIT);
            return;
        }
        x->response_failed = true;
        x->tunnel = false;
        mg_exchange_close_filters(x);
        mg_exchange_fail(x, 500, MG_END_LIMIT, "proxy_internal_error", "the request's memory is used up");
        mg_exchange_drop_origin(x, false);
        return;
    }
    /* An own answer to an upload that is still under way: what follows cannot be told from a new request. */
    if (!x->origin && c->got == MG_GOT_HEAD)
        c->will_close = true;
    c->ops->send_response(c, &x->res);
    x->at.response_sent = mg_clock_us();
    if (x->tunnel) {
        c->ops->become_tunnel(c);
        x->origin->ops->become_tunnel(x->origin);
        mg_side_flush(c);
        mg_exchange_go(x, MG_STAGE_TUNNEL);
    } else {
        mg_exchange_go(x, MG_STAGE_RELAY);
    }
}

static void run_response(mg_exchange *x)
{
    if (x->hook_waits && x->origin) { /* the upload goes on: the answer's body may depend on it */
        mg_exchange_pump_up(x);
        if (x->stage != MG_STAGE_RESPONSE)
            return;
        mg_side_flush(x->origin);
    }
    if (!x->response_failed)
        switch (mg_exchange_hook(x, MG_PHASE_RESPONSE)) {
        case MG_HOOK_WAIT:
            return;
        case MG_HOOK_FAILED:
            x->response_failed = true;
            x->tunnel = false;
            mg_exchange_fail(x, 500, MG_END_SCRIPT, "proxy_internal_error", "a script failed");
            mg_exchange_drop_origin(x, false);
            return;
        case MG_HOOK_ANSWER: /* in the place of what the origin said */
            x->tunnel = false;
            if (x->origin)
                mg_exchange_drop_origin(x, false);
            break;
        case MG_HOOK_DONE:
            break;
        }
    send_head(x);
}

/* ---- the end ---- */

static bool is_clean(const mg_exchange *x)
{
    return x->down_done && !x->close_client && x->client->sent == MG_SENT_ALL;
}

static void release_client(mg_exchange *x)
{
    mg_side *c = x->client;
    if (!c)
        return;
    bool clean = is_clean(x);
    x->client = NULL;
    c->exchange = NULL;
    c->on_change = NULL;
    c->ops->release(c, clean);
}

/* Log hooks may take their time: the client need not wait for them, so the connection goes on without us. */
static void let_client_go(mg_exchange *x)
{
    mg_side *c = x->client;
    x->kept.head = c->head ? mg_block_hold(c->head) : NULL;
    c->ops->take_arena(c, &x->kept.arena);
    x->arena = &x->kept.arena;
    x->req.fields->arena = x->res.fields.arena = x->arena;
    if (x->search)
        x->search->arena = x->arena;
    release_client(x);
}

static void count(mg_stats_row *r, const mg_exchange *x)
{
    if (!r)
        return;
    r->requests++;
    r->bytes_in += x->bytes_up;
    r->bytes_out += x->bytes_down;
    unsigned hundreds = x->at.response_sent ? x->res.status / 100 : 0;
    r->status[hundreds < 6 ? hundreds : 0]++;
    mg_stats_time(r, x->at.ended - x->at.began);
}

static bool is_late(mg_end e)
{
    return e == MG_END_CLIENT_HEAD_LATE || e == MG_END_CLIENT_LATE || e == MG_END_CLIENT_WRITE_LATE ||
           e == MG_END_CLIENT_SLOW || e == MG_END_ORIGIN_CONNECT_LATE || e == MG_END_ORIGIN_LATE || e == MG_END_ORIGIN_BODY_LATE ||
           e == MG_END_TUNNEL_LATE || e == MG_END_REQUEST_LATE || e == MG_END_SCRIPT_LATE;
}

static void settle(mg_exchange *x)
{
    x->settled = true;
    /* A script may have worked for long within this turn; everything else is done in no time. */
    x->at.ended = x->route->hooks ? mg_clock_precise_us() : mg_clock_us();
    x->bytes_up = x->client->in_total;
    x->bytes_down = x->client->out_total - (x->tunnel ? 0 : MG_MIN(x->client->out_total, x->client->queued));
    bool clean = x->down_done && x->up_done && x->res_from_origin && !x->tunnel;
    mg_exchange_drop_origin(x, clean);
    count(x->worker_stats, x);
    count(x->route ? x->route->stats : NULL, x);
    if (x->upstream && x->tries) {
        count(x->upstream->stats, x);
        count(x->peer_now ? x->peer_now->stats : NULL, x);
    }
    if (x->worker_stats && is_late((mg_end)x->end))
        x->worker_stats->late++;
}

static void run_log(mg_exchange *x)
{
    if (!x->settled) {
        mg_exchange_end_hook(x); /* cut while another hook waited */
        settle(x);
        if (x->route && x->route->hooks >> MG_PHASE_LOG & 1)
            let_client_go(x);
    }
    if (x->route && mg_exchange_hook(x, MG_PHASE_LOG) == MG_HOOK_WAIT) {
        if (!x->log_is_over)
            return;
        mg_exchange_end_hook(x);
    }
    if (x->gen->access_log)
        mg_access_log_exchange(x->gen->access_log, x);
    mg_exchange_go(x, MG_STAGE_GONE);
}

static void run_gone(mg_exchange *x)
{
    (void)x;
}

/* Frees all that the exchange has; its own memory lies in the arena, which goes last. */
static void finish(mg_exchange *x)
{
    if (x->script && x->gen->hooks)
        x->gen->hooks->end(x);
    mg_deadline_disarm(&x->deadline);
    mg_deadline_disarm(&x->total);
    mg_later_cancel(&x->wake);
    mg_later_cancel(&x->wake_filter);
    mg_later_cancel(&x->again);
    mg_exchange_close_filters(x);
    mg_chain_fini(&x->answer.body);
    mg_chain_fini(&x->held);
    mg_block_drop(x->res_head);
    mg_list_cut(&x->link);
    mg_world.count--;
    if (x->worker_stats)
        x->worker_stats->active--;
    mg_generation *g = x->gen;
    g->exchanges--;
    if (mg_world.on_end)
        mg_world.on_end(x);
    if (x->client) {
        release_client(x);
    } else {
        mg_arena arena = x->kept.arena;
        mg_block_drop(x->kept.head);
        mg_arena_fini(&arena);
    }
    mg_generation_drop(g);
}

/* ---- what may happen from outside at any stage ---- */

static void client_broke(mg_exchange *x)
{
    mg_side *c = x->client;
    if (c->sent == MG_SENT_BROKEN) {
        mg_end why = c->broke == MG_BROKE_LATE ? MG_END_CLIENT_WRITE_LATE : c->broke == MG_BROKE_SLOW ? MG_END_CLIENT_SLOW
                                                                          : MG_END_CLIENT_GONE;
        mg_exchange_cut(x, why);
        return;
    }
    if (x->up_broken)
        return;
    x->up_broken = true;
    if (c->broke != MG_BROKE_SYNTAX && c->broke != MG_BROKE_LIMIT) {
        mg_exchange_cut(x, MG_END_CLIENT_GONE);
    } else if (c->sent == MG_SENT_NOTHING && (x->stage < MG_STAGE_FAILED || x->stage == MG_STAGE_RESPONSE)) {
        mg_exchange_end_hook(x);
        x->response_failed |= x->stage == MG_STAGE_RESPONSE;
        x->tunnel = false;
        mg_exchange_fail(x, c->broke == MG_BROKE_LIMIT ? 431 : 400, MG_END_CLIENT_BAD, "http_request_error", c->why);
        mg_exchange_drop_origin(x, false);
    } else {
        mg_exchange_cut(x, MG_END_CLIENT_BAD);
    }
}

/* The client's side broke, and nobody has dealt with it yet. */
static bool has_broken(const mg_exchange *x)
{
    bool is_mine = x->stage != MG_STAGE_TUNNEL && !x->refused;
    return x->client->sent == MG_SENT_BROKEN || (is_mine && x->client->got == MG_GOT_BROKEN && !x->up_broken);
}

static void look_at_client(mg_exchange *x)
{
    mg_side *c = x->client;
    if (x->stage >= MG_STAGE_LOG || x->stage == MG_STAGE_TUNNEL)
        return;
    if (c->sent == MG_SENT_BROKEN || (c->got == MG_GOT_BROKEN && !x->refused))
        client_broke(x);
    else if (c->half_closed && !x->gone_watch && c->sent == MG_SENT_NOTHING) {
        /* It may have closed for good, or only its own direction: an answer must begin soon. */
        x->gone_watch = true;
        int64_t patience = x->gen->timeouts.client_gone;
        if (patience > 0 && !(mg_deadline_is_armed(&x->total) && x->route && x->route->timeouts.request < patience))
            mg_deadline_arm(&x->total, patience);
    }
}

/* ---- driving ---- */

void mg_exchange_drive(mg_exchange *x)
{
    if (x->driving) {
        x->drive_again = true;
        return;
    }
    x->driving = true;
    do {
        x->drive_again = false;
        look_at_client(x);
        mg_stage before;
        do {
            before = x->stage;
            rows[before].run(x);
        } while (x->stage != before);
        /* A flush or a splice may have found the client gone, and nothing else will tell. */
        if (x->stage < MG_STAGE_LOG && has_broken(x))
            x->drive_again = true;
    } while (x->drive_again && x->stage != MG_STAGE_GONE);
    x->driving = false;
    if (x->stage == MG_STAGE_GONE)
        finish(x);
    else
        mg_exchange_arm_patience(x);
}

void mg_exchange_on_wake(mg_later *l)
{
    mg_exchange *x = MG_OWNER(l, mg_exchange, wake);
    x->hook_ready = true;
    mg_exchange_drive(x);
}

void mg_exchange_on_wake_filter(mg_later *l)
{
    mg_exchange *x = MG_OWNER(l, mg_exchange, wake_filter);
    mg_exchange_wait_is_over(x);
    mg_exchange_drive(x);
}

void mg_exchange_on_again(mg_later *l)
{
    mg_exchange_drive(MG_OWNER(l, mg_exchange, again));
}

void mg_exchange_wake(mg_exchange *x)
{
    mg_later_do(&x->wake);
}
