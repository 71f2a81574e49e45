/*
 * The reader of `security_headers`: a word begins anew, a mapping changes what was inherited, and what a
 * browser would not understand is an error here. Called through the KEY rows of
 * config/settings_security_headers.def; what the fields are stands in tables/security_headers.def.
 */
#include "config/internal.h"

#include "config/names.h"

/* A mapping while its keys are read. */
struct draft {
    struct config_security_headers values; /* only what the mapping names */
    const struct yaml_node *removed[CONFIG_SECURITY_COUNT];
};

enum { PRESET_OFF, PRESET_RECOMMENDED, PRESET_STRICT, PRESET_COUNT };

static const struct {
    const char *key, *presets[PRESET_COUNT];
} rows[CONFIG_SECURITY_COUNT] = {
#define SECURITY_HEADER(key_, id, recommended, strict, sentence) \
    [CONFIG_SECURITY_##key_] = {#key_, {"none", recommended, strict}},
#include "tables/security_headers.def"
#undef SECURITY_HEADER
};

/* The row of a key; CONFIG_SECURITY_COUNT when there is none. */
static unsigned find_row(struct slice key)
{
    unsigned i = 0;
    while (i < CONFIG_SECURITY_COUNT && !slice_equal(key, slice_of(rows[i].key)))
        i++;
    return i;
}

/* Fills in what the word stands for; false when it is none of them. */
static bool apply_word(struct loader *loader, const struct yaml_node *word,
                       struct config_security_headers *headers)
{
    static const char *const words[PRESET_COUNT] = {"off", "recommended", "strict"};
    unsigned preset = 0;
    while (preset < PRESET_COUNT && !slice_equal(word->text, slice_of(words[preset])))
        preset++;
    if (preset == PRESET_COUNT)
        return false;
    struct config_origin origin = config_keep_origin(loader, word->origin);
    origin.redacted = NULL; /* the values are known to everybody */
    for (unsigned i = 0; i < CONFIG_SECURITY_COUNT; i++) {
        const char *value = rows[i].presets[preset];
        bool is_set = strcmp(value, "none") != 0;
        headers->values[i] =
            is_set ? (struct config_text){slice_of(value), origin} : (struct config_text){{NULL, 0}, {0}};
    }
    return true;
}

/* --- values --- */

static const char *check_hsts(struct slice value)
{
    struct slice name = SLICE("max-age=");
    bool is_good = slice_starts_with(value, name) && value.len > name.len && value.at[name.len] >= '0' &&
                   value.at[name.len] <= '9';
    return is_good ? NULL : "it begins with the seconds, as \"max-age=31536000\"";
}

static const char *check_value(unsigned row, struct slice value)
{
    const char *problem = names_check_field_value(value);
    if (problem)
        return problem;
    if (row == CONFIG_SECURITY_hsts)
        return check_hsts(value);
    if (row == CONFIG_SECURITY_content_type_options && !slice_equal(value, SLICE("nosniff")))
        return "the only value is nosniff; `remove` takes the field away";
    if (row == CONFIG_SECURITY_frame_options && !slice_equal(value, SLICE("DENY")) &&
        !slice_equal(value, SLICE("SAMEORIGIN")))
        return "browsers know DENY and SAMEORIGIN; other origins are listed by `csp`, in frame-ancestors";
    return NULL;
}

void config_read_security_header(struct loader *loader, const struct setting *row,
                                 const struct yaml_node *node, void *object)
{
    struct draft *draft = object;
    unsigned i = find_row(slice_of(row->key));
    if (!schema_expect(loader->findings, node, YAML_TEXT, "the value of the field"))
        return;
    const char *problem = check_value(i, node->text);
    struct slice shown = schema_shown(node);
    if (problem)
        config_error(loader->findings, node->origin, "%s: \"%.*s\": %s", row->key, SLICE_ARGS(shown),
                     problem);
    draft->values.values[i] =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
}

/* --- the mapping --- */

void config_read_security_base(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                               void *object)
{
    (void)loader, (void)row, (void)node, (void)object; /* has been read: it comes before all others */
}

void config_read_security_removals(struct loader *loader, const struct setting *row,
                                   const struct yaml_node *node, void *object)
{
    (void)row;
    struct draft *draft = object;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of keys, as [csp]"))
        return;
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        unsigned i = find_row(child->text);
        struct slice shown = schema_shown(child);
        if (i < CONFIG_SECURITY_COUNT)
            draft->removed[i] = child;
        else
            config_error(loader->findings, child->origin,
                         "\"%.*s\" is no key of security_headers; they are written as csp",
                         SLICE_ARGS(shown));
    }
}

/* What the mapping says, over what it begins with. */
static void apply_draft(struct loader *loader, const struct draft *draft,
                        struct config_security_headers *headers)
{
    for (unsigned i = 0; i < CONFIG_SECURITY_COUNT; i++) {
        const struct config_text *value = &draft->values.values[i];
        if (draft->removed[i] && value->text.len > 0)
            config_error(loader->findings, draft->removed[i]->origin, "%s is removed and set by one mapping",
                         rows[i].key);
        if (draft->removed[i] || value->text.len > 0)
            headers->values[i] = *value;
    }
}

static void read_word(struct loader *loader, const struct yaml_node *node,
                      struct config_security_headers *headers, const char *wanted)
{
    if (schema_expect(loader->findings, node, YAML_TEXT, wanted) && !apply_word(loader, node, headers)) {
        struct slice shown = schema_shown(node);
        config_error(loader->findings, node->origin, "expected %s, found \"%.*s\"", wanted,
                     SLICE_ARGS(shown));
    }
}

void config_read_security_headers(struct loader *loader, const struct setting *row,
                                  const struct yaml_node *node, void *object)
{
    (void)row;
    struct config_scope *scope = object;
    struct config_security_headers *headers = arena_zalloc(&loader->config->arena, sizeof *headers);
    if (scope->security_headers)
        *headers = *scope->security_headers;
    headers->origin = config_keep_origin(loader, node->origin);
    scope->security_headers = headers;
    if (node->kind != YAML_MAP) {
        read_word(loader, node, headers, "recommended, strict, off or a mapping");
        return;
    }
    struct draft draft = {0};
    const struct yaml_node *base = yaml_tree_find(node, "base");
    if (base)
        read_word(loader, base, headers, "recommended, strict or off");
    config_read_section(loader, SECTION_security_headers, node, (struct section_target){.object = &draft});
    apply_draft(loader, &draft, headers);
}
