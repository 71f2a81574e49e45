/*
 * The field array of http/fields.h and the recognition of names. Called by the codecs for every field line
 * that comes in, so looking a name up is a jump on its length and a few word compares against constants.
 * Knows names and lists, not what any field means.
 */
#include "http/fields.h"

#include "base/check.h"

enum { FIRST_CAPACITY = 32, MOST_FIELDS = UINT16_MAX };

enum {
    HOP = TRAIT_HOP,
    FRAMING = TRAIT_FRAMING,
    OWNED = TRAIT_OWNED,
    SINGLETON = TRAIT_SINGLETON,
    SECRET = TRAIT_SECRET,
    NO_TRAILER = TRAIT_NO_TRAILER
};

const struct field_row field_rows[FIELD_ID_COUNT] = {
#define FIELD(id, text, flags) [FIELD_##id] = {{(text), sizeof(text) - 1}, (flags)},
#include "tables/field_names.def"
#undef FIELD
};

const uint64_t fields_of_one_hop = 0
#define FIELD(id, text, flags) | ((flags)&HOP ? FIELD_BIT(FIELD_##id) : 0)
#include "tables/field_names.def"
#undef FIELD
    ;

/* match_of_length() has a case for every length up to this one. */
enum { LONGEST_NAME = 36 };
#define FIELD(id, text, flags) \
    _Static_assert(sizeof(text) - 1 <= LONGEST_NAME, "a longer name needs another case");
#include "tables/field_names.def"
#undef FIELD

/* The bytes in which `bytes` differs from `name`, which is in lower case; letters differ by more than their
 * 0x20 bit. */
static inline __attribute__((always_inline)) uint64_t word_differs(const char *bytes, const char *name,
                                                                   size_t width)
{
    uint64_t a = 0, b = 0;
    memcpy(&a, bytes, width);
    memcpy(&b, name, width);
    uint64_t letters = (b & 0x4040404040404040u) >> 1;
    return (a ^ b) & ~letters;
}

/* Whether `bytes` is `name` in any case. With a constant `len` this is one to four word compares. */
static inline __attribute__((always_inline)) bool is_name(const char *bytes, const char *name, size_t len)
{
    if (len < 4)
        return word_differs(bytes, name, len) == 0;
    if (len < 8)
        return (word_differs(bytes, name, 4) | word_differs(bytes + len - 4, name + len - 4, 4)) == 0;
    for (size_t at = 0; at + 8 < len; at += 8)
        if (word_differs(bytes + at, name + at, 8) != 0)
            return false;
    return word_differs(bytes + len - 8, name + len - 8, 8) == 0;
}

/* Inlined once for each length, where the compiler drops the rows of every other length. */
static inline __attribute__((always_inline)) enum field_id match_of_length(const char *bytes, size_t len)
{
#define FIELD(id, text, flags)                                             \
    if (sizeof(text) - 1 == len && is_name(bytes, text, sizeof(text) - 1)) \
        return FIELD_##id;
#include "tables/field_names.def"
#undef FIELD
    return FIELD_other;
}

enum field_id field_id_of(struct slice name)
{
    /* clang-format off */
#define CASE(n) case n: return match_of_length(name.at, n);
#define CASES(n) CASE((n) + 1) CASE((n) + 2) CASE((n) + 3) CASE((n) + 4)
    switch (name.len) {
    CASES(0) CASES(4) CASES(8) CASES(12) CASES(16) CASES(20) CASES(24) CASES(28) CASES(32)
    default: return FIELD_other;
    }
#undef CASES
#undef CASE
    /* clang-format on */
}

void fields_grow(struct fields *fields, struct arena *arena)
{
    CHECK(fields->count < MOST_FIELDS);
    unsigned capacity = fields->capacity ? fields->capacity * 2u : FIRST_CAPACITY;
    if (capacity > MOST_FIELDS)
        capacity = MOST_FIELDS;
    struct field *at = arena_alloc(arena, capacity * sizeof *at);
    if (fields->count > 0)
        memcpy(at, fields->at, fields->count * sizeof *at);
    fields->at = at;
    fields->capacity = (uint16_t)capacity;
}

void fields_add(struct fields *fields, struct arena *arena, struct slice name, struct slice value)
{
    CHECK(name.len <= UINT16_MAX && value.len <= UINT32_MAX);
    fields_append(fields, arena, field_id_of(name), name, value);
}

void fields_remove(struct fields *fields, enum field_id id)
{
    if (!fields_may_have(fields, id))
        return;
    for (unsigned i = 0; i < fields->count; i++)
        if (fields->at[i].id == id)
            fields->at[i].marks |= FIELD_GONE;
}

void fields_remove_name(struct fields *fields, struct slice name)
{
    for (unsigned i = 0; i < fields->count; i++)
        if (slice_equal_nocase(field_name(&fields->at[i]), name))
            fields->at[i].marks |= FIELD_GONE;
}

static bool present(const struct field *field, enum field_id id)
{
    return field->id == id && !(field->marks & FIELD_GONE);
}

const struct field *fields_find(const struct fields *fields, enum field_id id)
{
    if (!fields_may_have(fields, id))
        return NULL;
    for (unsigned i = 0; i < fields->count; i++)
        if (present(&fields->at[i], id))
            return &fields->at[i];
    return NULL;
}

unsigned fields_count(const struct fields *fields, enum field_id id)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fields->count; i++)
        count += present(&fields->at[i], id);
    return count;
}

static bool list_has(struct slice list, struct slice token)
{
    struct slice element;
    while (slice_next_element(&list, &element))
        if (slice_equal_nocase(element, token))
            return true;
    return false;
}

bool fields_list_has(const struct fields *fields, enum field_id id, struct slice token)
{
    if (!fields_may_have(fields, id))
        return false;
    for (unsigned i = 0; i < fields->count; i++)
        if (present(&fields->at[i], id) && list_has(field_value(&fields->at[i]), token))
            return true;
    return false;
}
