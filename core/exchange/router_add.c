/* What mg_router_add does: a route's match becomes a rule, and the rule finds its place. */
#include "exchange/router_rules.h"

static mg_pattern *pattern_of(mg_router *r, mg_str regex, mg_err *err)
{
    mg_pattern *p = mg_map_get(&r->patterns, regex);
    if (p)
        return p;
    p = mg_pattern_new(regex, err);
    if (p)
        mg_map_put(&r->patterns, mg_arena_copy(r->arena, regex), p);
    return p;
}

static mg_rc add_method(mg_router *r, mg_rule *rule, mg_str name, mg_err *err)
{
    mg_method method = mg_method_of(name);
    uint64_t bit = mg_router_method_bit(r, method, name);
    if (bit == 1) {
        if (r->method_count == MG_ROUTER_METHODS_MOST)
            return mg_err_set(err, "more than %u methods in all", MG_ROUTER_METHODS_MOST - 1);
        bit = (uint64_t)1 << r->method_count;
        r->methods[r->method_count++] = mg_arena_copy(r->arena, name);
    }
    rule->methods |= bit;
    if (method == MG_METHOD_GET)
        rule->methods |= (uint64_t)1 << MG_METHOD_HEAD;
    return MG_OK;
}

static mg_rc add_methods(mg_router *r, mg_rule *rule, const mg_route_match *match, mg_err *err)
{
    if (!match->method_count)
        rule->methods = ~(uint64_t)0;
    for (uint32_t i = 0; i < match->method_count; i++) {
        mg_rc rc = add_method(r, rule, match->methods[i], err);
        if (rc != MG_OK)
            return rc;
    }
    return MG_OK;
}

static mg_rc add_conds(mg_router *r, mg_rule *rule, const mg_route_match *match, mg_err *err)
{
    if (!match->cond_count)
        return MG_OK;
    mg_rule_cond *conds = mg_arena_zalloc(r->arena, match->cond_count * sizeof *conds);
    for (uint32_t i = 0; i < match->cond_count; i++) {
        mg_rule_cond *c = &conds[i];
        c->cond = match->conds[i];
        c->cond.name = mg_arena_copy(r->arena, c->cond.name);
        c->cond.value = mg_arena_copy(r->arena, c->cond.value);
        if (!c->cond.query)
            c->id = mg_field_id_of(c->cond.name);
        if (c->cond.kind == MG_COND_REGEX && !(c->pattern = pattern_of(r, c->cond.value, err)))
            return mg_err_in(err, c->cond.query ? "query %.*s" : "header %.*s", MG_STR_ARG(c->cond.name));
    }
    rule->conds = conds;
    rule->cond_count = match->cond_count;
    return MG_OK;
}

/* ---- paths --------------------------------------------------------------------------------------- */

/* As requests' paths are: bytes that only a human would write raw are escaped, then all is normalised. */
static mg_rc normal_path(mg_router *r, mg_str given, mg_str *out, mg_err *err)
{
    static const char digits[] = "0123456789ABCDEF";
    char *to = mg_arena_alloc(r->arena, given.n * 3), *put = to;
    const char *why = NULL;
    for (size_t i = 0; i < given.n; i++) {
        unsigned char c = (unsigned char)given.p[i];
        if (c < 0x80) {
            *put++ = given.p[i];
        } else {
            *put++ = '%';
            *put++ = digits[c >> 4];
            *put++ = digits[c & 15];
        }
    }
    if (mg_path_normalize((mg_str){to, (size_t)(put - to)}, r->arena, out, &why) != MG_OK)
        return mg_err_set(err, "path \"%.*s\": %s", MG_STR_ARG(given), why ? why : "too long");
    return MG_OK;
}

static mg_str next_segment(mg_str *rest)
{
    ptrdiff_t slash = mg_str_find(*rest, '/');
    mg_str segment = {rest->p, slash < 0 ? rest->n : (size_t)slash};
    *rest = slash < 0 ? MG_STR_NONE : (mg_str){rest->p + slash + 1, rest->n - (size_t)slash - 1};
    return segment;
}

static bool is_param(mg_str segment)
{
    return segment.n > 1 && segment.p[0] == ':';
}

/* Counts, checks, and keeps the names of its parameters. */
static mg_rc read_params(mg_router *r, mg_rule *rule, mg_str path, mg_err *err)
{
    mg_str names[MG_ROUTER_PARAMS_MOST], rest = {path.p + 1, path.n - 1};
    uint32_t depth = 0;
    while (rest.p) {
        mg_str segment = next_segment(&rest);
        if (++depth > MG_PATH_DEPTH_MOST)
            return mg_err_set(err, "path \"%.*s\" has more than %d segments", MG_STR_ARG(path), MG_PATH_DEPTH_MOST);
        if (!is_param(segment))
            continue;
        if (rule->param_count == MG_ROUTER_PARAMS_MOST)
            return mg_err_set(err, "path \"%.*s\" has more than %d parameters", MG_STR_ARG(path), MG_ROUTER_PARAMS_MOST);
        names[rule->param_count++] = (mg_str){segment.p + 1, segment.n - 1};
    }
    if (rule->param_count) {
        mg_str *kept = mg_arena_alloc(r->arena, rule->param_count * sizeof *kept);
        memcpy(kept, names, rule->param_count * sizeof *kept);
        rule->names = kept;
    }
    return MG_OK;
}

/* At the end of the list, so that the configured order counts. */
static void append(mg_rule **list, mg_rule *rule)
{
    while (*list)
        list = &(*list)->next;
    *list = rule;
}

static void place_in_tree(mg_router *r, mg_paths *paths, mg_rule *rule, mg_str path)
{
    mg_path_node *node = &paths->root;
    mg_str rest = {path.p + 1, path.n - 1};
    if (rule->has_rest)
        rest = rest.n > 1 ? (mg_str){rest.p, rest.n - 2} : MG_STR_NONE;
    while (rest.p) {
        mg_str segment = next_segment(&rest);
        node = is_param(segment) ? mg_path_tree_add_param(&r->tree, node) : mg_path_tree_add(&r->tree, node, segment);
    }
    append(rule->has_rest ? &node->rests : &node->ends, rule);
}

static mg_rc place_by_path(mg_router *r, mg_paths *paths, mg_rule *rule, mg_err *err)
{
    mg_str path;
    mg_rc rc = normal_path(r, rule->path, &path, err);
    rule->has_rest = mg_str_ends(rule->path, MG_STR("/*"));
    if (rc == MG_OK && path.p[0] == '/')
        rc = read_params(r, rule, path, err);
    if (rc != MG_OK)
        return rc;
    if (rule->has_rest || rule->param_count)
        place_in_tree(r, paths, rule, path);
    else
        append(&mg_path_tree_add(&r->tree, &paths->exact, path)->ends, rule);
    return MG_OK;
}

/* ---- routes -------------------------------------------------------------------------------------- */

static mg_rule **append_at(mg_rule **first, mg_rule **last, mg_rule *rule)
{
    *(last ? last : first) = rule;
    return &rule->next;
}

mg_rc mg_router_add(mg_router *r, mg_site *site, mg_route *route, const mg_route_match *match, mg_err *err)
{
    mg_paths *paths = site->paths;
    mg_rule *rule = mg_arena_zalloc(r->arena, sizeof *rule);
    rule->route = route;
    rule->when = match->when;
    for (uint32_t i = 0; i < match->method_count; i++)
        route->trace |= mg_str_eq(match->methods[i], MG_STR("TRACE"));
    if (add_methods(r, rule, match, err) != MG_OK || add_conds(r, rule, match, err) != MG_OK)
        return MG_FAIL;
    if (match->path.p) {
        rule->path = mg_arena_copy(r->arena, match->path);
        if (place_by_path(r, paths, rule, err) != MG_OK)
            return MG_FAIL;
    } else if (match->regex.p) {
        rule->regex = mg_arena_copy(r->arena, match->regex);
        if (!(rule->pattern = pattern_of(r, rule->regex, err)))
            return MG_FAIL;
        paths->last_regex = append_at(&paths->regexes, paths->last_regex, rule);
    } else {
        paths->last_plain = append_at(&paths->plain, paths->last_plain, rule);
    }
    r->route_count++;
    *(paths->last ? paths->last : &paths->all) = rule;
    paths->last = &rule->next_of_site;
    return MG_OK;
}
