/*
 * exchange_fuzz: any order of events between a client, an origin and hooks.
 *
 *      input ─► steps: the client or the origin says a piece, ends, closes, reads or stops reading; a hook is told
 *               how to behave or is woken; a wait passes; all is stopped; a new generation comes
 *
 * Whatever the order: nothing crashes, every exchange ends once, and when both ends are gone and all is stopped
 * nothing is left: no exchange, no connection, no generation, no block.
 */
#include "exchange/exchange.h"

#include "exchange/access_log.h"
#include "exchange/filter.h"
#include "exchange/inside.h"
#include "http/fuzz_wire.h"
#include "http/h1.h"
#include "os/socket.h"

#include <signal.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_HOOKS (1u << MG_PHASE_REQUEST_BODY | 1u << MG_PHASE_RESPONSE_BODY)
#define HOOKS (~0u & ~BODY_HOOKS)

enum { CLIENTS = 2, ORIGINS = 4 };

static struct {
    const uint8_t *at, *end;
    mg_h1_server_settings settings;
    mg_generation *gen;
    mg_upstream *upstream;
    int listener, clients[CLIENTS], origins[ORIGINS];
    bool client_reads[CLIENTS], origin_reads[ORIGINS];
    uint8_t behaviour[MG_PHASE_COUNT];
    uint8_t pull;
    int begun, ended, freed, generations;
} w;

static uint8_t next_byte(void)
{
    return w.at < w.end ? *w.at++ : 0;
}

/* ---- hooks --------------------------------------------------------------------------------------- */

enum { DOES_NOTHING, WAITS, ANSWERS, FAILS, STREAMS, COLLECTS, CHANGES, USES_MEMORY, BEHAVIOURS };

static mg_hook_result change(mg_exchange *x)
{
    const char *why;
    (void)mg_exchange_set_path(x, MG_STR("/changed/../b"), &why);
    (void)mg_exchange_set_query(x, MG_STR("q=1"), &why);
    (void)mg_exchange_set_method(x, MG_STR("PUT"), &why);
    (void)mg_exchange_set_host(x, MG_STR("Other.Example:81"), &why);
    (void)mg_exchange_choose_upstream(x, MG_STR("app"));
    (void)mg_exchange_request_id(x);
    return MG_HOOK_DONE;
}

static mg_hook_result give_answer(mg_exchange *x, bool stream)
{
    mg_exchange_answer(x, next_byte() % 2 ? 200 : 204);
    (void)mg_exchange_answer_field(x, MG_STR("x-by"), MG_STR("hook"));
    if (stream) {
        if (next_byte() % 4 == 0)
            (void)mg_exchange_answer_field(x, MG_STR("content-length"), MG_STR("1000"));
        mg_exchange_answer_pull(x);
    } else {
        mg_exchange_answer_body(x, MG_STR("by hook"));
    }
    return MG_HOOK_ANSWER;
}

static mg_hook_result run(mg_exchange *x, mg_phase phase)
{
    MG_BUG_UNLESS(x->route->hooks >> phase & 1 && x->stage < MG_STAGE_GONE);
    x->script = &w;
    uint8_t *how = &w.behaviour[phase];
    bool may_answer = phase != MG_PHASE_LOG && phase != MG_PHASE_WHEN;
    switch (*how % BEHAVIOURS) {
    case WAITS:
        *how = next_byte() % 4 ? (uint8_t)(*how >> 3) : *how; /* mostly something else the next time */
        return MG_HOOK_WAIT;
    case ANSWERS:
        return may_answer ? give_answer(x, false) : MG_HOOK_ANSWER;
    case STREAMS:
        return may_answer ? give_answer(x, true) : MG_HOOK_DONE;
    case FAILS:
        return MG_HOOK_FAILED;
    case COLLECTS:
        if (phase < MG_PHASE_REQUEST_BODY && mg_exchange_hold_body(x, *how) == MG_AGAIN)
            return MG_HOOK_WAIT;
        if ((phase == MG_PHASE_UPSTREAM_RESPONSE || phase == MG_PHASE_RESPONSE) && x->res_known &&
            mg_exchange_hold_answer(x, (uint64_t)*how * 100) == MG_AGAIN)
            return MG_HOOK_WAIT;
        return MG_HOOK_DONE;
    case CHANGES:
        return phase < MG_PHASE_HANDLER ? change(x) : MG_HOOK_DONE;
    case USES_MEMORY:
        while (mg_arena_try(x->arena, 2000))
            ;
        while (mg_arena_try(x->arena, 8))
            ;
        return MG_HOOK_DONE;
    default:
        return MG_HOOK_DONE;
    }
}

static mg_hook_result pull(mg_exchange *x)
{
    x->script = &w;
    uint8_t how = w.pull;
    w.pull = next_byte();
    switch (how % 4) {
    case 0:
        return MG_HOOK_DONE;
    case 1:
        return MG_HOOK_WAIT;
    case 2:
        for (int i = 0; i <= how; i++)
            mg_exchange_answer_body(x, MG_STR("a piece of some sixty bytes that a script gave, to be sent on "));
        return MG_HOOK_ANSWER;
    default:
        return how > 200 ? MG_HOOK_FAILED : MG_HOOK_DONE;
    }
}

/* One piece on: MG_OK when the hook may go on at once. */
static mg_rc pass_on(mg_exchange *x, mg_flow flow, bool doubled)
{
    mg_str piece;
    mg_rc rc = mg_exchange_filter_take(x, flow, &piece);
    if (rc != MG_OK)
        return rc;
    rc = mg_exchange_filter_write(x, flow, piece);
    if (doubled)
        rc = mg_exchange_filter_write(x, flow, piece);
    mg_exchange_filter_took(x, flow, piece.n);
    return rc;
}

static mg_hook_result filter(mg_exchange *x, mg_flow flow)
{
    MG_BUG_UNLESS(x->stage < MG_STAGE_LOG && x->filters[flow] && !x->filters[flow]->done);
    x->script = &w;
    for (;;) {
        uint8_t how = next_byte();
        mg_rc rc = MG_OK;
        if (how >= 252)
            return MG_HOOK_FAILED;
        if (how >= 245)
            return MG_HOOK_DONE;
        if (how >= 230)
            return MG_HOOK_WAIT; /* for something of its own */
        if (how >= 200)
            rc = mg_exchange_filter_write(x, flow, MG_STR("some bytes that the hook made up by itself"));
        else
            rc = pass_on(x, flow, how % 2);
        if (rc != MG_OK)
            return rc == MG_EOF ? MG_HOOK_DONE : MG_HOOK_WAIT;
    }
}

static void wake_filter(mg_exchange *x, mg_flow flow)
{
    if (x && x->filters[flow] && x->filters[flow]->begun && x->stage < MG_STAGE_LOG)
        mg_exchange_filter_wake(x, flow);
}

static void end(mg_exchange *x)
{
    MG_BUG_UNLESS(x->script == &w);
}

static const mg_hooks hooks = {.run = run, .pull = pull, .filter = filter, .end = end};

/* ---- generations --------------------------------------------------------------------------------- */

static void on_free(mg_generation *g)
{
    MG_BUG_UNLESS(!g->exchanges);
    w.freed++;
}

static void on_end(mg_exchange *x)
{
    MG_BUG_UNLESS(x->stage == MG_STAGE_GONE);
    w.ended++;
}

static mg_route *add_route(mg_generation *g, mg_site *site, const char *path, mg_action action)
{
    static mg_str upgrades[] = {{"chat", 4}};
    mg_err err;
    mg_route *r = mg_arena_zalloc(&g->arena, sizeof *r);
    r->site = site;
    r->name = mg_str_of(path);
    r->action = action;
    r->upstream = w.upstream;
    r->timeouts = g->timeouts;
    r->body_limit = 100000;
    r->hooks = HOOKS;
    r->upgrades = upgrades;
    r->upgrade_count = 1;
    r->reply.status = 200;
    r->reply.body = MG_STR("reply");
    r->redirect.status = 302;
    r->redirect.to = MG_STR("/to/");
    r->redirect.prefix = r->redirect.keep_query = true;
    mg_route_match m = {.path = mg_str_of(path), .when = action == MG_ACTION_REPLY};
    MG_BUG_UNLESS(mg_router_add(g->router, site, r, &m, &err) == MG_OK);
    return r;
}

static const char *origin_name(void)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "unix:/tmp/moongate-fuzz-%d.sock", (int)getpid());
    return name;
}

static mg_generation *make_generation(void)
{
    static const mg_upstream_options options = {
        .connect_ms = 100000, .response_ms = 100000, .body_ms = 100000, .attempts = 3, .retry_connect = true,
        .retry_reset = true, .retry_timeout = true, .retry_statuses = {1 << 3}, .keepalive = 2};
    mg_err err;
    mg_generation *g = mg_generation_new((uint32_t)++w.generations);
    g->router = mg_router_new(&g->arena);
    g->hooks = &hooks;
    g->on_free = on_free;
    g->limits.buffer = 5000;
    mg_site *site = mg_arena_zalloc(&g->arena, sizeof *site);
    site->none.timeouts = g->timeouts;
    site->none.body_limit = 100000;
    site->none.hooks = HOOKS;
    MG_BUG_UNLESS(mg_router_add_site(g->router, site, NULL, 0, &err) == MG_OK);
    w.upstream = mg_upstream_new(&g->arena, MG_STR("app"), &options);
    for (int i = 0; i < 2; i++)
        MG_BUG_UNLESS(mg_upstream_add(w.upstream, mg_str_of(origin_name()), 1, false, &err) == MG_OK);
    mg_map_put(&g->upstreams, w.upstream->name, w.upstream);
    (void)add_route(g, site, "/", MG_ACTION_UPSTREAM);
    (void)add_route(g, site, "/h", MG_ACTION_HANDLER);
    (void)add_route(g, site, "/r/*", MG_ACTION_REDIRECT);
    (void)add_route(g, site, "/s", MG_ACTION_REPLY);
    (void)add_route(g, site, "/n", MG_ACTION_NONE);
    add_route(g, site, "/f", MG_ACTION_UPSTREAM)->hooks |= BODY_HOOKS;
    add_route(g, site, "/fh", MG_ACTION_HANDLER)->hooks |= BODY_HOOKS;
    return g;
}

/* ---- what is said -------------------------------------------------------------------------------- */

static const char *const from_client[] = {
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /h HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET /r/x?y HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n",
    "GET /s HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /n HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /h HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nX-T: 1\r\n\r\n",
    "0123456789",
    "\r\n",
    "xyz\r\n",
    "GET /f HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /fh HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD /f HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n",
    "POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n",
    "PUT /f HTTP/1.0\r\nHost: h\r\nContent-Length: 10\r\n\r\n",
    "PUT /f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
};

static const char *const from_origin[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.0 200 OK\r\nConnection: X\r\nX: 1\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n",
    "HTTP/1.1 204 No\r\n\r\n",
    "HTTP/1.1 304 No\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 2",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nX-T: 1\r\n\r\n",
    "0123456789",
    "xyz\r\n",
};

static void say_to(int fd, const char *text)
{
    if (fd >= 0)
        (void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_much(int fd)
{
    static char much[60000];
    if (fd >= 0)
        (void)!send(fd, much, sizeof much, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void drop(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void connect_client(int i)
{
    mg_addr peer;
    int fds[2];
    drop(&w.clients[i]);
    MG_BUG_UNLESS(mg_addr_parse("192.0.2.1:1234", &peer) == MG_OK);
    MG_BUG_UNLESS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    w.clients[i] = fds[0];
    w.client_reads[i] = true;
    (void)mg_h1_server_new(fds[1], &peer, &w.settings, NULL);
}

static void accept_origins(void)
{
    for (int i = 0; i < ORIGINS; i++)
        if (w.origins[i] < 0) {
            w.origins[i] = accept4(w.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            w.origin_reads[i] = true;
        }
}

static void read_all(int fd)
{
    static char bytes[65536];
    while (fd >= 0 && read(fd, bytes, sizeof bytes) > 0)
        ;
}

static void let_happen(int turns)
{
    far.fd = -1;
    far.ended = true;
    turn_loop(turns);
    accept_origins();
    for (int i = 0; i < CLIENTS; i++)
        if (w.client_reads[i])
            read_all(w.clients[i]);
    for (int i = 0; i < ORIGINS; i++)
        if (w.origin_reads[i])
            read_all(w.origins[i]);
}

/* ---- steps --------------------------------------------------------------------------------------- */

static mg_exchange *some_exchange(unsigned n)
{
    MG_LIST_EACH(l, &mg_world.exchanges)
        if (n-- == 0)
            return MG_OWNER(l, mg_exchange, link);
    return NULL;
}

/* One of the waits that an exchange and its connections may be in has taken too long. */
static void pass_time(mg_exchange *x, uint8_t which)
{
    mg_deadline *d = !x ? NULL : which & 128 ? &x->total : &x->deadline;
    if (x && which & 64 && x->client)
        d = &MG_H1_OF_SIDE(x->client)->deadline;
    if (x && which & 32 && x->origin)
        d = &MG_H1_OF_SIDE(x->origin)->deadline;
    if (!d || !mg_deadline_is_armed(d))
        return;
    mg_deadline_disarm(d);
    d->on_late(d);
}

static void reload(void)
{
    mg_generation *old = w.gen;
    w.gen = mg_world.current = make_generation();
    mg_generation_drop(old);
}

static void step(void)
{
    uint8_t op = next_byte(), arg = next_byte();
    mg_exchange *x;
    switch (op % 20) {
    case 0:
    case 1:
    case 2:
        say_to(w.clients[arg & 1], from_client[arg / 2 % MG_COUNT(from_client)]);
        break;
    case 3:
    case 4:
    case 5:
        say_to(w.origins[arg & 3], from_origin[arg / 4 % MG_COUNT(from_origin)]);
        break;
    case 6:
        say_much(arg & 1 ? w.clients[arg / 2 & 1] : w.origins[arg / 2 & 3]);
        break;
    case 7:
        if (w.clients[arg & 1] >= 0)
            (void)shutdown(w.clients[arg & 1], SHUT_WR);
        break;
    case 8:
        drop(&w.clients[arg & 1]);
        break;
    case 9:
        if (w.origins[arg & 3] >= 0)
            (void)shutdown(w.origins[arg & 3], arg & 4 ? SHUT_WR : SHUT_RD);
        break;
    case 10:
        drop(&w.origins[arg & 3]);
        break;
    case 11:
        w.client_reads[arg & 1] = arg & 2;
        break;
    case 12:
        w.origin_reads[arg & 3] = arg & 4;
        break;
    case 13:
        w.behaviour[op / 20 % MG_PHASE_COUNT] = arg;
        return;
    case 14:
        w.behaviour[arg % MG_PHASE_COUNT] = (uint8_t)(WAITS + 8 * (arg / 16));
        return;
    case 15:
        x = some_exchange(arg % 3);
        if (arg >= 128)
            wake_filter(x, arg & 1 ? MG_FLOW_UP : MG_FLOW_DOWN);
        else if (x)
            mg_exchange_wake(x);
        break;
    case 16:
        pass_time(some_exchange(arg % 3), arg);
        break;
    case 17:
        connect_client(arg & 1);
        break;
    case 18:
        w.pull = arg;
        return;
    default:
        if (arg < 20)
            mg_exchange_stop_all();
        else if (arg < 60)
            reload();
        else if (arg < 80)
            mg_pool_drop_idle(mg_world.pool);
        else if (arg < 90)
            w.settings.draining = !w.settings.draining;
        break;
    }
    let_happen(op / 20 % 4 + 1);
}

/* ---- one input ----------------------------------------------------------------------------------- */

/* A socket of its own for each input, so that no file is left. */
static void listen_for_origins(void)
{
    mg_addr a, out;
    mg_err err;
    MG_BUG_UNLESS(mg_addr_parse(origin_name(), &a) == MG_OK);
    w.listener = mg_socket_listen(&a, &(mg_listen_options){0}, &out, &err);
    MG_BUG_UNLESS(w.listener >= 0);
}

static void open_all(void)
{
    static bool has_loop;
    if (!has_loop) {
        has_loop = true;
        (void)open_far();
        (void)signal(SIGPIPE, SIG_IGN); /* as workers do: splice knows no MSG_NOSIGNAL */
    }
    listen_for_origins();
    for (int i = 0; i < CLIENTS; i++)
        w.clients[i] = -1;
    for (int i = 0; i < ORIGINS; i++)
        w.origins[i] = -1;
    mg_exchange_world_init(mg_pool_new(NULL));
    mg_world.on_end = on_end;
    w.gen = mg_world.current = make_generation();
    mg_h1_server_settings_init(&w.settings);
    mg_exchange_settings(&w.settings, w.gen);
    w.settings.linger_ms = w.settings.header_ms = w.settings.idle_ms = 1000000;
    connect_client(0);
}

static void close_all(void)
{
    for (int i = 0; i < CLIENTS; i++)
        drop(&w.clients[i]);
    let_happen(3);
    mg_exchange_stop_all();
    MG_BUG_UNLESS(mg_world.count == 0 && mg_list_is_empty(&mg_world.exchanges));
    mg_h1_server_close_all(&w.settings);
    MG_BUG_UNLESS(w.settings.open == 0);
    mg_pool_free(mg_world.pool);
    MG_BUG_UNLESS(w.gen->holds == 1 && !w.gen->exchanges);
    for (uint32_t i = 0; i < w.upstream->peer_count; i++)
        MG_BUG_UNLESS(w.upstream->peers[i].active == 0);
    mg_generation_drop(w.gen);
    MG_BUG_UNLESS(w.freed == w.generations);
    for (int i = 0; i < ORIGINS; i++)
        drop(&w.origins[i]);
    mg_socket_close(w.listener);
    (void)unlink(origin_name() + strlen("unix:"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&w, 0, sizeof w);
    size_t blocks = mg_block_count();
    w.at = data;
    w.end = data + MG_MIN(size, (size_t)400);
    open_all();
    while (w.at < w.end)
        step();
    close_all();
    MG_BUG_UNLESS(mg_block_count() == blocks);
    return 0;
}
