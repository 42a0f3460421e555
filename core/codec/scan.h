/*
 * scan: which byte may stand where, and the first byte that may not.
 *
 *      user-agent: curl/8.0 CR LF
 *      └ token ──┘└ value ─┘└ where the scanners stop
 *
 * mg_byte_class has a bit per grammar for each of the 256 bytes. A scanner returns the first byte of
 * [p, end) that is outside its grammar, or end. Each has a portable form and, where the machine has
 * SSE2, one that looks at 16 bytes a step; no form reads outside [p, end). Both give the same answer,
 * which scan_test.c and the fuzzers prove; mg_scan_use_portable(true) makes the head reader take the
 * portable ones. A form with 32 bytes a step (AVX2) was measured and won nothing: most values end within the
 * first or second step of 16.
 *
 * Ownership: none, no memory.
 */
#ifndef MG_CODEC_SCAN_H
#define MG_CODEC_SCAN_H

#include "base/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    MG_BYTE_TOKEN = 1,      /* tchar, RFC 9110 section 5.6.2 */
    MG_BYTE_PATH = 2,       /* pchar but "%", and "/": RFC 3986 section 3.3 */
    MG_BYTE_UNRESERVED = 4, /* RFC 3986 section 2.3 */
    MG_BYTE_LOOSE = 8,      /* outside RFC 3986 but sent by real clients: "<>[]^`{|} */
    MG_BYTE_TARGET = 16,    /* 0x21..0x7e but "#" */
    MG_BYTE_VALUE = 32,     /* field-vchar, SP, HTAB: RFC 9110 section 5.5 */
    MG_BYTE_QUOTED = 64     /* qdtext, RFC 9110 section 5.6.4 */
};
extern const uint8_t mg_byte_class[256];

static inline bool mg_byte_is(char c, unsigned classes)
{
    return mg_byte_class[(unsigned char)c] & classes;
}

/* Whether every byte of s is in one of the classes; true for the empty string. */
static inline bool mg_bytes_are(mg_str s, unsigned classes)
{
    for (size_t i = 0; i < s.n; i++)
        if (!mg_byte_is(s.p[i], classes))
            return false;
    return true;
}

static inline bool mg_str_is_token(mg_str s)
{
    return s.n && mg_bytes_are(s, MG_BYTE_TOKEN);
}

int mg_hex_digit(char c); /* 0..15, either letter case; -1 when it is none */

/* For tests and fuzzers: the head reader uses the portable scanners from now on (or no longer). */
void mg_scan_use_portable(bool on);
extern bool mg_scan_is_portable;

static inline const char *mg_scan_class(const char *p, const char *end, unsigned class)
{
    while (p < end && mg_byte_is(*p, class))
        p++;
    return p;
}

static inline const char *mg_scan_token_portable(const char *p, const char *end)
{
    return mg_scan_class(p, end, MG_BYTE_TOKEN);
}

static inline const char *mg_scan_target_portable(const char *p, const char *end)
{
    return mg_scan_class(p, end, MG_BYTE_TARGET);
}

/* Eight bytes a step: a word none of whose bytes is below 0x20 or DEL is passed over whole. */
static inline const char *mg_scan_value_portable(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    while (end - p >= 8) {
        uint64_t x, del;
        memcpy(&x, p, 8);
        del = x ^ (ones * 0x7f);
        if (((x - ones * 0x20) & ~x & tops) | ((del - ones) & ~del & tops)) {
            const char *stop = mg_scan_class(p, p + 8, MG_BYTE_VALUE);
            if (stop < p + 8)
                return stop;
        }
        p += 8;
    }
    return mg_scan_class(p, end, MG_BYTE_VALUE);
}

#ifdef __SSE2__
static inline __m128i mg_scan_at_most(__m128i x, char most) /* 0xff where the unsigned byte is <= most */
{
    return _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(most)), x);
}

/* Letters, digits and "-" in steps of 16; the rarer token bytes one by one. */
static inline const char *mg_scan_token_sse2(const char *p, const char *end)
{
    while (end - p >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i letter = mg_scan_at_most(_mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a')), 25);
        __m128i digit = mg_scan_at_most(_mm_sub_epi8(x, _mm_set1_epi8('0')), 9);
        __m128i dash = _mm_cmpeq_epi8(x, _mm_set1_epi8('-'));
        unsigned fine = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), dash));
        if (MG_LIKELY(fine != 0xffff)) {
            p += __builtin_ctz(~fine);
            if (MG_LIKELY(!mg_byte_is(*p, MG_BYTE_TOKEN)))
                return p;
            p++;
        } else {
            p += 16;
        }
    }
    return mg_scan_token_portable(p, end);
}

static inline const char *mg_scan_target_sse2(const char *p, const char *end)
{
    while (end - p >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i fine = mg_scan_at_most(_mm_sub_epi8(x, _mm_set1_epi8(0x21)), 0x7e - 0x21);
        fine = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('#')), fine);
        unsigned bad = (unsigned)_mm_movemask_epi8(fine) ^ 0xffff;
        if (bad)
            return p + __builtin_ctz(bad);
        p += 16;
    }
    return mg_scan_target_portable(p, end);
}

static inline const char *mg_scan_value_sse2(const char *p, const char *end)
{
    while (end - p >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i low = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\t')), mg_scan_at_most(x, 0x1f));
        unsigned bad = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))));
        if (bad)
            return p + __builtin_ctz(bad);
        p += 16;
    }
    return mg_scan_value_portable(p, end);
}
#endif

/* The better form for this machine, for callers outside a hot loop. */
static inline const char *mg_scan_target(const char *p, const char *end)
{
#ifdef __SSE2__
    if (MG_LIKELY(!mg_scan_is_portable))
        return mg_scan_target_sse2(p, end);
#endif
    return mg_scan_target_portable(p, end);
}

#endif
