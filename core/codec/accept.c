#include "codec/accept.h"

enum { WHOLE = 1000, NONE = -1 };

/* weight = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), RFC 9110 section 12.4.2; NONE when malformed. */
static int read_weight(mg_str s)
{
    if (!s.n || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return NONE;
    int value = s.p[0] == '1' ? WHOLE : 0, step = 100;
    for (size_t i = 2; i < s.n; i++, step /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return NONE;
        value += (s.p[i] - '0') * step;
    }
    return value <= WHOLE ? value : NONE;
}

static mg_str cut_parameter(mg_str *rest)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->n && (quoted || rest->p[i] != ';'); i++) {
        if (quoted && rest->p[i] == '\\')
            i++;
        else if (rest->p[i] == '"')
            quoted = !quoted;
    }
    size_t n = MG_MIN(i, rest->n);
    mg_str first = mg_str_trim((mg_str){rest->p, n});
    n = MG_MIN(n + 1, rest->n);
    rest->p += n;
    rest->n -= n;
    return first;
}

/* How closely a range without parameters covers `wanted`: 3 it is it, 2 its type, 1 anything, 0 not at all. */
static int closeness(mg_str range, mg_str wanted)
{
    if (mg_str_eq(range, MG_STR("*/*")))
        return 1;
    if (mg_str_eq_nocase(range, wanted))
        return 3;
    ptrdiff_t slash = mg_str_find(wanted, '/');
    mg_str type = {wanted.p, slash < 0 ? wanted.n : (size_t)slash + 1};
    return range.n == type.n + 1 && range.p[type.n] == '*' && mg_str_starts_nocase(range, type) ? 2 : 0;
}

int mg_accept_quality(mg_str field, mg_str wanted)
{
    int best = 0, quality = field.p ? 0 : WHOLE;
    mg_str item;
    while (mg_str_next_item(&field, &item)) {
        int close = closeness(cut_parameter(&item), wanted), weight = WHOLE;
        while (item.n && close) {
            mg_str parameter = cut_parameter(&item);
            if (mg_str_starts_nocase(parameter, MG_STR("q="))) {
                weight = read_weight((mg_str){parameter.p + 2, parameter.n - 2});
                break; /* what follows a weight belongs to nothing */
            }
            if (parameter.n)
                close = 0;
        }
        if (close > best && weight != NONE) {
            best = close;
            quality = weight;
        }
    }
    return quality;
}
