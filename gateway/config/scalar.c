/*
 * One scalar of config/schema.h: text into a member, a member into text. What does not fit is said in one
 * sentence that shows how it would be right.
 */
#include "config/schema.h"

#include "config/suggest.h"

/* How messages call a type, with an example. */
static const char *const wanted[] = {
    [SETTING_COUNT] = "a whole number",  [SETTING_DURATION] = "a duration, as 30s",
    [SETTING_SIZE] = "a size, as 16KiB", [SETTING_SWITCH] = "true or false",
    [SETTING_CHOICE] = "a word",         [SETTING_TARGET] = "a word or a path",
};

/* The value at hand. */
struct scalar {
    struct config_findings *findings;
    const struct setting *row;
    const struct yaml_node *node;
};

static enum value_kind kind_of(const struct setting *row)
{
    return row->type == SETTING_DURATION ? VALUE_DURATION
           : row->type == SETTING_SIZE   ? VALUE_SIZE
                                         : VALUE_COUNT;
}

/* Members are bool, 32 or 64 bits wide, by their type. */
static void store(const struct setting *row, void *object, uint64_t value)
{
    uint32_t small = (uint32_t)value;
    bool flag = value != 0;
    const void *bytes = row->size == sizeof value   ? (void *)&value
                        : row->size == sizeof small ? (void *)&small
                                                    : &flag;
    memcpy((char *)object + row->offset, bytes, row->size);
}

static uint64_t load(const struct setting *row, const void *object)
{
    uint64_t value = 0;
    uint32_t small = 0;
    bool flag = false;
    void *bytes = row->size == sizeof value   ? (void *)&value
                  : row->size == sizeof small ? (void *)&small
                                              : &flag;
    memcpy(bytes, (const char *)object + row->offset, row->size);
    return row->size == sizeof value ? value : row->size == sizeof small ? small : flag;
}

static void report_range(const struct scalar *scalar)
{
    char least[VALUE_TEXT_MAX], most[VALUE_TEXT_MAX];
    value_print(kind_of(scalar->row), scalar->row->min, least);
    value_print(kind_of(scalar->row), scalar->row->max, most);
    struct slice shown = schema_shown(scalar->node);
    config_error(scalar->findings, scalar->node->origin, "%.*s is out of range; %s may be %s to %s",
                 SLICE_ARGS(shown), scalar->row->key, least, most);
}

static void report_number(const struct scalar *scalar, enum value_problem problem)
{
    struct slice shown = schema_shown(scalar->node);
    bool is_duration = scalar->row->type == SETTING_DURATION;
    const char *what = is_duration ? "duration" : "size";
    if (problem == VALUE_TOO_LARGE)
        report_range(scalar);
    else if (problem == VALUE_UNIT_MISSING)
        config_error(scalar->findings, scalar->node->origin, "a %s needs a unit: write %.*s%s", what,
                     SLICE_ARGS(shown), is_duration ? "s" : "B");
    else if (problem == VALUE_UNIT_UNKNOWN)
        config_error(scalar->findings, scalar->node->origin,
                     "\"%.*s\" has an unknown unit; a %s is a whole number and %s", SLICE_ARGS(shown), what,
                     value_units(kind_of(scalar->row)));
    else
        config_error(scalar->findings, scalar->node->origin, "expected %s, found \"%.*s\"",
                     wanted[scalar->row->type], SLICE_ARGS(shown));
}

static bool read_number(const struct scalar *scalar, void *object)
{
    uint64_t value;
    enum value_problem problem = value_parse(kind_of(scalar->row), scalar->node->text, &value);
    if (problem != VALUE_OK) {
        report_number(scalar, problem);
        return false;
    }
    if (value < scalar->row->min || value > scalar->row->max) {
        report_range(scalar);
        return false;
    }
    store(scalar->row, object, value);
    return true;
}

static bool read_switch(const struct scalar *scalar, void *object)
{
    bool is_true = slice_equal(scalar->node->text, SLICE("true"));
    if (!is_true && !slice_equal(scalar->node->text, SLICE("false"))) {
        struct slice shown = schema_shown(scalar->node);
        config_error(scalar->findings, scalar->node->origin, "expected true or false, found \"%.*s\"",
                     SLICE_ARGS(shown));
        return false;
    }
    store(scalar->row, object, is_true);
    return true;
}

/* The place of `text` among the row's words, or -1 and the nearest one. */
static int find_word(const struct setting *row, struct slice text, struct slice *nearest_out)
{
    struct suggestion suggestion = suggest_start(text);
    struct slice words = slice_of(row->words), word;
    for (int index = 0; schema_next_word(&words, &word); index++) {
        if (slice_equal(word, text))
            return index;
        suggest_offer(&suggestion, word);
    }
    *nearest_out = suggestion.best;
    return -1;
}

static bool read_choice(const struct scalar *scalar, void *object)
{
    struct slice nearest;
    int index = find_word(scalar->row, scalar->node->text, &nearest);
    if (index >= 0) {
        store(scalar->row, object, (uint64_t)index);
        return true;
    }
    struct slice shown = schema_shown(scalar->node);
    if (nearest.len > 0)
        config_error(scalar->findings, scalar->node->origin, "unknown %s \"%.*s\"; did you mean \"%.*s\"?",
                     scalar->row->key, SLICE_ARGS(shown), SLICE_ARGS(nearest));
    else
        config_error(scalar->findings, scalar->node->origin, "unknown %s \"%.*s\"; known are: %s",
                     scalar->row->key, SLICE_ARGS(shown), scalar->row->words);
    return false;
}

static bool read_target(const struct scalar *scalar, void *object)
{
    struct slice text = scalar->node->text, nearest;
    bool is_path = memchr(text.at, '/', text.len) || memchr(text.at, '.', text.len);
    if (is_path || find_word(scalar->row, text, &nearest) >= 0) {
        memcpy((char *)object + scalar->row->offset, &text, sizeof text);
        return true;
    }
    struct slice shown = schema_shown(scalar->node);
    config_error(scalar->findings, scalar->node->origin,
                 "\"%.*s\" is none of: %s; a file is written as a path: ./%.*s", SLICE_ARGS(shown),
                 scalar->row->words, SLICE_ARGS(shown));
    return false;
}

bool schema_read_scalar(struct config_findings *findings, const struct setting *row,
                        const struct yaml_node *node, void *object)
{
    if (!schema_expect(findings, node, YAML_TEXT, wanted[row->type]))
        return false;
    const struct scalar scalar = {findings, row, node};
    switch (row->type) {
    case SETTING_COUNT:
    case SETTING_DURATION:
    case SETTING_SIZE: return read_number(&scalar, object);
    case SETTING_SWITCH: return read_switch(&scalar, object);
    case SETTING_CHOICE: return read_choice(&scalar, object);
    default: return read_target(&scalar, object);
    }
}

void schema_set_defaults(enum section_id section, void *object)
{
    size_t count;
    const struct setting *rows = schema_rows(section, &count);
    struct config_findings findings;
    config_findings_init(&findings);
    for (size_t i = 0; i < count; i++) {
        struct yaml_node node = {.kind = YAML_TEXT, .text = slice_of(rows[i].fallback)};
        if (rows[i].type < SETTING_PART)
            CHECK(schema_read_scalar(&findings, &rows[i], &node, object));
    }
    config_findings_fini(&findings);
}

struct slice schema_print_scalar(struct arena *arena, const struct setting *row, const void *object)
{
    char text[VALUE_TEXT_MAX];
    struct slice words = slice_of(row->words), word = {0};
    switch (row->type) {
    case SETTING_SWITCH: return load(row, object) ? SLICE("true") : SLICE("false");
    case SETTING_TARGET: memcpy(&word, (const char *)object + row->offset, sizeof word); return word;
    case SETTING_CHOICE:
        for (uint64_t skip = load(row, object) + 1; skip > 0; skip--)
            CHECK(schema_next_word(&words, &word));
        return word;
    default: value_print(kind_of(row), load(row, object), text); return arena_printf(arena, "%s", text);
    }
}
