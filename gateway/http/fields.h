/*
 * The fields of a message (RFC 9110 section 5): an array in the order of arrival. Names and values are slices
 * into the block or arena that the message lives in. A field is removed by a mark, never by moving the
 * others, so iterate with the index and skip FIELD_GONE. Names that Portico knows carry an id; compare ids,
 * not text. Most questions are about fields that are not there: a bit for each id that was ever added answers
 * those.
 */
#ifndef PORTICO_HTTP_FIELDS_H
#define PORTICO_HTTP_FIELDS_H

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"

#include <stdint.h>

/* Field names by id; FIELD_other is every name not in tables/field_names.def. */
enum field_id {
    FIELD_other = 0,
#define FIELD(id, name, flags) FIELD_##id,
#include "tables/field_names.def"
#undef FIELD
    FIELD_ID_COUNT
};

/* What a known name implies; see tables/field_names.def. */
enum field_trait {
    TRAIT_HOP = 1,
    TRAIT_FRAMING = 2,
    TRAIT_OWNED = 4,
    TRAIT_SINGLETON = 8,
    TRAIT_SECRET = 16,
    TRAIT_NO_TRAILER = 32
};

/* Marks on one field of one message. */
enum field_mark { FIELD_GONE = 1 };

/* One field line. */
struct field {
    const char *name;
    const char *value;
    uint32_t value_len;
    uint16_t name_len;
    uint8_t id;    /* enum field_id */
    uint8_t marks; /* enum field_mark */
};

/* A message's field lines. All zero is none. */
struct fields {
    struct field *at;
    uint16_t count;
    uint16_t capacity;
    uint64_t seen; /* FIELD_BIT() of every id that was added, gone or not */
};

/* The bit of an id in fields.seen; some ids share one. */
#define FIELD_BIT(id) ((uint64_t)1 << ((unsigned)(id) % 64))

/* The bits of the ids with TRAIT_HOP. */
extern const uint64_t fields_of_one_hop;

/* False: no field with this id is present. */
static inline bool fields_may_have(const struct fields *fields, enum field_id id)
{
    return (fields->seen & FIELD_BIT(id)) != 0;
}

/* The id of a name, ignoring case; FIELD_other when it is not in the table. Cost does not grow with the
 * table. */
enum field_id field_id_of(struct slice name);

/* What is known of an id. */
struct field_row {
    struct slice name;
    unsigned traits;
};
extern const struct field_row field_rows[FIELD_ID_COUNT];

/* The lower-case name of an id (not FIELD_other). */
static inline struct slice field_id_name(enum field_id id)
{
    CHECK(id > FIELD_other && id < FIELD_ID_COUNT);
    return field_rows[id].name;
}

/* Traits of an id, enum field_trait; 0 for FIELD_other. */
static inline unsigned field_traits(enum field_id id)
{
    CHECK((unsigned)id < FIELD_ID_COUNT);
    return field_rows[id].traits;
}

_Static_assert(FIELD_ID_COUNT <= UINT8_MAX, "ids are kept in a byte");

/* Makes room for another field. */
void fields_grow(struct fields *fields, struct arena *arena) __attribute__((noinline));

/* Appends a field with this name, whose id is known; name and value must outlive the fields. The array grows
 * inside the arena. The caller knows that the lengths can be held in 16 and 32 bits. Members
 * are stored one by one: a struct that is put together on the stack and copied costs a failed store-to-load
 * forwarding for every field. */
static inline void fields_append(struct fields *fields, struct arena *arena, enum field_id id,
                                 struct slice name, struct slice value)
{
    if (__builtin_expect(fields->count == fields->capacity, 0))
        fields_grow(fields, arena);
    struct field *field = &fields->at[fields->count++];
    field->name = name.at;
    field->value = value.at;
    field->value_len = (uint32_t)value.len;
    field->name_len = (uint16_t)name.len;
    field->id = (uint8_t)id;
    field->marks = 0;
    fields->seen |= FIELD_BIT(id);
}

/* The same; the id is looked up. */
void fields_add(struct fields *fields, struct arena *arena, struct slice name, struct slice value);

/* The same; the name is taken from the table. */
static inline void fields_add_id(struct fields *fields, struct arena *arena, enum field_id id,
                                 struct slice value)
{
    CHECK(value.len <= UINT32_MAX);
    fields_append(fields, arena, id, field_id_name(id), value);
}

/* Marks every field with this id as gone. */
void fields_remove(struct fields *fields, enum field_id id);

/* Marks every field with this name (any case) as gone. */
void fields_remove_name(struct fields *fields, struct slice name);

/* The first present field with this id, or NULL. */
const struct field *fields_find(const struct fields *fields, enum field_id id);

/* The number of present fields with this id. */
unsigned fields_count(const struct fields *fields, enum field_id id);

/* Whether the comma-separated lists of all fields with this id hold the token, ignoring case (RFC 9110
 * section 5.6.1). */
bool fields_list_has(const struct fields *fields, enum field_id id, struct slice token);

/* The field's name as a slice. */
static inline struct slice field_name(const struct field *field)
{
    return (struct slice){field->name, field->name_len};
}

/* The field's value as a slice. */
static inline struct slice field_value(const struct field *field)
{
    return (struct slice){field->value, field->value_len};
}

#endif
