#include "codec/forwarded.h"

#include "base/number.h"
#include "codec/scan.h"

enum { PORT_DIGITS_MOST = 5, PORT_MOST = 65535 };

/*
 * Where the last element of s begins, behind the last comma that is outside quotes. From the right a quoted
 * string ends at a quote and begins at the nearest one to the left that no backslash stands before.
 */
static size_t last_element(mg_str s)
{
    bool quoted = false;
    for (size_t i = s.n; i-- > 0;) {
        if (s.p[i] == '"' && !(quoted && i && s.p[i - 1] == '\\'))
            quoted = !quoted;
        else if (!quoted && s.p[i] == ',')
            return i + 1;
    }
    return 0;
}

static mg_str cut_last(mg_str *rest, size_t begin)
{
    mg_str last = mg_str_trim((mg_str){rest->p + begin, rest->n - begin});
    rest->n = begin ? begin - 1 : 0;
    return last;
}

static mg_str cut(mg_str *rest, size_t n, size_t skip)
{
    mg_str first = {rest->p, n};
    rest->p += n + skip;
    rest->n -= n + skip;
    return first;
}

static size_t token_length(mg_str s)
{
    return (size_t)(mg_scan_class(s.p, s.p + s.n, MG_BYTE_TOKEN) - s.p);
}

/* value = token / quoted-string. No value that means something needs a backslash, so one with it is
 * malformed here: it would have to be copied to be read. */
static bool cut_value(mg_str *rest, mg_str *value)
{
    if (rest->n && rest->p[0] == '"') {
        cut(rest, 1, 0);
        size_t n = (size_t)(mg_scan_class(rest->p, rest->p + rest->n, MG_BYTE_QUOTED) - rest->p);
        if (n == rest->n || rest->p[n] != '"')
            return false;
        *value = cut(rest, n, 1);
        return true;
    }
    *value = cut(rest, token_length(*rest), 0);
    return value->n > 0;
}

static mg_str *place_of(mg_forwarded *element, mg_str name)
{
    if (mg_str_eq_nocase(name, MG_STR("for")))
        return &element->for_;
    if (mg_str_eq_nocase(name, MG_STR("by")))
        return &element->by;
    if (mg_str_eq_nocase(name, MG_STR("host")))
        return &element->host;
    return mg_str_eq_nocase(name, MG_STR("proto")) ? &element->proto : NULL;
}

/* forwarded-element = [ pair ] *( ";" [ pair ] ), RFC 7239 section 4; a parameter must not occur twice. */
static bool read_element(mg_str s, mg_forwarded *element)
{
    while (s.n) {
        size_t n = token_length(s);
        if (n) {
            if (n == s.n || s.p[n] != '=')
                return false;
            mg_str name = cut(&s, n, 1), value, *place = place_of(element, name);
            if (!cut_value(&s, &value) || (place && place->p))
                return false;
            if (place)
                *place = value;
        }
        s = mg_str_trim(s);
        if (s.n && s.p[0] != ';')
            return false;
        if (s.n)
            cut(&s, 0, 1);
        s = mg_str_trim(s);
    }
    return true;
}

bool mg_forwarded_prev(mg_str *rest, mg_forwarded *element)
{
    while (rest->n) {
        mg_str last = cut_last(rest, last_element(*rest));
        if (!last.n)
            continue;
        *element = (mg_forwarded){0};
        if (!read_element(last, element))
            *element = (mg_forwarded){0};
        return true;
    }
    return false;
}

bool mg_forwarded_for_prev(mg_str *rest, mg_str *node)
{
    while (rest->n) {
        size_t begin = rest->n;
        while (begin && rest->p[begin - 1] != ',')
            begin--;
        *node = cut_last(rest, begin);
        if (node->n)
            return true;
    }
    return false;
}

static bool is_obfuscated(mg_str s)
{
    if (s.n < 2 || s.p[0] != '_')
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!mg_byte_is(s.p[i], MG_BYTE_UNRESERVED) || s.p[i] == '~')
            return false;
    return true;
}

/* [ ":" ( 1*5DIGIT / obfport ) ] */
static bool read_port(mg_str s, int *port)
{
    uint64_t value;
    *port = -1;
    if (!s.n)
        return true;
    mg_str text = {s.p + 1, s.n - 1};
    if (s.p[0] != ':')
        return false;
    if (is_obfuscated(text))
        return true;
    if (text.n > PORT_DIGITS_MOST || mg_number_dec(text, &value) != MG_OK || value > PORT_MOST)
        return false;
    *port = (int)value;
    return true;
}

static mg_node_kind kind_of(mg_str host)
{
    if (mg_str_eq_nocase(host, MG_STR("unknown")))
        return MG_NODE_UNKNOWN;
    if (is_obfuscated(host))
        return MG_NODE_OBFUSCATED;
    bool dot = false;
    for (size_t i = 0; i < host.n; i++) {
        if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
            return MG_NODE_BAD;
        dot = dot || host.p[i] == '.';
    }
    return dot ? MG_NODE_ADDRESS : MG_NODE_BAD;
}

static mg_node_kind ipv6_kind(mg_str host)
{
    unsigned colons = 0;
    for (size_t i = 0; i < host.n; i++) {
        if (mg_hex_digit(host.p[i]) < 0 && host.p[i] != ':' && host.p[i] != '.')
            return MG_NODE_BAD;
        colons += host.p[i] == ':';
    }
    return colons > 1 ? MG_NODE_ADDRESS : MG_NODE_BAD;
}

mg_node_kind mg_forwarded_node(mg_str node, mg_str *host, int *port)
{
    *port = -1;
    *host = node;
    ptrdiff_t colon = mg_str_find(node, ':');
    if (node.n && node.p[0] == '[') {
        ptrdiff_t end = mg_str_find(node, ']');
        if (end < 0 || !read_port((mg_str){node.p + end + 1, node.n - (size_t)end - 1}, port))
            return MG_NODE_BAD;
        *host = (mg_str){node.p + 1, (size_t)end - 1};
        return ipv6_kind(*host);
    }
    if (colon >= 0 && memchr(node.p + colon + 1, ':', node.n - (size_t)colon - 1))
        return ipv6_kind(node);
    if (colon >= 0) {
        *host = (mg_str){node.p, (size_t)colon};
        if (!read_port((mg_str){node.p + colon, node.n - (size_t)colon}, port))
            return MG_NODE_BAD;
    }
    return kind_of(*host);
}

char *mg_forwarded_put_node(char *to, mg_str host, int port)
{
    bool ipv6 = mg_str_find(host, ':') >= 0, quoted = ipv6 || port >= 0;
    if (quoted)
        *to++ = '"';
    if (ipv6)
        *to++ = '[';
    if (host.n)
        memcpy(to, host.p, host.n);
    to += host.n;
    if (ipv6)
        *to++ = ']';
    if (port >= 0) {
        *to++ = ':';
        to += mg_number_print((uint64_t)port, to);
    }
    if (quoted)
        *to++ = '"';
    return to;
}

char *mg_forwarded_put_value(char *to, mg_str value)
{
    bool quoted = !mg_str_is_token(value);
    if (quoted)
        *to++ = '"';
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\')
            *to++ = '\\';
        *to++ = value.p[i];
    }
    if (quoted)
        *to++ = '"';
    return to;
}
