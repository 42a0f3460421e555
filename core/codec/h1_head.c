#include "codec/h1_head.h"

#include "codec/h1_framing.h"
#include "codec/h1_lines.h"
#include "codec/scan.h"

/*
 * Two passes at most. A head that is there in the first call is read and stored in one. A head that comes
 * in pieces is only checked as it comes, each byte once; when its end is there it is read again from the
 * start and stored. What the lines mean together (Host, framing, target) is judged when all are there.
 */

enum { METHOD_MOST = 64, BLANK_MOST = 2, VERSION_SIZE = 8, STATUS_SIZE = 12 };

static const struct {
    mg_str name;
    mg_method method;
} methods[] = {
    {{"GET", 3}, MG_METHOD_GET},     {{"HEAD", 4}, MG_METHOD_HEAD},       {{"POST", 4}, MG_METHOD_POST},
    {{"PUT", 3}, MG_METHOD_PUT},     {{"DELETE", 6}, MG_METHOD_DELETE},   {{"OPTIONS", 7}, MG_METHOD_OPTIONS},
    {{"PATCH", 5}, MG_METHOD_PATCH}, {{"CONNECT", 7}, MG_METHOD_CONNECT}, {{"TRACE", 5}, MG_METHOD_TRACE},
};

mg_method mg_method_of(mg_str name)
{
    for (size_t i = 0; i < MG_COUNT(methods); i++)
        if (mg_str_eq(name, methods[i].name))
            return methods[i].method;
    return MG_METHOD_OTHER;
}

bool mg_method_is_safe(mg_method m)
{
    return m == MG_METHOD_GET || m == MG_METHOD_HEAD || m == MG_METHOD_OPTIONS || m == MG_METHOD_TRACE;
}

bool mg_method_is_idempotent(mg_method m)
{
    return mg_method_is_safe(m) || m == MG_METHOD_PUT || m == MG_METHOD_DELETE;
}

/* "HTTP/" DIGIT "." DIGIT (RFC 9112 section 2.3), as many of its bytes as are there. MG_OK: all eight. */
static mg_rc read_version(mg_h1_lines *l, const char *p)
{
    static const char shape[VERSION_SIZE + 1] = "HTTP/0.0";
    const char *end = l->buf + l->size;
    for (int i = 0; i < VERSION_SIZE; i++, p++) {
        if (p == end)
            return MG_AGAIN;
        if (shape[i] == '0' ? (unsigned char)(*p - '0') > 9 : *p != shape[i])
            return mg_h1_lines_refuse(l, "no HTTP version where one belongs");
    }
    return MG_OK;
}

/* RFC 9112 section 2.2: a server should ignore an empty line before a request; two are enough for the
 * clients that send them. */
static mg_rc skip_blank_lines(mg_h1_lines *l)
{
    const char *p = l->buf + l->at->line, *end = l->buf + l->size;
    while (p < end && *p == '\r') {
        if (l->at->blank == BLANK_MOST)
            return mg_h1_lines_refuse(l, "empty lines before a request");
        mg_rc rc = mg_h1_lines_end(l, p);
        if (rc == MG_AGAIN)
            return mg_h1_lines_pause(l, p, p, MG_H1_START);
        if (rc != MG_OK)
            return rc;
        l->at->blank++;
        p += 2;
    }
    if (p == end)
        return mg_h1_lines_pause(l, p, p, MG_H1_START);
    (void)mg_h1_lines_pause(l, p, p, MG_H1_METHOD);
    return MG_OK;
}

static mg_rc read_method(mg_h1_lines *l, mg_h1_request *out)
{
    const char *line = l->buf + l->at->line, *end = l->buf + l->size;
    const char *p = mg_scan_class(l->buf + l->at->scanned, end, MG_BYTE_TOKEN);
    if (p - line > METHOD_MOST)
        return mg_h1_lines_refuse(l, "a method of more than 64 bytes");
    if (p == end)
        return mg_h1_lines_pause(l, line, p, MG_H1_METHOD);
    if (*p != ' ' || p == line)
        return mg_h1_lines_refuse(l, "no method where one belongs");
    out->method_name = (mg_str){line, (size_t)(p - line)};
    (void)mg_h1_lines_pause(l, line, p + 1, MG_H1_TARGET);
    return MG_OK;
}

/* RFC 9112 section 3: exactly one SP before and behind it. No form holds "#", a control byte or one past
 * 0x7e; which form it is and whether it is well made is judged by mg_target_parse. */
static mg_rc read_target(mg_h1_lines *l, mg_h1_request *out)
{
    const char *line = l->buf + l->at->line, *end = l->buf + l->size, *from = l->buf + l->at->scanned;
    const char *p = mg_scan_target(from, end);
    if (p == end)
        return mg_h1_lines_pause(l, line, p, MG_H1_TARGET);
    if (*p != ' ')
        return mg_h1_lines_refuse(l,
                                  *p == '\r' ? "a request line without a version" : "a byte that no target may have");
    if (p[-1] == ' ') /* nothing since the SP behind the method */
        return mg_h1_lines_refuse(l, "an empty target");
    out->target = (mg_str){from, (size_t)(p - from)};
    (void)mg_h1_lines_pause(l, line, p + 1, MG_H1_VERSION);
    return MG_OK;
}

static mg_rc end_request_line(mg_h1_lines *l, mg_h1_request *out, int *status)
{
    const char *p = l->buf + l->at->scanned, *after = p + VERSION_SIZE;
    mg_rc rc = read_version(l, p);
    if (rc != MG_OK)
        return rc;
    if (after < l->buf + l->size && *after != '\r')
        return mg_h1_lines_refuse(l, "something behind the HTTP version");
    if ((rc = mg_h1_lines_end(l, after)) != MG_OK)
        return rc;
    if (p[5] != '1') {
        *status = 505;
        return mg_h1_lines_refuse(l, "an HTTP version other than 1.x");
    }
    out->msg.minor = p[7] != '0';
    (void)mg_h1_lines_pause(l, after + 2, after + 2, MG_H1_NAME);
    return MG_OK;
}

static mg_rc read_request_line(mg_h1_lines *l, mg_h1_request *out, int *status)
{
    mg_rc rc = MG_OK;
    if (l->at->part == MG_H1_METHOD)
        rc = read_method(l, out);
    if (rc == MG_OK && l->at->part == MG_H1_TARGET)
        rc = read_target(l, out);
    return rc == MG_OK && l->at->part == MG_H1_VERSION ? end_request_line(l, out, status) : rc;
}

/* status-line = HTTP-version SP 3DIGIT SP [ reason ], RFC 9112 section 4; the second SP may be missing where
 * there is no reason, as origins have it. */
static mg_rc read_status(mg_h1_lines *l, mg_h1_response *out)
{
    const char *p = l->buf, *end = l->buf + l->size;
    mg_rc rc = read_version(l, p);
    if (rc != MG_OK)
        return rc;
    if (p[5] != '1')
        return mg_h1_lines_refuse(l, "an HTTP version other than 1.x");
    for (int i = VERSION_SIZE; i < STATUS_SIZE; i++) {
        if (p + i == end)
            return MG_AGAIN;
        if (i == VERSION_SIZE ? p[i] != ' ' : p[i] < '0' || p[i] > '9')
            return mg_h1_lines_refuse(l, "no status of three digits");
        /* RFC 9110 section 15: 100 to 599; others are invalid. */
        if (i == VERSION_SIZE + 1 && (p[i] == '0' || p[i] > '5'))
            return mg_h1_lines_refuse(l, "a status outside 100 to 599");
    }
    if (p + STATUS_SIZE == end)
        return MG_AGAIN;
    if (p[STATUS_SIZE] != ' ' && p[STATUS_SIZE] != '\r')
        return mg_h1_lines_refuse(l, "no status of three digits");
    out->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    out->msg.minor = p[7] != '0';
    (void)mg_h1_lines_pause(l, p, p + STATUS_SIZE, MG_H1_REASON);
    return MG_OK;
}

static mg_rc read_status_line(mg_h1_lines *l, mg_h1_response *out)
{
    mg_rc rc = l->at->part == MG_H1_START ? read_status(l, out) : MG_OK;
    if (rc != MG_OK || l->at->part != MG_H1_REASON)
        return rc;
    const char *from = l->buf + STATUS_SIZE;
    const char *p = mg_scan_value_portable(l->buf + l->at->scanned, l->buf + l->size);
    if ((rc = mg_h1_lines_end(l, p)) != MG_OK)
        return rc == MG_AGAIN ? mg_h1_lines_pause(l, l->buf, p, MG_H1_REASON) : rc;
    out->reason = p == from ? MG_STR("") : (mg_str){from + 1, (size_t)(p - from - 1)};
    (void)mg_h1_lines_pause(l, p + 2, p + 2, MG_H1_NAME);
    return MG_OK;
}

/* The first line may look at line_most bytes and its CR LF, so that what follows a line that is too long
 * does not matter. n: all bytes there are. Returns whether the line was cut short by a limit. */
static bool narrow(mg_h1_lines *l, uint32_t line_most, size_t n)
{
    uint64_t most = (uint64_t)l->at->line + line_most + 2;
    bool cut = most <= l->size || n > l->size;
    l->size = (uint32_t)MG_MIN(most, l->size);
    return cut;
}

static mg_rc refuse_limit(mg_h1_lines *l, const char *why)
{
    l->why = why;
    return MG_LIMIT;
}

static mg_rc read_fields(mg_h1_lines *l, size_t n)
{
    mg_rc rc = mg_h1_lines_read(l);
    return rc == MG_AGAIN && n > l->size ? refuse_limit(l, "the head is too long") : rc;
}

static mg_rc read_request_head(mg_h1_lines *l, uint32_t line_most, size_t n, mg_h1_request *out, int *status)
{
    mg_rc rc = l->at->part == MG_H1_START ? skip_blank_lines(l) : MG_OK;
    if (rc == MG_OK && l->at->part < MG_H1_NAME) {
        uint32_t size = l->size;
        bool cut = narrow(l, line_most, n);
        rc = read_request_line(l, out, status);
        if (rc == MG_AGAIN && cut) {
            *status = 414;
            rc = refuse_limit(l, "the request line is too long");
        }
        l->size = size;
    }
    if (rc == MG_AGAIN && n > l->size)
        return refuse_limit(l, "the head is too long");
    return rc == MG_OK ? read_fields(l, n) : rc;
}

static mg_rc read_response_head(mg_h1_lines *l, uint32_t line_most, size_t n, mg_h1_response *out)
{
    mg_rc rc = MG_OK;
    if (l->at->part < MG_H1_NAME) {
        uint32_t size = l->size;
        bool cut = narrow(l, line_most, n);
        rc = read_status_line(l, out);
        if (rc == MG_AGAIN && cut)
            rc = refuse_limit(l, "the status line is too long");
        l->size = size;
    }
    return rc == MG_OK ? read_fields(l, n) : rc;
}

static mg_rc refuse(const char *sentence, const char **why)
{
    *why = sentence;
    return MG_BAD;
}

/* Whether an absolute form ends with its authority. */
static bool is_bare_authority(const mg_target *t, mg_str target)
{
    return t->form == MG_TARGET_ABSOLUTE && t->authority.p + t->authority.n == target.p + target.n;
}

/* RFC 9112 section 3.2.3 and 3.2.4: the authority form belongs to CONNECT, the asterisk to OPTIONS, whose absolute
 * form without path and query means the asterisk. */
static mg_rc check_target(mg_h1_request *q, const char **why)
{
    mg_rc rc = mg_target_parse(q->target, &q->uri, why);
    if (rc != MG_OK)
        return rc;
    if ((q->uri.form == MG_TARGET_AUTHORITY) != (q->method == MG_METHOD_CONNECT))
        return refuse("CONNECT and the authority form belong together", why);
    if (q->uri.form == MG_TARGET_ASTERISK && q->method != MG_METHOD_OPTIONS)
        return refuse("only OPTIONS may ask for *", why);
    if (q->method == MG_METHOD_OPTIONS && is_bare_authority(&q->uri, q->target))
        q->uri.raw_path = MG_STR("*");
    return MG_OK;
}

static int port_or(int port, int usual)
{
    return port < 0 ? usual : port;
}

/* RFC 9112 section 3.2.2 has a proxy replace Host by the authority of an absolute form. Who sends two names
 * that differ tests which of them somebody looks at, so they must be one. */
static bool is_same_authority(const mg_h1_request *q, mg_str host, int port)
{
    mg_str other;
    int other_port, usual = q->uri.scheme.n == 5 ? 443 : q->uri.scheme.n == 4 ? 80 : -1;
    if (mg_authority_parse(q->uri.authority, &other, &other_port) != MG_OK || !mg_str_eq_nocase(host, other))
        return false;
    return port_or(port, usual) == port_or(other_port, usual) || (usual < 0 && port < 0);
}

static mg_rc check_host(mg_h1_request *q, const char **why)
{
    const mg_fields *f = &q->msg.fields;
    const mg_field *at = mg_fields_find(f, MG_FIELD_HOST);
    mg_str host;
    int port;
    /* RFC 9112 section 3.2: none in 1.1, more than one, or an invalid one must be answered 400. */
    if (!at && q->msg.minor)
        return refuse("no Host", why);
    if (at && mg_fields_find_slow(f, MG_FIELD_HOST, (uint32_t)(at - f->at) + 1))
        return refuse("more than one Host", why);
    if (at && mg_authority_parse(at->value, &host, &port) != MG_OK)
        return refuse("Host is not a name or address with an optional port", why);
    q->host = at ? at->value : MG_STR_NONE;
    if (q->uri.authority.p) {
        if (at && !is_same_authority(q, host, port))
            return refuse("Host is not the authority of the target", why);
        q->host = q->uri.authority;
    }
    return MG_OK;
}

/* RFC 9110 section 10.1.1: 100-continue is ignored in 1.0; what else is expected may be answered 417. */
static mg_rc check_expect(mg_h1_request *q, int *status, const char **why)
{
    const mg_fields *f = &q->msg.fields;
    const mg_field *at = mg_fields_find(f, MG_FIELD_EXPECT);
    q->expect_continue = false;
    for (; at; at = mg_fields_find_slow(f, MG_FIELD_EXPECT, (uint32_t)(at - f->at) + 1)) {
        mg_str rest = at->value, item;
        while (mg_str_next_item(&rest, &item)) {
            if (!mg_str_eq_nocase(item, MG_STR("100-continue"))) {
                *status = 417;
                return refuse("an expectation other than 100-continue", why);
            }
            q->expect_continue = q->msg.minor;
        }
    }
    return MG_OK;
}

static mg_rc judge_request(mg_h1_request *q, int *status, const char **why)
{
    q->method = mg_method_of(q->method_name);
    mg_rc rc = check_target(q, why);
    if (rc == MG_OK)
        rc = check_host(q, why);
    if (rc == MG_OK)
        rc = mg_h1_framing_read(&q->msg, status, why);
    return rc == MG_OK ? check_expect(q, status, why) : rc;
}

static bool is_fresh(const mg_h1_reader *r)
{
    return r->scanned == 0 && r->part == MG_H1_START;
}

static mg_h1_lines lines_over(mg_h1_reader *r, const mg_h1_limits *limits, const char *buf, size_t n)
{
    return (mg_h1_lines){.at = r,
                         .buf = buf,
                         .size = (uint32_t)MG_MIN(n, limits->head_most),
                         .fields_most = MG_MIN(limits->fields_most, (uint32_t)UINT16_MAX)};
}

mg_rc mg_h1_read_request(mg_h1_reader *r, const mg_h1_limits *limits, const char *buf, size_t n, mg_arena *arena,
                         mg_h1_request *out, size_t *head_size, int *status, const char **why)
{
    mg_h1_lines l = lines_over(r, limits, buf, n);
    bool fresh = is_fresh(r);
    mg_fields_init(&out->msg.fields, arena, l.fields_most + MG_H1_FIELDS_OWN);
    l.fields = fresh ? &out->msg.fields : NULL;
    *status = 0;
    mg_rc rc = read_request_head(&l, limits->line_most, n, out, status);
    if (rc == MG_OK && !fresh) {
        *r = (mg_h1_reader){0};
        l.fields = &out->msg.fields;
        rc = read_request_head(&l, limits->line_most, n, out, status);
    }
    if (rc == MG_OK)
        rc = judge_request(out, status, &l.why);
    *head_size = r->scanned;
    if (rc < 0) {
        *why = l.why;
        if (!*status)
            *status = rc == MG_LIMIT ? 431 : 400;
    }
    return rc;
}

mg_rc mg_h1_read_response(mg_h1_reader *r, const mg_h1_limits *limits, const char *buf, size_t n, mg_arena *arena,
                          mg_h1_response *out, size_t *head_size, const char **why)
{
    mg_h1_lines l = lines_over(r, limits, buf, n);
    bool fresh = is_fresh(r);
    int status;
    mg_fields_init(&out->msg.fields, arena, l.fields_most + MG_H1_FIELDS_OWN);
    l.fields = fresh ? &out->msg.fields : NULL;
    mg_rc rc = read_response_head(&l, limits->line_most, n, out);
    if (rc == MG_OK && !fresh) {
        *r = (mg_h1_reader){0};
        l.fields = &out->msg.fields;
        rc = read_response_head(&l, limits->line_most, n, out);
    }
    if (rc == MG_OK)
        rc = mg_h1_framing_read(&out->msg, &status, &l.why);
    *head_size = r->scanned;
    if (rc < 0)
        *why = l.why;
    return rc;
}

/* RFC 9110 section 6.5.1: no field may stand in a trailer that frames, routes, modifies the request,
 * authenticates or tells how to treat the content; whoever merges trailers into the head would obey it. */
static bool may_trail(const mg_field *f)
{
    static const uint8_t never[] = {MG_FIELD_TRANSFER_ENCODING,
                                    MG_FIELD_CONTENT_LENGTH,
                                    MG_FIELD_HOST,
                                    MG_FIELD_TRAILER,
                                    MG_FIELD_TE,
                                    MG_FIELD_CONNECTION,
                                    MG_FIELD_EXPECT,
                                    MG_FIELD_UPGRADE,
                                    MG_FIELD_AUTHORIZATION,
                                    MG_FIELD_SET_COOKIE,
                                    MG_FIELD_COOKIE,
                                    MG_FIELD_CACHE_CONTROL,
                                    MG_FIELD_CONTENT_ENCODING,
                                    MG_FIELD_CONTENT_TYPE,
                                    MG_FIELD_CONTENT_RANGE,
                                    MG_FIELD_WWW_AUTHENTICATE,
                                    MG_FIELD_RANGE,
                                    MG_FIELD_PRAGMA,
                                    MG_FIELD_FORWARDED,
                                    MG_FIELD_VIA,
                                    MG_FIELD_KEEP_ALIVE,
                                    MG_FIELD_X_REAL_IP,
                                    MG_FIELD_HTTP2_SETTINGS,
                                    MG_FIELD_LOCATION,
                                    MG_FIELD_VARY,
                                    MG_FIELD_AGE,
                                    MG_FIELD_EXPIRES,
                                    MG_FIELD_DATE,
                                    MG_FIELD_RETRY_AFTER};
    for (size_t i = 0; i < MG_COUNT(never); i++)
        if (f->id == never[i])
            return false;
    return !mg_str_eq_nocase(f->name, MG_STR("max-forwards")) && !mg_str_starts_nocase(f->name, MG_STR("proxy-")) &&
           !mg_str_starts_nocase(f->name, MG_STR("if-")) && !mg_str_starts_nocase(f->name, MG_STR("x-forwarded-"));
}

mg_rc mg_h1_read_trailers(mg_h1_reader *r, const mg_h1_limits *limits, const char *buf, size_t n, mg_arena *arena,
                          mg_fields *out, size_t *size, const char **why)
{
    mg_h1_lines l = lines_over(r, limits, buf, n);
    bool fresh = r->scanned == 0;
    if (fresh)
        r->part = MG_H1_NAME;
    mg_fields_init(out, arena, l.fields_most + MG_H1_FIELDS_OWN);
    l.fields = fresh ? out : NULL;
    mg_rc rc = read_fields(&l, n);
    if (rc == MG_OK && !fresh) {
        *r = (mg_h1_reader){.part = MG_H1_NAME};
        l.fields = out;
        rc = read_fields(&l, n);
    }
    *size = r->scanned;
    for (uint32_t i = 0; rc == MG_OK && i < out->count; i++)
        if (!may_trail(&out->at[i])) {
            l.why = "a field that may not stand in a trailer";
            rc = MG_BAD;
        }
    if (rc < 0)
        *why = l.why;
    return rc;
}
