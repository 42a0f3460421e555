#include "exchange/filter.h"
#include "exchange/inside.h"

#include "base/clock.h"
#include "codec/forwarded.h"

enum { MORE_FIELDS = 12 };

#define BIT(id) ((uint64_t)1 << MG_FIELD_##id)

/* Between two neighbours only, or made anew by us (RFC 9110 section 7.6.1). TE is sent on as "trailers" alone,
 * Upgrade only when the route lets it pass. */
static const uint64_t never_up = BIT(CONNECTION) | BIT(KEEP_ALIVE) | BIT(PROXY_CONNECTION) | BIT(TRANSFER_ENCODING) |
                                 BIT(CONTENT_LENGTH) | BIT(HOST) | BIT(UPGRADE) | BIT(HTTP2_SETTINGS) | BIT(TE) |
                                 BIT(PROXY_AUTHORIZATION) | BIT(EXPECT);
static const uint64_t never_down = BIT(CONNECTION) | BIT(KEEP_ALIVE) | BIT(PROXY_CONNECTION) | BIT(TRANSFER_ENCODING) |
                                   BIT(CONTENT_LENGTH) | BIT(UPGRADE) | BIT(TE) | BIT(HTTP2_SETTINGS);
/* What a Connection field may not take away: those on whose presence the next hop relies. */
static const uint64_t not_hop = BIT(HOST) | BIT(FORWARDED) | BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_HOST) |
                                BIT(X_FORWARDED_PROTO) | BIT(X_FORWARDED_PORT) | BIT(VIA) | BIT(AUTHORIZATION) |
                                BIT(COOKIE) | BIT(SET_COOKIE) | BIT(CONTENT_TYPE) | BIT(CONTENT_ENCODING) |
                                BIT(CONTENT_RANGE) | BIT(CACHE_CONTROL) | BIT(X_REQUEST_ID) | BIT(X_REAL_IP) |
                                BIT(RANGE) | BIT(ORIGIN) | BIT(REFERER) | BIT(EXPECT);

static uint64_t bit_of(const mg_field *f)
{
    return f->id < MG_FIELD_KNOWN ? (uint64_t)1 << f->id : 0;
}

/* Whether any Connection field names this one. */
static bool is_named(const mg_fields *all, const mg_field *f)
{
    if (bit_of(f) & not_hop)
        return false;
    for (uint32_t i = 0; i < all->count; i++)
        if (all->at[i].id == MG_FIELD_CONNECTION && !(all->at[i].flags & MG_FIELD_GONE) &&
            mg_str_has_token(all->at[i].value, f->name))
            return true;
    return false;
}

/* Connection fields that name nothing but close, keep-alive and upgrade are the usual case. */
static bool names_others(const mg_fields *all)
{
    mg_field *f = mg_fields_find(all, MG_FIELD_CONNECTION);
    if (!f)
        return false;
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->at[i].id != MG_FIELD_CONNECTION || all->at[i].flags & MG_FIELD_GONE)
            continue;
        mg_str rest = all->at[i].value, item;
        while (mg_str_next_item(&rest, &item))
            if (!mg_str_eq_nocase(item, MG_STR("close")) && !mg_str_eq_nocase(item, MG_STR("keep-alive")))
                return true;
    }
    return false;
}

/* ---- up ---- */

bool mg_exchange_upgrade_is_allowed(const mg_exchange *x, mg_str *protocol)
{
    mg_field *f = x->req.wants_upgrade ? mg_fields_find(x->req.fields, MG_FIELD_UPGRADE) : NULL;
    if (!f || !x->route)
        return false;
    mg_str rest = f->value, item;
    while (mg_str_next_item(&rest, &item))
        for (uint32_t i = 0; i < x->route->upgrade_count; i++)
            if (mg_str_eq_nocase(item, x->route->upgrades[i])) {
                *protocol = item;
                return true;
            }
    return false;
}

/* All values of a field, and one more, as one list. How long it gets is up to the client. */
static mg_rc joined(const mg_exchange *x, mg_field_id id, mg_str more, mg_str *out)
{
    const mg_fields *f = x->req.fields;
    size_t n = more.n;
    for (uint32_t i = 0; f->seen >> id & 1 && i < f->count; i++)
        if (f->at[i].id == id && !(f->at[i].flags & MG_FIELD_GONE) && f->at[i].value.n)
            n += f->at[i].value.n + 2;
    *out = more;
    if (n == more.n)
        return MG_OK;
    char *to = mg_arena_try(x->arena, n);
    if (!to)
        return MG_LIMIT;
    *out = (mg_str){to, n};
    for (uint32_t i = 0; i < f->count; i++)
        if (f->at[i].id == id && !(f->at[i].flags & MG_FIELD_GONE) && f->at[i].value.n) {
            to = (char *)memcpy(to, f->at[i].value.p, f->at[i].value.n) + f->at[i].value.n;
            to = (char *)memcpy(to, ", ", 2) + 2;
        }
    memcpy(to, more.p, more.n);
    return MG_OK;
}

static mg_rc forwarded_element(mg_exchange *x, mg_str ip, mg_str *out)
{
    mg_str host = x->req.authority;
    char *start = mg_arena_try(x->arena, ip.n + 2 * host.n + MG_FORWARDED_NODE_ROOM + 32), *to = start;
    if (!start)
        return MG_LIMIT;
    to = (char *)memcpy(to, "for=", 4) + 4;
    to = mg_forwarded_put_node(to, ip, -1);
    if (host.n) {
        to = (char *)memcpy(to, ";host=", 6) + 6;
        to = mg_forwarded_put_value(to, host);
    }
    to = (char *)memcpy(to, ";proto=", 7) + 7;
    to = (char *)memcpy(to, x->req.scheme.p, x->req.scheme.n) + x->req.scheme.n;
    *out = (mg_str){start, (size_t)(to - start)};
    return MG_OK;
}

static mg_rc put(mg_fields *f, mg_field_id id, mg_str value)
{
    return value.n ? mg_fields_add(f, id, mg_field_name(id), value) : MG_OK;
}

/* A trusted proxy's word is kept and added to; anybody else's is replaced. */
static mg_rc put_list(mg_exchange *x, mg_fields *out, mg_field_id id, mg_str ours, bool keep)
{
    mg_rc rc = keep ? joined(x, id, ours, &ours) : MG_OK;
    return rc == MG_OK ? put(out, id, ours) : rc;
}

static mg_rc put_forwarded(mg_exchange *x, mg_fields *out, bool trusted)
{
    mg_forwarded_mode mode = x->gen->forwarded;
    char text[MG_ADDR_ROOM];
    bool has_ip = x->peer.u.family == AF_INET || x->peer.u.family == AF_INET6; /* RFC 7239 section 6 */
    mg_str ip = has_ip ? (mg_str){text, mg_addr_print_ip(&x->peer, text)} : MG_STR("unknown"), element;
    mg_rc rc = MG_OK;
    if (mode & MG_FORWARDED_X) {
        mg_str host = trusted ? mg_fields_value(x->req.fields, MG_FIELD_X_FORWARDED_HOST) : MG_STR_NONE;
        rc = put_list(x, out, MG_FIELD_X_FORWARDED_FOR, mg_arena_copy(x->arena, ip), trusted);
        if (rc == MG_OK)
            rc = put(out, MG_FIELD_X_FORWARDED_PROTO, x->req.scheme);
        if (rc == MG_OK)
            rc = put(out, MG_FIELD_X_FORWARDED_HOST, host.n ? host : x->req.authority);
    }
    if (rc == MG_OK && mode & MG_FORWARDED_STANDARD) {
        rc = forwarded_element(x, ip, &element);
        if (rc == MG_OK)
            rc = put_list(x, out, MG_FIELD_FORWARDED, element, trusted);
    }
    return rc;
}

static mg_str via(mg_exchange *x, int minor)
{
    return mg_arena_join(x->arena, minor == 0 ? MG_STR("1.0 ") : MG_STR("1.1 "), x->gen->via);
}

static mg_str host_to_send(const mg_exchange *x)
{
    mg_str option = x->upstream->options.host;
    if (option.p)
        return option.n ? option : x->peer_now->name;
    return x->req.authority.n ? x->req.authority : x->peer_now->name;
}

static mg_rc put_hop_fields(mg_exchange *x, mg_fields *out)
{
    mg_str protocol;
    if (mg_exchange_upgrade_is_allowed(x, &protocol)) {
        mg_rc rc = put(out, MG_FIELD_CONNECTION, MG_STR("upgrade"));
        return rc == MG_OK ? put(out, MG_FIELD_UPGRADE, protocol) : rc;
    }
    mg_str te = mg_fields_value(x->req.fields, MG_FIELD_TE);
    if (te.n && mg_str_has_token(te, MG_STR("trailers"))) {
        mg_rc rc = put(out, MG_FIELD_CONNECTION, MG_STR("te"));
        return rc == MG_OK ? put(out, MG_FIELD_TE, MG_STR("trailers")) : rc;
    }
    return MG_OK;
}

static mg_rc target_to_send(mg_exchange *x, mg_str *out)
{
    mg_str path = x->req.path;
    *out = path;
    if (!x->req.query.p)
        return MG_OK;
    char *p = mg_arena_try(x->arena, path.n + 1 + x->req.query.n);
    if (!p)
        return MG_LIMIT;
    memcpy(p, path.p, path.n);
    p[path.n] = '?';
    if (x->req.query.n)
        memcpy(p + path.n + 1, x->req.query.p, x->req.query.n);
    *out = (mg_str){p, path.n + 1 + x->req.query.n};
    return MG_OK;
}

/* The value that a place of a pattern stands for: n bytes at p, ":name" or "*". */
static mg_str matched(const mg_exchange *x, const char *p, size_t n)
{
    if (!x->search)
        return MG_STR_NONE;
    if (*p == '*')
        return x->search->rest;
    for (uint32_t i = 0; i < x->search->param_count; i++)
        if (mg_str_eq(x->search->params[i].name, (mg_str){p + 1, n - 1}))
            return x->search->params[i].value;
    return MG_STR_NONE;
}

/* Where a place begins in [from, end): ":name" or "*" behind a slash, before any query; end: nowhere. */
static const char *next_place(mg_str pattern, const char *from, size_t *n)
{
    const char *end = pattern.p + pattern.n;
    for (const char *p = from; p < end && *p != '?' && *p != '#'; p++)
        if (p > pattern.p && p[-1] == '/' && (*p == ':' || *p == '*')) {
            for (*n = 1; *p == ':' && p + *n < end && !strchr("/?#", p[*n]); ++*n)
                ;
            return p;
        }
    *n = 0;
    return end;
}

static char *append(char *to, mg_str s, size_t *size)
{
    *size += s.n;
    if (to && s.n)
        memcpy(to, s.p, s.n);
    return to ? to + s.n : NULL;
}

/* Into `to`, or only its size when that is NULL. */
static size_t fill_in(const mg_exchange *x, mg_str pattern, char *to)
{
    size_t size = 0, n;
    const char *from = pattern.p, *end = from + pattern.n;
    while (from < end) {
        const char *place = next_place(pattern, from, &n);
        to = append(to, (mg_str){from, (size_t)(place - from)}, &size);
        if (n)
            to = append(to, matched(x, place, n), &size);
        from = place + n;
    }
    return size;
}

mg_rc mg_exchange_fill_in(mg_exchange *x, mg_str pattern, mg_str *out)
{
    size_t n = fill_in(x, pattern, NULL);
    char *to = mg_arena_try(x->arena, n);
    if (!to)
        return MG_LIMIT;
    (void)fill_in(x, pattern, to);
    *out = (mg_str){to, n};
    return MG_OK;
}

mg_rc mg_exchange_request_head(mg_exchange *x, mg_request_head *out)
{
    const mg_fields *in = x->req.fields;
    *out = (mg_request_head){
        .method = x->req.method,
        .method_name = x->req.method_name,
        .content_length = x->req.content_length,
        .has_body = x->req.has_body,
        .major = 1,
        .minor = 1,
    };
    mg_rc rc = x->route->rewrite.p ? mg_exchange_fill_in(x, x->route->rewrite, &x->req.path) : MG_OK;
    if (rc == MG_OK)
        rc = target_to_send(x, &out->target);
    bool trusted = x->gen->trusted && mg_cidrs_has(x->gen->trusted, &x->peer);
    bool others = names_others(in);
    uint64_t drop = never_up | (x->gen->via.p ? BIT(VIA) : 0);
    if (x->gen->forwarded & MG_FORWARDED_X || !trusted)
        drop |= BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_PROTO) | BIT(X_FORWARDED_HOST);
    if (x->gen->forwarded & MG_FORWARDED_STANDARD || !trusted)
        drop |= BIT(FORWARDED);
    if (!trusted)
        drop |= BIT(X_FORWARDED_PORT) | BIT(X_REAL_IP);
    if (mg_exchange_has_filter(x, MG_FLOW_DOWN))
        drop |= BIT(RANGE) | BIT(IF_RANGE);

    mg_fields_init(&out->fields, x->arena, in->count + MORE_FIELDS);
    if (rc == MG_OK)
        rc = put(&out->fields, MG_FIELD_HOST, host_to_send(x));
    for (uint32_t i = 0; rc == MG_OK && i < in->count; i++) {
        const mg_field *f = &in->at[i];
        if (f->flags & MG_FIELD_GONE || bit_of(f) & drop || (others && is_named(in, f)))
            continue;
        rc = mg_fields_add(&out->fields, f->id, f->name, f->value);
        if (rc == MG_OK)
            out->fields.at[out->fields.count - 1].flags = f->flags;
    }
    if (rc == MG_OK && x->req.expect_continue && !x->continue_sent)
        rc = put(&out->fields, MG_FIELD_EXPECT, MG_STR("100-continue"));
    if (rc == MG_OK)
        rc = put_hop_fields(x, &out->fields);
    if (rc == MG_OK)
        rc = put_forwarded(x, &out->fields, trusted);
    if (rc == MG_OK && x->gen->via.p)
        rc = put_list(x, &out->fields, MG_FIELD_VIA, via(x, x->req.minor), true);
    return rc;
}

/* ---- down ---- */

mg_rc mg_exchange_clean_response(mg_exchange *x)
{
    mg_fields *f = &x->res.fields;
    bool others = names_others(f);
    uint64_t drop = x->res.status == 101 ? never_down & ~BIT(UPGRADE) : never_down;
    for (uint32_t i = 0; others && i < f->count; i++) /* before the fields that name them are gone */
        if (!(bit_of(&f->at[i]) & never_down) && is_named(f, &f->at[i]))
            f->at[i].flags |= MG_FIELD_GONE;
    for (uint32_t i = 0; f->seen & drop && i < f->count; i++)
        if (bit_of(&f->at[i]) & drop)
            f->at[i].flags |= MG_FIELD_GONE;
    mg_rc rc = MG_OK;
    if (x->res.status >= 200 && !mg_fields_find(f, MG_FIELD_DATE)) /* RFC 9110 section 6.6.1 */
        rc = put(f, MG_FIELD_DATE, mg_arena_copy(x->arena, mg_clock_http_date()));
    if (rc == MG_OK && x->gen->via.p && x->res_from_origin && x->res.status >= 200)
        rc = put(f, MG_FIELD_VIA, via(x, x->res.minor));
    if (rc == MG_OK && x->res.status == 101)
        rc = put(f, MG_FIELD_CONNECTION, MG_STR("upgrade"));
    return rc;
}
