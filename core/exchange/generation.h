/*
 * generation: everything that one reading of the configuration made: settings, upstreams, sites, routes,
 * scripts. Requests hold the generation they began in; the newest takes the new ones.
 *
 *      worker ─► current ─► generation 7 ◄─ exchanges that began after the reload
 *                           generation 6 ◄─ exchanges that began before; freed when the last one ends
 *
 * Built by the script floor from the checked configuration (mg_generation_new, then the mg_*_add
 * functions), immutable once in service. Ownership: counted; all memory lies in its arena, and
 * on_free gives back what does not (the Lua state).
 */
#ifndef MG_EXCHANGE_GENERATION_H
#define MG_EXCHANGE_GENERATION_H

#include "base/map.h"
#include "codec/fields.h"
#include "exchange/phase.h"
#include "os/addr.h"
#include "shm/stats.h"
#include "upstream/upstream.h"

typedef struct mg_generation mg_generation;
typedef struct mg_site mg_site;
typedef struct mg_route mg_route;
typedef struct mg_router mg_router;
typedef struct mg_access_log mg_access_log;

/* Milliseconds; 0: off. Sites and routes start with a copy of what is above them. */
typedef struct {
    int64_t client_header, client_body, client_write, client_idle, client_gone, tunnel, drain, request, script;
    int64_t connect, response, body; /* -1 in a route: the upstream's */
} mg_timeouts;

typedef struct {
    uint32_t connections, header_bytes, headers, request_line, keepalive_requests, min_rate, generations;
    uint64_t body;
    size_t buffer; /* body bytes held per direction */
} mg_limits;

typedef enum { MG_FORWARDED_OFF, MG_FORWARDED_STANDARD = 1, MG_FORWARDED_X = 2, MG_FORWARDED_BOTH = 3 } mg_forwarded_mode;

typedef enum { MG_ACTION_NONE /* 404, 405 */, MG_ACTION_UPSTREAM, MG_ACTION_HANDLER, MG_ACTION_REPLY, MG_ACTION_REDIRECT } mg_action;

/* What each request reads comes first, so that it lies in few cache lines. */
struct mg_route {
    mg_site *site;
    mg_upstream *upstream;
    mg_stats_row *stats;      /* this worker's */
    uint64_t body_limit;
    mg_str rewrite;           /* path sent to the origin, with * and :names; p == NULL: unchanged */
    uint32_t hooks;           /* bit per phase: enter the script there */
    int script;               /* the script floor's own number of this route */
    mg_action action;
    uint32_t upgrade_count;
    bool trace;               /* its methods name TRACE */
    mg_timeouts timeouts;
    mg_str *upgrades;         /* lower-case protocols that may pass */
    struct { uint16_t status; mg_fields fields; mg_str body; } reply;
    struct { uint16_t status; mg_str to; bool keep_query; bool prefix; } redirect; /* prefix: what "*" matched is appended */
    mg_str name;              /* for logs and numbers: "example.com /api/[*]" or the configured name */
    mg_str where;             /* "conf/moongate.lua:31" */
};

struct mg_site {
    mg_str name;              /* first host, or "default" */
    mg_route none;            /* what happens when no route matches: hooks of site and global policies, 404 */
    struct mg_paths *paths;   /* the router's */
};

struct mg_generation {
    uint32_t id, holds;
    int64_t born_wall_ms;
    bool retired;             /* a newer one is in service */
    mg_arena arena;
    mg_timeouts timeouts;
    mg_limits limits;
    mg_forwarded_mode forwarded;
    mg_str via;               /* pseudonym; p == NULL: no Via */
    mg_cidrs *trusted;        /* NULL: nobody */
    mg_map upstreams;         /* name -> mg_upstream */
    mg_router *router;
    mg_route nowhere;         /* no site matches: global policies, 421... */
    mg_access_log *access_log; /* NULL: off */
    const mg_hooks *hooks;    /* NULL: no scripts */
    void *script;             /* the script floor's */
    mg_stats *stats;          /* the process's; may be NULL in unit tests */
    int worker;
    mg_stats_row *worker_stats;
    uint64_t served;          /* exchanges that began in it */
    uint32_t exchanges;       /* of them, still under way */
    void (*on_free)(mg_generation *g); /* upper floors give back what is theirs; may be NULL */
};

mg_generation *mg_generation_new(uint32_t id); /* held once; defaults as documented in docs/configuration.md */
static inline mg_generation *mg_generation_hold(mg_generation *g)
{
    g->holds++;
    return g;
}
void mg_generation_drop(mg_generation *g);

#endif
