#include "script/api.h"

#include "base/clock.h"
#include "script/items.h"
#include "script/refusal.h"
#include "script/slot.h"

#include "api_rules.h"

#include <stdio.h>

static char why_text[512];

const char *mg_refusal(void)
{
    return why_text;
}

static int MG_PRINTF(1, 2) refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why_text, sizeof why_text, format, args);
    va_end(args);
    return MG_API_REFUSED;
}

/* Objects of scripts are tables, so what they hold may have been tampered with. */
static bool is_field(int field)
{
    return field >= 0 && field < MG_API_FIELDS;
}

static bool is_message(int message)
{
    return message == MG_MESSAGE_REQUEST || message == MG_MESSAGE_RESPONSE;
}

static int refuse_stale(void)
{
    return refuse("this request is over, or is not the one that runs here");
}

static int give(mg_text *found, mg_str s)
{
    if (!s.p)
        return MG_API_ABSENT;
    found->p = s.p;
    found->n = s.n;
    return MG_API_FOUND;
}

/* ---- reading ---- */

static bool is_chosen(const mg_exchange *x)
{
    return x->route && x->route != &x->gen->nowhere && !(x->site && x->route == &x->site->none);
}

static mg_str upstream_name(const mg_exchange *x)
{
    const mg_upstream *u = x->upstream ? x->upstream : x->route ? x->route->upstream : NULL;
    return u ? u->name : MG_STR_NONE;
}

static mg_str text_of(mg_exchange *x, int field)
{
    switch (field) {
    case MG_REQUEST_METHOD:
        return x->req.method_name;
    case MG_REQUEST_PATH:
        return x->req.path;
    case MG_REQUEST_QUERY:
        return x->req.query;
    case MG_REQUEST_TARGET:
        return x->req.target;
    case MG_REQUEST_SCHEME:
        return x->req.scheme;
    case MG_REQUEST_HOST:
        return x->req.host;
    case MG_REQUEST_VERSION:
        return x->req.minor == 0 ? MG_STR("1.0") : MG_STR("1.1");
    case MG_REQUEST_ID:
        return mg_exchange_request_id(x);
    case MG_REQUEST_ROUTE:
        return is_chosen(x) ? x->route->name : MG_STR_NONE;
    case MG_REQUEST_SITE:
        return x->site ? x->site->name : MG_STR_NONE;
    case MG_REQUEST_UPSTREAM:
        return upstream_name(x);
    case MG_CLIENT_IP:
        return mg_exchange_client_ip(x);
    case MG_RESPONSE_UPSTREAM:
        return x->res_from_origin && x->peer_now ? x->peer_now->name : MG_STR_NONE;
    default:
        return MG_STR_NONE;
    }
}

int mg_api_alive(mg_request *r)
{
    return mg_slot_exchange(r) ? MG_API_FOUND : refuse_stale();
}

int mg_api_text(mg_request *r, int field, mg_text *found)
{
    mg_exchange *x = mg_slot_exchange(r);
    return MG_LIKELY(x) ? give(found, text_of(x, field)) : refuse_stale();
}

/* When the request began, in microseconds since 1970. */
static double began_wall_us(const mg_exchange *x)
{
    return (double)mg_clock_wall_ms() * 1e3 - (double)(mg_clock_us() - x->at.began);
}

int mg_api_number(mg_request *r, int field, double *found)
{
    const mg_exchange *x = mg_slot_exchange(r);
    if (MG_UNLIKELY(!x))
        return refuse_stale();
    switch (field) {
    case MG_REQUEST_TIME:
        *found = began_wall_us(x) / 1e6;
        return MG_API_FOUND;
    case MG_REQUEST_DEADLINE: {
        int64_t limit = x->route ? x->route->timeouts.request : x->gen->timeouts.request;
        *found = (began_wall_us(x) + (double)limit * 1e3) / 1e6;
        return limit > 0 ? MG_API_FOUND : MG_API_ABSENT;
    }
    case MG_CLIENT_PORT:
        *found = mg_addr_port(&x->client_addr);
        return MG_API_FOUND;
    case MG_RESPONSE_STATUS:
        *found = x->res.status;
        return x->res_known ? MG_API_FOUND : MG_API_ABSENT;
    default:
        return MG_API_ABSENT;
    }
}

mg_fields *mg_api_fields(const mg_slot *r, int message)
{
    mg_exchange *x = r->x;
    if (message != MG_MESSAGE_REQUEST)
        return x->res_known ? &x->res.fields : NULL;
    return mg_slot_phase(r) == MG_PHASE_UPSTREAM_REQUEST ? &x->up->fields : x->req.fields;
}

static mg_field *find_field(const mg_fields *f, mg_str name)
{
    mg_field_id id = mg_field_id_of(name);
    return id == MG_FIELD_OTHER ? mg_fields_find_name(f, name, 0) : mg_fields_find(f, id);
}

int mg_api_header(mg_request *r, int message, const char *name, size_t n, mg_text *found)
{
    if (MG_UNLIKELY(!mg_slot_exchange(r)))
        return refuse_stale();
    const mg_fields *f = mg_api_fields(r, message);
    const mg_field *field = f ? find_field(f, (mg_str){name, n}) : NULL;
    if (!field)
        return MG_API_ABSENT;
    found->p = field->value.p ? field->value.p : "";
    found->n = field->value.n;
    return MG_API_FOUND;
}

int mg_api_item(mg_request *r, int list, const char *name, size_t n, mg_text *found)
{
    const mg_exchange *x = mg_slot_exchange(r);
    mg_str value;
    if (MG_UNLIKELY(!x))
        return refuse_stale();
    return mg_items_find(x, list, (mg_str){name, n}, &value) ? give(found, value.p ? value : (mg_str){"", 0}) : MG_API_ABSENT;
}

double mg_api_now(void)
{
    return (double)mg_clock_wall_ms() / 1e3;
}

double mg_api_monotonic(void)
{
    return (double)mg_clock_us() / 1e6;
}

/* ---- writing ---- */

static int refuse_phase(const mg_api_rule *rule, mg_phase phase)
{
    char list[200] = "";
    size_t n = 0;
    for (unsigned p = 0; p < MG_PHASE_COUNT; p++)
        if (rule->writes >> p & 1) {
            int more = snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", mg_phase_name((mg_phase)p));
            n = MG_MIN(n + (size_t)MG_MAX(more, 0), sizeof list - 1);
        }
    if (!n)
        return refuse("%s cannot be changed", rule->name);
    return refuse("%s cannot be changed in phase '%s'; it can in: %s", rule->name, mg_phase_name(phase), list);
}

static bool may_write(const mg_request *r, const mg_api_rule *rule)
{
    return rule->writes >> mg_slot_phase(r) & 1;
}

static mg_rc set_id(mg_exchange *x, mg_str id, const char **why)
{
    if (!id.n || id.n > 128 || !mg_field_value_is_valid(id)) {
        *why = "an id has 1 to 128 bytes and no control characters";
        return MG_BAD;
    }
    char *copy = mg_arena_try(x->arena, id.n);
    if (!copy)
        return MG_LIMIT;
    memcpy(copy, id.p, id.n);
    x->req.id = (mg_str){copy, id.n};
    return MG_OK;
}

static mg_rc set_text(mg_exchange *x, int field, mg_str value, const char **why)
{
    if (!value.p && field != MG_REQUEST_QUERY) {
        *why = "a text is needed, not nil";
        return MG_BAD;
    }
    switch (field) {
    case MG_REQUEST_METHOD:
        return mg_exchange_set_method(x, value, why);
    case MG_REQUEST_PATH:
        return mg_exchange_set_path(x, value, why);
    case MG_REQUEST_QUERY:
        return mg_exchange_set_query(x, value, why);
    case MG_REQUEST_HOST:
        return mg_exchange_set_host(x, value, why);
    case MG_REQUEST_ID:
        return set_id(x, value, why);
    case MG_REQUEST_UPSTREAM:
        *why = "no upstream has that name";
        return mg_exchange_choose_upstream(x, value);
    default:
        *why = "a number is needed";
        return MG_BAD;
    }
}

int mg_api_set_text(mg_request *r, int field, const char *value, size_t n)
{
    mg_exchange *x = mg_slot_exchange(r);
    if (MG_UNLIKELY(!x || !is_field(field)))
        return refuse_stale();
    const mg_api_rule *rule = &mg_api_rules[field];
    if (MG_UNLIKELY(!may_write(r, rule)))
        return refuse_phase(rule, mg_slot_phase(r));
    const char *why = NULL;
    mg_rc rc = set_text(x, field, (mg_str){value, n}, &why);
    if (MG_LIKELY(rc == MG_OK))
        return MG_API_FOUND;
    if (rc == MG_LIMIT)
        return refuse("%s: this request's memory is used up", rule->name);
    if (!value)
        return refuse("%s = nil: %s", rule->name, why);
    return refuse("%s = \"%.*s\": %s", rule->name, (int)MG_MIN(n, 100), value, why ? why : "not valid");
}

int mg_api_set_number(mg_request *r, int field, double value)
{
    mg_exchange *x = mg_slot_exchange(r);
    if (MG_UNLIKELY(!x || !is_field(field)))
        return refuse_stale();
    const mg_api_rule *rule = &mg_api_rules[field];
    if (MG_UNLIKELY(!may_write(r, rule)))
        return refuse_phase(rule, mg_slot_phase(r));
    if (field != MG_RESPONSE_STATUS)
        return refuse("%s: a text is needed, not a number", rule->name);
    if (value < 200 || value > 599 || value != (int)value)
        return refuse("res.status must be a whole number from 200 to 599, not %.14g", value);
    int status = (int)value;
    if (status == 204 || status == 205 || status == 304)
        return refuse("res.status = %d: an answer with that status has no body; return { status = %d } instead", status, status);
    if (!x->res_known)
        return refuse("res.status cannot be changed: there is no answer");
    x->res.status = (uint16_t)status;
    x->res.reason = MG_STR_NONE;
    return MG_API_FOUND;
}

/* ---- writing header fields ---- */

bool mg_refusal_is_own_field(mg_field_id id)
{
    switch (id) {
    case MG_FIELD_CONNECTION:
    case MG_FIELD_CONTENT_LENGTH:
    case MG_FIELD_KEEP_ALIVE:
    case MG_FIELD_PROXY_CONNECTION:
    case MG_FIELD_TE:
    case MG_FIELD_TRAILER:
    case MG_FIELD_TRANSFER_ENCODING:
    case MG_FIELD_UPGRADE:
        return true;
    default:
        return false;
    }
}

/* What becomes of a header. */
typedef enum { REPLACES, ADDS, REMOVES } change;

/* An origin is told of one host, whatever becomes of it. */
static bool may_change_host(const mg_request *r, int message, change what)
{
    return message != MG_MESSAGE_REQUEST || (what == REPLACES && mg_slot_phase(r) == MG_PHASE_UPSTREAM_REQUEST);
}

static mg_fields *writable(mg_request *r, int message, mg_str name, mg_field_id id, change what)
{
    mg_exchange *x = mg_slot_exchange(r);
    if (MG_UNLIKELY(!x || !is_message(message))) {
        (void)refuse_stale();
        return NULL;
    }
    const mg_api_rule *rule = &mg_api_message_rules[message];
    if (MG_UNLIKELY(!may_write(r, rule))) {
        (void)refuse_phase(rule, mg_slot_phase(r));
        return NULL;
    }
    if (MG_UNLIKELY(id == MG_FIELD_OTHER ? !mg_field_name_is_valid(name) : mg_refusal_is_own_field(id))) {
        if (id == MG_FIELD_OTHER)
            (void)refuse("\"%.*s\" is not the name of a header", (int)MG_MIN(name.n, 100), name.p);
        else
            (void)refuse("the header '%.*s' is written by the proxy itself", MG_STR_ARG(name));
        return NULL;
    }
    if (MG_UNLIKELY(id == MG_FIELD_HOST && !may_change_host(r, message, what))) {
        (void)refuse("the header 'host' is changed by req.host = \"…\", or replaced in upstream_request");
        return NULL;
    }
    mg_fields *f = mg_api_fields(r, message);
    if (!f)
        (void)refuse("res.headers cannot be changed: there is no answer");
    return f;
}

/* A copy in the request's arena; a known name in lower case needs none. */
static bool copy_text(mg_arena *a, mg_str *s)
{
    char *copy = mg_arena_try(a, s->n ? s->n : 1);
    if (!copy)
        return false;
    if (s->n)
        memcpy(copy, s->p, s->n);
    s->p = copy;
    return true;
}

static int write_field(mg_request *r, int message, mg_str name, mg_str value, change what)
{
    mg_field_id id = mg_field_id_of(name);
    mg_fields *f = writable(r, message, name, id, what);
    if (MG_UNLIKELY(!f))
        return MG_API_REFUSED;
    if (MG_UNLIKELY(!mg_field_value_is_valid(value)))
        return refuse("the value of header '%.*s' has a control character (CR, LF and NUL cannot be sent)", (int)MG_MIN(name.n, 100), name.p);
    mg_arena *a = r->x->arena;
    if (id != MG_FIELD_OTHER && mg_str_eq(mg_field_name(id), name))
        name = mg_field_name(id);
    else if (!copy_text(a, &name))
        return refuse("this request's memory is used up");
    if (!copy_text(a, &value))
        return refuse("this request's memory is used up");
    mg_rc rc = what == REPLACES ? mg_fields_set(f, id, name, value) : mg_fields_add(f, id, name, value);
    return rc == MG_OK ? MG_API_FOUND : refuse("too many headers: '%.*s' has no room", MG_STR_ARG(name));
}

int mg_api_set_header(mg_request *r, int message, const char *name, size_t n, const char *value, size_t value_n)
{
    return write_field(r, message, (mg_str){name, n}, (mg_str){value, value_n}, REPLACES);
}

int mg_api_add_header(mg_request *r, int message, const char *name, size_t n, const char *value, size_t value_n)
{
    return write_field(r, message, (mg_str){name, n}, (mg_str){value, value_n}, ADDS);
}

int mg_api_remove_header(mg_request *r, int message, const char *name, size_t n)
{
    mg_str wanted = {name, n};
    mg_field_id id = mg_field_id_of(wanted);
    mg_fields *f = writable(r, message, wanted, id, REMOVES);
    if (MG_UNLIKELY(!f))
        return MG_API_REFUSED;
    return mg_fields_remove(f, id, wanted) ? MG_API_FOUND : MG_API_ABSENT;
}
