#include "exchange/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/h1_write.h"
#include "exchange/access_log.h"

mg_exchange_world mg_world;

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
    [MG_STAGE_DIAL]     = {"dial",     mg_exchange_run_dial,     TO(AWAIT) | TO(DIAL) | ANSWERS},
    [MG_STAGE_AWAIT]    = {"await",    mg_exchange_run_await,    TO(DIAL) | ANSWERS},
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

mg_hook_result mg_exchange_hook(mg_exchange *x, mg_phase phase)
{
    if (MG_LIKELY(!(x->route->hooks >> phase & 1)))
        return MG_HOOK_DONE;
    if (x->hook_waits) {
        if (x->hold == 1)
            mg_exchange_collect(x);
        if (!x->hook_ready)
            return MG_HOOK_WAIT;
    }
    x->hook_ready = false;
    mg_hook_result r = x->gen->hooks->run(x, phase);
    x->hook_waits = r == MG_HOOK_WAIT ? (uint8_t)(phase + 1) : 0;
    if (r == MG_HOOK_FAILED && x->worker_stats)
        x->worker_stats->script_errors++;
    return r;
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
        mg_exchange_redirect(x);
        mg_exchange_go(x, MG_STAGE_RESPONSE);
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

static void send_head(mg_exchange *x)
{
    mg_side *c = x->client;
    if (x->res_from_origin) {
        if (x->res.has_body && (x->req.method == MG_METHOD_HEAD || x->res.status == 204 || x->res.status == 304))
            x->res.has_body = false;
    } else {
        mg_exchange_send_answer_head(x);
    }
    if (mg_exchange_clean_response(x) != MG_OK) {
        x->is_internal_error = true;
        mg_exchange_cut(x, MG_END_LIMIT);
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
        default:
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
    return e == MG_END_CLIENT_LATE || e == MG_END_CLIENT_WRITE_LATE || e == MG_END_CLIENT_SLOW ||
           e == MG_END_ORIGIN_CONNECT_LATE || e == MG_END_ORIGIN_LATE || e == MG_END_ORIGIN_BODY_LATE ||
           e == MG_END_TUNNEL_LATE || e == MG_END_REQUEST_LATE || e == MG_END_SCRIPT_LATE;
}

static void settle(mg_exchange *x)
{
    x->settled = true;
    x->at.ended = mg_clock_us();
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
        if (x->hook_waits) /* cut while another hook waited */
            x->gen->hooks->end(x);
        if (x->hook_waits)
            x->script = NULL;
        x->hook_waits = 0;
        settle(x);
        if (x->route && x->route->hooks >> MG_PHASE_LOG & 1)
            let_client_go(x);
    }
    if (x->route && mg_exchange_hook(x, MG_PHASE_LOG) == MG_HOOK_WAIT)
        return;
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
    } else if (c->sent == MG_SENT_NOTHING && x->stage < MG_STAGE_FAILED) {
        if (x->hook_waits && x->gen->hooks) {
            x->gen->hooks->end(x);
            x->script = NULL;
            x->hook_waits = 0;
        }
        mg_exchange_fail(x, c->broke == MG_BROKE_LIMIT ? 431 : 400, MG_END_CLIENT_BAD, "http_request_error", c->why);
        mg_exchange_drop_origin(x, false);
    } else {
        mg_exchange_cut(x, MG_END_CLIENT_BAD);
    }
}

static void look_at_client(mg_exchange *x)
{
    mg_side *c = x->client;
    if (x->stage >= MG_STAGE_LOG || x->stage == MG_STAGE_TUNNEL || x->refused)
        return;
    if (c->sent == MG_SENT_BROKEN || c->got == MG_GOT_BROKEN)
        client_broke(x);
    else if (c->half_closed && !x->gone_watch && c->sent == MG_SENT_NOTHING) {
        /* It may have closed for good, or only its own direction: an answer must begin soon. */
        x->gone_watch = true;
        int64_t patience = x->gen->timeouts.client_gone;
        if (patience > 0 && !(mg_deadline_is_armed(&x->total) && x->route && x->route->timeouts.request < patience))
            mg_deadline_arm(&x->total, patience);
    }
}

/* ---- waits ---- */

static mg_wait what_is_awaited(const mg_exchange *x)
{
    const mg_side *c = x->client, *o = x->origin;
    if (x->hook_waits)
        return x->hold == 1 ? MG_WAIT_CLIENT_BODY : MG_WAIT_SCRIPT;
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

static void arm_patience(mg_exchange *x)
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

static void late_script(mg_exchange *x)
{
    x->gen->hooks->end(x);
    x->script = NULL;
    x->hook_waits = 0;
    mg_warn("%.*s %.*s: a script waited longer than timeouts.script in stage %s", MG_STR_ARG(x->req.method_name),
            MG_STR_ARG(x->req.target), rows[x->stage].name);
    if (x->stage == MG_STAGE_LOG)
        mg_exchange_go(x, MG_STAGE_GONE);
    else if (x->client->sent != MG_SENT_NOTHING)
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
    if (x->hook_waits) {
        x->gen->hooks->end(x);
        x->script = NULL;
        x->hook_waits = 0;
    }
    mg_exchange_fail(x, 408, slow ? MG_END_CLIENT_SLOW : MG_END_CLIENT_LATE, "http_request_error",
                     slow ? "the body came too slowly" : "the body did not come in time");
    mg_exchange_drop_origin(x, false);
}

static void on_late(mg_deadline *d)
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
        mg_exchange_cut(x, MG_END_ORIGIN_BODY_LATE);
        break;
    case MG_WAIT_TUNNEL:
        mg_exchange_cut(x, MG_END_TUNNEL_LATE);
        break;
    case MG_WAIT_NOTHING:
        break;
    }
    mg_exchange_drive(x);
}

static void on_total(mg_deadline *d)
{
    mg_exchange *x = MG_OWNER(d, mg_exchange, total);
    if (x->stage >= MG_STAGE_LOG)
        return;
    if (x->gone_watch && x->client->sent != MG_SENT_NOTHING)
        return; /* the answer has begun: writing will tell whether somebody reads */
    mg_end why = x->gone_watch ? MG_END_CLIENT_GONE : MG_END_REQUEST_LATE;
    if (why == MG_END_CLIENT_GONE || x->client->sent != MG_SENT_NOTHING || x->stage == MG_STAGE_FAILED ||
        x->stage == MG_STAGE_RESPONSE) {
        mg_exchange_cut(x, why);
    } else {
        if (x->hook_waits) {
            x->gen->hooks->end(x);
            x->script = NULL;
            x->hook_waits = 0;
        }
        mg_exchange_fail(x, 504, why, "http_response_timeout", "the request took longer than timeouts.request");
        mg_exchange_drop_origin(x, false);
    }
    mg_exchange_drive(x);
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
        /* A flush may have found the client gone. */
        if (x->stage < MG_STAGE_LOG && x->client->sent == MG_SENT_BROKEN)
            x->drive_again = true;
    } while (x->drive_again && x->stage != MG_STAGE_GONE);
    x->driving = false;
    if (x->stage == MG_STAGE_GONE)
        finish(x);
    else
        arm_patience(x);
}

static void on_wake(mg_later *l)
{
    mg_exchange *x = MG_OWNER(l, mg_exchange, wake);
    x->hook_ready = true;
    mg_exchange_drive(x);
}

void mg_exchange_wake(mg_exchange *x)
{
    mg_later_do(&x->wake);
}

static void on_client_change(mg_side *s)
{
    mg_exchange_drive(s->exchange);
}

/* ---- beginning ---- */

static mg_exchange *begin(mg_side *client)
{
    mg_exchange *x = mg_arena_try(client->arena, sizeof *x);
    if (!x)
        return NULL;
    memset(x, 0, sizeof *x);
    x->gen = mg_generation_hold(mg_world.current);
    x->gen->served++;
    x->gen->exchanges++;
    x->worker_stats = x->gen->worker_stats;
    x->arena = client->arena;
    x->client = client;
    client->exchange = x;
    client->on_change = on_client_change;
    mg_deadline_init(&x->deadline, on_late);
    mg_deadline_init(&x->total, on_total);
    mg_later_init(&x->wake, on_wake);
    mg_dial_init(&x->dial, mg_exchange_on_dialled);
    x->at.began = mg_h1_server_began_us(client);
    x->req.scheme = MG_STR("http");
    x->route = &x->gen->nowhere;
    mg_list_init(&x->link);
    mg_list_append(&mg_world.exchanges, &x->link);
    mg_world.count++;
    if (x->worker_stats)
        x->worker_stats->active++;
    return x;
}

void mg_exchange_on_request(mg_side *client)
{
    mg_exchange *x = begin(client);
    if (!x) {
        client->ops->release(client, false);
        return;
    }
    mg_request_head *head = mg_h1_server_request_mut(client);
    x->req.method = head->method;
    x->req.method_name = head->method_name;
    x->req.target = head->target;
    x->req.fields = &head->fields;
    x->req.content_length = head->content_length;
    x->req.major = head->major;
    x->req.minor = head->minor;
    x->req.has_body = head->has_body;
    x->req.wants_upgrade = head->wants_upgrade;
    x->req.expect_continue = head->expect_continue;
    mg_exchange_find_client(x);
    const char *why = "";
    if (mg_exchange_read_target(x, &why) != MG_OK)
        mg_exchange_fail(x, 400, MG_END_CLIENT_BAD, "http_request_error", why);
    else if (x->req.method == MG_METHOD_CONNECT)
        mg_exchange_fail(x, 501, MG_END_REFUSED, NULL, "CONNECT is not offered");
    mg_exchange_drive(x);
}

void mg_exchange_on_refused(mg_side *client, int status, const char *why)
{
    mg_exchange *x = begin(client);
    if (!x) {
        client->ops->release(client, false);
        return;
    }
    static const mg_str none = {"-", 1};
    x->refused = true;
    x->req.method_name = x->req.target = none;
    x->req.minor = 1;
    x->req.content_length = -1;
    x->req.fields = mg_arena_zalloc(x->arena, sizeof *x->req.fields);
    mg_fields_init(x->req.fields, x->arena, MG_H1_FIELDS_OWN);
    mg_exchange_find_client(x);
    mg_exchange_fail(x, status, status == 408 ? MG_END_CLIENT_LATE : MG_END_CLIENT_BAD, "http_request_error", why);
    mg_exchange_drive(x);
}

enum { LINGER_MS = 5000, ARENA_OVER_HEAD = 256 * 1024 };

void mg_exchange_settings(mg_h1_server_settings *s, const mg_generation *g)
{
    s->limits = (mg_h1_limits){g->limits.request_line, g->limits.header_bytes, g->limits.headers};
    s->buffer = g->limits.buffer;
    /* Heads of both sides, what is made of them, and what scripts add. */
    s->arena_most = 4 * (size_t)g->limits.header_bytes + ARENA_OVER_HEAD;
    s->min_rate = g->limits.min_rate;
    s->keepalive_requests = g->limits.keepalive_requests;
    s->header_ms = g->timeouts.client_header;
    s->idle_ms = g->timeouts.client_idle;
    s->write_ms = g->timeouts.client_write;
    s->linger_ms = LINGER_MS;
    s->on_request = mg_exchange_on_request;
    s->on_refused = mg_exchange_on_refused;
}

void mg_exchange_world_init(mg_pool *pool)
{
    mg_world = (mg_exchange_world){.pool = pool};
    mg_list_init(&mg_world.exchanges);
}

void mg_exchange_stop_of(const mg_generation *g)
{
    MG_LIST_EACH_SAFE(l, after, &mg_world.exchanges) {
        mg_exchange *x = MG_OWNER(l, mg_exchange, link);
        if (x->stage < MG_STAGE_LOG && (!g || x->gen == g)) {
            mg_exchange_cut(x, MG_END_STOPPED);
            mg_exchange_drive(x);
        }
    }
}

void mg_exchange_stop_all(void)
{
    mg_exchange_stop_of(NULL);
    mg_exchange_free_pipes();
}
