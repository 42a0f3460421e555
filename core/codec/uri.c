#include "codec/uri.h"

#include "base/number.h"
#include "codec/scan.h"

#include <arpa/inet.h>

enum { NAME_MOST = 255, PORT_MOST = 65535 };

static mg_rc refuse(const char *sentence, const char **why)
{
    *why = sentence;
    return MG_BAD;
}

static mg_str from(mg_str s, size_t at)
{
    return (mg_str){s.p + at, s.n - at};
}

static bool is_unreserved(char c)
{
    return mg_byte_is(c, MG_BYTE_UNRESERVED);
}

/* ---- targets ------------------------------------------------------------------------------------- */

/* path [ "?" query ]. The grammar of the path is mg_path_normalize's; what could be a slash to somebody is
 * refused here already. */
static mg_rc split_path(mg_str s, mg_target *out, const char **why)
{
    ptrdiff_t mark = mg_str_find(s, '?');
    out->raw_path = (mg_str){s.p, mark < 0 ? s.n : (size_t)mark};
    if (mark >= 0)
        out->query = from(s, (size_t)mark + 1);
    if (out->raw_path.n && memchr(out->raw_path.p, '\\', out->raw_path.n))
        return refuse("a backslash in the path", why);
    return MG_OK;
}

/* RFC 9112 section 3.2.2. RFC 9110 section 4.2.4: userinfo is an error for http and https. */
static mg_rc parse_absolute(mg_str target, size_t scheme, mg_target *out, const char **why)
{
    mg_str host;
    int port;
    out->form = MG_TARGET_ABSOLUTE;
    out->scheme = (mg_str){target.p, scheme};
    if (!mg_str_eq_nocase(out->scheme, MG_STR("http")) && !mg_str_eq_nocase(out->scheme, MG_STR("https")))
        return refuse("a target of a scheme other than http and https", why);
    mg_str rest = from(target, scheme + 3);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    out->authority = (mg_str){rest.p, n};
    if (mg_str_find(out->authority, '@') >= 0)
        return refuse("userinfo in the target", why);
    if (mg_authority_parse(out->authority, &host, &port) != MG_OK)
        return refuse("the target's authority is not a name or address with an optional port", why);
    mg_rc rc = split_path(from(rest, n), out, why);
    if (!out->raw_path.n)
        out->raw_path = MG_STR("/");
    return rc;
}

static size_t scheme_length(mg_str target)
{
    for (size_t i = 0; i + 2 < target.n; i++)
        if (target.p[i] == ':')
            return target.p[i + 1] == '/' && target.p[i + 2] == '/' ? i : 0;
    return 0;
}

mg_rc mg_target_parse(mg_str target, mg_target *out, const char **why)
{
    mg_str host;
    int port;
    *out = (mg_target){.form = MG_TARGET_ORIGIN};
    if (!target.n)
        return refuse("an empty target", why);
    if (mg_scan_target(target.p, target.p + target.n) != target.p + target.n)
        return refuse("a byte that no target may have", why);
    if (target.p[0] == '/')
        return split_path(target, out, why);
    if (mg_str_eq(target, MG_STR("*"))) {
        out->form = MG_TARGET_ASTERISK;
        out->raw_path = target;
        return MG_OK;
    }
    size_t scheme = scheme_length(target);
    if (scheme)
        return parse_absolute(target, scheme, out, why);
    /* RFC 9112 section 3.2.3: host and port, nothing else. */
    out->form = MG_TARGET_AUTHORITY;
    out->authority = target;
    if (mg_authority_parse(target, &host, &port) != MG_OK || port < 0)
        return refuse("the target is neither a path nor a URL nor host:port", why);
    return MG_OK;
}

/* ---- authorities --------------------------------------------------------------------------------- */

static bool is_ipv6(mg_str s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (!s.n || s.n >= sizeof text || memchr(s.p, '\0', s.n))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/*
 * RFC 3986 section 3.2.2 lets a registered name hold escapes and "!$&'()*+,;=" as well. No host on the
 * network has such a name, and what is taken for a name here ends up in routes, logs, redirects and file
 * names: only unreserved characters, and no empty label but the root's.
 */
static bool is_name(mg_str s)
{
    if (!s.n || s.n > NAME_MOST || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_unreserved(s.p[i]) || (s.p[i] == '.' && s.p[i - 1] == '.'))
            return false;
    return true;
}

/* [ ":" *DIGIT ] */
static bool read_port(mg_str s, int *port)
{
    uint64_t value;
    *port = -1;
    if (s.n <= 1)
        return !s.n || s.p[0] == ':';
    if (s.p[0] != ':' || s.n > 6 || mg_number_dec(from(s, 1), &value) != MG_OK || !value || value > PORT_MOST)
        return false;
    *port = (int)value;
    return true;
}

mg_rc mg_authority_parse(mg_str authority, mg_str *host, int *port)
{
    bool bracket = authority.n && authority.p[0] == '[';
    ptrdiff_t end = mg_str_find(authority, bracket ? ']' : ':');
    if (bracket && end < 0)
        return MG_BAD;
    size_t n = end < 0 ? authority.n : (size_t)end;
    *host = bracket ? (mg_str){authority.p + 1, n - 1} : (mg_str){authority.p, n};
    if (!(bracket ? is_ipv6(*host) : is_name(*host)) || !read_port(from(authority, n + bracket), port))
        return MG_BAD;
    return MG_OK;
}

/* ---- paths --------------------------------------------------------------------------------------- */

static int hex_pair(const char *p, const char *end)
{
    if (end - p < 2)
        return -1;
    int high = mg_hex_digit(p[0]), low = mg_hex_digit(p[1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static char *put_escape(char *to, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    to[0] = '%';
    to[1] = digits[byte >> 4];
    to[2] = digits[byte & 15];
    return to + 3;
}

/* Nothing in it that normalising could change or refuse. Escapes and dots behind a slash go the long way. */
static bool is_plainly_normal(mg_str raw)
{
    for (size_t i = 0; i < raw.n; i++)
        if (!mg_byte_is(raw.p[i], MG_BYTE_PATH) || (raw.p[i] == '.' && raw.p[i - 1] == '/'))
            return false;
    return true;
}

/* One character of [*at, end), escaped or decoded as a normal path has it. */
static mg_rc put_normal(const char **at, const char *end, char **to, const char **why)
{
    char c = *(*at)++;
    if (mg_byte_is(c, MG_BYTE_PATH)) {
        *(*to)++ = c;
    } else if (mg_byte_is(c, MG_BYTE_LOOSE)) {
        *to = put_escape(*to, (unsigned char)c);
    } else if (c == '%') {
        int byte = hex_pair(*at, end);
        if (byte < 0)
            return refuse("a broken escape in the path", why);
        if (byte == 0)
            return refuse("%00 in the path", why);
        if (is_unreserved((char)byte))
            *(*to)++ = (char)byte;
        else
            *to = put_escape(*to, (unsigned char)byte);
        *at += 2;
    } else {
        return refuse(c == '\\' ? "a backslash in the path" : "a byte that no path may have", why);
    }
    return MG_OK;
}

/* How many bytes at s, which is normalised and not empty, are an escaped slash or backslash. */
static size_t soft_slash(mg_str s)
{
    if (s.p[0] != '%')
        return 0;
    return mg_str_starts(s, MG_STR("%2F")) || mg_str_starts(s, MG_STR("%5C")) ? 3 : 0;
}

static size_t soft_semicolon(mg_str s)
{
    if (s.p[0] != '%')
        return s.p[0] == ';';
    return mg_str_starts(s, MG_STR("%3B")) ? 3 : 0;
}

static bool is_dots(mg_str s)
{
    return mg_str_eq(s, MG_STR(".")) || mg_str_eq(s, MG_STR(".."));
}

/*
 * Whether a segment that is not "." or ".." itself becomes one, or holds one, for an origin that decodes
 * before it resolves ("..%2Fx") or that cuts parameters off first ("..;x").
 */
static bool hides_dots(mg_str segment)
{
    mg_str part = {segment.p, 0};
    bool in_parameter = false;
    if (mg_str_find(segment, '.') < 0)
        return false;
    for (size_t i = 0; i < segment.n;) {
        mg_str rest = from(segment, i);
        size_t slash = soft_slash(rest), semicolon = slash ? 0 : soft_semicolon(rest);
        if ((slash || semicolon) && is_dots(part))
            return true;
        in_parameter = slash ? false : in_parameter || semicolon;
        i += slash || semicolon ? slash + semicolon : 1;
        if (slash || in_parameter)
            part = (mg_str){segment.p + i, 0};
        else
            part.n++;
    }
    return part.n < segment.n && is_dots(part);
}

/* What has been written is [to, *end), its last segment begins at `segment` (behind its slash) and is whole.
 * RFC 3986 section 5.2.4. `last`: no slash follows it. */
static mg_rc end_segment(const char *to, char *segment, bool last, char **end, const char **why)
{
    mg_str s = {segment, (size_t)(*end - segment)};
    if (mg_str_eq(s, MG_STR("."))) {
        *end = segment;
    } else if (mg_str_eq(s, MG_STR(".."))) {
        char *up = segment - 1; /* the slash before the segment */
        if (up == to)
            return refuse("the path leads above the root", why);
        do
            up--;
        while (*up != '/');
        *end = up + 1;
    } else {
        if (hides_dots(s))
            return refuse("a dot segment in disguise in the path", why);
        if (!last)
            *(*end)++ = '/';
    }
    return MG_OK;
}

static mg_rc write_normal(mg_str raw, char *to, mg_str *out, const char **why)
{
    const char *at = raw.p + 1, *end = raw.p + raw.n;
    char *segment = to + 1, *put = segment;
    *to = '/';
    for (bool last = false; !last;) {
        mg_rc rc = MG_OK;
        while (rc == MG_OK && at < end && *at != '/')
            rc = put_normal(&at, end, &put, why);
        last = at == end;
        if (rc == MG_OK)
            rc = end_segment(to, segment, last, &put, why);
        if (rc != MG_OK)
            return rc;
        segment = put;
        at++;
    }
    *out = (mg_str){to, (size_t)(put - to)};
    return MG_OK;
}

mg_rc mg_path_normalize(mg_str raw, mg_arena *arena, mg_str *out, const char **why)
{
    *out = raw;
    if (mg_str_eq(raw, MG_STR("*")))
        return MG_OK;
    if (!raw.n || raw.p[0] != '/')
        return refuse("a path that does not begin with a slash", why);
    if (MG_LIKELY(is_plainly_normal(raw)))
        return MG_OK;
    size_t room = raw.n;
    for (size_t i = 0; i < raw.n; i++)
        room += mg_byte_is(raw.p[i], MG_BYTE_LOOSE) ? 2 : 0;
    char *to = mg_arena_try(arena, room);
    if (!to)
        return MG_LIMIT;
    mg_rc rc = write_normal(raw, to, out, why);
    if (rc == MG_OK && mg_str_eq(*out, raw))
        *out = raw;
    return rc;
}

/* ---- escapes, pairs ------------------------------------------------------------------------------ */

mg_str mg_percent_decode(mg_str s, bool plus, mg_arena *arena)
{
    if (mg_str_find(s, '%') < 0 && !(plus && mg_str_find(s, '+') >= 0))
        return s;
    char *to = mg_arena_try(arena, s.n), *put = to;
    const char *end = s.p + s.n;
    if (!to)
        return MG_STR_NONE;
    for (const char *p = s.p; p < end; p++) {
        int byte = *p == '%' ? hex_pair(p + 1, end) : -1;
        *put++ = byte >= 0 ? (char)byte : plus && *p == '+' ? ' ' : *p;
        p += byte >= 0 ? 2 : 0;
    }
    return (mg_str){to, (size_t)(put - to)};
}

mg_str mg_percent_encode(mg_str s, mg_arena *arena)
{
    size_t room = s.n;
    for (size_t i = 0; i < s.n; i++)
        room += is_unreserved(s.p[i]) ? 0 : 2;
    if (room == s.n)
        return s;
    char *to = mg_arena_try(arena, room), *put = to;
    if (!to)
        return MG_STR_NONE;
    for (size_t i = 0; i < s.n; i++)
        if (is_unreserved(s.p[i]))
            *put++ = s.p[i];
        else
            put = put_escape(put, (unsigned char)s.p[i]);
    return (mg_str){to, room};
}

static mg_str cut(mg_str *rest, char separator)
{
    ptrdiff_t at = mg_str_find(*rest, separator);
    mg_str piece = {rest->p, at < 0 ? rest->n : (size_t)at};
    *rest = from(*rest, MG_MIN(piece.n + 1, rest->n));
    return piece;
}

static void split_pair(mg_str piece, mg_str *name, mg_str *value)
{
    ptrdiff_t equals = mg_str_find(piece, '=');
    *name = (mg_str){piece.p, equals < 0 ? piece.n : (size_t)equals};
    *value = equals < 0 ? MG_STR_NONE : from(piece, (size_t)equals + 1);
}

bool mg_query_next(mg_str *rest, mg_str *name, mg_str *value)
{
    while (rest->n) {
        mg_str piece = cut(rest, '&');
        if (!piece.n)
            continue;
        split_pair(piece, name, value);
        return true;
    }
    return false;
}

bool mg_cookie_next(mg_str *rest, mg_str *name, mg_str *value)
{
    while (rest->n) {
        mg_str piece = mg_str_trim(cut(rest, ';'));
        if (!piece.n)
            continue;
        split_pair(piece, name, value);
        *name = mg_str_trim(*name);
        *value = mg_str_trim(*value);
        return true;
    }
    return false;
}
