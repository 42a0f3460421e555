#include "script/build.h"

#include "exchange/router.h"
#include "script/tables.h"

#include <lauxlib.h>
#include <stdio.h>

typedef struct {
    lua_State *L;
    mg_generation *g;
    const mg_script *script;
    mg_arena *arena;
    const mg_script_source *source;
    int mistakes;
} building;

static void tell(building *b, mg_str where, const char *what)
{
    char line[2048];
    snprintf(line, sizeof line, "%.*s%s%s", MG_STR_ARG(where), where.n ? ": " : "", what);
    b->mistakes++;
    if (b->source->tell)
        b->source->tell(b->source->tell_arg, line);
}

/* What the table on top calls its place: "conf/moongate.lua:31". */
static mg_str where_of(building *b)
{
    lua_getfield(b->L, -1, "where");
    mg_str out = MG_STR_NONE;
    if (lua_type(b->L, -1) == LUA_TSTRING) {
        out.p = lua_tolstring(b->L, -1, &out.n);
        out = mg_arena_copy(b->arena, out);
    }
    lua_pop(b->L, 1);
    return out;
}

/* ---- settings ---- */

static const struct { const char *key; size_t offset; } waits[] = {
    {"client_header", offsetof(mg_timeouts, client_header)}, {"client_body", offsetof(mg_timeouts, client_body)},
    {"client_write", offsetof(mg_timeouts, client_write)},   {"client_idle", offsetof(mg_timeouts, client_idle)},
    {"client_gone", offsetof(mg_timeouts, client_gone)},     {"tunnel", offsetof(mg_timeouts, tunnel)},
    {"drain", offsetof(mg_timeouts, drain)},                 {"request", offsetof(mg_timeouts, request)},
    {"script", offsetof(mg_timeouts, script)},               {"connect", offsetof(mg_timeouts, connect)},
    {"response", offsetof(mg_timeouts, response)},           {"body", offsetof(mg_timeouts, body)},
};

/* The table on top over what is in `out`; off (false) is 0. */
static void read_timeouts(lua_State *L, mg_timeouts *out)
{
    for (size_t i = 0; i < MG_COUNT(waits); i++) {
        int64_t *at = (int64_t *)(void *)((char *)out + waits[i].offset);
        lua_getfield(L, -1, waits[i].key);
        if (lua_type(L, -1) == LUA_TNUMBER)
            *at = (int64_t)lua_tonumber(L, -1);
        else if (lua_isboolean(L, -1))
            *at = 0;
        lua_pop(L, 1);
    }
}

static void read_limits(lua_State *L, mg_limits *out)
{
    out->connections = mg_tables_u32(L, -1, "connections", out->connections);
    out->header_bytes = mg_tables_u32(L, -1, "header_bytes", out->header_bytes);
    out->headers = mg_tables_u32(L, -1, "headers", out->headers);
    out->request_line = mg_tables_u32(L, -1, "request_line", out->request_line);
    out->keepalive_requests = mg_tables_u32(L, -1, "keepalive_requests", out->keepalive_requests);
    out->min_rate = mg_tables_u32(L, -1, "min_rate", out->min_rate);
    out->generations = mg_tables_u32(L, -1, "generations", out->generations);
    out->body = (uint64_t)mg_tables_int(L, -1, "body", (int64_t)out->body);
    out->buffer = (size_t)mg_tables_int(L, -1, "buffer", (int64_t)out->buffer);
}

static void build_trusted(building *b, int plan)
{
    uint32_t count = mg_tables_length(b->L, plan, "trusted_proxies");
    if (!count || !mg_tables_enter(b->L, plan, "trusted_proxies"))
        return;
    b->g->trusted = mg_cidrs_new();
    for (uint32_t i = 1; i <= count; i++) {
        mg_err err;
        if (mg_cidrs_add(b->g->trusted, mg_tables_item(b->L, -1, (int)i, b->arena), &err) != MG_OK)
            tell(b, MG_STR("trusted_proxies"), err.text);
    }
    lua_pop(b->L, 1);
}

static void build_settings(building *b, int plan)
{
    static const struct { const char *name; mg_forwarded_mode mode; } modes[] = {
        {"off", MG_FORWARDED_OFF}, {"forwarded", MG_FORWARDED_STANDARD}, {"x-forwarded", MG_FORWARDED_X}, {"both", MG_FORWARDED_BOTH}};
    if (mg_tables_enter(b->L, plan, "timeouts")) {
        read_timeouts(b->L, &b->g->timeouts);
        lua_pop(b->L, 1);
    }
    if (mg_tables_enter(b->L, plan, "limits")) {
        read_limits(b->L, &b->g->limits);
        lua_pop(b->L, 1);
    }
    mg_str forwarded = mg_tables_text(b->L, plan, "forwarded", b->arena);
    for (size_t i = 0; i < MG_COUNT(modes); i++)
        if (mg_str_eq(forwarded, mg_str_of(modes[i].name)))
            b->g->forwarded = modes[i].mode;
    b->g->via = mg_tables_text(b->L, plan, "via", b->arena);
    build_trusted(b, plan);
}

/* ---- upstreams ---- */

static void read_retry(building *b, mg_upstream_options *o)
{
    o->attempts = mg_tables_u32(b->L, -1, "attempts", o->attempts);
    o->retry_non_idempotent = mg_tables_flag(b->L, -1, "non_idempotent");
    o->retry_connect = o->retry_reset = o->retry_timeout = false;
    uint32_t count = mg_tables_length(b->L, -1, "on");
    if (!count || !mg_tables_enter(b->L, -1, "on"))
        return;
    for (int i = 1; i <= (int)count; i++) {
        lua_rawgeti(b->L, -1, i);
        if (lua_type(b->L, -1) == LUA_TNUMBER) {
            unsigned bit = (unsigned)lua_tointeger(b->L, -1) - 500;
            if (bit < 100)
                o->retry_statuses[bit / 64] |= (uint64_t)1 << bit % 64;
        } else {
            mg_str what = mg_str_of(lua_tostring(b->L, -1));
            o->retry_connect |= mg_str_eq(what, MG_STR("connect"));
            o->retry_reset |= mg_str_eq(what, MG_STR("reset"));
            o->retry_timeout |= mg_str_eq(what, MG_STR("timeout"));
        }
        lua_pop(b->L, 1);
    }
    lua_pop(b->L, 1);
}

static mg_upstream_options read_upstream(building *b)
{
    lua_State *L = b->L;
    mg_upstream_options o = {.attempts = 1};
    if (mg_tables_enter(L, -1, "retry")) {
        read_retry(b, &o);
        lua_pop(L, 1);
    }
    if (mg_tables_enter(L, -1, "timeouts")) {
        o.connect_ms = mg_tables_int(L, -1, "connect", b->g->timeouts.connect);
        o.response_ms = mg_tables_int(L, -1, "response", b->g->timeouts.response);
        o.body_ms = mg_tables_int(L, -1, "body", b->g->timeouts.body);
        lua_pop(L, 1);
    }
    if (mg_tables_enter(L, -1, "failover")) {
        o.fails = mg_tables_u32(L, -1, "fails", 0);
        o.within_ms = mg_tables_int(L, -1, "within", 0);
        o.pause_ms = mg_tables_int(L, -1, "pause", 0);
        lua_pop(L, 1);
    }
    o.keepalive = mg_tables_u32(L, -1, "keepalive", 0);
    o.keepalive_idle_ms = mg_tables_int(L, -1, "keepalive_idle", 0);
    o.keepalive_requests = mg_tables_u32(L, -1, "keepalive_requests", 0);
    mg_str host = mg_tables_text(L, -1, "host", b->arena);
    if (mg_str_eq(host, MG_STR("server")))
        o.host = (mg_str){"", 0};
    else if (!mg_str_eq(host, MG_STR("client")))
        o.host = host;
    return o;
}

static void add_servers(building *b, mg_upstream *u)
{
    uint32_t count = mg_tables_length(b->L, -1, "servers");
    if (!count || !mg_tables_enter(b->L, -1, "servers"))
        return;
    for (int i = 1; i <= (int)count; i++) {
        if (!mg_tables_enter_item(b->L, -1, i))
            continue;
        mg_err err;
        mg_str address = mg_tables_text(b->L, -1, "address", b->arena);
        if (mg_upstream_add(u, address, mg_tables_u32(b->L, -1, "weight", 1), mg_tables_flag(b->L, -1, "backup"), &err) != MG_OK)
            tell(b, mg_arena_print(b->arena, "upstreams.%.*s", MG_STR_ARG(u->name)), err.text);
        lua_pop(b->L, 1);
    }
    lua_pop(b->L, 1);
}

static void build_upstreams(building *b, int plan)
{
    lua_State *L = b->L;
    uint32_t count = mg_tables_length(L, plan, "upstream_names");
    if (!count || !mg_tables_enter(L, plan, "upstreams"))
        return;
    int upstreams = lua_gettop(L);
    mg_tables_enter(L, plan, "upstream_names");
    for (int i = 1; i <= (int)count; i++) {
        mg_str name = mg_tables_item(L, upstreams + 1, i, b->arena);
        if (!name.p || !mg_tables_enter(L, upstreams, name.p))
            continue;
        mg_upstream_options o = read_upstream(b);
        mg_upstream *u = mg_upstream_new(b->arena, name, &o);
        add_servers(b, u);
        if (b->source->stats)
            mg_upstream_use_stats(u, b->source->stats, b->source->worker);
        mg_map_put(&b->g->upstreams, u->name, u);
        lua_pop(L, 1);
    }
    lua_settop(L, upstreams - 1);
}

/* ---- routes ---- */

static mg_str *read_texts(building *b, const char *key, uint32_t *count)
{
    *count = mg_tables_length(b->L, -1, key);
    if (!*count || !mg_tables_enter(b->L, -1, key))
        return NULL;
    mg_str *texts = mg_arena_alloc(b->arena, *count * sizeof *texts);
    for (uint32_t i = 0; i < *count; i++)
        texts[i] = mg_tables_item(b->L, -1, (int)i + 1, b->arena);
    lua_pop(b->L, 1);
    return texts;
}

/* The value on top, and `name`, as a condition: a text, true or { regex = }. */
static mg_cond read_cond(building *b, bool query, mg_str name)
{
    mg_cond c = {.query = query, .kind = MG_COND_PRESENT, .name = name};
    if (lua_type(b->L, -1) == LUA_TSTRING) {
        c.kind = MG_COND_EXACT;
        c.value.p = lua_tolstring(b->L, -1, &c.value.n);
        c.value = mg_arena_copy(b->arena, c.value);
    } else if (lua_istable(b->L, -1)) {
        c.kind = MG_COND_REGEX;
        c.value = mg_tables_text(b->L, -1, "regex", b->arena);
    }
    return c;
}

enum { CONDS_MOST = 64 };

static uint32_t read_conds(building *b, const char *key, bool query, mg_cond *out, uint32_t count)
{
    if (!mg_tables_enter(b->L, -1, key))
        return count;
    lua_pushnil(b->L);
    while (lua_next(b->L, -2)) {
        mg_str name;
        name.p = lua_tolstring(b->L, -2, &name.n);
        if (count < CONDS_MOST)
            out[count++] = read_cond(b, query, mg_arena_copy(b->arena, name));
        lua_pop(b->L, 1);
    }
    lua_pop(b->L, 1);
    return count;
}

static void add_reply_field(building *b, mg_route *r, mg_str name, mg_str value)
{
    if (mg_fields_add(&r->reply.fields, mg_field_id_of(name), name, value) != MG_OK)
        tell(b, r->where, "too many headers in 'reply'");
}

static void read_reply_headers(building *b, mg_route *r)
{
    lua_State *L = b->L;
    mg_fields_init(&r->reply.fields, b->arena, 1000);
    if (!mg_tables_enter(L, -1, "headers"))
        return;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        mg_str name, value;
        name.p = lua_tolstring(L, -2, &name.n);
        name = mg_arena_copy(b->arena, name);
        if (lua_istable(L, -1)) {
            for (int i = 1; (value = mg_tables_item(L, -1, i, b->arena)).p; i++)
                add_reply_field(b, r, name, value);
        } else {
            value.p = lua_tolstring(L, -1, &value.n);
            add_reply_field(b, r, name, mg_arena_copy(b->arena, value));
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_reply(building *b, mg_route *r)
{
    if (!mg_tables_enter(b->L, -1, "reply"))
        return;
    r->action = MG_ACTION_REPLY;
    r->reply.status = (uint16_t)mg_tables_int(b->L, -1, "status", 200);
    r->reply.body = mg_tables_text(b->L, -1, "body", b->arena);
    read_reply_headers(b, r);
    lua_pop(b->L, 1);
}

static void read_redirect(building *b, mg_route *r)
{
    if (!mg_tables_enter(b->L, -1, "redirect"))
        return;
    r->action = MG_ACTION_REDIRECT;
    r->redirect.status = (uint16_t)mg_tables_int(b->L, -1, "status", 302);
    r->redirect.keep_query = mg_tables_flag(b->L, -1, "keep_query");
    r->redirect.to = mg_tables_text(b->L, -1, "to", b->arena);
    if (mg_str_ends(r->redirect.to, MG_STR("/*"))) {
        r->redirect.prefix = true;
        r->redirect.to.n--;
    }
    lua_pop(b->L, 1);
}

static void read_action(building *b, mg_route *r)
{
    mg_str upstream = mg_tables_text(b->L, -1, "upstream", b->arena);
    mg_str action = mg_tables_text(b->L, -1, "action", b->arena);
    if (upstream.p) {
        r->action = MG_ACTION_UPSTREAM;
        r->upstream = mg_map_get(&b->g->upstreams, upstream);
    } else if (mg_str_eq(action, MG_STR("handler"))) {
        r->action = MG_ACTION_HANDLER;
    }
    read_reply(b, r);
    read_redirect(b, r);
}

/* The timeouts of the table on top over those of the place above it. An origin's waits are the upstream's
 * (-1) unless the site or the route says otherwise. */
static void read_route_timeouts(building *b, mg_route *r)
{
    if (mg_tables_enter(b->L, -1, "timeouts")) {
        read_timeouts(b->L, &r->timeouts);
        lua_pop(b->L, 1);
    }
    r->timeouts.connect = r->timeouts.response = r->timeouts.body = -1;
    if (mg_tables_enter(b->L, -1, "explicit_timeouts")) {
        read_timeouts(b->L, &r->timeouts);
        lua_pop(b->L, 1);
    }
    if (mg_tables_enter(b->L, -1, "limits")) {
        r->body_limit = (uint64_t)mg_tables_int(b->L, -1, "body", (int64_t)r->body_limit);
        lua_pop(b->L, 1);
    }
}

static void count_route(building *b, mg_route *r)
{
    if (b->source->stats)
        r->stats = mg_stats_row_of(b->source->stats, MG_STATS_ROUTE, r->name, b->source->worker);
}

/* The hook set that boot.lua chose for a table; 0 is the empty one. */
static void read_set(building *b, int table, mg_route *r)
{
    r->script = (int)mg_tables_u32(b->L, table, "set", 0);
    MG_BUG_UNLESS((uint32_t)r->script < b->script->set_count);
    for (unsigned p = 0; p < MG_PHASE_COUNT; p++)
        if (b->script->sets[r->script].count[p])
            r->hooks |= 1U << p;
}

static mg_str route_name(building *b, const mg_site *site, const mg_route_match *m)
{
    mg_str name = mg_tables_text(b->L, -1, "name", b->arena);
    if (name.p)
        return name;
    mg_str path = m->path.p ? m->path : m->regex.p ? m->regex : MG_STR("/*");
    return mg_arena_print(b->arena, "%.*s %s%.*s", MG_STR_ARG(site->name), m->regex.p ? "~" : "", MG_STR_ARG(path));
}

static void build_route(building *b, mg_site *site)
{
    mg_route *r = mg_arena_zalloc(b->arena, sizeof *r);
    mg_cond conds[CONDS_MOST];
    mg_route_match m = {
        .path = mg_tables_text(b->L, -1, "path", b->arena),
        .regex = mg_tables_text(b->L, -1, "regex", b->arena),
        .conds = conds,
    };
    m.methods = read_texts(b, "methods", &m.method_count);
    m.cond_count = read_conds(b, "headers", false, conds, 0);
    m.cond_count = read_conds(b, "query", true, conds, m.cond_count);
    lua_getfield(b->L, -1, "when");
    m.when = lua_isfunction(b->L, -1);
    lua_pop(b->L, 1);

    *r = (mg_route){.site = site, .where = where_of(b), .timeouts = site->none.timeouts, .body_limit = site->none.body_limit};
    r->name = route_name(b, site, &m);
    read_action(b, r);
    read_route_timeouts(b, r);
    read_set(b, -1, r);
    r->hooks &= ~(1U << MG_PHASE_REWRITE); /* that phase is over when a route is chosen */
    r->rewrite = mg_tables_text(b->L, -1, "rewrite", b->arena);
    r->upgrades = read_texts(b, "upgrade", &r->upgrade_count);
    count_route(b, r);
    mg_err err;
    if (mg_router_add(b->g->router, site, r, &m, &err) != MG_OK)
        tell(b, r->where, err.text);
}

static void init_nothing(building *b, mg_route *r, mg_site *site, mg_str name)
{
    *r = (mg_route){.site = site, .name = name, .timeouts = b->g->timeouts, .body_limit = b->g->limits.body};
    r->timeouts.connect = r->timeouts.response = r->timeouts.body = -1;
}

static void build_site(building *b)
{
    lua_State *L = b->L;
    mg_site *site = mg_arena_zalloc(b->arena, sizeof *site);
    uint32_t host_count;
    mg_str *hosts = read_texts(b, "hosts", &host_count);
    site->name = mg_tables_text(L, -1, "name", b->arena);
    if (!site->name.p)
        site->name = host_count ? hosts[0] : MG_STR("default");
    init_nothing(b, &site->none, site, mg_arena_print(b->arena, "%.*s (no route)", MG_STR_ARG(site->name)));
    site->none.where = where_of(b);
    read_route_timeouts(b, &site->none);
    read_set(b, -1, &site->none);
    count_route(b, &site->none);
    mg_err err;
    if (mg_router_add_site(b->g->router, site, hosts, host_count, &err) != MG_OK) {
        tell(b, site->none.where, err.text);
        return;
    }
    uint32_t count = mg_tables_length(L, -1, "routes");
    if (!count || !mg_tables_enter(L, -1, "routes"))
        return;
    for (int i = 1; i <= (int)count; i++) {
        if (!mg_tables_enter_item(L, -1, i))
            continue;
        build_route(b, site);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

int mg_build_generation(mg_script *s, int plan, const mg_script_source *source)
{
    lua_State *L = s->L;
    mg_generation *g = s->gen;
    building b = {.L = L, .g = g, .script = s, .arena = &g->arena, .source = source};
    g->stats = source->stats;
    g->worker = source->worker;
    if (g->stats)
        g->worker_stats = mg_stats_row_of(g->stats, MG_STATS_WORKER, MG_STR("worker"), g->worker);
    build_settings(&b, plan);
    build_upstreams(&b, plan);
    g->router = mg_router_new(b.arena);
    init_nothing(&b, &g->nowhere, NULL, MG_STR("(no site)"));
    read_set(&b, plan, &g->nowhere);
    count_route(&b, &g->nowhere);
    uint32_t sites = mg_tables_length(L, plan, "sites");
    if (sites && mg_tables_enter(L, plan, "sites")) {
        for (int i = 1; i <= (int)sites; i++) {
            if (!mg_tables_enter_item(L, -1, i))
                continue;
            build_site(&b);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    return b.mistakes;
}
