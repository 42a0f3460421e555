#include "codec/fields.h"

#include "codec/scan.h"

/*
 * Known names are found by their length and two words of their bytes, folded to lower case eight at a
 * time: a multiplication picks the slot, and a name is compared in at most three words.
 */
enum { SLOTS = 256, WORDS = 3, NAME_MOST = WORDS * 8 };

static const mg_str names[MG_FIELD_KNOWN] = {
#define NAME(id, name) {name, sizeof(name) - 1},
    MG_FIELD_NAMES(NAME)
#undef NAME
};

_Static_assert(MG_FIELD_KNOWN < 64, "one bit of `seen` each, and one for the others");

static struct key {
    uint64_t word[WORDS];
    size_t n;
} keys[MG_FIELD_KNOWN];
static uint8_t slots[SLOTS]; /* id + 1; 0: empty */

static uint64_t load(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

/* Sets the bit of small letters only where the bit of the letter columns is set: "-" and digits stay. */
static uint64_t lower8(uint64_t v)
{
    return v | (v & 0x4040404040404040u) >> 1;
}

/* The bytes of a name as three words, the last of them overlapping; any two names of the same length
 * differ in them exactly when they differ. */
static inline bool make_key(mg_str s, struct key *k)
{
    if (s.n > NAME_MOST || s.n < 2)
        return false;
    k->n = s.n;
    if (s.n >= 8) {
        k->word[0] = load(s.p, 8);
        k->word[1] = load(s.p + s.n - 8, 8);
        k->word[2] = s.n > 16 ? load(s.p + 8, 8) : 0;
    } else if (s.n >= 4) {
        k->word[0] = load(s.p, 4);
        k->word[1] = load(s.p + s.n - 4, 4);
        k->word[2] = 0;
    } else {
        k->word[0] = load(s.p, 2);
        k->word[1] = load(s.p + s.n - 2, 2);
        k->word[2] = 0;
    }
    for (int i = 0; i < WORDS; i++)
        k->word[i] = lower8(k->word[i]);
    return true;
}

static inline unsigned slot_of(const struct key *k)
{
    uint64_t h = (k->word[0] ^ (k->word[1] << 5 | k->word[1] >> 59) ^ k->n) * 0x9e3779b97f4a7c15u;
    return (unsigned)(h >> 56);
}

/* Before main(), so that look-ups need no test and workers share the page. */
__attribute__((constructor)) static void build_table(void)
{
    for (unsigned id = 0; id < MG_FIELD_KNOWN; id++) {
        MG_BUG_UNLESS(make_key(names[id], &keys[id]));
        unsigned slot = slot_of(&keys[id]);
        while (slots[slot])
            slot = (slot + 1) % SLOTS;
        slots[slot] = (uint8_t)(id + 1);
    }
}

mg_field_id mg_field_id_of(mg_str name)
{
    struct key k;
    if (!make_key(name, &k))
        return MG_FIELD_OTHER;
    for (unsigned slot = slot_of(&k); slots[slot]; slot = (slot + 1) % SLOTS) {
        const struct key *known = &keys[slots[slot] - 1];
        if (known->word[0] == k.word[0] && known->word[1] == k.word[1] && known->word[2] == k.word[2] &&
            known->n == k.n)
            return (mg_field_id)(slots[slot] - 1);
    }
    return MG_FIELD_OTHER;
}

mg_str mg_field_name(mg_field_id id)
{
    MG_BUG_UNLESS(id < MG_FIELD_KNOWN);
    return names[id];
}

void mg_fields_init(mg_fields *f, mg_arena *arena, uint32_t most)
{
    *f = (mg_fields){.arena = arena, .most = most};
}

mg_rc mg_fields_grow(mg_fields *f)
{
    uint32_t room = f->room ? f->room * 2 : MG_FIELDS_FIRST;
    room = MG_MIN(room, f->most);
    if (room <= f->count)
        return MG_LIMIT;
    mg_field *at = mg_arena_try(f->arena, room * sizeof *at);
    if (!at)
        return MG_LIMIT;
    if (f->count)
        memcpy(at, f->at, f->count * sizeof *at);
    f->at = at;
    f->room = room;
    return MG_OK;
}

mg_field *mg_fields_find_slow(const mg_fields *f, mg_field_id id, uint32_t from)
{
    for (uint32_t i = from; i < f->count; i++)
        if (f->at[i].id == id && !(f->at[i].flags & MG_FIELD_GONE))
            return &f->at[i];
    return NULL;
}

static mg_field *find(const mg_fields *f, mg_field_id id, mg_str name, uint32_t from)
{
    if (!(f->seen >> id & 1))
        return NULL;
    if (id != MG_FIELD_OTHER)
        return mg_fields_find_slow(f, id, from);
    for (uint32_t i = from; i < f->count; i++)
        if (f->at[i].id == id && !(f->at[i].flags & MG_FIELD_GONE) && mg_str_eq_nocase(f->at[i].name, name))
            return &f->at[i];
    return NULL;
}

mg_field *mg_fields_find_name(const mg_fields *f, mg_str name, uint32_t from)
{
    return find(f, mg_field_id_of(name), name, from);
}

mg_rc mg_fields_set(mg_fields *f, mg_field_id id, mg_str name, mg_str value)
{
    mg_field *first = find(f, id, name, 0);
    if (!first)
        return mg_fields_add(f, id, name, value);
    mg_fields_remove(f, id, name);
    *first = (mg_field){.name = name, .value = value, .id = (uint8_t)id};
    return MG_OK;
}

uint32_t mg_fields_remove(mg_fields *f, mg_field_id id, mg_str name)
{
    uint32_t gone = 0;
    for (mg_field *at = find(f, id, name, 0); at; at = find(f, id, name, (uint32_t)(at - f->at) + 1)) {
        at->flags |= MG_FIELD_GONE;
        gone++;
    }
    return gone;
}

mg_str mg_fields_value(const mg_fields *f, mg_field_id known)
{
    const mg_field *at = mg_fields_find(f, known);
    return at ? at->value : MG_STR_NONE;
}

bool mg_field_name_is_valid(mg_str name)
{
    return mg_str_is_token(name);
}

bool mg_field_value_is_valid(mg_str value)
{
    return mg_bytes_are(value, MG_BYTE_VALUE);
}
