#include "base/map.h"

#include <sys/random.h>

static uint64_t seed[2];

static void plant_seed(void)
{
    while (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        ;
    seed[0] |= 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t read8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* Folded 64x64 multiplication over 16-byte steps, keyed by the seed. */
uint64_t mg_hash(mg_str s)
{
    if (MG_UNLIKELY(!seed[0]))
        plant_seed();
    uint64_t h = seed[0] ^ s.n;
    const char *p = s.p;
    size_t n = s.n;
    for (; n >= 16; p += 16, n -= 16)
        h = mix(read8(p) ^ seed[1], read8(p + 8) ^ h);
    char tail[16] = {0};
    if (n)
        memcpy(tail, p, n);
    h = mix(read8(tail) ^ seed[1], read8(tail + 8) ^ h);
    return mix(h ^ seed[0], 0x9e3779b97f4a7c15u ^ seed[1]);
}

void mg_map_init(mg_map *m)
{
    *m = (mg_map){0};
}

void mg_map_fini(mg_map *m)
{
    mg_free(m->slots);
    *m = (mg_map){0};
}

/* The slot that holds key, or the empty one where it belongs. */
static mg_map_slot *find(const mg_map *m, uint64_t hash, mg_str key)
{
    size_t i = hash & (m->size - 1);
    while (m->slots[i].value && !(m->slots[i].hash == hash && mg_str_eq(m->slots[i].key, key)))
        i = (i + 1) & (m->size - 1);
    return &m->slots[i];
}

static void grow(mg_map *m)
{
    mg_map old = *m;
    m->size = old.size ? old.size * 2 : 8;
    m->slots = mg_zalloc(m->size * sizeof *m->slots);
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].value)
            *find(m, old.slots[i].hash, old.slots[i].key) = old.slots[i];
    mg_free(old.slots);
}

void *mg_map_get(const mg_map *m, mg_str key)
{
    return m->count ? find(m, mg_hash(key), key)->value : NULL;
}

void *mg_map_put(mg_map *m, mg_str key, void *value)
{
    MG_BUG_UNLESS(value != NULL);
    if ((m->count + 1) * 4 > m->size * 3)
        grow(m);
    uint64_t hash = mg_hash(key);
    mg_map_slot *slot = find(m, hash, key);
    void *before = slot->value;
    if (!before)
        m->count++;
    *slot = (mg_map_slot){hash, before ? slot->key : key, value};
    return before;
}

void *mg_map_remove(mg_map *m, mg_str key)
{
    if (!m->count)
        return NULL;
    mg_map_slot *slot = find(m, mg_hash(key), key);
    void *before = slot->value;
    if (!before)
        return NULL;
    m->count--;
    /* Close the gap: later members of the same run move up if their place allows it. */
    size_t mask = m->size - 1, hole = (size_t)(slot - m->slots);
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (mg_map_slot){0};
    return before;
}

const mg_map_slot *mg_map_next(const mg_map *m, size_t *i)
{
    while (*i < m->size) {
        const mg_map_slot *slot = &m->slots[(*i)++];
        if (slot->value)
            return slot;
    }
    return NULL;
}
