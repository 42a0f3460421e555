/*
 * hash: bytes to 64 bits, keyed by a seed that lies in the shared memory itself.
 *
 * mg_hash of base is seeded per process and so of no use to processes that were not forked from one
 * another. Folded 64x64 multiplication; keys up to 16 bytes take two of them. The seed is random, since
 * clients choose many of the keys.
 */
#ifndef MG_SHM_HASH_H
#define MG_SHM_HASH_H

#include "base/str.h"

typedef struct {
    uint64_t a, b;
} mg_shm_seed;

static inline uint64_t mg_shm_fold(uint64_t x, uint64_t y)
{
    __uint128_t product = (__uint128_t)x * y;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t mg_shm_word(const char *p, size_t n) /* n bytes, 4 or 8 */
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static inline uint64_t mg_shm_hash(mg_shm_seed seed, const char *p, size_t n)
{
    uint64_t h = seed.a ^ n, low = 0, high = 0;
    size_t left = n;
    for (; left > 16; p += 16, left -= 16)
        h = mg_shm_fold(mg_shm_word(p, 8) ^ seed.b, mg_shm_word(p + 8, 8) ^ h);
    /* The last 16 bytes or fewer, with reads that may overlap but stay inside. */
    if (left >= 8) {
        low = mg_shm_word(p, 8);
        high = mg_shm_word(p + left - 8, 8);
    } else if (left >= 4) {
        low = mg_shm_word(p, 4);
        high = mg_shm_word(p + left - 4, 4);
    } else if (left) {
        low = (uint64_t)(uint8_t)p[0] << 16 | (uint64_t)(uint8_t)p[left / 2] << 8 | (uint8_t)p[left - 1];
    }
    h = mg_shm_fold(low ^ seed.b, high ^ h);
    return mg_shm_fold(h ^ seed.a, seed.b ^ 0x9e3779b97f4a7c15u);
}

#endif
