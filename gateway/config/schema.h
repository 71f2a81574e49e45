/*
 * The setting tables (config/settings.def) as data, and what is done with them alone: finding keys, reading
 * one scalar into its member, defaults, printing a member back. Adds findings; knows nothing of how sections
 * hang together.
 */
#ifndef PORTICO_CONFIG_SCHEMA_H
#define PORTICO_CONFIG_SCHEMA_H

#include "config/value.h"
#include "config/yaml_tree.h"

struct loader;
struct printer;

/* The sections, in the order of the tables. */
enum section_id {
    SECTION_none,
#define SECTION(id, type, inherits, title, noun, sentence, example) SECTION_##id,
#define SETTING(...)
#define PART(...)
#define KEY(...)
#include "config/settings.def"
#undef SECTION
#undef SETTING
#undef PART
#undef KEY
    SECTION_COUNT
};

/* A section's row. */
struct section {
    const char *name; /* as config_setting_origin() takes it */
    enum section_id inherits;
    const char *title, *noun, *sentence, *example;
};

/* How a row's value is written. */
enum setting_type {
    SETTING_COUNT,
    SETTING_DURATION,
    SETTING_SIZE,
    SETTING_SWITCH,
    SETTING_CHOICE,
    SETTING_TARGET,
    SETTING_PART,
    SETTING_KEY
};

struct setting;

/* Reads the value of a KEY row into the object its section fills. */
typedef void setting_read_fn(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                             void *object);

/* Prints the value of a KEY row. */
typedef void setting_print_fn(struct printer *printer, const struct setting *row, const void *object);

/* A key's row. */
struct setting {
    enum section_id section;
    const char *key;
    enum setting_type type;
    size_t offset, size;   /* of the member */
    uint64_t min, max;     /* COUNT, DURATION (microseconds), SIZE (bytes) */
    const char *fallback;  /* the default as it would be written */
    const char *words;     /* CHOICE and TARGET: words it may be; KEY: its shape; else what is counted */
    enum section_id part;  /* PART */
    size_t origins;        /* PART: offset in the part of the pointer to its origins */
    setting_read_fn *read; /* KEY */
    setting_print_fn *print;
    bool reloadable;
    const char *sentence;
};

/* By section_id. */
extern const struct section schema_sections[SECTION_COUNT];

/* All rows, in the order of the tables, and how many. */
extern const struct setting schema_settings[];
extern const size_t schema_setting_count;

/* The section's own rows; NULL when it has none. */
const struct setting *schema_rows(enum section_id section, size_t *count_out);

/* The row of a key that may stand in the section, inherited ones included; NULL when unknown. */
const struct setting *schema_find(enum section_id section, struct slice key);

/* The place of a scalar's row in the array of its object's origins. */
size_t schema_slot(const struct setting *row);

/* The origins of a PART row's section, inside the object that holds the part. */
struct config_origin *schema_part_origins(const struct setting *row, const void *object);

/* Reads a scalar into the object's member. False after adding an error. TARGET texts point into the node. */
bool schema_read_scalar(struct config_findings *findings, const struct setting *row,
                        const struct yaml_node *node, void *object);

/* Sets the members of the section's scalars to their defaults. */
void schema_set_defaults(enum section_id section, void *object);

/* The member's value as it would be written, in the arena. */
struct slice schema_print_scalar(struct arena *arena, const struct setting *row, const void *object);

/* "a mapping", "a list", "nothing" or the quoted text, shortened, redacted, in the arena: what messages say
 * was found. */
const char *schema_describe(struct arena *arena, const struct yaml_node *node);

/* What messages quote of a scalar: its text, or as written when that is a secret; shortened. */
struct slice schema_shown(const struct yaml_node *node);

/* Whether the node is of the kind; false after adding an error that says `wanted`. */
bool schema_expect(struct config_findings *findings, const struct yaml_node *node, enum yaml_kind kind,
                   const char *wanted);

/* Adds the error for a key that the section does not know. */
void schema_report_unknown(struct config_findings *findings, enum section_id section,
                           const struct yaml_node *key);

/* The next of words separated by blanks; moves `words` behind it. False at the end. */
bool schema_next_word(struct slice *words, struct slice *word_out);

#endif
