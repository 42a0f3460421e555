#include "server/page.h"

#include <stdarg.h>
#include <stdio.h>

static char *reserve(mg_page *to, size_t n)
{
    if (to->room - to->n < n) {
        to->room = MG_MAX(to->room * 2, to->n + n + 512);
        to->p = mg_realloc(to->p, to->room);
    }
    return to->p + to->n;
}

void mg_page_put(mg_page *to, mg_str text)
{
    if (text.n)
        memcpy(reserve(to, text.n), text.p, text.n);
    to->n += text.n;
}

void mg_page_print(mg_page *to, const char *format, ...)
{
    for (size_t room = 256;;) {
        char *at = reserve(to, room);
        va_list args;
        va_start(args, format);
        int n = vsnprintf(at, room, format, args);
        va_end(args);
        MG_BUG_UNLESS(n >= 0);
        if ((size_t)n < room) {
            to->n += (size_t)n;
            return;
        }
        room = (size_t)n + 1;
    }
}

/* How many bytes of s are one well-formed character (RFC 3629); 0: they are not. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 0;
    if (s[0] >= 0xf0 && s[0] < 0xf5)
        length = 4;
    if (length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return length > 1 && (overlong || surrogate) ? 0 : length;
}

static void put_json_char(mg_page *to, const char *c, size_t n)
{
    if (*c == '"' || *c == '\\')
        mg_page_print(to, "\\%c", *c);
    else if (*c == '\n')
        mg_page_put(to, MG_STR("\\n"));
    else if ((unsigned char)*c < 0x20 || *c == 0x7f)
        mg_page_print(to, "\\u%04x", (unsigned char)*c);
    else
        mg_page_put(to, (mg_str){c, n});
}

void mg_page_json(mg_page *to, mg_str text)
{
    mg_page_put(to, MG_STR("\""));
    for (size_t i = 0; i < text.n;) {
        size_t n = utf8_length((const unsigned char *)text.p + i, text.n - i);
        if (n)
            put_json_char(to, text.p + i, n);
        else
            mg_page_put(to, MG_STR("\\ufffd"));
        i += n ? n : 1;
    }
    mg_page_put(to, MG_STR("\""));
}

void mg_page_label(mg_page *to, mg_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        size_t n = utf8_length((const unsigned char *)text.p + i, text.n - i);
        if (c == '\\' || c == '"')
            mg_page_print(to, "\\%c", c);
        else if (c == '\n')
            mg_page_put(to, MG_STR("\\n"));
        else if (n)
            mg_page_put(to, (mg_str){text.p + i, n});
        else
            mg_page_put(to, MG_STR("\xef\xbf\xbd"));
        i += n > 1 ? n - 1 : 0;
    }
}

void mg_page_trim(mg_page *to, char c)
{
    if (to->n && to->p[to->n - 1] == c)
        to->n--;
}

void mg_page_fini(mg_page *to)
{
    mg_free(to->p);
    *to = (mg_page){0};
}
