/*
 * dns: names to addresses without waiting, on c-ares.
 *
 *      ask ─► digits? ─► hosts file? ─► cache ─► under way already? ─► one query (A and AAAA)
 *              now         now           now        wait with it          wait
 *
 * One resolver per worker. Answers are kept as long as their TTL says (between the configured bounds),
 * failures for a short while (MG_DNS_ABSENT_MS, MG_DNS_FAILED_MS); who asks while a query is under way
 * shares it. Addresses in numbers and names of the hosts file are answered at once. IPv4 addresses stand
 * first. At most MG_DNS_NAMES names are kept, those not asked for longest make room.
 *
 * With the system's name servers (read when opened) the system's search domains apply as well; with
 * configured ones a name is taken as it is written.
 *
 * An answer arrives through the callback, never before mg_dns_ask returns unless it returned the answer
 * itself. Callbacks may ask, cancel and close. Ownership: the asker owns the mg_dns_query struct until
 * called back or mg_dns_cancel.
 */
#ifndef MG_OS_DNS_H
#define MG_OS_DNS_H

#include "os/addr.h"
#include "os/loop.h"

typedef struct {
    const char *nameservers;        /* "127.0.0.1:53,[::1]:53"; NULL: the system's */
    const char *hosts_file;         /* NULL: /etc/hosts; "": none */
    int64_t timeout_ms;             /* for the first try at each server, twice that for the second, …; 0: 2 s */
    int64_t min_ttl_ms, max_ttl_ms; /* 0: 1 s, 1 h */
    int attempts;                   /* tries at each server; 0: 2 */
} mg_dns_config;

enum {
    MG_DNS_ADDRS_MOST = 64, /* of one name; further ones are left out */
    MG_DNS_NAMES = 4096,
    MG_DNS_ABSENT_MS = 5000, /* how long "no such name" is believed */
    MG_DNS_FAILED_MS = 1000  /* how long a failed server is left alone with that name */
};

typedef struct {
    const mg_addr *addrs; /* ports 0; valid during the callback, or until the next turn */
    int count;
    int64_t ttl_ms;    /* how long they may be used from now */
    const char *error; /* NULL, or why there are none: "no such name", "timeout", …; static text */
} mg_dns_answer;

typedef struct mg_dns mg_dns;
typedef struct mg_dns_query mg_dns_query;
struct mg_dns_query {
    mg_link link;
    void *state; /* the resolver's; NULL: nothing is under way. Zeroed before the first ask */
    void (*on_answer)(mg_dns_query *q, const mg_dns_answer *a);
};

mg_dns *mg_dns_open(const mg_dns_config *config, mg_err *err); /* NULL config: defaults; texts are copied */
void mg_dns_close(mg_dns *d); /* queries under way are called back with an error before it returns; NULL is fine */
/* true: answered at once into *now (from cache, hosts, digits, or as an error) and no callback will come;
 * false: q->on_answer will be called once, unless cancelled. A and AAAA are asked. */
bool mg_dns_ask(mg_dns *d, mg_str name, mg_dns_query *q, mg_dns_answer *now);
void mg_dns_cancel(mg_dns_query *q); /* harmless when nothing is under way */

#endif
