#include "codec/scan.h"

bool mg_scan_is_portable;

void mg_scan_use_portable(bool on)
{
    mg_scan_is_portable = on;
}

enum {
    T = MG_BYTE_TOKEN,
    P = MG_BYTE_PATH,
    U = MG_BYTE_UNRESERVED,
    L = MG_BYTE_LOOSE,
    R = MG_BYTE_TARGET,
    V = MG_BYTE_VALUE,
    Q = MG_BYTE_QUOTED,
    ALNUM = T | P | U | R | V | Q,
    ANY = R | V | Q /* visible, and of no other class */
};

const uint8_t mg_byte_class[256] = {
    ['\t'] = V | Q,        [' '] = V | Q,       ['!'] = ANY | T | P,     ['"'] = R | V | L,    ['#'] = V | Q | T,
    ['$'] = ANY | T | P,   ['%'] = ANY | T,     ['&'] = ANY | T | P,     ['\''] = ANY | T | P, ['('] = ANY | P,
    [')'] = ANY | P,       ['*'] = ANY | T | P, ['+'] = ANY | T | P,     [','] = ANY | P,      ['-'] = ALNUM,
    ['.'] = ALNUM,         ['/'] = ANY | P,     ['0' ... '9'] = ALNUM,   [':'] = ANY | P,      [';'] = ANY | P,
    ['<'] = ANY | L,       ['='] = ANY | P,     ['>'] = ANY | L,         ['?'] = ANY,          ['@'] = ANY | P,
    ['A' ... 'Z'] = ALNUM, ['['] = ANY | L,     ['\\'] = R | V,          [']'] = ANY | L,      ['^'] = ANY | T | L,
    ['_'] = ALNUM,         ['`'] = ANY | T | L, ['a' ... 'z'] = ALNUM,   ['{'] = ANY | L,      ['|'] = ANY | T | L,
    ['}'] = ANY | L,       ['~'] = ALNUM,       [0x80 ... 0xff] = V | Q,
};

int mg_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = mg_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
