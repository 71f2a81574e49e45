/*
 * The tables of config/settings.def made data, and what needs no more than one row: a scalar in, a scalar
 * out, the sentences about what does not fit. Called by config/read.c for files, print.c and reference.c for
 * people.
 */
#include "config/schema.h"

#include "config/internal.h"
#include "config/suggest.h"

#include <stdio.h>

#define MEMBER_COUNT    uint32_t
#define MEMBER_CHOICE   uint32_t
#define MEMBER_DURATION uint64_t
#define MEMBER_SIZE     uint64_t
#define MEMBER_SWITCH   bool
#define MEMBER_TARGET   struct slice

#define SECTION(id, type, inherits, title, noun, sentence, example) typedef struct type section_struct_##id;
#define SETTING(section, key, type, member, ...)                                             \
    _Static_assert(sizeof(((section_struct_##section *)0)->member) == sizeof(MEMBER_##type), \
                   "the member's size does not fit the type of the setting " #key);
#define PART(...)
#define KEY(...)
#include "config/settings.def"
#undef SECTION
#undef SETTING
#undef PART
#undef KEY

const struct section schema_sections[SECTION_COUNT] = {
#define SECTION(id, type, inherits, title, noun, sentence, example) \
    [SECTION_##id] = {#id, SECTION_##inherits, title, noun, sentence, example},
#define SETTING(...)
#define PART(...)
#define KEY(...)
#include "config/settings.def"
#undef SECTION
#undef SETTING
#undef PART
#undef KEY
};

const struct setting schema_settings[] = {
#define SECTION(...)
#define SETTING(section_, key_, type_, member, min_, max_, fallback_, words_, reload, sentence_) \
    {                                                                                            \
        .section = SECTION_##section_,                                                           \
        .key = #key_,                                                                            \
        .type = SETTING_##type_,                                                                 \
        .offset = offsetof(section_struct_##section_, member),                                   \
        .size = sizeof(((section_struct_##section_ *)0)->member),                                \
        .min = min_,                                                                             \
        .max = max_,                                                                             \
        .fallback = fallback_,                                                                   \
        .words = words_,                                                                         \
        .reloadable = reload,                                                                    \
        .sentence = sentence_,                                                                   \
    },
#define PART(section_, key_, member, part_, sentence_)         \
    {                                                          \
        .section = SECTION_##section_,                         \
        .key = #key_,                                          \
        .type = SETTING_PART,                                  \
        .offset = offsetof(section_struct_##section_, member), \
        .part = SECTION_##part_,                               \
        .origins = offsetof(section_struct_##part_, origins),  \
        .fallback = "",                                        \
        .words = "",                                           \
        .reloadable = true,                                    \
        .sentence = sentence_,                                 \
    },
#define KEY(section_, key_, shape, fallback_, read_, print_, reload, sentence_) \
    {                                                                           \
        .section = SECTION_##section_,                                          \
        .key = #key_,                                                           \
        .type = SETTING_KEY,                                                    \
        .fallback = fallback_,                                                  \
        .words = shape,                                                         \
        .read = config_read_##read_,                                            \
        .print = config_print_##print_,                                         \
        .reloadable = reload,                                                   \
        .sentence = sentence_,                                                  \
    },
#include "config/settings.def"
#undef SECTION
#undef SETTING
#undef PART
#undef KEY
};

const size_t schema_setting_count = sizeof schema_settings / sizeof *schema_settings;

const struct setting *schema_rows(enum section_id section, size_t *count_out)
{
    const struct setting *end = schema_settings + schema_setting_count, *first = schema_settings;
    while (first < end && first->section != section)
        first++;
    const struct setting *behind = first;
    while (behind < end && behind->section == section)
        behind++;
    *count_out = (size_t)(behind - first);
    return first < behind ? first : NULL;
}

const struct setting *schema_find(enum section_id section, struct slice key)
{
    for (; section != SECTION_none; section = schema_sections[section].inherits) {
        size_t count;
        const struct setting *rows = schema_rows(section, &count);
        for (size_t i = 0; i < count; i++)
            if (slice_equal(key, slice_of(rows[i].key)))
                return &rows[i];
    }
    return NULL;
}

size_t schema_slot(const struct setting *row)
{
    size_t count;
    return (size_t)(row - schema_rows(row->section, &count));
}

struct config_origin *schema_part_origins(const struct setting *row, const void *object)
{
    struct config_origin *origins;
    memcpy(&origins, (const char *)object + row->offset + row->origins, sizeof origins);
    return origins;
}

bool schema_next_word(struct slice *words, struct slice *word_out)
{
    *words = slice_trim(*words);
    if (words->len == 0)
        return false;
    const char *end = memchr(words->at, ' ', words->len);
    *word_out = slice_make(words->at, end ? (size_t)(end - words->at) : words->len);
    *words = slice_after(*words, word_out->len);
    return true;
}

struct slice schema_shown(const struct yaml_node *node)
{
    enum { SHOWN_MAX = 60 };
    struct slice text = node->origin.redacted ? slice_of(node->origin.redacted) : node->text;
    if (text.len <= SHOWN_MAX)
        return text;
    text.len = SHOWN_MAX;
    while (((unsigned char)text.at[text.len] & 0xc0) == 0x80 && text.len > 0)
        text.len--; /* not within a character */
    return text;
}

const char *schema_describe(struct arena *arena, const struct yaml_node *node)
{
    if (node->kind != YAML_TEXT)
        return node->kind == YAML_MAP ? "a mapping" : "a list";
    if (node->is_plain && node->text.len == 0)
        return "nothing";
    struct slice shown = schema_shown(node);
    return arena_printf(arena, "\"%.*s\"", SLICE_ARGS(shown)).at;
}

bool schema_expect(struct config_findings *findings, const struct yaml_node *node, enum yaml_kind kind,
                   const char *wanted)
{
    if (node->kind == kind && !(kind == YAML_TEXT && node->text.len == 0))
        return true;
    config_error(findings, node->origin, "expected %s, found %s", wanted,
                 schema_describe(&findings->arena, node));
    return false;
}

/* A section that knows the key, to say where it belongs. */
static const struct section *owner_of(struct slice key)
{
    for (size_t i = 0; i < schema_setting_count; i++)
        if (slice_equal(key, slice_of(schema_settings[i].key)))
            return &schema_sections[schema_settings[i].section];
    return NULL;
}

static void offer_keys(struct suggestion *suggestion, enum section_id section)
{
    for (; section != SECTION_none; section = schema_sections[section].inherits) {
        size_t count;
        const struct setting *rows = schema_rows(section, &count);
        for (size_t i = 0; i < count; i++)
            suggest_offer(suggestion, slice_of(rows[i].key));
    }
}

void schema_report_unknown(struct config_findings *findings, enum section_id section,
                           const struct yaml_node *key)
{
    struct slice shown = schema_shown(key);
    const char *noun = schema_sections[section].noun;
    const struct section *owner = owner_of(key->text);
    struct suggestion suggestion = suggest_start(key->text);
    offer_keys(&suggestion, section);
    if (owner)
        config_error(findings, key->origin, "unknown key \"%.*s\" in %s; it belongs in %s", SLICE_ARGS(shown),
                     noun, owner->noun);
    else if (suggestion.best.len > 0)
        config_error(findings, key->origin, "unknown key \"%.*s\" in %s; did you mean \"%.*s\"?",
                     SLICE_ARGS(shown), noun, SLICE_ARGS(suggestion.best));
    else
        config_error(findings, key->origin, "unknown key \"%.*s\" in %s", SLICE_ARGS(shown), noun);
}

struct config_origin config_setting_origin(const struct config_origin *origins, const char *section,
                                           const char *key)
{
    for (enum section_id id = SECTION_none + 1; id < SECTION_COUNT; id++) {
        const struct setting *row =
            strcmp(schema_sections[id].name, section) == 0 ? schema_find(id, slice_of(key)) : NULL;
        if (row && row->type < SETTING_PART)
            return origins[schema_slot(row)];
    }
    return (struct config_origin){0};
}
