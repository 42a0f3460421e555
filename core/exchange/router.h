/*
 * router: from host, path and the rest of a head to a route, at a cost that does not grow with their number.
 *
 *      host ─► exact map ─► longest "*.suffix" map ─► default site
 *      path ─► exact map ─► tree of segments ( literal │ :name │ the rest ) ─► regexes in order ─► routes without path
 *
 * Order within a site (DESIGN.md section 5): exact, parameters, longest prefix, regex, no path. Among the
 * routes of one place the configured order counts, the narrowed ones (methods, headers, query, when)
 * included. A candidate whose method does not fit is remembered, so that 405 with Allow can be told from 404.
 *
 * What fits what:
 *   - Paths are compared as normalised ones, letter by letter: "/a" and "/a/" are two paths.
 *   - ":name" is one segment, not empty. Where several fit, the literal segment further left wins.
 *   - The prefix "/a/[*]" (without the brackets) fits "/a/" and all below, not "/a". "Longest" counts
 *     segments; a prefix may have parameters before its "*".
 *   - A regex looks at the whole normalised path and is anchored only where it says so.
 *   - Where GET is listed, HEAD is as well. A header condition looks at every field of that name, a query
 *     condition at every pair of that name, decoded.
 *   - "*.example.com" is for every name below example.com, at any depth, not for example.com itself.
 *   - The target "*" (OPTIONS) is met by the exact path "*", by regexes and by routes without path.
 *
 * A search hands out its candidates one by one and looks no further than is asked for. Its cost grows with
 * the segments of the path and with the regexes of the site before the one that fits, with nothing else; a
 * path that meets many ":name" branches is walked once, each branch at most once.
 *
 * Built once per generation, then read only. Ownership: everything lies in the generation's arena, but
 * compiled regexes and hash tables, which mg_router_free gives back.
 */
#ifndef MG_EXCHANGE_ROUTER_H
#define MG_EXCHANGE_ROUTER_H

#include "codec/h1_head.h"
#include "exchange/generation.h"
#include "exchange/path_tree.h"
#include "exchange/pattern.h"

/* What narrows a route: all must hold. Copied into the arena by mg_router_add. */
typedef enum { MG_COND_PRESENT, MG_COND_EXACT, MG_COND_REGEX } mg_cond_kind;
typedef struct {
    bool query;          /* a query parameter; otherwise a header */
    mg_cond_kind kind;
    mg_str name, value;  /* value: the exact text or the regex */
} mg_cond;

typedef struct {
    mg_str path;         /* "/x", "/x/[*]" without the brackets, "/x/:id/y"; p == NULL: none */
    mg_str regex;        /* p == NULL: none */
    const mg_str *methods;
    uint32_t method_count;
    const mg_cond *conds;
    uint32_t cond_count;
    bool when;           /* the route has a `when` function: the router hands the candidate out for it */
} mg_route_match;

mg_router *mg_router_new(mg_arena *arena);
void mg_router_free(mg_router *r); /* NULL is fine */
/* hosts: "example.com", "*.example.com", "[::1]"; count 0: the default site. They are copied. MG_FAIL with a
 * sentence: a host that a site has already, or a second default site. */
mg_rc mg_router_add_site(mg_router *r, mg_site *site, const mg_str *hosts, uint32_t count, mg_err *err) MG_MUST_CHECK;
/* After mg_router_add_site of that site. MG_FAIL with a sentence: a regex that does not compile, a path that
 * cannot be one, more than MG_ROUTER_PARAMS_MOST parameters, more than 54 uncommon methods in the router. */
mg_rc mg_router_add(mg_router *r, mg_site *site, mg_route *route, const mg_route_match *match, mg_err *err) MG_MUST_CHECK;

void mg_router_count(const mg_router *r, uint32_t *sites, uint32_t *routes); /* as they were added */

/* The site for a host (without port, any letter case, one dot at the end is fine); NULL when none fits. */
mg_site *mg_router_site(const mg_router *r, mg_str host);

/* One search: candidates in order. Zero it, fill the inputs, call mg_router_next until taken. */
enum { MG_ROUTER_PARAMS_MOST = MG_PATTERN_PARAMS_MOST };
typedef struct {
    /* in */
    mg_str path;              /* normalised */
    mg_str query;             /* raw */
    mg_method method;
    mg_str method_name;
    const mg_fields *fields;
    mg_arena *arena;
    /* out, for the current candidate */
    mg_str rest;              /* what "*" matched: "b/c" for the prefix "/a/" on "/a/b/c"; p == NULL: no "*" */
    mg_param params[MG_ROUTER_PARAMS_MOST]; /* raw values; regex groups by name */
    uint32_t param_count;
    bool wants_when;          /* run the candidate's `when` and, when it says no, call next again */
    bool failed;              /* after the end: a regex was given up (logged): answer 500, neither 404 nor another route */
    mg_str allow;             /* after the end: methods that would have fitted ("GET, HEAD"), p == NULL: none */
    /* private */
    uint8_t stage;
    const mg_rule *rule;      /* of this place, not looked at yet */
    mg_path_walk walk, prefix, place;
    uint64_t method_bit, allowed;
} mg_router_search;

/* The next route whose methods, headers and query fit; NULL at the end. */
mg_route *mg_router_next(const mg_router *r, const mg_site *site, mg_router_search *s);

/* For `explain`: each candidate place in order with NULL ("fits"; s->wants_when: if its `when` agrees) or why
 * not, then a few routes of the site whose paths come near. The sentence is good during the call. */
void mg_router_explain(const mg_router *r, const mg_site *site, mg_router_search *s,
                       void (*tell)(void *arg, const mg_route *route, const char *why_not), void *arg);

#endif
