#include "codec/scan.h"

#include "base/test.h"

typedef const char *scanner(const char *p, const char *end);

static uint32_t dice = 1;

static unsigned roll(unsigned sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % sides;
}

/* Each byte value at each place of runs of fine bytes, of each length up to three steps of the wide form. */
static void same_everywhere(scanner *wide, scanner *portable, const char *fine)
{
    for (size_t n = 0; n <= 50; n++) {
        char *p = calloc(1, n ? n : 1); /* exactly so long, for the sanitizers */
        for (size_t at = 0; at < n; at++) {
            for (int byte = 0; byte < 256; byte++) {
                for (size_t i = 0; i < n; i++)
                    p[i] = fine[roll((unsigned)strlen(fine))];
                p[at] = (char)byte;
                if (!CHECK(wide(p, p + n) == portable(p, p + n))) {
                    printf("# length %zu, byte %d at %zu\n", n, byte, at);
                    free(p);
                    return;
                }
            }
        }
        CHECK(n > 0 || wide(p, p) == p);
        free(p);
    }
}

static const char *value_by_class(const char *p, const char *end)
{
    return mg_scan_class(p, end, MG_BYTE_VALUE);
}

TEST("the portable value scanner stops where the class of the byte says")
{
    same_everywhere(mg_scan_value_portable, value_by_class, "abc \t~\xff\x80");
}

#ifdef __SSE2__
TEST("the SSE2 token scanner stops where the portable one stops")
{
    same_everywhere(mg_scan_token_sse2, mg_scan_token_portable, "azAZ09-!#$%&'*+.^_`|~");
    same_everywhere(mg_scan_token_sse2, mg_scan_token_portable, "azAZ09-");
}

TEST("the SSE2 value scanner stops where the portable one stops")
{
    same_everywhere(mg_scan_value_sse2, mg_scan_value_portable, "abc \t~\xff\x80");
}

TEST("the SSE2 target scanner stops where the portable one stops")
{
    same_everywhere(mg_scan_target_sse2, mg_scan_target_portable, "/abc?!~\"");
}
#endif

TEST("the classes are those of RFC 9110 and RFC 3986")
{
    for (int c = 0; c < 256; c++) {
        bool visible = c > 0x20 && c < 0x7f, obs = c >= 0x80, blank = c == ' ' || c == '\t';
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool in_ascii = c > 0 && c < 0x80;
        CHECK_INT(mg_byte_is((char)c, MG_BYTE_TOKEN), alnum || (in_ascii && strchr("!#$%&'*+-.^_`|~", c)));
        CHECK_INT(mg_byte_is((char)c, MG_BYTE_UNRESERVED), alnum || (in_ascii && strchr("-._~", c)));
        CHECK_INT(mg_byte_is((char)c, MG_BYTE_PATH), alnum || (in_ascii && strchr("-._~!$&'()*+,;=:@/", c)));
        CHECK_INT(mg_byte_is((char)c, MG_BYTE_LOOSE), in_ascii && strchr("\"<>[]^`{|}", c) != NULL);
        CHECK_INT(mg_byte_is((char)c, MG_BYTE_TARGET), visible && c != '#');
        CHECK_INT(mg_byte_is((char)c, MG_BYTE_VALUE), visible || blank || obs);
        CHECK_INT(mg_byte_is((char)c, MG_BYTE_QUOTED), (visible || blank || obs) && c != '"' && c != '\\');
    }
}

TEST("an empty string is no token")
{
    CHECK(!mg_str_is_token(MG_STR("")));
    CHECK(mg_str_is_token(MG_STR("a")));
    CHECK(!mg_str_is_token(MG_STR("a b")));
}
