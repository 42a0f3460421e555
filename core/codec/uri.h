/*
 * uri: request targets taken apart, and paths made comparable (RFC 3986, RFC 9112 section 3.2).
 *
 *      /a/%7eb/../c?x=1   ─►   path "/a/c" (decoded where unreserved, dots removed)   query "x=1"
 *
 * Two paths are kept per request: the raw one as it came, and the normalised one that routes match and
 * that is sent on, so that what was checked is what the origin sees. Normalising decodes %XX of
 * unreserved characters only, upper-cases other escapes, escapes what clients send although a path may
 * not hold it ("<>[]^`{|} — so that "a|b" and "a%7Cb" are one), and resolves "." and ".." segments (above
 * the root: refused). Refused as well: %00, a backslash or another byte outside the grammar, broken
 * escapes, a fragment, and dot segments in disguise: "..%2f", "..%5c", "..;x". Doubled slashes are kept.
 *
 * The query is looked at by nobody between client and origin who could be deceived, so it may hold any
 * visible byte but "#".
 */
#ifndef MG_CODEC_URI_H
#define MG_CODEC_URI_H

#include "base/arena.h"

typedef enum { MG_TARGET_ORIGIN, MG_TARGET_ABSOLUTE, MG_TARGET_AUTHORITY, MG_TARGET_ASTERISK } mg_target_form;

typedef struct {
    mg_target_form form;
    mg_str scheme;    /* absolute form only: "http" or "https", as it came */
    mg_str authority; /* absolute and authority form: host[:port] as it came (no userinfo: refused) */
    mg_str
        raw_path; /* up to the "?"; "/" when an absolute form has none; "*" for the asterisk form; empty for authority */
    mg_str query; /* after the "?"; p == NULL: no "?" at all */
} mg_target;

/* Slices into `target`. MG_BAD: *why says what. */
mg_rc mg_target_parse(mg_str target, mg_target *out, const char **why) MG_MUST_CHECK;

/* The normalised path: `raw` itself when it is normal already (the usual case, no memory), else in the arena.
 * "*" is normal. Normalising twice changes nothing. MG_BAD: *why says what. MG_LIMIT: the arena is full. */
mg_rc mg_path_normalize(mg_str raw, mg_arena *arena, mg_str *out, const char **why) MG_MUST_CHECK;

/* host[:port] of a Host field or authority: registered name, IPv4 or [IPv6]; port -1 when absent or empty.
 * `host` keeps its letter case; brackets of IPv6 are left out. MG_BAD when it is none of them. A name is
 * made of letters, digits and "-._~" in non-empty labels, at most 255 bytes; it may end in one dot. */
mg_rc mg_authority_parse(mg_str authority, mg_str *host, int *port) MG_MUST_CHECK;

/* %XX decoded (and "+" to a blank when plus is set) into the arena; broken escapes stay as they are. `s`
 * itself when nothing is to be decoded; p == NULL when the arena is full. */
mg_str mg_percent_decode(mg_str s, bool plus, mg_arena *arena);
/* Everything but unreserved characters as %XX. `s` itself when nothing is; p == NULL when the arena is full. */
mg_str mg_percent_encode(mg_str s, mg_arena *arena);

/* Cut the next name=value pair off *rest ("a=1&b=2"), undecoded; false at the end. No "=": value.p == NULL.
 * Empty pairs ("&&") are skipped. */
bool mg_query_next(mg_str *rest, mg_str *name, mg_str *value);
/* Cut the next cookie off *rest ("a=1; b=2"), RFC 6265 section 5.4. No "=": value.p == NULL. Quotes around
 * a value are part of it. */
bool mg_cookie_next(mg_str *rest, mg_str *name, mg_str *value);

#endif
