#include "exchange/inside.h"

#include "codec/forwarded.h"
#include "codec/uri.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

enum { ID_BYTES = 16, ID_RESEED = 64 };

static mg_str lower_copy(mg_arena *arena, mg_str s)
{
    bool upper = false;
    for (size_t i = 0; i < s.n; i++)
        upper |= s.p[i] >= 'A' && s.p[i] <= 'Z';
    if (!upper)
        return s;
    char *to = mg_arena_try(arena, s.n);
    if (!to)
        return s;
    for (size_t i = 0; i < s.n; i++)
        to[i] = mg_lower(s.p[i]);
    return (mg_str){to, s.n};
}

/* Host without port, and without the dot that ends an absolute name. */
static mg_rc take_authority(mg_exchange *x, mg_str authority, const char **why)
{
    mg_str host = MG_STR_NONE;
    int port;
    if (authority.n && mg_authority_parse(authority, &host, &port) != MG_OK) {
        *why = "the host is not valid";
        return MG_BAD;
    }
    if (host.n > 1 && host.p[host.n - 1] == '.')
        host.n--;
    x->req.authority = authority;
    x->req.host = lower_copy(x->arena, host);
    return MG_OK;
}

mg_rc mg_exchange_read_target(mg_exchange *x, const char **why)
{
    const mg_request_head *head = mg_h1_server_request(x->client);
    mg_target target;
    if (mg_target_parse(head->target, &target, why) != MG_OK || take_authority(x, head->authority, why) != MG_OK)
        return MG_BAD;
    x->req.query = target.query;
    x->req.raw_path = target.raw_path;
    if (target.form == MG_TARGET_ASTERISK || target.form == MG_TARGET_AUTHORITY) {
        x->req.path = x->req.raw_path = target.form == MG_TARGET_ASTERISK ? MG_STR("*") : MG_STR("/");
        return MG_OK;
    }
    return mg_path_normalize(target.raw_path, x->arena, &x->req.path, why);
}

/* ---- who the client is ---- */

static bool trusts(const mg_exchange *x, const mg_addr *a)
{
    return x->gen->trusted && mg_cidrs_has(x->gen->trusted, a);
}

static bool node_addr(mg_str node, mg_addr *out)
{
    mg_str host;
    int port;
    if (mg_forwarded_node(node, &host, &port) != MG_NODE_ADDRESS || mg_addr_parse_ip(host, out) != MG_OK)
        return false;
    if (port > 0)
        mg_addr_set_port(out, (uint16_t)port);
    return true;
}

static void take_scheme(mg_exchange *x, mg_str scheme)
{
    if (mg_str_eq_nocase(scheme, MG_STR("https")))
        x->req.scheme = MG_STR("https");
    else if (mg_str_eq_nocase(scheme, MG_STR("http")))
        x->req.scheme = MG_STR("http");
}

/* From the nearest proxy outward, as long as each is trusted; the first that is not is the client. */
static void walk_lists(mg_exchange *x, mg_field_id id)
{
    const mg_fields *f = x->req.fields;
    for (uint32_t i = f->count; i-- > 0;) {
        const mg_field *field = &f->at[i];
        if (field->id != id || field->flags & MG_FIELD_GONE)
            continue;
        mg_str rest = field->value;
        for (;;) {
            mg_forwarded element;
            mg_str node;
            bool more = id == MG_FIELD_FORWARDED ? mg_forwarded_prev(&rest, &element) : mg_forwarded_for_prev(&rest, &node);
            if (!more)
                break;
            mg_addr a;
            if (!node_addr(id == MG_FIELD_FORWARDED ? element.for_ : node, &a))
                return;
            x->client_addr = a;
            if (id == MG_FIELD_FORWARDED)
                take_scheme(x, element.proto);
            if (!trusts(x, &a))
                return;
        }
    }
}

void mg_exchange_find_client(mg_exchange *x)
{
    x->peer = x->client_addr = *mg_h1_server_peer(x->client);
    if (!x->gen->trusted || !trusts(x, &x->peer))
        return;
    /* Many proxies write X-Forwarded-For and let a Forwarded of anybody pass: where both are, the former counts,
     * unless the configuration speaks the standard only. */
    bool standard = x->gen->forwarded == MG_FORWARDED_STANDARD;
    if (!standard && mg_fields_find(x->req.fields, MG_FIELD_X_FORWARDED_FOR))
        walk_lists(x, MG_FIELD_X_FORWARDED_FOR);
    else if (mg_fields_find(x->req.fields, MG_FIELD_FORWARDED)) {
        walk_lists(x, MG_FIELD_FORWARDED);
        return;
    }
    if (!standard)
        take_scheme(x, mg_fields_value(x->req.fields, MG_FIELD_X_FORWARDED_PROTO));
}

mg_str mg_exchange_client_ip(mg_exchange *x)
{
    if (!x->client_ip.p) {
        char text[MG_ADDR_ROOM];
        x->client_ip = mg_arena_copy(x->arena, (mg_str){text, mg_addr_print_ip(&x->client_addr, text)});
    }
    return x->client_ip;
}

/* ---- request id ---- */

mg_str mg_exchange_request_id(mg_exchange *x)
{
    static unsigned char random[ID_BYTES * ID_RESEED];
    static size_t at = sizeof random;
    static pid_t owner; /* a forked worker must not go on with its master's numbers */
    if (x->req.id.p)
        return x->req.id;
    if (at == sizeof random || owner != getpid()) {
        while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            ;
        at = 0;
        owner = getpid();
    }
    char *to = mg_arena_alloc(x->arena, 2 * ID_BYTES);
    for (size_t i = 0; i < ID_BYTES; i++, at++) {
        to[2 * i] = "0123456789abcdef"[random[at] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[random[at] & 15];
    }
    x->req.id = (mg_str){to, 2 * ID_BYTES};
    return x->req.id;
}

/* ---- changes by hooks ---- */

static mg_rc copy(mg_exchange *x, mg_str from, mg_str *to, const char **why)
{
    char *p = mg_arena_try(x->arena, from.n ? from.n : 1);
    if (!p) {
        *why = "the request's memory is used up";
        return MG_BAD;
    }
    if (from.n)
        memcpy(p, from.p, from.n);
    *to = (mg_str){p, from.n};
    return MG_OK;
}

mg_rc mg_exchange_set_path(mg_exchange *x, mg_str path, const char **why)
{
    mg_target target;
    mg_str kept, normal;
    if (copy(x, path, &kept, why) != MG_OK || mg_target_parse(kept, &target, why) != MG_OK)
        return MG_BAD;
    if (target.form != MG_TARGET_ORIGIN || target.query.p) {
        *why = "a path begins with \"/\" and has no \"?\"";
        return MG_BAD;
    }
    if (mg_path_normalize(kept, x->arena, &normal, why) != MG_OK)
        return MG_BAD;
    x->req.path = normal;
    x->req.path_changed = true;
    return MG_OK;
}

mg_rc mg_exchange_set_query(mg_exchange *x, mg_str query, const char **why)
{
    for (size_t i = 0; i < query.n; i++)
        if ((unsigned char)query.p[i] <= ' ' || (unsigned char)query.p[i] >= 0x7f || query.p[i] == '#') {
            *why = "a query holds no blanks, control or non-ASCII bytes and no \"#\": encode them";
            return MG_BAD;
        }
    x->req.path_changed = true;
    if (!query.p) {
        x->req.query = MG_STR_NONE;
        return MG_OK;
    }
    return copy(x, query, &x->req.query, why);
}

mg_rc mg_exchange_set_method(mg_exchange *x, mg_str method, const char **why)
{
    if (!mg_field_name_is_valid(method) || method.n > 64) {
        *why = "a method is a token";
        return MG_BAD;
    }
    mg_method m = mg_method_of(method);
    if (m == MG_METHOD_CONNECT || m == MG_METHOD_TRACE) {
        *why = "CONNECT and TRACE cannot be sent on";
        return MG_BAD;
    }
    mg_rc rc = copy(x, method, &x->req.method_name, why);
    if (rc == MG_OK)
        x->req.method = m;
    return rc;
}

mg_rc mg_exchange_set_host(mg_exchange *x, mg_str host, const char **why)
{
    mg_str kept;
    if (!host.n) {
        *why = "a host is not empty";
        return MG_BAD;
    }
    if (copy(x, host, &kept, why) != MG_OK)
        return MG_BAD;
    return take_authority(x, kept, why);
}

mg_rc mg_exchange_choose_upstream(mg_exchange *x, mg_str name)
{
    mg_upstream *u = mg_map_get(&x->gen->upstreams, name);
    if (!u)
        return MG_BAD;
    x->upstream = u;
    return MG_OK;
}
