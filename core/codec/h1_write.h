/*
 * h1_write: heads put into memory, as fast as copying allows.
 *
 *      mg_h1_status_line(200) ─► "HTTP/1.1 200 OK CR LF"      prebuilt for every registered status
 *      mg_h1_put_fields       ─► the fields that are not gone, in their order
 *
 * Fields that lie as they were read ("name: value CR LF" in one piece, one behind the other) are copied as
 * one run. The writer trusts its caller for validity: names and values have been read by h1_head or checked
 * with mg_field_name_is_valid and mg_field_value_is_valid.
 *
 * The put functions return where to write on; the room is the caller's (mg_h1_head_room). No memory.
 */
#ifndef MG_CODEC_H1_WRITE_H
#define MG_CODEC_H1_WRITE_H

#include "codec/fields.h"

static inline char *mg_h1_put(char *to, mg_str bytes)
{
    if (bytes.n)
        memcpy(to, bytes.p, bytes.n);
    return to + bytes.n;
}

/* "name: value\r\n": name.n + value.n + 4 bytes. */
static inline char *mg_h1_put_field(char *to, mg_str name, mg_str value)
{
    to = mg_h1_put(to, name);
    memcpy(to, ": ", 2);
    to = mg_h1_put(to + 2, value);
    memcpy(to, "\r\n", 2);
    return to + 2;
}

size_t mg_h1_head_room(const mg_fields *f);           /* exactly the bytes that mg_h1_put_fields writes */
char *mg_h1_put_fields(char *to, const mg_fields *f); /* without the empty line at the end */

/* The registered reason (RFC 9110 section 15 and the IANA list); empty when there is none. */
mg_str mg_status_reason(unsigned status);
/* "HTTP/1.1 200 OK\r\n", static; p == NULL for a status that is not registered. */
mg_str mg_h1_status_line(unsigned status);

/* A status line of any status 100..999 and reason: MG_H1_STATUS_ROOM + reason.n bytes at most. */
enum { MG_H1_STATUS_ROOM = 15 };
char *mg_h1_put_status(char *to, unsigned status, mg_str reason);

#endif
