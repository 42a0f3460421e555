/*
 * fields: the header or trailer fields of one message, in the order they came.
 *
 *      fields ─► [ name value id flags ][ … ][ … ]     names and values are slices into the block the
 *                                                      head was read into, or into the arena
 *
 * Known names are interned: their id says which, so that a look-up of a known name compares numbers
 * and forwarding needs no string compare. A changed value is a new slice in the arena; a removed
 * field is marked and skipped. `seen` has a bit per known id that may be present, so that asking for
 * an absent known field costs one test.
 *
 * A caller that changes a slice of a field itself owes it bytes that live as long as the array, and nothing
 * else: whoever prints fields checks MG_FIELD_AS_READ against the slices before trusting it.
 *
 * Ownership: the array lies in the arena given to mg_fields_init. Limits: the count given there;
 * mg_fields_add past it answers MG_LIMIT.
 */
#ifndef MG_CODEC_FIELDS_H
#define MG_CODEC_FIELDS_H

#include "base/arena.h"

/* Known names, lower case. X(id, "name") — at most 63 (a bit of `seen` each and one
 * for the others), at most 24 bytes long, sorted; codec/fields.c builds the table. */
#define MG_FIELD_NAMES(X) \
    X(ACCEPT, "accept") \
    X(ACCEPT_ENCODING, "accept-encoding") \
    X(ACCEPT_LANGUAGE, "accept-language") \
    X(AGE, "age") \
    X(ALLOW, "allow") \
    X(AUTHORIZATION, "authorization") \
    X(CACHE_CONTROL, "cache-control") \
    X(CONNECTION, "connection") \
    X(CONTENT_ENCODING, "content-encoding") \
    X(CONTENT_LENGTH, "content-length") \
    X(CONTENT_RANGE, "content-range") \
    X(CONTENT_TYPE, "content-type") \
    X(COOKIE, "cookie") \
    X(DATE, "date") \
    X(ETAG, "etag") \
    X(EXPECT, "expect") \
    X(EXPIRES, "expires") \
    X(FORWARDED, "forwarded") \
    X(HOST, "host") \
    X(HTTP2_SETTINGS, "http2-settings") \
    X(IF_MATCH, "if-match") \
    X(IF_MODIFIED_SINCE, "if-modified-since") \
    X(IF_NONE_MATCH, "if-none-match") \
    X(IF_RANGE, "if-range") \
    X(IF_UNMODIFIED_SINCE, "if-unmodified-since") \
    X(KEEP_ALIVE, "keep-alive") \
    X(LAST_MODIFIED, "last-modified") \
    X(LOCATION, "location") \
    X(ORIGIN, "origin") \
    X(PRAGMA, "pragma") \
    X(PROXY_AUTHENTICATE, "proxy-authenticate") \
    X(PROXY_AUTHORIZATION, "proxy-authorization") \
    X(PROXY_CONNECTION, "proxy-connection") \
    X(PROXY_STATUS, "proxy-status") \
    X(RANGE, "range") \
    X(REFERER, "referer") \
    X(RETRY_AFTER, "retry-after") \
    X(SERVER, "server") \
    X(SET_COOKIE, "set-cookie") \
    X(TE, "te") \
    X(TRAILER, "trailer") \
    X(TRANSFER_ENCODING, "transfer-encoding") \
    X(UPGRADE, "upgrade") \
    X(USER_AGENT, "user-agent") \
    X(VARY, "vary") \
    X(VIA, "via") \
    X(WWW_AUTHENTICATE, "www-authenticate") \
    X(X_FORWARDED_FOR, "x-forwarded-for") \
    X(X_FORWARDED_HOST, "x-forwarded-host") \
    X(X_FORWARDED_PORT, "x-forwarded-port") \
    X(X_FORWARDED_PROTO, "x-forwarded-proto") \
    X(X_REAL_IP, "x-real-ip") \
    X(X_REQUEST_ID, "x-request-id")

typedef enum {
#define MG_FIELD_ENUM(id, name) MG_FIELD_##id,
    MG_FIELD_NAMES(MG_FIELD_ENUM)
#undef MG_FIELD_ENUM
        MG_FIELD_KNOWN, /* how many are known */
    MG_FIELD_OTHER = MG_FIELD_KNOWN
} mg_field_id;

enum {
    MG_FIELD_GONE = 1,   /* removed: skip it */
    MG_FIELD_AS_READ = 2 /* set by the head reader: "name: value CR LF" lies in one piece around the slices */
};
enum { MG_FIELDS_FIRST = 16 }; /* room taken at the first field */

typedef struct {
    mg_str name;  /* as it came (letter case kept) */
    mg_str value; /* no blanks at the ends */
    uint8_t id;   /* an mg_field_id */
    uint8_t flags;
} mg_field;

typedef struct {
    mg_field *at;
    uint32_t count, room, most;
    uint64_t seen; /* bit per known id: may be present */
    mg_arena *arena;
} mg_fields;

mg_field_id mg_field_id_of(mg_str name); /* any letter case; MG_FIELD_OTHER when not known */
mg_str mg_field_name(mg_field_id id);    /* lower case, static */

void mg_fields_init(mg_fields *f, mg_arena *arena, uint32_t most); /* takes no memory yet */
mg_rc mg_fields_grow(mg_fields *f) MG_MUST_CHECK;                  /* room for one more at least */
/* Append; the slices are kept as they are. MG_LIMIT: `most` reached or the arena is at its cap. */
MG_MUST_CHECK static inline mg_rc mg_fields_add(mg_fields *f, mg_field_id id, mg_str name, mg_str value)
{
    if (MG_UNLIKELY(f->count == f->room)) {
        mg_rc rc = mg_fields_grow(f);
        if (rc != MG_OK)
            return rc;
    }
    f->at[f->count++] = (mg_field){.name = name, .value = value, .id = (uint8_t)id};
    f->seen |= (uint64_t)1 << id;
    return MG_OK;
}
/* The first field of that name at or after index `from` that is not gone; NULL when none. */
mg_field *mg_fields_find_slow(const mg_fields *f, mg_field_id id, uint32_t from);
static inline mg_field *mg_fields_find(const mg_fields *f, mg_field_id known)
{
    return f->seen >> known & 1 ? mg_fields_find_slow(f, known, 0) : NULL;
}
mg_field *mg_fields_find_name(const mg_fields *f, mg_str name, uint32_t from);
/* Replace the first and remove the others, or append when there is none. */
mg_rc mg_fields_set(mg_fields *f, mg_field_id id, mg_str name, mg_str value) MG_MUST_CHECK;
uint32_t mg_fields_remove(mg_fields *f, mg_field_id id, mg_str name); /* how many went */
mg_str mg_fields_value(const mg_fields *f, mg_field_id known);        /* first value, or p == NULL */

bool mg_field_name_is_valid(mg_str name);   /* a token, RFC 9110 section 5.6.2, not empty */
bool mg_field_value_is_valid(mg_str value); /* no CR, LF, NUL or other control byte but HTAB */

#endif
