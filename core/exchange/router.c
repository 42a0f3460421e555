#include "exchange/router.h"

#include "base/log.h"
#include "exchange/router_rules.h"

/* Where a search is. Each stage is left once it has no more places. */
enum { BEGIN, EXACT, PARAMS, PREFIX, REGEX, PLAIN, END };

enum { HOST_MOST = 255 };

mg_router *mg_router_new(mg_arena *arena)
{
    mg_router *r = mg_arena_zalloc(arena, sizeof *r);
    r->arena = arena;
    mg_map_init(&r->hosts);
    mg_map_init(&r->suffixes);
    mg_map_init(&r->patterns);
    mg_path_tree_init(&r->tree, arena);
    mg_router_methods_init(r);
    return r;
}

void mg_router_free(mg_router *r)
{
    if (!r)
        return;
    size_t i = 0;
    for (const mg_map_slot *slot; (slot = mg_map_next(&r->patterns, &i));)
        mg_pattern_free(slot->value);
    mg_map_fini(&r->hosts);
    mg_map_fini(&r->suffixes);
    mg_map_fini(&r->patterns);
    mg_path_tree_fini(&r->tree);
}

/* ---- hosts --------------------------------------------------------------------------------------- */

/* Lower case, no brackets, no dot at the end, one spelling for an IPv6 address. MG_STR_NONE: no host is so long. */
static mg_str same_host(mg_str host, char to[HOST_MOST + 1])
{
    mg_addr address;
    if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (mg_str){host.p + 1, host.n - 2};
    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    if (host.n > HOST_MOST)
        return MG_STR_NONE;
    bool is_v6 = false;
    for (size_t i = 0; i < host.n; i++) {
        to[i] = mg_lower(host.p[i]);
        is_v6 |= to[i] == ':';
    }
    if (is_v6 && mg_addr_parse_ip((mg_str){to, host.n}, &address) == MG_OK)
        host.n = mg_addr_print_ip(&address, to);
    return (mg_str){to, host.n};
}

static mg_rc add_host(mg_router *r, mg_site *site, mg_str given, mg_err *err)
{
    char room[MG_MAX(HOST_MOST + 1, MG_ADDR_ROOM)];
    bool is_wild = mg_str_starts(given, MG_STR("*."));
    mg_map *map = is_wild ? &r->suffixes : &r->hosts;
    mg_str host = same_host(is_wild ? (mg_str){given.p + 2, given.n - 2} : given, room);
    if (!host.n)
        return mg_err_set(err, "\"%.*s\" is no host", MG_STR_ARG(given));
    if (mg_map_get(map, host))
        return mg_err_set(err, "host \"%.*s\" belongs to a site already", MG_STR_ARG(given));
    mg_map_put(map, mg_arena_copy(r->arena, host), site);
    return MG_OK;
}

mg_rc mg_router_add_site(mg_router *r, mg_site *site, const mg_str *hosts, uint32_t count, mg_err *err)
{
    if (!count && r->default_site)
        return mg_err_set(err, "there is a site without hosts already");
    if (!count)
        r->default_site = site;
    for (uint32_t i = 0; i < count; i++) {
        mg_rc rc = add_host(r, site, hosts[i], err);
        if (rc != MG_OK)
            return rc;
    }
    r->site_count++;
    site->paths = mg_arena_zalloc(r->arena, sizeof *site->paths);
    mg_path_tree_root(&r->tree, &site->paths->exact);
    mg_path_tree_root(&r->tree, &site->paths->root);
    return MG_OK;
}

void mg_router_count(const mg_router *r, uint32_t *sites, uint32_t *routes)
{
    *sites = r->site_count;
    *routes = r->route_count;
}

mg_site *mg_router_site(const mg_router *r, mg_str given)
{
    char room[MG_MAX(HOST_MOST + 1, MG_ADDR_ROOM)];
    mg_str host = same_host(given, room);
    mg_site *site = mg_map_get(&r->hosts, host);
    while (!site && r->suffixes.count && host.n) {
        ptrdiff_t dot = mg_str_find(host, '.');
        if (dot < 0)
            break;
        host = (mg_str){host.p + dot + 1, host.n - (size_t)dot - 1};
        site = mg_map_get(&r->suffixes, host);
    }
    return site ? site : r->default_site;
}

/* ---- candidates ---------------------------------------------------------------------------------- */

static const mg_rule *rules_of(const mg_path_node *node)
{
    return node ? node->ends : NULL;
}

/* On the one walk over the tree: the next node where the path ends. What it meets of prefixes is remembered:
 * the deepest is the first that will be asked for. */
static const mg_rule *next_params(const mg_router *r, mg_router_search *s)
{
    while (mg_path_walk_next(&r->tree, &s->walk, s->path, MG_PATH_DEPTH_MOST)) {
        const mg_path_node *node = s->walk.node;
        if (s->walk.at == s->path.n) {
            if (!node->ends)
                continue;
            s->place = s->walk;
            return node->ends;
        }
        if (node->rests && node->depth > s->prefix.node->depth)
            s->prefix = s->walk;
    }
    return NULL;
}

/* After the prefix at s->prefix: the next one that is as deep, or the first of the deepest above it. */
static bool find_prefix(const mg_router *r, const mg_paths *paths, mg_router_search *s)
{
    mg_path_walk w = s->prefix;
    uint32_t depth = w.node->depth;
    while (mg_path_walk_next(&r->tree, &w, s->path, depth)) {
        if (w.node->depth == depth && w.node->rests && w.at < s->path.n) {
            s->prefix = w;
            return true;
        }
    }
    if (!depth)
        return false;
    w = s->prefix = (mg_path_walk){&paths->root, 0};
    while (mg_path_walk_next(&r->tree, &w, s->path, depth - 1))
        if (w.node->rests && w.at < s->path.n && w.node->depth > s->prefix.node->depth)
            s->prefix = w;
    return true;
}

static const mg_rule *take_prefix(mg_router_search *s)
{
    s->place = s->prefix;
    return s->prefix.node->rests;
}

static void begin_tree(const mg_paths *paths, mg_router_search *s)
{
    s->walk = s->prefix = (mg_path_walk){&paths->root, 0};
    s->stage = s->path.n && s->path.p[0] == '/' ? PARAMS : REGEX;
}

/* The rules of the next place; NULL: this stage has no more, or had none. */
static const mg_rule *next_place(const mg_router *r, const mg_paths *paths, mg_router_search *s)
{
    const mg_rule *found = NULL;
    s->place = (mg_path_walk){0};
    switch (s->stage) {
    case BEGIN:
        s->stage = EXACT;
        return rules_of(mg_path_tree_find(&r->tree, &paths->exact, s->path));
    case EXACT:
        begin_tree(paths, s);
        return NULL;
    case PARAMS:
        found = next_params(r, s);
        if (found)
            return found;
        s->stage = PREFIX;
        return take_prefix(s);
    case PREFIX:
        if (find_prefix(r, paths, s))
            return take_prefix(s);
        s->stage = REGEX;
        return paths->regexes;
    case REGEX:
        s->stage = PLAIN;
        return paths->plain;
    default:
        s->stage = END;
        return NULL;
    }
}

static const mg_rule *next_rule(const mg_router *r, const mg_paths *paths, mg_router_search *s)
{
    while (!s->rule && s->stage != END)
        s->rule = next_place(r, paths, s);
    const mg_rule *rule = s->rule;
    if (rule)
        s->rule = rule->next;
    return rule;
}

static void fill_params(const mg_rule *rule, mg_router_search *s)
{
    mg_path_walk w = s->place;
    s->rest = MG_STR_NONE;
    if (rule->has_rest)
        s->rest = (mg_str){s->path.p + w.at + 1, s->path.n - w.at - 1};
    if (rule->pattern) /* its match filled them in */
        return;
    s->param_count = rule->param_count;
    for (uint32_t i = rule->param_count; i; w.node = w.node->parent) {
        const char *slash = memrchr(s->path.p, '/', w.at);
        size_t from = (size_t)(slash - s->path.p) + 1;
        if (w.node->is_param)
            s->params[--i] = (mg_param){rule->names[i], {s->path.p + from, w.at - from}};
        w.at = from - 1;
    }
}

/* ---- the search ---------------------------------------------------------------------------------- */

static bool takes_method(const mg_rule *rule, const mg_router_search *s)
{
    return rule->methods & s->method_bit;
}

/* NULL: the rule fits. Otherwise what speaks against it; against a method only when nothing else does. */
static mg_misfit misfit_of(const mg_rule *rule, mg_router_search *s)
{
    mg_misfit against = mg_rule_path_misfit(rule, s);
    if (against.kind == MG_FITS)
        against = mg_rule_conds_misfit(rule, s);
    if (against.kind == MG_FITS && !takes_method(rule, s)) {
        s->allowed |= rule->methods;
        against.kind = MG_MISFIT_METHOD;
    }
    return against;
}

static void end_search(const mg_router *r, mg_router_search *s)
{
    s->rule = NULL;
    s->stage = END;
    s->param_count = 0;
    s->rest = MG_STR_NONE;
    s->wants_when = false;
    if (s->allowed && !s->failed && !s->allow.p)
        s->allow = mg_router_methods_print(r, s->allowed, s->arena);
}

static void begin_search(const mg_router *r, mg_router_search *s)
{
    if (!s->method_bit)
        s->method_bit = mg_router_method_bit(r, s->method, s->method_name);
}

mg_route *mg_router_next(const mg_router *r, const mg_site *site, mg_router_search *s)
{
    begin_search(r, s);
    for (const mg_rule *rule; (rule = next_rule(r, site->paths, s));) {
        /* What can add neither a route nor a method to Allow is not looked at closer. */
        if (!takes_method(rule, s) && !(rule->methods & ~s->allowed))
            continue;
        mg_misfit against = misfit_of(rule, s);
        if (against.kind == MG_FITS) {
            fill_params(rule, s);
            s->wants_when = rule->when;
            return rule->route;
        }
        if (against.kind == MG_MISFIT_GAVE_UP) {
            s->failed = true;
            mg_warn("route %.*s: its regular expression gave up on %.*s", MG_STR_ARG(rule->route->name),
                    MG_STR_ARG(s->path));
            break;
        }
    }
    end_search(r, s);
    return NULL;
}

/* ---- explaining ---------------------------------------------------------------------------------- */

enum { NEAR_MOST = 8 };

static size_t common_prefix(mg_str a, mg_str b)
{
    size_t i = 0;
    while (i < a.n && i < b.n && a.p[i] == b.p[i])
        i++;
    return i;
}

/* Those of other paths that share most of this one's beginning, nearest first. */
static uint32_t nearest(const mg_rule *rules, mg_str path, const mg_rule *out[NEAR_MOST])
{
    uint32_t count = 0;
    for (const mg_rule *rule = rules; rule; rule = rule->next_of_site) {
        size_t near = common_prefix(rule->path, path);
        uint32_t at = count;
        while (at && common_prefix(out[at - 1]->path, path) < near)
            at--;
        if (!rule->path.p || at == NEAR_MOST)
            continue;
        count += count < NEAR_MOST;
        for (uint32_t i = count - 1; i > at; i--)
            out[i] = out[i - 1];
        out[at] = rule;
    }
    return count;
}

void mg_router_explain(const mg_router *r, const mg_site *site, mg_router_search *s,
                       void (*tell)(void *arg, const mg_route *route, const char *why_not), void *arg)
{
    const mg_rule *near[NEAR_MOST];
    char room[512];
    begin_search(r, s);
    uint32_t near_count = nearest(site->paths->all, s->path, near);
    for (const mg_rule *rule; (rule = next_rule(r, site->paths, s));) {
        mg_misfit against = misfit_of(rule, s);
        for (uint32_t i = 0; i < near_count; i++)
            if (near[i] == rule)
                near[i] = NULL;
        if (against.kind == MG_FITS)
            fill_params(rule, s);
        s->wants_when = rule->when;
        tell(arg, rule->route, mg_misfit_print(r, rule, against, s, room, sizeof room));
    }
    for (uint32_t i = 0; i < near_count; i++) {
        mg_misfit against = {.kind = MG_MISFIT_PATH};
        if (near[i])
            tell(arg, near[i]->route, mg_misfit_print(r, near[i], against, s, room, sizeof room));
    }
    end_search(r, s);
}
