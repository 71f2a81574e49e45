/*
 * The reader of `forward_auth`. The upstream that judges is looked up when all files have been read:
 * `defaults` may name it before it stands anywhere.
 */
#include "config/internal.h"

void config_read_auth_upstream(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                               void *object)
{
    (void)row;
    if (schema_expect(loader->findings, node, YAML_TEXT, "the name of an upstream"))
        ((struct config_forward_auth *)object)->upstream_node = node;
}

/* Whether the text may stand in a request line as it is. */
static bool is_target(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= 0x20 || text.at[i] >= 0x7f || text.at[i] == '#')
            return false;
    return text.len > 0 && text.at[0] == '/';
}

void config_read_auth_path(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                           void *object)
{
    (void)row;
    struct config_forward_auth *auth = object;
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a path"))
        return;
    struct slice shown = schema_shown(node);
    if (!is_target(node->text))
        config_error(loader->findings, node->origin,
                     "\"%.*s\" is no path; it begins with / and is percent-encoded", SLICE_ARGS(shown));
    auth->path =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
}

void config_read_auth_copy(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                           void *object)
{
    (void)row;
    struct config_forward_auth *auth = object;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of fields, as [Remote-User]"))
        return;
    auth->copy = arena_zalloc(&loader->config->arena, (node->count + 1) * sizeof *auth->copy);
    auth->copy_count = 0;
    for (const struct yaml_node *child = node->children; child; child = child->next)
        if (schema_expect(loader->findings, child, YAML_TEXT, "a field, as Remote-User"))
            auth->copy[auth->copy_count++] = (struct config_text){config_keep(loader, child->text),
                                                                  config_keep_origin(loader, child->origin)};
}

/* What a scope begins with: what it inherits, or the defaults; with origins of its own. */
static void begin(struct loader *loader, struct config_forward_auth *auth,
                  const struct config_forward_auth *from)
{
    size_t count;
    schema_rows(SECTION_forward_auth, &count);
    if (from)
        *auth = *from;
    else
        schema_set_defaults(SECTION_forward_auth, auth);
    if (auth->path.text.len == 0)
        auth->path.text = SLICE("/");
    auth->origins = config_new_origins(loader, SECTION_forward_auth);
    if (from)
        memcpy(auth->origins, from->origins, count * sizeof *auth->origins);
}

void config_read_forward_auth(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    struct config_scope *scope = object;
    struct config_forward_auth *auth = arena_zalloc(&loader->config->arena, sizeof *auth);
    bool is_off = node->kind == YAML_TEXT && slice_equal(node->text, SLICE("off"));
    begin(loader, auth, is_off ? NULL : scope->forward_auth);
    auth->origin = config_keep_origin(loader, node->origin);
    scope->forward_auth = auth;
    if (is_off || !schema_expect(loader->findings, node, YAML_MAP, "a mapping with upstream, or off"))
        return;
    struct section_target target = {.object = auth, .settings = auth, .origins = auth->origins};
    bool all_known = config_read_section(loader, SECTION_forward_auth, node, target);
    if (all_known && auth->upstream_node == NULL)
        config_error(loader->findings, node->origin, "forward_auth needs upstream: the service that judges");
    struct asked_upstream *asked = arena_alloc(&loader->trees, sizeof *asked);
    *asked = (struct asked_upstream){loader->asked_upstreams, auth};
    loader->asked_upstreams = asked;
}

void config_find_asked_upstreams(struct loader *loader)
{
    for (struct asked_upstream *asked = loader->asked_upstreams; asked; asked = asked->next) {
        if (asked->auth->upstream_node)
            asked->auth->upstream = config_find_upstream(loader, asked->auth->upstream_node);
        asked->auth->upstream_node = NULL;
    }
}
