/*
 * addr: a socket address (IPv4, IPv6 or UNIX path), and sets of networks (CIDR).
 *
 * mg_addr is small for the many (28 bytes of IPv4/IPv6) and keeps UNIX paths by pointer, since paths
 * come from the configuration only. "" as a path is an unnamed peer.
 *
 * Ownership: an mg_addr holds nothing; where a path is borrowed from is said below. A set of networks
 * owns its ranges.
 */
#ifndef MG_OS_ADDR_H
#define MG_OS_ADDR_H

#include "base/arena.h"
#include "base/err.h"

#include <netinet/in.h>
#include <sys/socket.h>

typedef struct {
    union {
        sa_family_t family; /* AF_UNSPEC: none; AF_INET, AF_INET6, AF_UNIX */
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } u;
    const char *path; /* AF_UNIX: borrowed */
} mg_addr;

enum {
    MG_ADDR_ROOM = 128,     /* bytes of any printed address, NUL included (long UNIX paths are cut) */
    MG_ADDR_PATH_MOST = 107 /* the longest path the kernel takes for a UNIX socket */
};

/* "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", "*:80", ":80" (both: 0.0.0.0), "unix:/path". Numbers
 * only: names are MG_BAD and go through dns. The path is borrowed from `text`, which must be
 * NUL-terminated then. */
mg_rc mg_addr_parse(const char *text, mg_addr *out) MG_MUST_CHECK;
/* "host:port" taken apart without resolving: host may be a name, is without brackets, and may be empty.
 * MG_BAD when there is no valid port (0 is valid: the kernel chooses). host is borrowed from text. */
mg_rc mg_addr_split(mg_str text, mg_str *host, uint16_t *port) MG_MUST_CHECK;
mg_rc mg_addr_parse_ip(mg_str ip, mg_addr *out) MG_MUST_CHECK; /* no port; "[::1]" or "::1" */
void mg_addr_from(mg_addr *out, const struct sockaddr *sa);    /* a UNIX address becomes unnamed; unknown: AF_UNSPEC */
socklen_t mg_addr_sockaddr(const mg_addr *a, struct sockaddr_storage *out); /* as the kernel wants it */
void mg_addr_set_port(mg_addr *a, uint16_t port);
uint16_t mg_addr_port(const mg_addr *a);             /* 0 for UNIX */
size_t mg_addr_print(const mg_addr *a, char *to);    /* "1.2.3.4:80" "[::1]:80" "unix:/path"; bytes without the NUL */
size_t mg_addr_print_ip(const mg_addr *a, char *to); /* "1.2.3.4" "::1" "unix"; v4-mapped as IPv4 */
bool mg_addr_eq(const mg_addr *a, const mg_addr *b); /* same family, address, port, scope or path */

/* A set of networks: sorted ranges, look-up in O(log n). An IPv4-mapped IPv6 address counts as IPv4. */
typedef struct mg_cidrs mg_cidrs;
mg_cidrs *mg_cidrs_new(void);
void mg_cidrs_free(mg_cidrs *c);
/* "10.0.0.0/8", "::1", "unix" (every UNIX peer). Bits behind the prefix must be 0: "10.0.0.1/8" is
 * refused with the network that was probably meant. */
mg_rc mg_cidrs_add(mg_cidrs *c, mg_str cidr, mg_err *err) MG_MUST_CHECK;
bool mg_cidrs_has(const mg_cidrs *c, const mg_addr *a); /* NULL set: false */

#endif
