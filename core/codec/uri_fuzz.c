/*
 * uri_fuzz: any bytes as a target, a path, an authority, a query, a cookie list and an escaped string.
 *
 * Whatever the bytes: slices lie in the input; a normal path begins with a slash, holds no dot segment and
 * normalises to itself; decoding undoes encoding; cutting ends.
 */
#include "codec/uri.h"

#include "codec/scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static mg_str input;

static void check_slice(mg_str s)
{
    MG_BUG_UNLESS(!s.n || (s.p >= input.p && s.p + s.n <= input.p + input.n));
}

static bool holds(mg_str s, const char *text)
{
    return s.n && memmem(s.p, s.n, text, strlen(text)) != NULL;
}

static void check_path(mg_str raw, mg_arena *arena)
{
    mg_str path, again;
    const char *why = NULL;
    mg_rc rc = mg_path_normalize(raw, arena, &path, &why);
    MG_BUG_UNLESS(rc == MG_OK || (rc == MG_BAD && why));
    if (rc != MG_OK || mg_str_eq(path, MG_STR("*")))
        return;
    MG_BUG_UNLESS(path.n && path.p[0] == '/' && mg_path_normalize(path, arena, &again, &why) == MG_OK);
    MG_BUG_UNLESS(again.p == path.p && again.n == path.n);
    MG_BUG_UNLESS(!holds(path, "/../") && !holds(path, "/./") && !holds(path, "%00") && !holds(path, "%2E"));
    MG_BUG_UNLESS(!mg_str_ends(path, MG_STR("/..")) && !mg_str_ends(path, MG_STR("/.")));
    MG_BUG_UNLESS(!holds(path, "/..%2F") && !holds(path, "/..%5C") && !holds(path, "/..;"));
    for (size_t i = 0; i < path.n; i++)
        MG_BUG_UNLESS(mg_byte_is(path.p[i], MG_BYTE_PATH) || path.p[i] == '%');
}

static void check_authority(mg_str text)
{
    mg_str host;
    int port;
    if (mg_authority_parse(text, &host, &port) != MG_OK)
        return;
    check_slice(host);
    MG_BUG_UNLESS(host.n && port >= -1 && port <= 65535 && port != 0);
    MG_BUG_UNLESS(mg_bytes_are(host, MG_BYTE_UNRESERVED) || mg_str_find(host, ':') >= 0);
}

static void check_target(mg_arena *arena)
{
    mg_target t;
    const char *why = NULL;
    mg_rc rc = mg_target_parse(input, &t, &why);
    mg_scan_use_portable(true);
    mg_target other;
    const char *other_why = NULL;
    MG_BUG_UNLESS(mg_target_parse(input, &other, &other_why) == rc && why == other_why);
    mg_scan_use_portable(false);
    MG_BUG_UNLESS(rc == MG_OK || (rc == MG_BAD && why));
    if (rc != MG_OK)
        return;
    check_slice(t.scheme);
    check_slice(t.authority);
    check_slice(t.query);
    if (t.form == MG_TARGET_ORIGIN)
        check_slice(t.raw_path);
    MG_BUG_UNLESS(mg_str_find(t.authority, '@') < 0 && mg_str_find(t.raw_path, '\\') < 0);
    if (t.raw_path.n)
        check_path(t.raw_path, arena);
}

static void check_escapes(mg_arena *arena)
{
    mg_str encoded = mg_percent_encode(input, arena);
    MG_BUG_UNLESS(!input.n || mg_str_eq(mg_percent_decode(encoded, false, arena), input));
    mg_str decoded = mg_percent_decode(input, true, arena);
    MG_BUG_UNLESS(decoded.n <= input.n);
}

static void check_pairs(bool (*next)(mg_str *rest, mg_str *name, mg_str *value))
{
    mg_str rest = input, name, value;
    for (size_t before = rest.n; next(&rest, &name, &value); before = rest.n) {
        MG_BUG_UNLESS(rest.n < before);
        check_slice(name);
        check_slice(value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    mg_arena arena;
    if (size)
        memcpy(copy, data, size);
    input = (mg_str){copy, size};
    mg_arena_init(&arena, 1 << 20);
    check_target(&arena);
    check_path(input, &arena);
    check_authority(input);
    check_escapes(&arena);
    check_pairs(mg_query_next);
    check_pairs(mg_cookie_next);
    mg_arena_fini(&arena);
    free(copy);
    return 0;
}
