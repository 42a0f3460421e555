/*
 * accept: how much a client wants one kind of content (RFC 9110 section 12.5.1).
 *
 *      Accept: text/html, application/json;q=0.8, text/x;q=0      application/json ─► 800
 *
 * Pure look-up, whole numbers: a weight of 0.8 is 800. No memory.
 */
#ifndef MG_CODEC_ACCEPT_H
#define MG_CODEC_ACCEPT_H

#include "base/str.h"

/*
 * The weight of media type `wanted` ("application/problem+json") in an Accept field's value, 0..1000: that of
 * the most specific range that covers it (the type itself, then its kind with any subtype, then any kind); 0
 * when none does. No field at all (p == NULL) accepts everything: 1000. A range with parameters covers only
 * itself, and never `wanted`; an element with a malformed weight counts as not there.
 */
int mg_accept_quality(mg_str field, mg_str wanted);

#endif
