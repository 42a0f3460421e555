/*
 * router_rules: what the router keeps of each route, and whether a request's head fits it.
 *
 *      mg_paths of a site ─► exact, root (path_tree) ─► rule ─► rule     of one place, in configured order
 *                         └► regexes ─► rule ─► rule,  plain ─► rule
 *
 * The router's own; nobody else includes it. Ownership: as in router.h.
 */
#ifndef MG_EXCHANGE_ROUTER_RULES_H
#define MG_EXCHANGE_ROUTER_RULES_H

#include "base/map.h"
#include "exchange/router.h"

typedef struct {
    mg_cond cond;
    mg_field_id id;        /* of a header */
    mg_pattern *pattern;   /* of a regex */
} mg_rule_cond;

struct mg_rule {
    mg_rule *next;         /* of its place */
    mg_route *route;
    uint64_t methods;      /* bit per method of the router; all: any method */
    mg_pattern *pattern;   /* of the path */
    const mg_rule_cond *conds;
    const mg_str *names;   /* of parameters, left to right */
    uint32_t cond_count, param_count;
    bool has_rest, when;
    mg_str path, regex;    /* as configured, for explaining */
    mg_rule *next_of_site;
};

typedef struct mg_paths {
    mg_path_node exact;    /* whole paths are its literal children */
    mg_path_node root;     /* of those with parameters or "*" */
    mg_rule *regexes, *plain, *all;
    mg_rule **last;        /* of all: where the next goes; NULL: none yet */
    mg_rule **last_regex, **last_plain;
} mg_paths;

enum { MG_ROUTER_METHODS_MOST = 64 };

struct mg_router {
    mg_arena *arena;
    mg_map hosts, suffixes; /* to sites; suffixes without "*." */
    mg_site *default_site;
    mg_path_tree tree;      /* of all sites */
    mg_map patterns;        /* regex -> mg_pattern: equal ones are compiled once */
    mg_str methods[MG_ROUTER_METHODS_MOST]; /* bit -> name; the common ones stand at their mg_method */
    uint32_t method_count;
    uint32_t site_count, route_count;
};

void mg_router_methods_init(mg_router *r);
uint64_t mg_router_method_bit(const mg_router *r, mg_method method, mg_str name); /* bit 0: one that nobody lists */
mg_str mg_router_methods_print(const mg_router *r, uint64_t methods, mg_arena *arena); /* "GET, HEAD" */

typedef enum {
    MG_FITS, MG_MISFIT_PATH, MG_MISFIT_REGEX, MG_MISFIT_GAVE_UP, MG_MISFIT_COND, MG_MISFIT_METHOD
} mg_misfit_kind;
typedef struct {
    mg_misfit_kind kind;
    const mg_rule_cond *cond; /* of MG_MISFIT_COND and perhaps MG_MISFIT_GAVE_UP */
} mg_misfit;

mg_misfit mg_rule_path_misfit(const mg_rule *rule, mg_router_search *s); /* regexes; fills s->params */
mg_misfit mg_rule_conds_misfit(const mg_rule *rule, const mg_router_search *s);
/* NULL when it fits; otherwise a sentence in `to`. */
const char *mg_misfit_print(const mg_router *r, const mg_rule *rule, mg_misfit m, const mg_router_search *s, char *to,
                            size_t room);

#endif
