#include "os/addr.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

_Static_assert(MG_ADDR_PATH_MOST == sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
               "paths as long as the kernel takes");

/* ---- text to address ---- */

static mg_rc parse_port(mg_str s, uint16_t *out)
{
    uint64_t port;
    if (s.n == 0 || s.n > 5 || mg_number_dec(s, &port) != MG_OK || port > UINT16_MAX)
        return MG_BAD;
    *out = (uint16_t)port;
    return MG_OK;
}

mg_rc mg_addr_split(mg_str text, mg_str *host, uint16_t *port)
{
    if (text.n && text.p[0] == '[') {
        ptrdiff_t end = mg_str_find(text, ']');
        if (end < 2 || (size_t)end + 2 > text.n || text.p[end + 1] != ':')
            return MG_BAD;
        *host = (mg_str){text.p + 1, (size_t)end - 1};
        return parse_port((mg_str){text.p + end + 2, text.n - (size_t)end - 2}, port);
    }
    ptrdiff_t colon = mg_str_find(text, ':');
    if (colon < 0)
        return MG_BAD;
    *host = (mg_str){text.p, (size_t)colon};
    /* A second colon (an IPv6 address without brackets) is no digit, so the port refuses it. */
    return parse_port((mg_str){text.p + colon + 1, text.n - (size_t)colon - 1}, port);
}

/* The zone of a link-local address: an interface by name or number (RFC 4007 section 11). */
static mg_rc parse_zone(mg_str zone, uint32_t *out)
{
    char name[IF_NAMESIZE];
    uint64_t number;
    if (zone.n == 0 || zone.n >= sizeof name)
        return MG_BAD;
    memcpy(name, zone.p, zone.n);
    name[zone.n] = '\0';
    *out = if_nametoindex(name);
    if (*out)
        return MG_OK;
    if (mg_number_dec(zone, &number) != MG_OK || number == 0 || number > UINT32_MAX)
        return MG_BAD;
    *out = (uint32_t)number;
    return MG_OK;
}

mg_rc mg_addr_parse_ip(mg_str ip, mg_addr *out)
{
    char text[INET6_ADDRSTRLEN];
    *out = (mg_addr){0};
    bool bracketed = ip.n >= 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']';
    if (bracketed)
        ip = (mg_str){ip.p + 1, ip.n - 2};
    ptrdiff_t percent = mg_str_find(ip, '%');
    size_t n = percent < 0 ? ip.n : (size_t)percent;
    if (n == 0 || n >= sizeof text || memchr(ip.p, '\0', n))
        return MG_BAD;
    memcpy(text, ip.p, n);
    text[n] = '\0';
    mg_addr a = {0};
    if (inet_pton(AF_INET6, text, &a.u.v6.sin6_addr) == 1) {
        a.u.family = AF_INET6;
        if (percent >= 0 && parse_zone((mg_str){ip.p + n + 1, ip.n - n - 1}, &a.u.v6.sin6_scope_id) != MG_OK)
            return MG_BAD;
    } else if (!bracketed && percent < 0 && inet_pton(AF_INET, text, &a.u.v4.sin_addr) == 1) {
        a.u.family = AF_INET;
    } else {
        return MG_BAD;
    }
    *out = a;
    return MG_OK;
}

mg_rc mg_addr_parse(const char *text, mg_addr *out)
{
    *out = (mg_addr){0};
    if (strncmp(text, "unix:", 5) == 0) {
        size_t n = strlen(text + 5);
        if (n == 0 || n > MG_ADDR_PATH_MOST)
            return MG_BAD;
        out->u.family = AF_UNIX;
        out->path = text + 5;
        return MG_OK;
    }
    mg_str host;
    uint16_t port;
    if (mg_addr_split(mg_str_of(text), &host, &port) != MG_OK)
        return MG_BAD;
    if (text[0] == '[') /* with its brackets, so that only IPv6 may stand in them */
        host = (mg_str){host.p - 1, host.n + 2};
    else if (host.n == 0 || mg_str_eq(host, MG_STR("*")))
        host = MG_STR("0.0.0.0");
    if (mg_addr_parse_ip(host, out) != MG_OK)
        return MG_BAD;
    mg_addr_set_port(out, port);
    return MG_OK;
}

/* ---- to and from the kernel ---- */

void mg_addr_from(mg_addr *out, const struct sockaddr *sa)
{
    *out = (mg_addr){0};
    switch (sa->sa_family) {
    case AF_INET:
        memcpy(&out->u.v4, sa, sizeof out->u.v4);
        break;
    case AF_INET6:
        memcpy(&out->u.v6, sa, sizeof out->u.v6);
        break;
    case AF_UNIX:
        out->u.family = AF_UNIX;
        out->path = "";
        break;
    default:
        break;
    }
}

socklen_t mg_addr_sockaddr(const mg_addr *a, struct sockaddr_storage *out)
{
    switch (a->u.family) {
    case AF_INET:
        memcpy(out, &a->u.v4, sizeof a->u.v4);
        return sizeof a->u.v4;
    case AF_INET6:
        memcpy(out, &a->u.v6, sizeof a->u.v6);
        return sizeof a->u.v6;
    case AF_UNIX: {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        size_t n = strlen(a->path);
        MG_BUG_UNLESS(n <= MG_ADDR_PATH_MOST);
        memcpy(un.sun_path, a->path, n);
        memcpy(out, &un, sizeof un);
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    }
    default:
        out->ss_family = AF_UNSPEC;
        return sizeof out->ss_family;
    }
}

void mg_addr_set_port(mg_addr *a, uint16_t port)
{
    if (a->u.family == AF_INET)
        a->u.v4.sin_port = htons(port);
    else if (a->u.family == AF_INET6)
        a->u.v6.sin6_port = htons(port);
}

uint16_t mg_addr_port(const mg_addr *a)
{
    if (a->u.family == AF_INET)
        return ntohs(a->u.v4.sin_port);
    return a->u.family == AF_INET6 ? ntohs(a->u.v6.sin6_port) : 0;
}

bool mg_addr_eq(const mg_addr *a, const mg_addr *b)
{
    if (a->u.family != b->u.family)
        return false;
    switch (a->u.family) {
    case AF_INET:
        return a->u.v4.sin_port == b->u.v4.sin_port && a->u.v4.sin_addr.s_addr == b->u.v4.sin_addr.s_addr;
    case AF_INET6:
        return a->u.v6.sin6_port == b->u.v6.sin6_port && a->u.v6.sin6_scope_id == b->u.v6.sin6_scope_id &&
               IN6_ARE_ADDR_EQUAL(&a->u.v6.sin6_addr, &b->u.v6.sin6_addr);
    case AF_UNIX:
        return strcmp(a->path, b->path) == 0;
    default:
        return true;
    }
}

/* ---- address to text ---- */

/* Printed for each request (log, Forwarded), hence by hand: inet_ntop goes through sprintf. */
static size_t print_v4(const uint8_t *octets, char *to)
{
    char *at = to;
    for (int i = 0; i < 4; i++) {
        unsigned v = octets[i];
        if (i)
            *at++ = '.';
        if (v >= 100)
            *at++ = (char)('0' + v / 100);
        if (v >= 10)
            *at++ = (char)('0' + v / 10 % 10);
        *at++ = (char)('0' + v % 10);
    }
    *at = '\0';
    return (size_t)(at - to);
}

static size_t print_v6(const struct sockaddr_in6 *v6, char *to)
{
    char name[IF_NAMESIZE];
    (void)inet_ntop(AF_INET6, &v6->sin6_addr, to, MG_ADDR_ROOM);
    size_t n = strlen(to);
    if (!v6->sin6_scope_id)
        return n;
    int more = if_indextoname(v6->sin6_scope_id, name) ? snprintf(to + n, MG_ADDR_ROOM - n, "%%%s", name)
                                                       : snprintf(to + n, MG_ADDR_ROOM - n, "%%%u", v6->sin6_scope_id);
    return n + (size_t)MG_MAX(more, 0);
}

static size_t print_port(uint16_t port, char *to)
{
    to[0] = ':';
    size_t n = 1 + mg_number_print(port, to + 1);
    to[n] = '\0';
    return n;
}

size_t mg_addr_print(const mg_addr *a, char *to)
{
    size_t n = 0;
    switch (a->u.family) {
    case AF_INET:
        n = print_v4((const uint8_t *)&a->u.v4.sin_addr, to);
        return n + print_port(mg_addr_port(a), to + n);
    case AF_INET6:
        to[n++] = '[';
        n += print_v6(&a->u.v6, to + n);
        to[n++] = ']';
        return n + print_port(mg_addr_port(a), to + n);
    case AF_UNIX:
        n = MG_MIN(strlen(a->path), (size_t)MG_ADDR_ROOM - 6);
        memcpy(to, "unix:", 5);
        memcpy(to + 5, a->path, n);
        to[5 + n] = '\0';
        return 5 + n;
    default:
        to[0] = '-';
        to[1] = '\0';
        return 1;
    }
}

size_t mg_addr_print_ip(const mg_addr *a, char *to)
{
    if (a->u.family == AF_INET)
        return print_v4((const uint8_t *)&a->u.v4.sin_addr, to);
    if (a->u.family == AF_INET6) {
        if (IN6_IS_ADDR_V4MAPPED(&a->u.v6.sin6_addr))
            return print_v4(a->u.v6.sin6_addr.s6_addr + 12, to);
        return print_v6(&a->u.v6, to);
    }
    bool local = a->u.family == AF_UNIX;
    memcpy(to, local ? "unix" : "-", local ? 5 : 2);
    return local ? 4 : 1;
}

/* ---- sets of networks ---- */

typedef unsigned __int128 wide;
typedef struct {
    wide from, to; /* both inside */
} range;

/* Ranges of one family. Added in any order; sorted and merged when first asked. */
typedef struct {
    range *all;
    size_t count, room;
    bool sorted;
} ranges;

struct mg_cidrs {
    ranges *v4, *v6; /* by pointer: a set that may not change may still be sorted */
    bool local;      /* UNIX peers are inside */
};

mg_cidrs *mg_cidrs_new(void)
{
    mg_cidrs *c = mg_zalloc(sizeof *c);
    c->v4 = mg_zalloc(sizeof *c->v4);
    c->v6 = mg_zalloc(sizeof *c->v6);
    return c;
}

void mg_cidrs_free(mg_cidrs *c)
{
    if (!c)
        return;
    mg_free(c->v4->all);
    mg_free(c->v6->all);
    mg_free(c->v4);
    mg_free(c->v6);
    mg_free(c);
}

/* The address as one number, and how many bits it has (32 or 128); an IPv4-mapped one as IPv4. */
static unsigned number_of(const mg_addr *a, wide *out)
{
    const uint8_t *bytes = (const uint8_t *)&a->u.v4.sin_addr;
    unsigned bits = 32;
    if (a->u.family == AF_INET6) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&a->u.v6.sin6_addr);
        bytes = a->u.v6.sin6_addr.s6_addr + (mapped ? 12 : 0);
        bits = mapped ? 32 : 128;
    }
    wide n = 0;
    for (unsigned i = 0; i < bits / 8; i++)
        n = n << 8 | bytes[i];
    *out = n;
    return bits;
}

static void add_range(ranges *r, range new)
{
    if (r->count == r->room) {
        r->room = r->room ? r->room * 2 : 8;
        r->all = mg_realloc(r->all, r->room * sizeof *r->all);
    }
    r->all[r->count++] = new;
    r->sorted = false;
}

static mg_rc suggest(mg_str cidr, const mg_addr *a, wide network, unsigned prefix, mg_err *err)
{
    mg_addr meant = *a;
    bool v6 = a->u.family == AF_INET6;
    uint8_t *bytes = v6 ? meant.u.v6.sin6_addr.s6_addr : (uint8_t *)&meant.u.v4.sin_addr;
    bool mapped = v6 && IN6_IS_ADDR_V4MAPPED(&a->u.v6.sin6_addr);
    unsigned first = mapped ? 12 : 0, size = v6 ? 16 : 4;
    for (unsigned i = size; i-- > first; network >>= 8)
        bytes[i] = (uint8_t)network;
    char text[MG_ADDR_ROOM];
    (void)mg_addr_print_ip(&meant, text);
    return mg_err_set(err, "'%.*s' has bits set behind its prefix; did you mean '%s/%u'?", MG_STR_ARG(cidr), text,
                      prefix);
}

mg_rc mg_cidrs_add(mg_cidrs *c, mg_str cidr, mg_err *err)
{
    if (mg_str_eq(cidr, MG_STR("unix"))) {
        c->local = true;
        return MG_OK;
    }
    ptrdiff_t slash = mg_str_find(cidr, '/');
    mg_addr a;
    if (mg_addr_parse_ip((mg_str){cidr.p, slash < 0 ? cidr.n : (size_t)slash}, &a) != MG_OK)
        return mg_err_set(err, "'%.*s' is not a network like 10.0.0.0/8 or fd00::/8", MG_STR_ARG(cidr));
    wide n;
    unsigned bits = number_of(&a, &n), written_bits = a.u.family == AF_INET6 ? 128 : 32;
    uint64_t prefix = written_bits;
    if (slash >= 0 && (mg_number_dec((mg_str){cidr.p + slash + 1, cidr.n - (size_t)slash - 1}, &prefix) != MG_OK ||
                       prefix > written_bits || prefix < written_bits - bits))
        return mg_err_set(err, "'%.*s': the prefix is a number from %u to %u", MG_STR_ARG(cidr), written_bits - bits,
                          written_bits);
    unsigned kept = (unsigned)prefix - (written_bits - bits);
    wide behind = kept == 128 ? 0 : (~(wide)0 >> (128 - bits)) >> kept;
    if (n & behind)
        return suggest(cidr, &a, n & ~behind, kept, err);
    add_range(bits == 32 ? c->v4 : c->v6, (range){n, n | behind});
    return MG_OK;
}

static int by_start(const void *a, const void *b)
{
    const range *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static void sort_and_merge(ranges *r)
{
    if (r->count)
        qsort(r->all, r->count, sizeof *r->all, by_start);
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        /* from - 1 and not to + 1, which may overflow */
        if (kept && (r->all[i].from == 0 || r->all[i].from - 1 <= r->all[kept - 1].to))
            r->all[kept - 1].to = MG_MAX(r->all[kept - 1].to, r->all[i].to);
        else
            r->all[kept++] = r->all[i];
    }
    r->count = kept;
    r->sorted = true;
}

static bool has_number(ranges *r, wide n)
{
    if (!r->sorted)
        sort_and_merge(r);
    size_t low = 0, high = r->count; /* the first range that starts behind n lies in [low, high] */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->all[middle].from <= n)
            low = middle + 1;
        else
            high = middle;
    }
    return low && n <= r->all[low - 1].to;
}

bool mg_cidrs_has(const mg_cidrs *c, const mg_addr *a)
{
    if (!c)
        return false;
    if (a->u.family == AF_UNIX)
        return c->local;
    if (a->u.family != AF_INET && a->u.family != AF_INET6)
        return false;
    wide n = 0;
    unsigned bits = number_of(a, &n);
    return has_number(bits == 32 ? c->v4 : c->v6, n);
}
