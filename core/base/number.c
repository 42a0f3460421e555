#include "base/number.h"

mg_rc mg_number_dec(mg_str s, uint64_t *out)
{
    if (!s.n)
        return MG_BAD;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9 || v > ((uint64_t)INT64_MAX - digit) / 10)
            return MG_BAD;
        v = v * 10 + digit;
    }
    *out = v;
    return MG_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = mg_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

mg_rc mg_number_hex(mg_str s, uint64_t *out)
{
    if (!s.n)
        return MG_BAD;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_digit(s.p[i]);
        if (digit < 0 || v > (uint64_t)INT64_MAX >> 4)
            return MG_BAD;
        v = v << 4 | (unsigned)digit;
    }
    *out = v;
    return MG_OK;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static mg_rc scaled(mg_str s, const struct unit *units, size_t count, uint64_t bare, uint64_t *out)
{
    size_t digits = 0;
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    mg_str unit = {s.p + digits, s.n - digits};
    uint64_t v, factor = unit.n ? 0 : bare;
    for (size_t i = 0; i < count; i++)
        if (mg_str_eq(unit, mg_str_of(units[i].name)))
            factor = units[i].factor;
    if (!factor || mg_number_dec((mg_str){s.p, digits}, &v) != MG_OK || v > (uint64_t)INT64_MAX / factor)
        return MG_BAD;
    *out = v * factor;
    return MG_OK;
}

mg_rc mg_number_duration(mg_str s, int64_t *out_ms)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t v;
    mg_rc rc = scaled(s, units, MG_COUNT(units), 1000, &v);
    if (rc == MG_OK)
        *out_ms = (int64_t)v;
    return rc;
}

mg_rc mg_number_size(mg_str s, uint64_t *out_bytes)
{
    static const struct unit units[] = {{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}};
    return scaled(s, units, MG_COUNT(units), 1, out_bytes);
}

size_t mg_number_print(uint64_t value, char *to)
{
    char digits[MG_NUMBER_ROOM];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++)
        to[i] = digits[n - 1 - i];
    return n;
}

size_t mg_number_print_hex(uint64_t value, char *to)
{
    char digits[MG_NUMBER_ROOM];
    size_t n = 0;
    do
        digits[n++] = "0123456789abcdef"[value & 15];
    while (value >>= 4);
    for (size_t i = 0; i < n; i++)
        to[i] = digits[n - 1 - i];
    return n;
}
