#include "base/str.h"

bool mg_str_eq_nocase(mg_str a, mg_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (mg_lower(a.p[i]) != mg_lower(b.p[i]))
            return false;
    return true;
}

bool mg_str_starts(mg_str s, mg_str with)
{
    return s.n >= with.n && (with.n == 0 || memcmp(s.p, with.p, with.n) == 0);
}

bool mg_str_starts_nocase(mg_str s, mg_str with)
{
    return s.n >= with.n && mg_str_eq_nocase((mg_str){s.p, with.n}, with);
}

bool mg_str_ends(mg_str s, mg_str with)
{
    return s.n >= with.n && (with.n == 0 || memcmp(s.p + s.n - with.n, with.p, with.n) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

mg_str mg_str_trim(mg_str s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

ptrdiff_t mg_str_find(mg_str s, char c)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
    return hit ? hit - s.p : -1;
}

/* Bytes up to the next comma that is outside a quoted string. */
static size_t item_length(mg_str s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.p[i] == ',')
            return i;
    }
    return s.n;
}

bool mg_str_next_item(mg_str *rest, mg_str *item)
{
    while (rest->n) {
        size_t n = item_length(*rest);
        *item = mg_str_trim((mg_str){rest->p, n});
        size_t eaten = MG_MIN(n + 1, rest->n);
        rest->p += eaten;
        rest->n -= eaten;
        if (item->n)
            return true;
    }
    return false;
}

bool mg_str_has_token(mg_str list, mg_str token)
{
    mg_str item;
    while (mg_str_next_item(&list, &item))
        if (mg_str_eq_nocase(item, token))
            return true;
    return false;
}
