/*
 * items: the lists of names and values that a client gave: arguments of the query, cookies, path parameters.
 *
 *      ?a=1&b=%20x   ─► "a" "1", "b" " x"          decoded one by one, when somebody asks
 *
 * Ownership: what is found is borrowed: from the request's head, or from one scratch arena that the next
 * look-up empties.
 */
#ifndef MG_SCRIPT_ITEMS_H
#define MG_SCRIPT_ITEMS_H

#include "exchange/exchange.h"

/* The next item of a list (MG_ITEM_ of api.h). *at is 0 at first and opaque afterwards; below 2^53. */
bool mg_items_next(const mg_exchange *x, int list, uint64_t *at, mg_str *name, mg_str *value);
bool mg_items_find(const mg_exchange *x, int list, mg_str name, mg_str *value);

#endif
