/*
 * h1_framing: where a message's body ends and whether its connection lives on, from its fields.
 *
 * RFC 9112 sections 6 and 9.3, without the choices that the RFC leaves open: of two ways to read a
 * length there is always one that somebody else takes, so whatever is not plain is refused.
 *
 *      Content-Length     none or one field, digits only, at most 2^63-1
 *      Transfer-Encoding  none or one field, in 1.1 only, without Content-Length, exactly "chunked"
 *      Connection         a list of tokens
 */
#ifndef MG_CODEC_H1_FRAMING_H
#define MG_CODEC_H1_FRAMING_H

#include "codec/h1_head.h"

/* Fills all of m but fields and minor, which it reads. MG_BAD: *status is 400, or 501 for a transfer coding
 * that is well-formed and not ours; *why says what. */
mg_rc mg_h1_framing_read(mg_h1_message *m, int *status, const char **why) MG_MUST_CHECK;

#endif
