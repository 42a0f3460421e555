/*
 * server_test: a connection from a client with an exchange that only does what a test says, or one that echoes.
 *
 *      wire ⇄ [ h1_server ]─side─[ the test: taker.side ]
 *
 * By hand, the test finds the side of the newest request in taker.side and uses it as an exchange would. An
 * echoing taker answers each request by itself, with all that it understood of it: method, target, length told,
 * body and trailers.
 */
#ifndef MG_HTTP_SERVER_TEST_H
#define MG_HTTP_SERVER_TEST_H

#include "http/h1.h"
#include "http/h1_server.h"
#include "http/wire_test.h"

static struct {
    mg_h1_server_settings settings;
    mg_side *side;          /* of the newest request; NULL: released */
    bool echoes;
    bool slow_echo;         /* answers only when the test says so */
    int requests, refusals, changes, closed;
    int status;             /* of the newest refusal */
    const char *why;
    bool break_seen;
} taker;

static const mg_addr nobody = {.u.family = AF_UNSPEC};

/* ---- by hand ------------------------------------------------------------------------------------- */

static inline void on_taker_change(mg_side *s)
{
    (void)s;
    taker.changes++;
}

static inline mg_response_head head_of(int status, int64_t length, bool has_body)
{
    mg_response_head head = {.status = (uint16_t)status, .content_length = length, .has_body = has_body, .minor = 1};
    mg_fields_init(&head.fields, taker.side->arena, 16);
    return head;
}

static inline void send_head(int status, int64_t length, bool has_body)
{
    mg_response_head head = head_of(status, length, has_body);
    taker.side->ops->send_response(taker.side, &head);
}

static inline void send_text(const char *text)
{
    mg_chain body = {0};
    mg_chain_add_copy(&body, mg_str_of(text));
    taker.side->ops->send_body(taker.side, &body, body.n);
    CHECK_INT(body.n, 0);
}

static inline void send_end(void)
{
    taker.side->ops->send_end(taker.side, NULL);
    mg_side_flush(taker.side);
}

static inline void let_go(bool clean)
{
    mg_side *s = taker.side;
    taker.side = NULL;
    s->ops->release(s, clean);
}

/* A whole small answer; the connection is given back. */
static inline void answer(int status, const char *body)
{
    send_head(status, (int64_t)strlen(body), true);
    send_text(body);
    send_end();
    let_go(true);
}

/* What has arrived of the body, taken. */
static inline mg_str take_body(void)
{
    static char bytes[4096];
    size_t n = mg_chain_copy_out(&taker.side->in, bytes, sizeof bytes);
    mg_chain_fini(&taker.side->in);
    mg_side_took(taker.side);
    return (mg_str){bytes, n};
}

/* ---- an echo ------------------------------------------------------------------------------------- */

typedef struct {
    mg_side *side;
    mg_chain body;
} echo;

static inline void end_echo(echo *e, bool clean)
{
    mg_side *s = e->side;
    mg_chain_fini(&e->body);
    mg_free(e);
    s->ops->release(s, clean);
}

static inline void send_echo(echo *e, int status)
{
    mg_side *s = e->side;
    const mg_request_head *q = mg_h1_server_request(s);
    mg_chain text = {0};
    if (q && status == 200) {
        char length[32];
        mg_chain_add_copy(&text, q->method_name);
        mg_chain_add_copy(&text, MG_STR(" "));
        mg_chain_add_copy(&text, q->target);
        (void)snprintf(length, sizeof length, " %lld [", (long long)q->content_length);
        mg_chain_add_copy(&text, mg_str_of(length));
        mg_chain_move(&text, &e->body);
        mg_chain_add_static(&text, MG_STR("]"));
        for (uint32_t i = 0; s->trailers && i < s->trailers->count; i++) {
            mg_chain_add_copy(&text, s->trailers->at[i].name);
            mg_chain_add_copy(&text, MG_STR("="));
            mg_chain_add_copy(&text, s->trailers->at[i].value);
        }
    }
    mg_response_head head = {.status = (uint16_t)status, .content_length = (int64_t)text.n, .minor = 1,
                             .has_body = !q || q->method != MG_METHOD_HEAD};
    mg_fields_init(&head.fields, s->arena, 4);
    s->ops->send_response(s, &head);
    s->ops->send_body(s, &text, text.n);
    s->ops->send_end(s, NULL);
    mg_side_flush(s);
}

static inline void look_at_echo(mg_side *s)
{
    echo *e = s->exchange;
    mg_chain_move(&e->body, &s->in);
    mg_side_took(s);
    if (s->sent == MG_SENT_BROKEN) {
        taker.break_seen = true;
        end_echo(e, false);
        return;
    }
    if (s->sent == MG_SENT_NOTHING && s->got == MG_GOT_ALL)
        send_echo(e, 200);
    if (s->sent == MG_SENT_NOTHING && s->got == MG_GOT_BROKEN) {
        taker.break_seen = true;
        if (s->broke != MG_BROKE_SYNTAX && s->broke != MG_BROKE_LIMIT) {
            end_echo(e, false);
            return;
        }
        send_echo(e, s->broke == MG_BROKE_LIMIT ? 431 : 400);
    }
    if (s->sent == MG_SENT_ALL && !s->queued)
        end_echo(e, true);
}

static inline void begin_echo(mg_side *s)
{
    echo *e = mg_zalloc(sizeof *e);
    e->side = s;
    s->exchange = e;
    s->on_change = look_at_echo;
}

/* ---- the connection ------------------------------------------------------------------------------ */

static inline void on_taker_request(mg_side *s)
{
    taker.requests++;
    if (taker.echoes) {
        begin_echo(s);
        look_at_echo(s);
        return;
    }
    MG_BUG_UNLESS(!taker.side);
    taker.side = s;
    s->on_change = on_taker_change;
}

static inline void on_taker_refused(mg_side *s, int status, const char *why)
{
    taker.refusals++;
    taker.status = status;
    taker.why = why;
    begin_echo(s);
    send_echo(s->exchange, status);
    if (!s->queued || s->sent == MG_SENT_BROKEN)
        end_echo(s->exchange, s->sent == MG_SENT_ALL);
}

static inline void on_taker_closed(mg_h1_server *c)
{
    (void)c;
    taker.closed++;
}

static inline void open_taker(bool echoes)
{
    memset(&taker, 0, sizeof taker);
    taker.echoes = echoes;
    mg_h1_server_settings *s = &taker.settings;
    mg_h1_server_settings_init(s);
    s->limits = (mg_h1_limits){.line_most = 8192, .head_most = 32768, .fields_most = 128};
    s->buffer = 65536;
    s->arena_most = 1 << 20;
    s->keepalive_requests = 1000;
    s->header_ms = s->idle_ms = s->write_ms = s->linger_ms = 60000;
    s->on_request = on_taker_request;
    s->on_refused = on_taker_refused;
    s->on_closed = on_taker_closed;
}

static inline mg_h1_server *serve(int fd)
{
    return mg_h1_server_new(fd, &nobody, &taker.settings, NULL);
}

/* Nothing may be left of what was served: all connections are closed by now, or are here. */
static inline void close_taker(void)
{
    if (taker.side)
        let_go(false);
    mg_h1_server_close_all(&taker.settings);
    CHECK_INT(taker.settings.open, 0);
    CHECK_INT((uint64_t)taker.closed, taker.settings.accepted);
}

static inline bool is_closed(void *arg)
{
    (void)arg;
    return taker.settings.open == 0;
}

#endif
