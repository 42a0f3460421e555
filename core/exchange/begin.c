/*
 * begin: how exchanges come to be: from a head, or from one that was refused; and the world they live in.
 */
#include "exchange/inside.h"

mg_exchange_world mg_world;

static void on_client_change(mg_side *s)
{
    mg_exchange_drive(s->exchange);
}

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
    mg_deadline_init(&x->deadline, mg_exchange_on_late);
    mg_deadline_init(&x->total, mg_exchange_on_total);
    mg_later_init(&x->wake, mg_exchange_on_wake);
    mg_later_init(&x->wake_filter, mg_exchange_on_wake_filter);
    mg_later_init(&x->again, mg_exchange_on_again);
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

/* As with a head that is refused: nothing that the client sends behind it is looked at. */
static void refuse(mg_exchange *x, int status, mg_end why, const char *error, const char *detail)
{
    x->client->will_close = true;
    mg_exchange_fail(x, status, why, error, detail);
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
        refuse(x, 400, MG_END_CLIENT_BAD, "http_request_error", why);
    else if (x->req.method == MG_METHOD_CONNECT) /* what follows may be meant for the tunnel: never a request to us */
        refuse(x, 501, MG_END_REFUSED, NULL, "CONNECT is not offered");
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
    mg_exchange_fail(x, status, status == 408 ? MG_END_CLIENT_HEAD_LATE : MG_END_CLIENT_BAD, "http_request_error", why);
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
        if (g && x->gen != g)
            continue;
        x->log_is_over = true;
        mg_exchange_cut(x, MG_END_STOPPED);
        mg_exchange_drive(x);
    }
}

void mg_exchange_stop_all(void)
{
    mg_exchange_stop_of(NULL);
    mg_exchange_free_pipes();
}
