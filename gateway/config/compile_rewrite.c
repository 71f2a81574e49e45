/*
 * The readers of strip_prefix and rewrite, and what can be said of a route only when all of it has been read:
 * that it has one destination, whose prefix is stripped, and which of its settings can do nothing.
 */
#include "config/internal.h"

#include "config/names.h"

static struct config_rewrite *new_rewrite(struct loader *loader, const struct yaml_node *node,
                                          struct config_route *route)
{
    if (route->scope.rewrite)
        config_error(loader->findings, node->key->origin,
                     "a route has one of strip_prefix and rewrite, not both");
    struct config_rewrite *rewrite = arena_zalloc(&loader->config->arena, sizeof *rewrite);
    rewrite->origin = config_keep_origin(loader, node->origin);
    route->scope.rewrite = rewrite;
    return rewrite;
}

static struct slice without_slash(struct slice path)
{
    while (path.len > 0 && path.at[path.len - 1] == '/')
        path.len--;
    return path;
}

/* "true" is the route's own prefix, which may not have been read yet: finish_strip() finds it. */
void config_read_strip_prefix(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    struct config_rewrite *rewrite = new_rewrite(loader, node, object);
    rewrite->strips = true;
    if (!schema_expect(loader->findings, node, YAML_TEXT, "true or a path, as /api") ||
        slice_equal(node->text, SLICE("true")))
        return;
    rewrite->prefix.origin = rewrite->origin;
    struct slice path, shown = schema_shown(node);
    const char *problem = names_canonical_path(&loader->config->arena, node->text, &path);
    if (problem) {
        config_error(loader->findings, node->origin, "\"%.*s\": %s", SLICE_ARGS(shown), problem);
        return;
    }
    rewrite->prefix.text = without_slash(path);
    if (rewrite->prefix.text.len == 0)
        config_error(loader->findings, node->origin, "there is nothing to strip of \"/\"");
}

static void read_text(struct loader *loader, const struct yaml_node *node, struct config_text *text,
                      const char *wanted)
{
    text->origin = config_keep_origin(loader, node->origin);
    if (schema_expect(loader->findings, node, YAML_TEXT, wanted))
        text->text = config_keep(loader, node->text);
}

void config_read_rewrite_regex(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                               void *object)
{
    (void)row;
    read_text(loader, node, &((struct config_rewrite *)object)->regex, "an expression");
}

void config_read_rewrite_to(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                            void *object)
{
    (void)row;
    read_text(loader, node, &((struct config_rewrite *)object)->to, "a path, as /new%{path}");
}

void config_read_rewrite(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                         void *object)
{
    struct config_rewrite *rewrite = new_rewrite(loader, node, object);
    if (node->kind == YAML_TEXT)
        config_read_rewrite_to(loader, row, node, rewrite);
    else if (schema_expect(loader->findings, node, YAML_MAP,
                           "a path or a mapping, as { regex: '^/a', to: /b }"))
        config_read_section(loader, SECTION_rewrite, node,
                            (struct section_target){.object = rewrite, .settings = rewrite});
}

/* --- whole routes --- */

static bool is_below(struct slice path, struct slice prefix)
{
    return slice_starts_with(path, prefix) && (path.len == prefix.len || path.at[prefix.len] == '/');
}

/* Whether some path of the route begins with the prefix, as far as its pattern tells. */
static bool can_begin_with(const struct config_route *route, struct slice prefix)
{
    struct slice pattern = without_slash(route->pattern);
    if (route->match == CONFIG_MATCH_REGEX || is_below(pattern, prefix))
        return true;
    return route->match == CONFIG_MATCH_PREFIX && is_below(prefix, pattern);
}

static void finish_strip(struct loader *loader, const struct config_route *route,
                         struct config_rewrite *rewrite)
{
    bool is_own = rewrite->prefix.origin.line == 0;
    if (is_own && route->match == CONFIG_MATCH_REGEX) {
        config_error(loader->findings, rewrite->origin,
                     "\"true\" strips the prefix of the route, and this one has a regex; write the path");
        return;
    }
    if (is_own)
        rewrite->prefix = (struct config_text){without_slash(route->pattern), route->pattern_origin};
    struct slice prefix = rewrite->prefix.text;
    if (is_own && prefix.len == 0)
        config_warning(loader->findings, rewrite->origin,
                       "strip_prefix does nothing here: the route's prefix is \"/\"; leave it out");
    else if (!can_begin_with(route, prefix))
        config_warning(loader->findings, rewrite->origin,
                       "strip_prefix does nothing here: no path of the route begins with \"%.*s\"",
                       SLICE_ARGS(prefix));
}

static void warn_useless(struct loader *loader, const struct yaml_node *setting)
{
    if (setting)
        config_warning(loader->findings, setting->key->origin,
                       "%.*s does nothing here: the route has no upstream; leave it out",
                       SLICE_ARGS(setting->key->text));
}

/* Settings that stand in the route and concern the upstream that it does not have. */
static void check_answered(struct loader *loader, const struct yaml_node *node)
{
    size_t count;
    const struct setting *rows = schema_rows(SECTION_inherited, &count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].type != SETTING_KEY) /* the others are the policies', which guard answers too */
            warn_useless(loader, yaml_tree_find(node, rows[i].key));
    warn_useless(loader, yaml_tree_find(node, "strip_prefix"));
    warn_useless(loader, yaml_tree_find(node, "rewrite"));
}

static unsigned count_destinations(const struct yaml_node *node)
{
    static const char *const keys[] = {"upstream", "redirect", "respond"};
    unsigned count = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        count += yaml_tree_find(node, keys[i]) != NULL;
    return count;
}

void config_finish_route(struct loader *loader, const struct yaml_node *node, struct config_route *route)
{
    struct config_scope *scope = &route->scope;
    unsigned destinations = count_destinations(node);
    if (destinations == 0)
        config_error(loader->findings, node->origin, "a route needs one of upstream, redirect and respond");
    if (destinations > 1)
        config_error(loader->findings, node->origin,
                     "a route has one of upstream, redirect and respond, not %s",
                     destinations == 2 ? "two" : "three");
    if (destinations == 1 && !yaml_tree_find(node, "upstream"))
        check_answered(loader, node);
    bool is_regex = route->match == CONFIG_MATCH_REGEX;
    struct config_text pattern = {route->pattern, route->pattern_origin};
    if (scope->redirect && is_regex)
        scope->redirect->regex = pattern;
    if (scope->rewrite && scope->rewrite->strips)
        finish_strip(loader, route, scope->rewrite);
    else if (scope->rewrite && is_regex && scope->rewrite->regex.origin.line == 0) {
        scope->rewrite->regex = pattern;
        scope->rewrite->is_route_regex = true;
    }
}
