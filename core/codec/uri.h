/*
 * uri: request targets taken apart, and paths made comparable (RFC 3986, RFC 9112 section 3.2).
 *
 *      /a/%7eb/../c?x=1   ─►   path "/a/c" (decoded where unreserved, dots removed)   query "x=1"
 *
 * Two paths are kept per request: the raw one as it came, and the normalised one that routes match and
 * that is sent on, so that what was checked is what the origin sees. Normalising decodes %XX of
 * unreserved characters only, upper-cases other escapes, resolves "." and ".." segments (above the root:
 * refused). Refused as well: %00, a raw byte outside the grammar, broken escapes, %2f and %5c written as
 * part of a ".." trick ("..%2f"), a fragment. Doubled slashes are kept.
 */
#ifndef MG_CODEC_URI_H
#define MG_CODEC_URI_H

#include "base/arena.h"

typedef enum { MG_TARGET_ORIGIN, MG_TARGET_ABSOLUTE, MG_TARGET_AUTHORITY, MG_TARGET_ASTERISK } mg_target_form;

typedef struct {
    mg_target_form form;
    mg_str scheme;    /* absolute form only: "http" or "https", as it came */
    mg_str authority; /* absolute and authority form: host[:port] as it came (no userinfo: refused) */
    mg_str raw_path;  /* up to the "?"; "/" when an absolute form has none; "*" for the asterisk form */
    mg_str query;     /* after the "?"; p == NULL: no "?" at all */
} mg_target;

/* Slices into `target`. MG_BAD: *why says what. */
mg_rc mg_target_parse(mg_str target, mg_target *out, const char **why) MG_MUST_CHECK;

/* The normalised path: `raw` itself when it is normal already (the usual case, no memory), else in the arena. */
mg_rc mg_path_normalize(mg_str raw, mg_arena *arena, mg_str *out, const char **why) MG_MUST_CHECK;

/* host[:port] of a Host field or authority: registered name, IPv4 or [IPv6]; port -1 when absent.
 * `host` keeps its letter case; brackets of IPv6 are left out. MG_BAD when it is none of them. */
mg_rc mg_authority_parse(mg_str authority, mg_str *host, int *port) MG_MUST_CHECK;

/* %XX decoded (and "+" to a blank when plus is set) into the arena; broken escapes stay as they are. */
mg_str mg_percent_decode(mg_str s, bool plus, mg_arena *arena);
/* Everything but unreserved characters as %XX. */
mg_str mg_percent_encode(mg_str s, mg_arena *arena);

/* Cut the next name=value pair off *rest ("a=1&b=2"), undecoded; false at the end. No "=": value.p == NULL. */
bool mg_query_next(mg_str *rest, mg_str *name, mg_str *value);
/* Cut the next cookie off *rest ("a=1; b=2"), RFC 6265 section 5.4. */
bool mg_cookie_next(mg_str *rest, mg_str *name, mg_str *value);

#endif
