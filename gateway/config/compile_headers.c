/*
 * The reader of `headers`: changes by name over those that were inherited. Called through the KEY rows of
 * config/settings_headers.def. Which fields belong to the gateway is known to policy/headers.c, which checks
 * that.
 */
#include "config/internal.h"

#include "config/names.h"

static enum config_header_action action_of(const struct setting *row)
{
    static const char *const keys[] = {[CONFIG_HEADER_SET] = "set",
                                       [CONFIG_HEADER_ADD] = "add",
                                       [CONFIG_HEADER_REPLACE] = "replace",
                                       [CONFIG_HEADER_REMOVE] = "remove",
                                       [CONFIG_HEADER_KEEP] = "keep"};
    enum config_header_action action = CONFIG_HEADER_SET;
    while (strcmp(keys[action], row->key) != 0)
        action++;
    return action;
}

/* --- names and values --- */

static bool read_name(struct loader *loader, const struct yaml_node *node, struct config_text *name_out)
{
    struct slice shown = schema_shown(node);
    if (!schema_expect(loader->findings, node, YAML_TEXT, "the name of a field, as X-Powered-By"))
        return false;
    if (!names_is_token(node->text)) {
        config_error(loader->findings, node->origin,
                     "\"%.*s\" is no name of a field; they are written as X-Powered-By", SLICE_ARGS(shown));
        return false;
    }
    *name_out =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
    return true;
}

static bool read_value(struct loader *loader, const struct yaml_node *node, struct config_text *value_out)
{
    if (!schema_expect(loader->findings, node, YAML_TEXT, "the value of the field"))
        return false;
    const char *problem = names_check_field_value(node->text);
    struct slice shown = schema_shown(node);
    if (problem)
        config_error(loader->findings, node->origin, "\"%.*s\": %s", SLICE_ARGS(shown), problem);
    *value_out =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
    return true;
}

static void push(struct loader *loader, struct config_header_changes *made,
                 struct config_header_change change)
{
    for (uint32_t i = 0; i < made->count; i++) {
        const struct config_header_change *other = &made->changes[i];
        bool both_add = change.action == CONFIG_HEADER_ADD && other->action == CONFIG_HEADER_ADD;
        if (slice_equal_nocase(other->name.text, change.name.text) && !both_add)
            config_error(loader->findings, change.name.origin,
                         "something else is said about this name on line %u", other->name.origin.line);
    }
    made->changes[made->count++] = change;
}

/* --- the rows of a mapping --- */

static void read_field(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                       struct config_header_changes *made)
{
    struct config_header_change change = {.action = action_of(row)};
    if (!read_name(loader, node->key, &change.name))
        return;
    bool is_list = change.action == CONFIG_HEADER_ADD && node->kind == YAML_LIST;
    if (!is_list) {
        if (read_value(loader, node, &change.value))
            push(loader, made, change);
        return;
    }
    for (const struct yaml_node *child = node->children; child; child = child->next)
        if (read_value(loader, child, &change.value))
            push(loader, made, change);
}

void config_read_header_values(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                               void *object)
{
    if (!schema_expect(loader->findings, node, YAML_MAP, "a mapping of fields, as { X-Name: value }"))
        return;
    for (const struct yaml_node *child = node->children; child; child = child->next)
        read_field(loader, row, child, object);
}

void config_read_header_names(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    struct config_header_change change = {.action = action_of(row)};
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of names, as [X-Powered-By]"))
        return;
    for (const struct yaml_node *child = node->children; child; child = child->next)
        if (read_name(loader, child, &change.name))
            push(loader, object, change);
}

/* --- mappings --- */

/* Most changes that a mapping can say. */
static uint32_t count_leaves(const struct yaml_node *node)
{
    uint32_t count = 1;
    for (const struct yaml_node *child = node->children; child; child = child->next)
        count += count_leaves(child);
    return count;
}

static bool is_mentioned(const struct config_header_changes *made, struct slice name)
{
    for (uint32_t i = 0; i < made->count; i++)
        if (slice_equal_nocase(made->changes[i].name.text, name))
            return true;
    return false;
}

/* What was inherited for other names, then what the mapping says. */
static void merge(struct loader *loader, const struct config_header_changes *made,
                  struct config_header_changes *changes)
{
    struct config_header_changes merged = {.count = 0};
    size_t most = changes->count + made->count + 1u;
    merged.changes = arena_zalloc(&loader->config->arena, most * sizeof *merged.changes);
    for (uint32_t i = 0; i < changes->count; i++)
        if (!is_mentioned(made, changes->changes[i].name.text))
            merged.changes[merged.count++] = changes->changes[i];
    for (uint32_t i = 0; i < made->count; i++)
        merged.changes[merged.count++] = made->changes[i];
    *changes = merged;
}

void config_read_header_changes(struct loader *loader, const struct setting *row,
                                const struct yaml_node *node, void *object)
{
    struct config_headers *headers = object;
    bool of_request = strcmp(row->key, "request") == 0;
    if (!schema_expect(loader->findings, node, YAML_MAP, "a mapping, as { set: { X-Name: value } }"))
        return;
    struct config_header_changes made = {.count = 0};
    made.changes = arena_zalloc(&loader->trees, count_leaves(node) * sizeof *made.changes);
    config_read_section(loader, SECTION_header_changes, node, (struct section_target){.object = &made});
    merge(loader, &made, of_request ? &headers->request : &headers->response);
}

void config_read_cookies(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                         void *object)
{
    (void)row;
    struct config_cookies *cookies = &((struct config_headers *)object)->cookies;
    struct config_origin *inherited = cookies->origins;
    size_t count;
    schema_rows(SECTION_cookies, &count);
    cookies->origins = config_new_origins(loader, SECTION_cookies);
    if (inherited)
        memcpy(cookies->origins, inherited, count * sizeof *inherited);
    else
        schema_set_defaults(SECTION_cookies, cookies);
    struct section_target target = {.object = cookies, .settings = cookies, .origins = cookies->origins};
    if (!schema_expect(loader->findings, node, YAML_MAP, "a mapping, as { secure: true }"))
        return;
    config_read_section(loader, SECTION_cookies, node, target);
    if (cookies->same_site == CONFIG_SAME_SITE_NONE && !cookies->secure)
        config_error(loader->findings, node->origin,
                     "browsers refuse cookies with SameSite=None that are not Secure; add "
                     "`secure: true`");
}

void config_read_headers(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                         void *object)
{
    (void)row;
    struct config_scope *scope = object;
    struct config_headers *headers = arena_zalloc(&loader->config->arena, sizeof *headers);
    if (scope->headers)
        *headers = *scope->headers;
    scope->headers = headers;
    if (schema_expect(loader->findings, node, YAML_MAP, "a mapping, as { response: { remove: [Server] } }"))
        config_read_section(loader, SECTION_headers, node, (struct section_target){.object = headers});
}
