/*
 * forwarded: who handed a request on for whom: Forwarded (RFC 7239) and X-Forwarded-For.
 *
 *      Forwarded: for=192.0.2.60;proto=http, for="[2001:db8::1]:1234"
 *                                            ◄── read from the right: the nearest proxy wrote the last element
 *
 * A walker starts at the right and goes on while it trusts who wrote the element, so the lists are cut from
 * their ends; each byte is looked at a bounded number of times however far the walk goes. Of several
 * field lines the last comes first. An element that breaks the grammar is handed out as one that says
 * nothing: a walk must end there, as it must at "unknown" and at obfuscated names.
 *
 * Ownership: none; slices into the field values.
 */
#ifndef MG_CODEC_FORWARDED_H
#define MG_CODEC_FORWARDED_H

#include "base/str.h"

/* One element; p == NULL where it says nothing. Without quotes. */
typedef struct {
    mg_str for_, by, host, proto;
} mg_forwarded;

/* Cut the last element off *rest; false when none is left. Malformed: true, and all four absent. */
bool mg_forwarded_prev(mg_str *rest, mg_forwarded *element);
/* Cut the last entry off the X-Forwarded-For list *rest, trimmed; empty ones are skipped; false at its begin. */
bool mg_forwarded_for_prev(mg_str *rest, mg_str *node);

typedef enum {
    MG_NODE_BAD,        /* none of the others */
    MG_NODE_ADDRESS,    /* looks like IPv4 or IPv6: the reader of addresses has the last word */
    MG_NODE_UNKNOWN,    /* "unknown" */
    MG_NODE_OBFUSCATED, /* "_name" */
} mg_node_kind;

/* A node (RFC 7239 section 6): 192.0.2.1, 192.0.2.1:80, [2001:db8::1], [2001:db8::1]:80, and, as X-Forwarded-For
 * has it, 2001:db8::1. host without brackets; port -1 when absent or obfuscated. */
mg_node_kind mg_forwarded_node(mg_str node, mg_str *host, int *port);

/* A node as the value of a Forwarded parameter, quoted where it must be: 192.0.2.1, "192.0.2.1:80",
 * "[2001:db8::1]". host: an address without brackets, "unknown" or an obfuscated name; port -1: none.
 * At most host.n + MG_FORWARDED_NODE_ROOM bytes; returns where to write on. */
enum { MG_FORWARDED_NODE_ROOM = 10 };
char *mg_forwarded_put_node(char *to, mg_str host, int port);
/* Any value without control bytes, as a token or a quoted string: at most 2 * value.n + 2 bytes. */
char *mg_forwarded_put_value(char *to, mg_str value);

#endif
