/*
 * hosts: the hosts file as a table from names to addresses (hosts(5)).
 *
 *      10.0.0.5  db db.internal     # one address, its names; a name may stand on several lines
 *
 * Read when opened, and anew when the file's time or size changed, which is looked at once a second at
 * most and only when somebody asks. "localhost" and names under it need no line (RFC 6761 section 6.3).
 * Lines that are wrong are skipped; of a file larger than MG_HOSTS_MOST nothing is read.
 *
 * Ownership: the table owns its addresses. Those handed out stay good for the turn of the loop: a table
 * that was replaced is freed when the next one is.
 */
#ifndef MG_OS_HOSTS_H
#define MG_OS_HOSTS_H

#include "os/addr.h"

enum { MG_HOSTS_MOST = 4 * 1024 * 1024, MG_HOSTS_LOOK_MS = 1000 };

typedef struct mg_hosts mg_hosts;

mg_hosts *mg_hosts_open(const char *path); /* path is copied; a file that is not there is an empty one */
void mg_hosts_close(mg_hosts *h);
/* How many addresses the name has, IPv4 first, ports 0; 0: not in the file. The name in lower case. */
int mg_hosts_find(mg_hosts *h, mg_str name, const mg_addr **addrs);

#endif
