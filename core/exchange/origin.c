#include "exchange/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "exchange/filter.h"

/* ---- one try ---- */

void mg_exchange_drop_origin(mg_exchange *x, bool clean)
{
    if (x->origin) {
        mg_exchange_unsplice(x->client, x->origin, &x->pipe_up);
        mg_exchange_unsplice(x->origin, x->client, &x->pipe_down);
        mg_side *s = x->origin;
        x->origin = NULL;
        s->ops->release(s, clean);
    }
    mg_dial_cancel(&x->dial);
    if (!x->peer_held)
        return;
    x->peer_held = false;
    x->peer_now->active--;
    if (x->peer_now->stats)
        x->peer_now->stats->active--;
    if (x->upstream->stats)
        x->upstream->stats->active--;
}

static bool is_idempotent(const mg_exchange *x)
{
    return mg_method_is_idempotent(x->req.method) || x->upstream->options.retry_non_idempotent;
}

static bool option_allows(const mg_exchange *x, mg_end why)
{
    const mg_upstream_options *o = &x->upstream->options;
    switch (why) {
    case MG_END_ORIGIN_CONNECT:
    case MG_END_ORIGIN_CONNECT_LATE:
        return o->retry_connect;
    case MG_END_ORIGIN_RESET:
        return o->retry_reset;
    case MG_END_ORIGIN_LATE:
    case MG_END_ORIGIN_BODY_LATE:
        return o->retry_timeout;
    default:
        return true; /* by status: the caller has looked */
    }
}

bool mg_exchange_try_again(mg_exchange *x, mg_end why, bool nothing_sent)
{
    bool may = x->tries < x->upstream->options.attempts && !x->body_sent_up && x->client->sent == MG_SENT_NOTHING &&
               option_allows(x, why) && (nothing_sent || is_idempotent(x));
    x->redial = may ? mg_upstream_pick(x->upstream, x->tried, false) : NULL;
    if (!x->redial)
        return false;
    if (x->upstream->stats)
        x->upstream->stats->retries++;
    mg_exchange_drop_origin(x, false);
    x->up_done = x->up_given_up = false;
    mg_exchange_go(x, MG_STAGE_DIAL);
    return true;
}

/* An idle connection that the origin was about to close: not the peer's fault, and safe to repeat when
 * nothing went out, or when repeating does no harm and not a byte of an answer came (RFC 9112 section 9.3.1). */
static bool redial_stale(mg_exchange *x)
{
    mg_side *o = x->origin;
    if (!x->dial.reused || o->heard || x->body_sent_up || (o->written && !mg_method_is_idempotent(x->req.method)))
        return false;
    mg_peer *p = x->peer_now;
    mg_exchange_drop_origin(x, false);
    x->up_done = x->up_given_up = false;
    x->tries--;
    x->tried &= ~(mg_peer_bit(p));
    x->redial = p; /* the same one, and no idle connection this time */
    mg_exchange_go(x, MG_STAGE_DIAL);
    return true;
}

static void failed_dial(mg_exchange *x)
{
    if (!x->dial.is_ours) /* running out of descriptors is not the server's fault */
        mg_peer_failed(x->dial.peer);
    mg_end why = x->dial.late ? MG_END_ORIGIN_CONNECT_LATE : MG_END_ORIGIN_CONNECT;
    const char *error = x->dial.error_type, *detail = x->dial.why;
    mg_debug("%.*s: %s", MG_STR_ARG(x->dial.peer->name), detail);
    if (mg_exchange_try_again(x, why, true))
        return;
    mg_exchange_fail(x, x->dial.late ? 504 : 502, why, error, detail);
    mg_exchange_drop_origin(x, false);
}

/* ---- dial ---- */

static int64_t patience(int64_t route, int64_t upstream)
{
    return route >= 0 ? route : upstream;
}

static void on_origin_change(mg_side *s)
{
    mg_exchange_drive(s->exchange);
}

static void dialled(mg_exchange *x)
{
    mg_generation *g = x->gen;
    mg_h1_client_options o = {
        .limits = {g->limits.request_line, g->limits.header_bytes, g->limits.headers},
        .buffer = g->limits.buffer,
        .min_rate = g->limits.min_rate,
        .write_ms = patience(x->route->timeouts.body, x->upstream->options.body_ms),
    };
    x->at.connected = mg_clock_us();
    x->origin = mg_h1_client_begin(x->dial.client, &o, x->arena, x->req.method);
    x->origin->exchange = x;
    x->origin->on_change = on_origin_change;
    if (!x->up)
        x->up = mg_arena_try(x->arena, sizeof *x->up);
    if (!x->up || mg_exchange_request_head(x, x->up) != MG_OK) {
        mg_exchange_fail(x, 431, MG_END_LIMIT, NULL, "the request's fields do not fit any more");
        mg_exchange_drop_origin(x, false);
        return;
    }
    mg_exchange_go(x, MG_STAGE_SEND);
}

static void origin_broke(mg_exchange *x);

void mg_exchange_run_send(mg_exchange *x)
{
    switch (mg_exchange_hook(x, MG_PHASE_UPSTREAM_REQUEST)) {
    case MG_HOOK_WAIT:
        return;
    case MG_HOOK_ANSWER:
        mg_exchange_drop_origin(x, false);
        mg_exchange_go(x, MG_STAGE_RESPONSE);
        return;
    case MG_HOOK_FAILED:
        mg_exchange_fail(x, 500, MG_END_SCRIPT, "proxy_internal_error", "a script failed");
        mg_exchange_drop_origin(x, false);
        return;
    case MG_HOOK_DONE:
        break;
    }
    if (x->origin->got == MG_GOT_BROKEN) { /* while a hook waited; nothing has gone out */
        origin_broke(x);
        return;
    }
    if (x->req.has_body && mg_exchange_has_filter(x, MG_FLOW_UP) &&
        mg_exchange_begin_filter(x, MG_FLOW_UP, &x->up->content_length) != MG_OK)
        return;
    x->origin->ops->send_request(x->origin, x->up);
    if (!x->up->has_body) {
        x->origin->ops->send_end(x->origin, NULL);
        x->up_done = true;
    }
    mg_exchange_go(x, MG_STAGE_AWAIT);
}

static void start_dial(mg_exchange *x)
{
    bool fresh = x->redial && x->redial == x->peer_now; /* one stale connection is enough */
    mg_peer *p = x->redial ? x->redial : mg_upstream_pick(x->upstream, x->tried, true);
    x->redial = NULL;
    if (!p) {
        mg_exchange_fail(x, 503, MG_END_NO_PEER, "destination_unavailable", "no server can be used");
        return;
    }
    x->tries++;
    x->tried |= mg_peer_bit(p);
    x->peer_now = p;
    x->peer_held = true;
    p->active++;
    if (p->stats)
        p->stats->active++;
    if (x->upstream->stats)
        x->upstream->stats->active++;
    if (!x->at.dialled)
        x->at.dialled = mg_clock_us();
    x->dial.connect_ms = patience(x->route->timeouts.connect, x->upstream->options.connect_ms);
    mg_dial_start(&x->dial, mg_world.pool, p, fresh);
}

void mg_exchange_on_dialled(mg_dial *d)
{
    mg_exchange_drive(MG_OWNER(d, mg_exchange, dial));
}

/* What cannot be repeated must not go out on a connection whose end is known to the kernel already. */
static bool is_stale(mg_exchange *x)
{
    if (!x->dial.reused || is_idempotent(x) || !mg_h1_client_is_stale(x->dial.client))
        return false;
    mg_h1_client_close(x->dial.client);
    return true;
}

void mg_exchange_run_dial(mg_exchange *x)
{
    while (x->stage == MG_STAGE_DIAL) {
        if (!x->peer_held)
            start_dial(x);
        if (x->stage != MG_STAGE_DIAL || x->dial.state == MG_DIAL_WAIT)
            return;
        if (x->dial.state == MG_DIAL_READY && is_stale(x))
            mg_dial_start(&x->dial, mg_world.pool, x->peer_now, true);
        else if (x->dial.state == MG_DIAL_READY)
            dialled(x);
        else
            failed_dial(x); /* and on to the next server, if there is one */
    }
}

/* ---- await ---- */

static void origin_broke(mg_exchange *x)
{
    mg_side *o = x->origin;
    if (o->broke != MG_BROKE_SYNTAX && o->broke != MG_BROKE_LIMIT && redial_stale(x))
        return;
    mg_end why = MG_END_ORIGIN_RESET;
    int status = 502;
    const char *error = "connection_terminated", *detail = o->why ? o->why : "the origin closed the connection";
    switch ((mg_broke)o->broke) {
    case MG_BROKE_SYNTAX:
        why = MG_END_ORIGIN_BAD;
        error = "http_protocol_error";
        break;
    case MG_BROKE_LIMIT:
        why = MG_END_ORIGIN_BAD;
        error = "http_response_header_section_size";
        break;
    case MG_BROKE_LATE:
    case MG_BROKE_SLOW:
        why = MG_END_ORIGIN_BODY_LATE;
        status = 504;
        error = "connection_write_timeout";
        detail = "the origin does not read the request";
        break;
    default:
        if (o->heard)
            error = "http_response_incomplete";
        break;
    }
    mg_peer_failed(x->peer_now);
    bool may_repeat = why == MG_END_ORIGIN_RESET || why == MG_END_ORIGIN_BODY_LATE;
    if (may_repeat && !o->heard && mg_exchange_try_again(x, why, o->written == 0))
        return;
    mg_exchange_fail(x, status, why, error, detail);
    mg_exchange_drop_origin(x, false);
}

static void switch_protocols(mg_exchange *x)
{
    mg_str asked, got = mg_fields_value(&x->res.fields, MG_FIELD_UPGRADE);
    if (!mg_exchange_upgrade_is_allowed(x, &asked) || !mg_str_eq_nocase(asked, got)) {
        mg_peer_failed(x->peer_now);
        mg_exchange_fail(x, 502, MG_END_ORIGIN_BAD, "http_upgrade_failed", "the origin switched protocols unasked");
        mg_exchange_drop_origin(x, false);
        return;
    }
    x->tunnel = true;
    mg_exchange_go(x, MG_STAGE_RESPONSE);
}

/* 100, 102, 103 …: sent on at once, as many as come (RFC 9110 section 15.2). */
static void forward_interim(mg_exchange *x)
{
    const mg_response_head *head = mg_h1_client_response(x->origin);
    bool to_client = x->req.minor >= 1 && x->client->sent == MG_SENT_NOTHING && !(head->status == 100 && x->continue_sent);
    if (to_client) {
        mg_response_head saved = x->res;
        bool known = x->res_known, from = x->res_from_origin;
        x->res = *head;
        x->res.content_length = -1;
        x->res.has_body = false;
        x->res_from_origin = true;
        if (mg_exchange_clean_response(x) == MG_OK)
            x->client->ops->send_response(x->client, &x->res);
        if (head->status == 100)
            x->continue_sent = true;
        mg_side_flush(x->client);
        x->res = saved;
        x->res_known = known;
        x->res_from_origin = from;
    }
    mg_h1_client_next_head(x->origin);
    mg_side_took(x->origin);
}

static bool is_interim(const mg_side *o)
{
    unsigned status = mg_h1_client_response(o)->status;
    return o->got == MG_GOT_HEAD && status < 200 && status != 101;
}

static bool retry_status(const mg_exchange *x, unsigned status)
{
    const uint64_t *set = x->upstream->options.retry_statuses;
    return status >= 500 && status < 600 && set[(status - 500) / 64] >> (status - 500) % 64 & 1;
}

static void take_answer(mg_exchange *x)
{
    const mg_response_head *head = mg_h1_client_response(x->origin);
    if (head->status != 101)
        mg_peer_worked(x->peer_now);
    x->at.response_head = mg_clock_us();
    if (retry_status(x, head->status) && x->tries < x->upstream->options.attempts) {
        x->res_from_origin = false;
        if (mg_exchange_try_again(x, MG_END_DONE, false))
            return;
    }
    x->res = *head;
    x->res_known = true;
    x->res_from_origin = true;
    mg_block_drop(x->res_head);
    x->res_head = x->origin->head ? mg_block_hold(x->origin->head) : NULL;
    mg_exchange_go(x, MG_STAGE_TAKE);
}

void mg_exchange_run_take(mg_exchange *x)
{
    if (x->res.status == 101) {
        switch_protocols(x);
        return;
    }
    mg_exchange_pump_up(x); /* the upload goes on while a hook waits */
    if (x->stage != MG_STAGE_TAKE)
        return;
    switch (mg_exchange_hook(x, MG_PHASE_UPSTREAM_RESPONSE)) {
    case MG_HOOK_WAIT:
        return;
    case MG_HOOK_FAILED:
        mg_exchange_fail(x, 500, MG_END_SCRIPT, "proxy_internal_error", "a script failed");
        mg_exchange_drop_origin(x, false);
        return;
    case MG_HOOK_ANSWER: /* instead of what the origin said */
        mg_exchange_drop_origin(x, false);
        break;
    case MG_HOOK_DONE:
        break;
    }
    mg_exchange_go(x, MG_STAGE_RESPONSE);
}

void mg_exchange_run_await(mg_exchange *x)
{
    mg_exchange_pump_up(x);
    if (x->stage != MG_STAGE_AWAIT)
        return;
    while (is_interim(x->origin)) {
        if (!mg_side_room(x->client))
            return; /* they wait like any other bytes for a client that does not read */
        forward_interim(x);
    }
    if (x->origin->got == MG_GOT_HEAD || x->origin->got == MG_GOT_ALL)
        take_answer(x);
    else if (x->origin->got == MG_GOT_BROKEN)
        origin_broke(x);
    else if (x->origin->sent == MG_SENT_BROKEN && (x->origin->half_closed || x->origin->broke >= MG_BROKE_LATE))
        origin_broke(x);
}
