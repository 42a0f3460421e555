#include "script/plan.h"

#include "base/number.h"

#include <stdio.h>

enum { PLAN_CAP = 64 * 1024 * 1024 };

void mg_plan_init(mg_plan *p)
{
    *p = (mg_plan){.error_log.level = MG_LOG_INFO, .generations = 8, .drain_ms = 30000, .connections = 10000};
    mg_arena_init(&p->arena, PLAN_CAP);
}

void mg_plan_fini(mg_plan *p)
{
    mg_arena_fini(&p->arena);
    *p = (mg_plan){0};
}

/* ---- one description of the lines for both ways ---- */

typedef enum { TEXT, NUMBER } kind;

typedef struct {
    const char *key;
    kind kind;
    size_t offset;
    size_t size; /* of a number's field */
} row;

#define PLAN_TEXT(key, member) {key, TEXT, offsetof(mg_plan, member), 0}
#define PLAN_NUMBER(key, member) {key, NUMBER, offsetof(mg_plan, member), sizeof(((mg_plan *)0)->member)}

static const row rows[] = {
    PLAN_TEXT("config", config),
    PLAN_NUMBER("workers", workers),
    PLAN_TEXT("control", control),
    PLAN_TEXT("user", user),
    PLAN_TEXT("group", group),
    PLAN_TEXT("pid_file", pid_file),
    PLAN_NUMBER("error_log.level", error_log.level),
    PLAN_TEXT("error_log.path", error_log.path),
    PLAN_NUMBER("access_log.format", access_log.format),
    PLAN_TEXT("access_log.path", access_log.path),
    PLAN_NUMBER("resolver.attempts", resolver.attempts),
    PLAN_NUMBER("resolver.timeout_ms", resolver.timeout_ms),
    PLAN_NUMBER("resolver.min_ttl_ms", resolver.min_ttl_ms),
    PLAN_NUMBER("resolver.max_ttl_ms", resolver.max_ttl_ms),
    PLAN_TEXT("resolver.hosts_file", resolver.hosts_file),
    PLAN_NUMBER("drain_ms", drain_ms),
    PLAN_NUMBER("generations", generations),
    PLAN_NUMBER("connections", connections),
};

/* ---- writing ---- */

typedef struct {
    mg_arena *arena;
    char *p;
    size_t n, room;
} sheet;

static void put(sheet *t, mg_str s)
{
    if (t->n + s.n > t->room) {
        size_t room = MG_MAX(t->room * 2, t->n + s.n + 1024);
        char *p = mg_arena_alloc(t->arena, room);
        if (t->n)
            memcpy(p, t->p, t->n);
        t->p = p;
        t->room = room;
    }
    if (s.n)
        memcpy(t->p + t->n, s.p, s.n);
    t->n += s.n;
}

/* A value keeps its printable bytes but "%" and the blank. */
static void put_value(sheet *t, const char *value)
{
    static const char hex[] = "0123456789ABCDEF";
    put(t, MG_STR(" "));
    for (const char *c = value; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        char escaped[3] = {'%', hex[byte >> 4], hex[byte & 15]};
        bool plain = byte > ' ' && byte < 0x7f && byte != '%';
        put(t, plain ? (mg_str){c, 1} : (mg_str){escaped, 3});
    }
}

static void put_number(sheet *t, uint64_t value)
{
    char digits[MG_NUMBER_ROOM];
    put(t, MG_STR(" "));
    put(t, (mg_str){digits, mg_number_print(value, digits)});
}

static uint64_t load(const mg_plan *p, const row *r)
{
    const char *at = (const char *)p + r->offset;
    uint64_t wide = 0;
    uint32_t narrow = 0;
    if (r->size == sizeof wide) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

static void put_rows(sheet *t, const mg_plan *p)
{
    for (size_t i = 0; i < MG_COUNT(rows); i++) {
        const row *r = &rows[i];
        const char *value = NULL;
        if (r->kind == TEXT) {
            memcpy(&value, (const char *)p + r->offset, sizeof value);
            if (!value)
                continue;
        }
        put(t, mg_str_of(r->key));
        if (r->kind == TEXT)
            put_value(t, value);
        else
            put_number(t, load(p, r));
        put(t, MG_STR("\n"));
    }
}

mg_str mg_plan_print(const mg_plan *p, mg_arena *arena)
{
    sheet t = {.arena = arena};
    put_rows(&t, p);
    for (uint32_t i = 0; i < p->listener_count; i++) {
        const mg_plan_listener *l = &p->listeners[i];
        put(&t, MG_STR("listener"));
        put_value(&t, l->bind);
        put_number(&t, (uint64_t)l->backlog);
        put_number(&t, l->mode);
        put_number(&t, l->v6_only);
        put(&t, MG_STR("\n"));
    }
    for (uint32_t i = 0; i < p->dict_count; i++) {
        put(&t, MG_STR("dict"));
        put_value(&t, p->dicts[i].name);
        put_number(&t, p->dicts[i].bytes);
        put(&t, MG_STR("\n"));
    }
    for (uint32_t i = 0; i < p->resolver.nameserver_count; i++) {
        put(&t, MG_STR("nameserver"));
        put_value(&t, p->resolver.nameservers[i]);
        put(&t, MG_STR("\n"));
    }
    put(&t, (mg_str){"\0", 1});
    return (mg_str){t.p, t.n - 1};
}

/* ---- reading ---- */

static mg_str next_word(mg_str *rest)
{
    ptrdiff_t blank = mg_str_find(*rest, ' ');
    mg_str word = {rest->p, blank < 0 ? rest->n : (size_t)blank};
    size_t skip = MG_MIN(word.n + 1, rest->n);
    rest->p += skip;
    rest->n -= skip;
    return word;
}

static const char *read_text(mg_plan *p, mg_str word)
{
    char *out = mg_arena_alloc(&p->arena, word.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < word.n; i++) {
        uint64_t byte = (unsigned char)word.p[i];
        if (word.p[i] == '%') {
            if (i + 3 > word.n || mg_number_hex((mg_str){word.p + i + 1, 2}, &byte) != MG_OK || byte == 0)
                return NULL;
            i += 2;
        }
        out[n++] = (char)byte;
    }
    out[n] = 0;
    return out;
}

static mg_rc read_number(mg_str word, uint64_t most, uint64_t *out)
{
    if (mg_number_dec(word, out) != MG_OK || *out > most)
        return MG_BAD;
    return MG_OK;
}

static mg_rc store(mg_plan *p, const row *r, mg_str word)
{
    char *at = (char *)p + r->offset;
    if (r->kind == TEXT) {
        const char *value = read_text(p, word);
        memcpy(at, &value, sizeof value);
        return value ? MG_OK : MG_BAD;
    }
    uint64_t wide;
    if (read_number(word, r->size == sizeof wide ? INT64_MAX : INT32_MAX, &wide) != MG_OK)
        return MG_BAD;
    uint32_t narrow = (uint32_t)wide;
    memcpy(at, r->size == sizeof wide ? (void *)&wide : (void *)&narrow, r->size);
    return MG_OK;
}

/* Room for one more in a list that grows to the next power of two. */
static void *more(mg_arena *a, void *list, uint32_t count, size_t size)
{
    if (count & (count - 1) || (count == 0 && list))
        return list;
    void *grown = mg_arena_alloc(a, (count ? (size_t)count * 2 : 1) * size);
    if (count)
        memcpy(grown, list, count * size);
    return grown;
}

static mg_rc read_listener(mg_plan *p, mg_str rest)
{
    uint64_t backlog, mode, v6_only;
    const char *bind = read_text(p, next_word(&rest));
    if (!bind || read_number(next_word(&rest), INT32_MAX, &backlog) != MG_OK ||
        read_number(next_word(&rest), 07777, &mode) != MG_OK || read_number(next_word(&rest), 1, &v6_only) != MG_OK)
        return MG_BAD;
    p->listeners = more(&p->arena, p->listeners, p->listener_count, sizeof *p->listeners);
    p->listeners[p->listener_count++] = (mg_plan_listener){
        .bind = bind, .backlog = (int)backlog, .mode = (unsigned)mode, .v6_only = v6_only != 0};
    return MG_OK;
}

static mg_rc read_dict(mg_plan *p, mg_str rest)
{
    mg_plan_dict d = {.name = read_text(p, next_word(&rest))};
    if (!d.name || read_number(next_word(&rest), INT64_MAX, &d.bytes) != MG_OK)
        return MG_BAD;
    p->dicts = more(&p->arena, p->dicts, p->dict_count, sizeof *p->dicts);
    p->dicts[p->dict_count++] = d;
    return MG_OK;
}

static mg_rc read_nameserver(mg_plan *p, mg_str rest)
{
    const char *server = read_text(p, next_word(&rest));
    if (!server)
        return MG_BAD;
    p->resolver.nameservers =
        more(&p->arena, p->resolver.nameservers, p->resolver.nameserver_count, sizeof *p->resolver.nameservers);
    p->resolver.nameservers[p->resolver.nameserver_count++] = server;
    return MG_OK;
}

static mg_rc read_line(mg_plan *p, mg_str line)
{
    mg_str rest = line, key = next_word(&rest);
    if (mg_str_eq(key, MG_STR("listener")))
        return read_listener(p, rest);
    if (mg_str_eq(key, MG_STR("dict")))
        return read_dict(p, rest);
    if (mg_str_eq(key, MG_STR("nameserver")))
        return read_nameserver(p, rest);
    for (size_t i = 0; i < MG_COUNT(rows); i++)
        if (mg_str_eq(key, mg_str_of(rows[i].key)))
            return store(p, &rows[i], next_word(&rest));
    return MG_BAD;
}

mg_rc mg_plan_parse(mg_plan *p, mg_str text, mg_err *err)
{
    while (text.n) {
        ptrdiff_t end = mg_str_find(text, '\n');
        mg_str line = {text.p, end < 0 ? text.n : (size_t)end};
        size_t skip = MG_MIN(line.n + 1, text.n);
        text.p += skip;
        text.n -= skip;
        if (line.n && read_line(p, line) != MG_OK) {
            (void)mg_err_set(err, "not a line of a plan: %.*s", (int)MG_MIN(line.n, 200), line.p);
            return MG_BAD;
        }
    }
    return MG_OK;
}
