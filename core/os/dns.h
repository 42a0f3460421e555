/*
 * dns: names to addresses without waiting, on c-ares.
 *
 * One resolver per worker. Answers are kept as long as their TTL says (between the configured bounds),
 * failures for a short while; who asks while a query is under way shares it. Addresses in numbers and
 * names of the hosts file are answered at once.
 *
 * An answer arrives through the callback, never before mg_dns_ask returns unless it returned the answer
 * itself. Ownership: the asker owns the mg_dns_ask struct until called back or mg_dns_cancel.
 */
#ifndef MG_OS_DNS_H
#define MG_OS_DNS_H

#include "os/addr.h"
#include "os/loop.h"

typedef struct {
    const char *nameservers; /* "127.0.0.1:53,[::1]:53"; NULL: the system's */
    const char *hosts_file;  /* NULL: /etc/hosts */
    int64_t timeout_ms, min_ttl_ms, max_ttl_ms;
    int attempts;
} mg_dns_config;

enum { MG_DNS_ADDRS_MOST = 64 };

typedef struct {
    const mg_addr *addrs; /* ports 0; valid during the callback, or until the next turn */
    int count;
    int64_t ttl_ms;       /* how long they may be used from now */
    const char *error;    /* NULL, or why there are none: "no such name", "timeout", "refused", … */
} mg_dns_answer;

typedef struct mg_dns mg_dns;
typedef struct mg_dns_query mg_dns_query;
struct mg_dns_query {
    mg_link link;
    void *state; /* the resolver's */
    void (*on_answer)(mg_dns_query *q, const mg_dns_answer *a);
};

mg_dns *mg_dns_open(const mg_dns_config *config, mg_err *err);
void mg_dns_close(mg_dns *d);
/* true: answered at once into *now (from cache, hosts or digits) and no callback will come;
 * false: q->on_answer will be called once, unless cancelled. A and AAAA are asked. */
bool mg_dns_ask(mg_dns *d, mg_str name, mg_dns_query *q, mg_dns_answer *now);
void mg_dns_cancel(mg_dns_query *q);

#endif
