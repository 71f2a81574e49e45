/*
 * The readers of redirect, respond and maintenance: answers that need no upstream. What a template means is
 * not known here; that a route has but one destination is checked in config/compile_rewrite.c.
 */
#include "config/internal.h"

#include "base/read_file.h"

enum { CONTENT_MAX = 64 << 10, NETWORKS_MAX = 10000 };

static void read_text(struct loader *loader, const struct yaml_node *node, struct config_text *text,
                      const char *wanted)
{
    text->origin = config_keep_origin(loader, node->origin);
    if (schema_expect(loader->findings, node, YAML_TEXT, wanted))
        text->text = config_keep(loader, node->text);
}

static void read_content(struct loader *loader, const struct yaml_node *node, struct config_text *text)
{
    text->origin = config_keep_origin(loader, node->origin);
    if (node->kind == YAML_TEXT) /* which may be empty */
        text->text = config_keep(loader, node->text);
    else
        schema_expect(loader->findings, node, YAML_TEXT, "a text");
    if (text->text.len > CONTENT_MAX)
        config_error(loader->findings, node->origin, "the content is longer than %d KiB", CONTENT_MAX >> 10);
}

/* RFC 9110 section 8.3.1, loosely: a name with a slash and whatever follows, without a byte that would end a
 * field. */
static void read_type(struct loader *loader, const struct yaml_node *node, struct config_text *type)
{
    read_text(loader, node, type, "a media type, as text/html");
    bool is_legal = type->text.len > 0 && memchr(type->text.at, '/', type->text.len);
    for (size_t i = 0; i < type->text.len; i++)
        is_legal = is_legal && type->text.at[i] >= ' ' && type->text.at[i] < 0x7f;
    struct slice shown = schema_shown(node);
    if (!is_legal && node->kind == YAML_TEXT)
        config_error(loader->findings, node->origin,
                     "\"%.*s\" is no media type; they are written as text/html", SLICE_ARGS(shown));
}

/* --- redirect --- */

void config_read_redirect_to(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                             void *object)
{
    (void)row;
    read_text(loader, node, &((struct config_route_redirect *)object)->to,
              "a URL, as https://example.com%{target}");
}

void config_read_redirect(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                          void *object)
{
    struct config_route_redirect *redirect = arena_zalloc(&loader->config->arena, sizeof *redirect);
    schema_set_defaults(SECTION_redirect, redirect);
    redirect->origins = config_new_origins(loader, SECTION_redirect);
    redirect->origin = config_keep_origin(loader, node->origin);
    ((struct config_route *)object)->scope.redirect = redirect;
    struct section_target target = {.object = redirect, .settings = redirect, .origins = redirect->origins};
    if (node->kind == YAML_TEXT)
        config_read_redirect_to(loader, row, node, redirect);
    else if (schema_expect(loader->findings, node, YAML_MAP,
                           "a URL or a mapping, as { to: /new, status: 301 }"))
        config_read_section(loader, SECTION_redirect, node, target);
}

/* --- respond --- */

void config_read_respond_body(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    read_content(loader, node, &((struct config_respond *)object)->body);
}

void config_read_respond_type(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    read_type(loader, node, &((struct config_respond *)object)->type);
}

static void check_respond(struct loader *loader, const struct yaml_node *node,
                          const struct config_respond *respond)
{
    bool has_content = respond->body.text.len > 0;
    if (respond->status >= 300 && respond->status < 400)
        config_error(loader->findings, node->origin, "%u is a redirect: write `redirect: URL`",
                     respond->status);
    else if (has_content && (respond->status == 204 || respond->status == 205))
        config_error(loader->findings, node->origin, "an answer with %u has no content", respond->status);
}

void config_read_respond(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                         void *object)
{
    (void)row;
    struct config_respond *respond = arena_zalloc(&loader->config->arena, sizeof *respond);
    schema_set_defaults(SECTION_respond, respond);
    respond->origins = config_new_origins(loader, SECTION_respond);
    respond->origin = config_keep_origin(loader, node->origin);
    ((struct config_route *)object)->scope.respond = respond;
    const struct setting *status = schema_find(SECTION_respond, SLICE("status"));
    struct section_target target = {.object = respond, .settings = respond, .origins = respond->origins};
    if (node->kind == YAML_TEXT && schema_read_scalar(loader->findings, status, node, respond))
        respond->origins[schema_slot(status)] = respond->origin;
    else if (node->kind != YAML_TEXT && schema_expect(loader->findings, node, YAML_MAP,
                                                      "a status or a mapping, as { status: 200, body: ok }"))
        config_read_section(loader, SECTION_respond, node, target);
    check_respond(loader, node, respond);
}

/* --- maintenance --- */

static bool refers_to_nothing(const struct yaml_node *node)
{
    return node->kind == YAML_TEXT && node->text.len == 0;
}

/* Of body and file the one that was read last counts; both in one mapping are an error. */
void config_read_maintenance_body(struct loader *loader, const struct setting *row,
                                  const struct yaml_node *node, void *object)
{
    (void)row;
    struct config_maintenance *maintenance = object;
    read_content(loader, node, &maintenance->body);
    maintenance->file = (struct config_text){.text = {NULL, 0}};
}

void config_read_maintenance_file(struct loader *loader, const struct setting *row,
                                  const struct yaml_node *node, void *object)
{
    (void)row;
    struct config_maintenance *maintenance = object;
    maintenance->body = (struct config_text){.text = {NULL, 0}};
    maintenance->file.origin = config_keep_origin(loader, node->origin);
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a file"))
        return;
    if (loader->file->folder == NULL || refers_to_nothing(node)) {
        config_error(loader->findings, node->origin, "a file can be named only in a file");
        return;
    }
    maintenance->file.text = config_absolute(loader, node->text);
    const char *path = arena_copy(&loader->trees, maintenance->file.text);
    struct slice page = {NULL, 0};
    const char *problem = config_read_file(loader, path, CONTENT_MAX, &page);
    struct slice shown = schema_shown(node);
    if (problem)
        config_error(loader->findings, node->origin, "%.*s %s", SLICE_ARGS(shown), problem);
    maintenance->page = config_keep(loader, page);
}

void config_read_maintenance_type(struct loader *loader, const struct setting *row,
                                  const struct yaml_node *node, void *object)
{
    (void)row;
    read_type(loader, node, &((struct config_maintenance *)object)->type);
}

void config_read_maintenance_allow(struct loader *loader, const struct setting *row,
                                   const struct yaml_node *node, void *object)
{
    (void)row;
    struct config_maintenance *maintenance = object;
    struct arena *arena = &loader->config->arena;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of networks"))
        return;
    maintenance->allow = arena_zalloc(arena, (node->count + 1) * sizeof *maintenance->allow);
    maintenance->allow_texts = arena_zalloc(arena, (node->count + 1) * sizeof *maintenance->allow_texts);
    maintenance->allow_count = 0;
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        uint32_t at = maintenance->allow_count;
        if (!config_read_network(loader, child, &maintenance->allow[at]))
            continue;
        maintenance->allow_texts[at] =
            (struct config_text){config_keep(loader, child->text), config_keep_origin(loader, child->origin)};
        maintenance->allow_count++;
    }
}

/* What is inherited, or the defaults, with origins of its own. */
static struct config_maintenance *new_maintenance(struct loader *loader,
                                                  const struct config_maintenance *inherited)
{
    struct config_maintenance *maintenance = arena_zalloc(&loader->config->arena, sizeof *maintenance);
    schema_set_defaults(SECTION_maintenance, maintenance);
    if (inherited)
        *maintenance = *inherited;
    maintenance->origins = config_new_origins(loader, SECTION_maintenance);
    size_t count;
    schema_rows(SECTION_maintenance, &count);
    if (inherited)
        memcpy(maintenance->origins, inherited->origins, count * sizeof *maintenance->origins);
    return maintenance;
}

void config_read_maintenance(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                             void *object)
{
    (void)row;
    struct config_scope *scope = object;
    struct config_maintenance *maintenance = new_maintenance(loader, scope->maintenance);
    const struct setting *on = schema_find(SECTION_maintenance, SLICE("on"));
    struct section_target target = {
        .object = maintenance, .settings = maintenance, .origins = maintenance->origins};
    maintenance->origin = config_keep_origin(loader, node->origin);
    maintenance->origins[schema_slot(on)] = maintenance->origin;
    maintenance->on = true;
    scope->maintenance = maintenance;
    if (node->kind == YAML_TEXT) {
        if (!schema_read_scalar(loader->findings, on, node, maintenance))
            maintenance->on = false;
        return;
    }
    if (!schema_expect(loader->findings, node, YAML_MAP, "true, false or a mapping, as { retry_after: 10m }"))
        return;
    config_read_section(loader, SECTION_maintenance, node, target);
    if (yaml_tree_find(node, "body") && yaml_tree_find(node, "file"))
        config_error(loader->findings, node->origin, "maintenance has one of body and file, not both");
}
