#include "exchange/router_rules.h"

#include <stdio.h>

/* ---- methods ------------------------------------------------------------------------------------- */

void mg_router_methods_init(mg_router *r)
{
    static const char *const common[] = {
        [MG_METHOD_GET] = "GET",       [MG_METHOD_HEAD] = "HEAD",       [MG_METHOD_POST] = "POST",
        [MG_METHOD_PUT] = "PUT",       [MG_METHOD_DELETE] = "DELETE",   [MG_METHOD_OPTIONS] = "OPTIONS",
        [MG_METHOD_PATCH] = "PATCH",   [MG_METHOD_CONNECT] = "CONNECT", [MG_METHOD_TRACE] = "TRACE",
    };
    for (uint32_t i = 1; i < MG_COUNT(common); i++)
        r->methods[i] = mg_str_of(common[i]);
    r->method_count = MG_COUNT(common);
}

uint64_t mg_router_method_bit(const mg_router *r, mg_method method, mg_str name)
{
    if (method != MG_METHOD_OTHER)
        return (uint64_t)1 << method;
    for (uint32_t i = MG_METHOD_TRACE + 1; i < r->method_count; i++)
        if (mg_str_eq(r->methods[i], name))
            return (uint64_t)1 << i;
    return 1;
}

mg_str mg_router_methods_print(const mg_router *r, uint64_t methods, mg_arena *arena)
{
    size_t n = 0;
    for (uint32_t i = 1; i < r->method_count; i++)
        n += methods >> i & 1 ? r->methods[i].n + 2 : 0;
    char *to = n ? mg_arena_try(arena, n) : NULL, *put = to;
    if (!to)
        return MG_STR_NONE;
    for (uint32_t i = 1; i < r->method_count; i++) {
        if (!(methods >> i & 1))
            continue;
        memcpy(put, r->methods[i].p, r->methods[i].n);
        memcpy(put + r->methods[i].n, ", ", 2);
        put += r->methods[i].n + 2;
    }
    return (mg_str){to, n - 2};
}

/* ---- does it fit? -------------------------------------------------------------------------------- */

static mg_misfit_kind kind_of(mg_rc match, mg_misfit_kind otherwise)
{
    return match == MG_OK ? MG_FITS : match == MG_LIMIT ? MG_MISFIT_GAVE_UP : otherwise;
}

mg_misfit mg_rule_path_misfit(const mg_rule *rule, mg_router_search *s)
{
    mg_misfit against = {.kind = MG_FITS};
    if (rule->pattern)
        against.kind = kind_of(mg_pattern_match(rule->pattern, s->path, s->params, &s->param_count), MG_MISFIT_REGEX);
    return against;
}

/* MG_OK, MG_EOF or MG_LIMIT, as patterns answer. */
static mg_rc value_fits(const mg_rule_cond *c, mg_str value)
{
    if (c->cond.kind == MG_COND_REGEX)
        return mg_pattern_match(c->pattern, value, NULL, NULL);
    return c->cond.kind == MG_COND_PRESENT || mg_str_eq(c->cond.value, value) ? MG_OK : MG_EOF;
}

static mg_rc header_fits(const mg_rule_cond *c, const mg_fields *fields)
{
    mg_rc rc = MG_EOF;
    if (!fields || (c->id != MG_FIELD_OTHER && !(fields->seen >> c->id & 1)))
        return MG_EOF;
    for (uint32_t i = 0; i < fields->count && rc == MG_EOF; i++) {
        const mg_field *f = &fields->at[i];
        if (f->id != c->id || f->flags & MG_FIELD_GONE)
            continue;
        if (c->id == MG_FIELD_OTHER && !mg_str_eq_nocase(f->name, c->cond.name))
            continue;
        rc = value_fits(c, f->value);
    }
    return rc;
}

static mg_rc query_fits(const mg_rule_cond *c, mg_str query)
{
    mg_rc rc = MG_EOF;
    mg_str name, value;
    mg_arena scratch; /* decoded pieces are looked at once, and are together no longer than the query */
    mg_arena_init(&scratch, query.n * 2 + 8 * MG_ARENA_PAGE);
    while (rc == MG_EOF && mg_query_next(&query, &name, &value)) {
        if (mg_str_eq(mg_percent_decode(name, true, &scratch), c->cond.name))
            rc = value_fits(c, mg_percent_decode(value, true, &scratch));
    }
    mg_arena_fini(&scratch);
    return rc;
}

mg_misfit mg_rule_conds_misfit(const mg_rule *rule, const mg_router_search *s)
{
    for (uint32_t i = 0; i < rule->cond_count; i++) {
        const mg_rule_cond *c = &rule->conds[i];
        mg_rc rc = c->cond.query ? query_fits(c, s->query) : header_fits(c, s->fields);
        if (rc != MG_OK)
            return (mg_misfit){kind_of(rc, MG_MISFIT_COND), c};
    }
    return (mg_misfit){.kind = MG_FITS};
}

/* ---- said to a human ----------------------------------------------------------------------------- */

static const char *print_cond(const mg_cond *c, char *to, size_t room)
{
    const char *what = c->query ? "query parameter" : "header";
    if (c->kind == MG_COND_PRESENT)
        (void)snprintf(to, room, "%s %.*s is absent", what, MG_STR_ARG(c->name));
    else
        (void)snprintf(to, room, "%s %.*s %s \"%.*s\"", what, MG_STR_ARG(c->name),
                       c->kind == MG_COND_EXACT ? "is not" : "does not match", MG_STR_ARG(c->value));
    return to;
}

const char *mg_misfit_print(const mg_router *r, const mg_rule *rule, mg_misfit m, const mg_router_search *s, char *to,
                            size_t room)
{
    mg_str methods;
    switch (m.kind) {
    case MG_FITS:
        return NULL;
    case MG_MISFIT_PATH:
        (void)snprintf(to, room, "its path is %.*s", MG_STR_ARG(rule->path));
        return to;
    case MG_MISFIT_REGEX:
        (void)snprintf(to, room, "the path does not match \"%.*s\"", MG_STR_ARG(rule->regex));
        return to;
    case MG_MISFIT_GAVE_UP:
        (void)snprintf(to, room, "the regular expression \"%.*s\" gave up: it backtracks too much",
                       MG_STR_ARG(m.cond ? m.cond->cond.value : rule->regex));
        return to;
    case MG_MISFIT_COND:
        return print_cond(&m.cond->cond, to, room);
    default:
        methods = mg_router_methods_print(r, rule->methods, s->arena);
        (void)snprintf(to, room, "its methods are %.*s", MG_STR_ARG(methods));
        return to;
    }
}
