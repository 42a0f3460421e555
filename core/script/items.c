#include "script/items.h"

#include "codec/uri.h"
#include "script/api.h"

enum { SCRATCH_CAP = 8 * 1024 * 1024, OFFSET_BITS = 24 };

static mg_arena scratch = {.cap = SCRATCH_CAP};

static mg_str decode(mg_str s, bool plus)
{
    if (!s.n || (!memchr(s.p, '%', s.n) && !(plus && memchr(s.p, '+', s.n))))
        return s;
    return mg_percent_decode(s, plus, &scratch);
}

static void empty_scratch(void)
{
    mg_arena_fini(&scratch);
    mg_arena_init(&scratch, SCRATCH_CAP);
}

/* *at is the offset in the query. */
static bool next_arg(const mg_exchange *x, uint64_t *at, mg_str *name, mg_str *value)
{
    if (*at >= x->req.query.n)
        return false;
    mg_str rest = {x->req.query.p + *at, x->req.query.n - (size_t)*at};
    if (!mg_query_next(&rest, name, value))
        return false;
    *at = (uint64_t)(x->req.query.n - rest.n);
    *name = decode(*name, true);
    *value = value->p ? decode(*value, true) : (mg_str){"", 0};
    return true;
}

/* *at is the index of the Cookie field and the offset in its value. */
static bool next_cookie(const mg_exchange *x, uint64_t *at, mg_str *name, mg_str *value)
{
    const mg_fields *f = x->req.fields;
    uint64_t mask = ((uint64_t)1 << OFFSET_BITS) - 1;
    while (f) { /* a refused head has none */
        const mg_field *field = mg_fields_find_slow(f, MG_FIELD_COOKIE, (uint32_t)(*at >> OFFSET_BITS));
        if (!field)
            return false;
        uint64_t index = (uint64_t)(field - f->at), offset = index == *at >> OFFSET_BITS ? *at & mask : 0;
        mg_str rest = {field->value.p + offset, field->value.n - (size_t)offset};
        if (offset < field->value.n && mg_cookie_next(&rest, name, value)) {
            *at = index << OFFSET_BITS | (field->value.n - rest.n);
            return true;
        }
        *at = (index + 1) << OFFSET_BITS;
    }
    return false;
}

/* *at counts the parameters; the one past them is what "*" matched. */
static bool next_param(const mg_exchange *x, uint64_t *at, mg_str *name, mg_str *value)
{
    const mg_router_search *s = x->search;
    if (!s || *at > s->param_count)
        return false;
    if (*at < s->param_count) {
        *name = s->params[*at].name;
        *value = decode(s->params[*at].value, false);
    } else if (s->rest.p) {
        *name = MG_STR("*");
        *value = decode(s->rest, false);
    } else {
        return false;
    }
    ++*at;
    return true;
}

static bool next(const mg_exchange *x, int list, uint64_t *at, mg_str *name, mg_str *value)
{
    switch (list) {
    case MG_ITEM_ARG:
        return next_arg(x, at, name, value);
    case MG_ITEM_COOKIE:
        return next_cookie(x, at, name, value);
    case MG_ITEM_PARAM:
        return next_param(x, at, name, value);
    default:
        return false;
    }
}

bool mg_items_next(const mg_exchange *x, int list, uint64_t *at, mg_str *name, mg_str *value)
{
    empty_scratch();
    return next(x, list, at, name, value);
}

bool mg_items_find(const mg_exchange *x, int list, mg_str wanted, mg_str *value)
{
    mg_str name;
    uint64_t at = 0;
    empty_scratch();
    while (next(x, list, &at, &name, value))
        if (mg_str_eq(name, wanted))
            return true;
    return false;
}
