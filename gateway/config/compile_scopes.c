/*
 * The readers of the KEY rows of the section `inherited`: what `defaults`, a site or a route says to the
 * policies. Each makes a new struct of config/scopes.h, so that what was inherited stays as it is elsewhere.
 */
#include "config/internal.h"

#include "config/names.h"

static void read_method(struct loader *loader, const struct yaml_node *node, struct config_methods *methods)
{
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a method, as GET"))
        return;
    struct slice shown = schema_shown(node), name = config_keep(loader, node->text);
    bool is_lower = name.len > 0 && name.at[0] >= 'a' && name.at[0] <= 'z';
    if (!names_is_token(name) || is_lower)
        config_error(loader->findings, node->origin, "\"%.*s\" is no method; they are written as GET",
                     SLICE_ARGS(shown));
    const char *before = methods->count > 0 ? ", " : "";
    methods->names[methods->count++] = name;
    methods->text = arena_printf(&loader->config->arena, "%.*s%s%.*s", SLICE_ARGS(methods->text), before,
                                 SLICE_ARGS(name));
}

void config_read_methods(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                         void *object)
{
    (void)row;
    struct config_scope *scope = object;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of methods, as [GET, HEAD]"))
        return;
    struct config_methods *methods = arena_zalloc(&loader->config->arena, sizeof *methods);
    methods->names = arena_zalloc(&loader->config->arena, (node->count + 1) * sizeof *methods->names);
    methods->text = SLICE("");
    methods->origin = config_keep_origin(loader, node->origin);
    for (const struct yaml_node *child = node->children; child; child = child->next)
        read_method(loader, child, methods);
    scope->methods = methods;
}

void config_read_on_reload(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                           void *object)
{
    (void)row;
    const struct slice drain = SLICE("drain ");
    if (!schema_expect(loader->findings, node, YAML_TEXT, "keep, or drain with a duration, as drain 30s"))
        return;
    struct config_on_reload *rule = arena_zalloc(&loader->config->arena, sizeof *rule);
    struct slice shown = schema_shown(node);
    rule->origin = config_keep_origin(loader, node->origin);
    rule->drains = slice_starts_with(node->text, drain);
    bool is_good = rule->drains ? value_parse(VALUE_DURATION, slice_trim(slice_after(node->text, drain.len)),
                                              &rule->within_us) == VALUE_OK &&
                                      rule->within_us <= DAYS(1)
                                : slice_equal(node->text, SLICE("keep"));
    if (!is_good)
        config_error(loader->findings, node->origin,
                     "expected keep, or drain with a duration of at most 1d, as drain 30s, found \"%.*s\"",
                     SLICE_ARGS(shown));
    ((struct config_scope *)object)->on_reload = rule;
}
