#include "exchange/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "codec/accept.h"
#include "codec/h1_write.h"

enum { ANSWER_FIELDS = 256, DETAIL_MOST = 400 };

void mg_exchange_answer(mg_exchange *x, int status)
{
    mg_chain_fini(&x->answer.body);
    x->answer.pull = false;
    x->answer.whole = true;
    x->answer.by_script = true;
    x->res = (mg_response_head){.status = (uint16_t)status, .content_length = -1, .minor = 1};
    mg_fields_init(&x->res.fields, x->arena, ANSWER_FIELDS);
    x->res_known = true;
    x->res_from_origin = false;
}

mg_rc mg_exchange_answer_field(mg_exchange *x, mg_str name, mg_str value)
{
    if (!mg_field_name_is_valid(name) || !mg_field_value_is_valid(value))
        return MG_BAD;
    char *p = mg_arena_try(x->arena, name.n + value.n);
    if (!p)
        return MG_LIMIT;
    memcpy(p, name.p, name.n);
    if (value.n)
        memcpy(p + name.n, value.p, value.n);
    return mg_fields_add(&x->res.fields, mg_field_id_of(name), (mg_str){p, name.n}, (mg_str){p + name.n, value.n});
}

void mg_exchange_answer_body(mg_exchange *x, mg_str bytes)
{
    mg_chain_add_copy(&x->answer.body, bytes);
}

void mg_exchange_answer_pull(mg_exchange *x)
{
    x->answer.pull = true;
    x->answer.whole = false;
}

static void put(mg_exchange *x, mg_field_id id, mg_str value)
{
    if (mg_fields_add(&x->res.fields, id, mg_field_name(id), value) != MG_OK)
        mg_debug("an answer's field %.*s does not fit", MG_STR_ARG(mg_field_name(id)));
}

/* ---- from the configuration ---- */

void mg_exchange_reply(mg_exchange *x)
{
    const mg_route *r = x->route;
    mg_exchange_answer(x, r->reply.status);
    x->answer.by_script = false;
    for (uint32_t i = 0; i < r->reply.fields.count; i++) {
        const mg_field *f = &r->reply.fields.at[i];
        if (mg_fields_add(&x->res.fields, f->id, f->name, f->value) != MG_OK)
            break;
    }
    if (r->reply.body.n && !mg_fields_find(&x->res.fields, MG_FIELD_CONTENT_TYPE))
        put(x, MG_FIELD_CONTENT_TYPE, MG_STR("text/plain; charset=utf-8"));
    mg_chain_add_static(&x->answer.body, r->reply.body); /* lives as long as the generation, which we hold */
}

mg_rc mg_exchange_redirect(mg_exchange *x)
{
    const mg_route *r = x->route;
    mg_str to;
    if (mg_exchange_fill_in(x, r->redirect.to, &to) != MG_OK)
        return MG_LIMIT;
    mg_str parts[] = {to, MG_STR_NONE, MG_STR_NONE, MG_STR_NONE};
    if (r->redirect.prefix && x->search)
        parts[1] = x->search->rest;
    if (r->redirect.keep_query && x->req.query.n) {
        parts[2] = mg_str_find(to, '?') < 0 ? MG_STR("?") : MG_STR("&");
        parts[3] = x->req.query;
    }
    char *start = mg_arena_try(x->arena, to.n + parts[1].n + parts[2].n + parts[3].n), *end = start;
    if (!start)
        return MG_LIMIT;
    for (size_t i = 0; i < MG_COUNT(parts); i++)
        if (parts[i].n)
            end = (char *)memcpy(end, parts[i].p, parts[i].n) + parts[i].n;
    mg_exchange_answer(x, r->redirect.status);
    x->answer.by_script = false;
    put(x, MG_FIELD_LOCATION, (mg_str){start, (size_t)(end - start)});
    return MG_OK;
}

/* ---- errors ---- */

void mg_exchange_fail(mg_exchange *x, int status, mg_end why, const char *error, const char *detail)
{
    x->failure.status = status;
    x->failure.error = error;
    x->failure.detail = detail;
    x->end = (uint8_t)why;
    x->is_internal_error = true;
    x->tunnel = false; /* if there was to be one */
    mg_log_at(status >= 500 ? MG_LOG_WARN : MG_LOG_DEBUG, "%.*s %.*s%.*s: %d %s: %s%s%.*s",
              MG_STR_ARG(x->req.method_name), MG_STR_ARG(x->req.authority), MG_STR_ARG(x->req.target), status,
              mg_end_name(why), detail ? detail : "", x->peer_now ? " from " : "",
              MG_STR_ARG(x->peer_now ? x->peer_now->name : MG_STR_NONE));
    mg_exchange_go(x, MG_STAGE_FAILED);
}

/* problem+json for those who ask for JSON, a small page for those who ask for HTML first, else text. */
static void put_error_body(mg_exchange *x)
{
    mg_str reason = mg_status_reason((unsigned)x->failure.status);
    mg_str accept = x->req.fields ? mg_fields_value(x->req.fields, MG_FIELD_ACCEPT) : MG_STR_NONE;
    int status = x->failure.status;
    int json = 0, html = 0, text = 1000;
    if (accept.p) {
        json = MG_MAX(mg_accept_quality(accept, MG_STR("application/problem+json")),
                      mg_accept_quality(accept, MG_STR("application/json")));
        html = mg_accept_quality(accept, MG_STR("text/html"));
        text = mg_accept_quality(accept, MG_STR("text/plain"));
    }
    mg_str body, type;
    if (json && json > html && json > text) {
        type = MG_STR("application/problem+json");
        body = mg_arena_print(x->arena, "{\"type\":\"about:blank\",\"title\":\"%.*s\",\"status\":%d}\n", MG_STR_ARG(reason), status);
    } else if (html && html > text) {
        type = MG_STR("text/html; charset=utf-8");
        body = mg_arena_print(x->arena,
                              "<!doctype html><html><head><title>%d %.*s</title></head><body><h1>%d %.*s</h1></body></html>\n",
                              status, MG_STR_ARG(reason), status, MG_STR_ARG(reason));
    } else {
        type = MG_STR("text/plain; charset=utf-8");
        body = mg_arena_print(x->arena, "%d %.*s\n", status, MG_STR_ARG(reason));
    }
    put(x, MG_FIELD_CONTENT_TYPE, type);
    mg_exchange_answer_body(x, body);
}

void mg_exchange_make_error(mg_exchange *x)
{
    mg_exchange_answer(x, x->failure.status);
    x->answer.by_script = false;
    /* There is room for these fields also when the memory of the request is used up. */
    x->res.fields.at = mg_arena_alloc(x->arena, MG_FIELDS_FIRST * sizeof *x->res.fields.at);
    x->res.fields.room = MG_FIELDS_FIRST;
    put_error_body(x);
    if (x->failure.error) /* RFC 9209 */
        put(x, MG_FIELD_PROXY_STATUS,
            mg_arena_print(x->arena, "%.*s; error=%s", MG_STR_ARG(x->gen->via.n ? x->gen->via : MG_STR("moongate")), x->failure.error));
    if (x->failure.status == 405 && x->search && x->search->allow.p)
        put(x, MG_FIELD_ALLOW, x->search->allow);
    if (x->failure.status == 503)
        put(x, MG_FIELD_RETRY_AFTER, MG_STR("1"));
}

/* ---- the head of an own answer, made ready to be sent ---- */

/* Framing is ours: what a script says of it is taken for what it means, not sent. */
static int64_t told_length(mg_exchange *x)
{
    mg_field *f = mg_fields_find(&x->res.fields, MG_FIELD_CONTENT_LENGTH);
    uint64_t n;
    return f && mg_number_dec(f->value, &n) == MG_OK ? (int64_t)n : -1;
}

void mg_exchange_send_answer_head(mg_exchange *x)
{
    mg_response_head *res = &x->res;
    bool bodiless = x->req.method == MG_METHOD_HEAD || res->status == 204 || res->status == 304 || res->status < 200;
    int64_t told = told_length(x);
    res->has_body = !bodiless;
    if (x->answer.whole)
        res->content_length = bodiless && !x->answer.body.n ? (res->status == 304 || x->req.method == MG_METHOD_HEAD ? told : -1)
                                                            : (int64_t)x->answer.body.n;
    else
        res->content_length = told;
    if (bodiless && !x->answer.pull)
        mg_chain_fini(&x->answer.body);
    if (bodiless) {
        x->answer.pull = false;
        x->answer.whole = true;
        mg_chain_fini(&x->answer.body);
    }
}
