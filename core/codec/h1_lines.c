#include "codec/h1_lines.h"

#include "codec/scan.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef const char *scanner(const char *p, const char *end);

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* *p is no token byte and not the colon after a name; `line` is where its line begins. */
static mg_rc refuse_name(mg_h1_lines *l, const char *line, const char *p)
{
    /* RFC 9112 section 5.2: a line that begins with a blank continues the one before; a server must refuse
     * it (or unfold it, which hides what is forwarded). Before the first field it is section 2.2's. */
    if (p == line && is_blank(*p))
        return mg_h1_lines_refuse(l, "a folded or indented line");
    if (p == line && *p == ':')
        return mg_h1_lines_refuse(l, "an empty field name");
    /* RFC 9112 section 5.1: a request with a blank before the colon must be answered 400. */
    if (is_blank(*p))
        return mg_h1_lines_refuse(l, "a blank in or after a field name");
    if (*p == '\r' || *p == '\n')
        return mg_h1_lines_refuse(l, "a field line without a colon");
    return mg_h1_lines_refuse(l, "a byte that no field name may have"); /* RFC 9110 section 5.1 */
}

/* Store the field whose line is [line, end) with its colon there. RFC 9112 section 5.1: blanks around the
 * value are not part of it. */
ALWAYS_INLINE mg_rc store(mg_h1_lines *l, const char *line, const char *colon, const char *end)
{
    const char *value = colon + 1, *last = end;
    while (value < end && is_blank(*value))
        value++;
    while (last > value && is_blank(last[-1]))
        last--;
    mg_str name = {line, (size_t)(colon - line)};
    mg_fields *f = l->fields;
    if (mg_fields_add(f, mg_field_id_of(name), name, (mg_str){value, (size_t)(last - value)}) != MG_OK) {
        l->why = "no memory left for fields";
        return MG_LIMIT;
    }
    if (value == colon + 2 && last == end && colon[1] == ' ')
        f->at[f->count - 1].flags = MG_FIELD_AS_READ;
    return MG_OK;
}

/* At the first byte of a line. MG_OK: a field line begins. MG_EOF: the empty line is read. */
ALWAYS_INLINE mg_rc begin_line(mg_h1_lines *l, const char *p)
{
    if (MG_UNLIKELY(p == l->buf + l->size))
        return MG_AGAIN;
    if (MG_UNLIKELY(*p == '\r')) {
        mg_rc rc = mg_h1_lines_end(l, p);
        return rc == MG_OK ? MG_EOF : rc;
    }
    if (MG_UNLIKELY(l->at->lines >= l->fields_most)) {
        l->why = "too many fields";
        return MG_LIMIT;
    }
    return MG_OK;
}

ALWAYS_INLINE mg_rc read_lines(mg_h1_lines *l, scanner *token, scanner *value)
{
    const char *end = l->buf + l->size, *line = l->buf + l->at->line, *p = l->buf + l->at->scanned, *colon = NULL;
    bool in_value = l->at->part == MG_H1_VALUE;
    for (;;) {
        mg_rc rc;
        if (!in_value) {
            if (p == line && (rc = begin_line(l, p)) != MG_OK) {
                (void)mg_h1_lines_pause(l, line, rc == MG_EOF ? p + 2 : p, MG_H1_NAME);
                return rc == MG_EOF ? MG_OK : rc;
            }
            p = token(p, end);
            if (MG_UNLIKELY(p == end))
                return mg_h1_lines_pause(l, line, p, MG_H1_NAME);
            if (MG_UNLIKELY(*p != ':' || p == line))
                return refuse_name(l, line, p);
            colon = p++;
        }
        p = value(p, end);
        rc = mg_h1_lines_end(l, p);
        if (MG_UNLIKELY(rc == MG_AGAIN))
            return mg_h1_lines_pause(l, line, p, MG_H1_VALUE);
        if (MG_UNLIKELY(rc != MG_OK || (l->fields && (rc = store(l, line, colon, p)) != MG_OK)))
            return rc;
        l->at->lines++;
        line = p += 2;
        in_value = false;
    }
}

static mg_rc read_portable(mg_h1_lines *l)
{
    return read_lines(l, mg_scan_token_portable, mg_scan_value_portable);
}

#ifdef __SSE2__
static mg_rc read_sse2(mg_h1_lines *l)
{
    return read_lines(l, mg_scan_token_sse2, mg_scan_value_sse2);
}
#endif

mg_rc mg_h1_lines_read(mg_h1_lines *l)
{
    MG_BUG_UNLESS(l->at->scanned <= l->size && l->at->line <= l->at->scanned);
    MG_BUG_UNLESS(!l->fields || l->at->part == MG_H1_NAME); /* a line is stored in the call that reads it whole */
#ifdef __SSE2__
    if (MG_LIKELY(!mg_scan_is_portable))
        return read_sse2(l);
#endif
    return read_portable(l);
}
