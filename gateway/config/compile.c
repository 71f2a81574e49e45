/*
 * A configuration from its files: the main one, then what it includes, then upstreams, then sites, so that
 * every name is known when it is looked up and everything wrong is said at once. The readers here are those
 * of the top level; upstreams and sites have files of their own.
 */
#include "base/read_file.h"
#include "config/internal.h"
#include "config/substitute.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { LISTENERS_MAX = 64, INCLUDED_MAX = 1000 };

static struct pending *push(struct loader *loader, struct pending *list, const struct yaml_node *node)
{
    struct pending *pending = arena_alloc(&loader->trees, sizeof *pending);
    *pending = (struct pending){list, node, loader->file};
    return pending;
}

void config_read_upstreams(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                           void *object)
{
    (void)row, (void)object;
    if (schema_expect(loader->findings, node, YAML_MAP, "a mapping of names"))
        loader->upstreams = push(loader, loader->upstreams, node);
}

void config_read_sites(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                       void *object)
{
    (void)row, (void)object;
    loader->has_sites = true;
    if (schema_expect(loader->findings, node, YAML_LIST, "a list of sites"))
        loader->sites = push(loader, loader->sites, node);
}

void config_read_includes(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                          void *object)
{
    (void)row, (void)object;
    if (node->kind == YAML_LIST ||
        schema_expect(loader->findings, node, YAML_TEXT, "a file or a list of files"))
        loader->includes = push(loader, loader->includes, node);
}

void config_read_defaults(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                          void *object)
{
    (void)row, (void)object;
    struct config_scope *scope = &loader->config->defaults;
    struct section_target target = {.settings = scope, .origins = scope->origins};
    if (schema_expect(loader->findings, node, YAML_MAP, "a mapping"))
        config_read_section(loader, SECTION_inherited, node, target);
}

static void read_name(struct loader *loader, const struct yaml_node *node, struct config_text *name)
{
    name->origin = config_keep_origin(loader, node->origin);
    if (schema_expect(loader->findings, node, YAML_TEXT, "a name"))
        name->text = config_keep(loader, node->text);
}

void config_read_process_user(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    read_name(loader, node, &((struct config_process *)object)->user);
}

void config_read_process_group(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                               void *object)
{
    (void)row;
    read_name(loader, node, &((struct config_process *)object)->group);
}

void config_read_trusted_hops(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    enum { HOPS_MAX = 16 };
    (void)row;
    struct config *config = object;
    uint64_t hops = 0;
    struct slice shown = schema_shown(node);
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a number of proxies"))
        return;
    if (value_parse(VALUE_COUNT, node->text, &hops) != VALUE_OK || hops < 1 || hops > HOPS_MAX)
        config_error(loader->findings, node->origin,
                     "expected a number of proxies from 1 to %d, found \"%.*s\"", HOPS_MAX,
                     SLICE_ARGS(shown));
    config->trusted_hops = (uint32_t)hops;
    config->trusted_hops_origin = config_keep_origin(loader, node->origin);
}

void config_read_listener_address(struct loader *loader, const struct setting *row,
                                  const struct yaml_node *node, void *object)
{
    (void)row;
    struct config_listener *listener = object;
    struct address ignored;
    listener->origin = config_keep_origin(loader, node->origin);
    if (!config_read_endpoint(loader, node, &listener->text, &listener->name))
        return;
    bool is_literal = listener->name.is_unix || listener->name.host.len == 0 ||
                      address_from_literal(listener->name.host, listener->name.port, &ignored);
    struct slice shown = config_shown_endpoint(node);
    if (!is_literal)
        config_error(loader->findings, node->origin,
                     "\"%.*s\" is not an IP address and port; write \"127.0.0.1:%u\" or \":%u\"",
                     SLICE_ARGS(shown), listener->name.port, listener->name.port);
}

static void read_listener(struct loader *loader, const struct yaml_node *node,
                          struct config_listener *listener)
{
    schema_set_defaults(SECTION_listener, listener);
    listener->origin = config_keep_origin(loader, node->origin);
    listener->origins = config_new_origins(loader, SECTION_listener);
    struct section_target target = {.object = listener, .settings = listener, .origins = listener->origins};
    if (node->kind == YAML_MAP)
        config_read_section(loader, SECTION_listener, node, target);
    else
        config_read_listener_address(loader, NULL, node, listener);
}

/* Whether both would bind the same: ":80" is every address of both families. */
static bool same_listener(const struct config_listener *a, const struct config_listener *b)
{
    if (a->name.is_unix != b->name.is_unix || a->name.port != b->name.port || !a->text.at || !b->text.at)
        return false;
    const struct config_listener *every = a->name.host.len == 0 ? a : b, *other = every == a ? b : a;
    bool is_any =
        slice_equal(other->name.host, SLICE("0.0.0.0")) || slice_equal(other->name.host, SLICE("::"));
    struct address x, y;
    if (every->name.host.len == 0)
        return other->name.host.len == 0 || is_any;
    if (address_from_literal(a->name.host, a->name.port, &x) &&
        address_from_literal(b->name.host, b->name.port, &y))
        return address_equal(&x, &y);
    return slice_equal(a->name.host, b->name.host);
}

static void check_listener(struct loader *loader, const struct config_listener *listener)
{
    for (const struct config_listener *other = loader->config->listeners; other < listener; other++)
        if (same_listener(other, listener)) {
            config_error(loader->findings, listener->origin, "this address is already listened on by line %u",
                         other->origin.line);
            return;
        }
}

void config_read_listeners(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                           void *object)
{
    (void)row;
    struct config *config = object;
    loader->has_listen = true;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of addresses"))
        return;
    if (node->count > LISTENERS_MAX) {
        config_error(loader->findings, node->origin, "more than %d listeners", LISTENERS_MAX);
        return;
    }
    config->listeners = arena_zalloc(&config->arena, (node->count + 1) * sizeof *config->listeners);
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        struct config_listener *listener = &config->listeners[config->listener_count++];
        read_listener(loader, child, listener);
        check_listener(loader, listener);
    }
}

/* The parent folder of a path as it was written. */
static const char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_copy(arena, slice_make(path, (size_t)(slash - path)));
}

static struct source_file *new_file(struct loader *loader, const char *name, bool is_memory)
{
    struct source_file *file = arena_alloc(&loader->trees, sizeof *file);
    file->name = arena_copy(&loader->config->arena, slice_of(name));
    file->folder = is_memory ? NULL : folder_of(&loader->trees, name);
    return file;
}

static void read_text(struct loader *loader, struct source_file *file, struct slice text,
                      enum section_id section)
{
    struct yaml_node *tree = NULL;
    if (text.len > YAML_FILE_MAX)
        config_error(loader->findings, (struct config_origin){file->name, 0, 0, NULL}, "is larger than 1MiB");
    else
        tree = yaml_tree_parse(&loader->trees, file->name, text, loader->findings);
    if (!tree || !schema_expect(loader->findings, tree, YAML_MAP, "a mapping")) {
        loader->is_incomplete = true;
        return;
    }
    loader->file = file;
    substitute_tree(loader, tree);
    config_read_section(loader, section, tree, (struct section_target){.object = loader->config});
}

static void read_path(struct loader *loader, const char *path, struct config_origin asker,
                      enum section_id section)
{
    struct slice text;
    struct source_file *file = new_file(loader, path, false);
    const char *problem = read_file(&loader->trees, path, YAML_FILE_MAX, &text);
    if (!problem) {
        read_text(loader, file, text, section);
        return;
    }
    loader->is_incomplete = true;
    if (asker.line > 0)
        config_error(loader->findings, asker, "%s %s", path, problem);
    else
        config_error(loader->findings, (struct config_origin){file->name, 0, 0, NULL}, "%s", problem);
}

/* `folder`/`pattern`, with what glob() would take for wildcards in the folder's name escaped. */
static const char *glob_pattern(struct arena *arena, const char *folder, struct slice pattern)
{
    if (pattern.at[0] == '/' || strcmp(folder, ".") == 0)
        return pattern.at;
    char *text = arena_alloc(arena, 2 * strlen(folder) + pattern.len + 2), *end = text;
    for (; *folder; folder++) {
        if (strchr("*?[\\", *folder))
            *end++ = '\\';
        *end++ = *folder;
    }
    *end++ = '/';
    memcpy(end, pattern.at, pattern.len + 1);
    return text;
}

static bool same_path(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void read_matches(struct loader *loader, struct file_names matches, const struct pending *include,
                         const struct yaml_node *node)
{
    for (size_t i = 0; i < matches.count; i++)
        if (same_path(matches.at[i], include->file->name))
            config_error(loader->findings, node->origin, "the file includes itself");
        else
            read_path(loader, matches.at[i], node->origin, SECTION_included);
}

static void include_pattern(struct loader *loader, const struct pending *include,
                            const struct yaml_node *node)
{
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a file"))
        return;
    if (!include->file->folder) {
        config_error(loader->findings, node->origin, "include works only in a file");
        return;
    }
    struct slice shown = schema_shown(node);
    struct file_names matches =
        find_files(&loader->trees, glob_pattern(&loader->trees, include->file->folder, node->text));
    bool has_wildcard = strpbrk(node->text.at, "*?[") != NULL;
    if (matches.count == 0 && has_wildcard)
        config_warning(loader->findings, node->origin, "no file matches \"%.*s\"", SLICE_ARGS(shown));
    else if (matches.count == 0)
        config_error(loader->findings, node->origin, "no file \"%.*s\"", SLICE_ARGS(shown));
    else if (matches.count > INCLUDED_MAX)
        config_error(loader->findings, node->origin, "more than %d files match", INCLUDED_MAX);
    else
        read_matches(loader, matches, include, node);
}

static struct pending *turn_around(struct pending *list)
{
    struct pending *turned = NULL;
    while (list) {
        struct pending *next = list->next;
        list->next = turned;
        turned = list;
        list = next;
    }
    return turned;
}

static void read_includes(struct loader *loader)
{
    for (const struct pending *include = turn_around(loader->includes); include; include = include->next) {
        if (include->node->kind == YAML_TEXT)
            include_pattern(loader, include, include->node);
        for (const struct yaml_node *child = include->node->children; child; child = child->next)
            include_pattern(loader, include, child);
    }
    loader->upstreams = turn_around(loader->upstreams);
    loader->sites = turn_around(loader->sites);
}

static void check_whole(struct loader *loader)
{
    const struct config *config = loader->config;
    struct config_origin start = {config->file.at, 1, 1, NULL};
    if (loader->is_incomplete)
        return;
    /* what is there but wrong has been reported already */
    bool is_wrong = loader->findings->errors > 0;
    if (config->listener_count == 0 && !(loader->has_listen && is_wrong))
        config_error(loader->findings, start, "nothing to listen on; add listen: with at least one address");
    if (config->site_count == 0 && !(loader->has_sites && is_wrong))
        config_error(loader->findings, start, "nothing to serve; add sites: with at least one site");
    if (config->trusted_hops > 0 && config->trusted_proxy_count == 0 && !is_wrong)
        config_error(
            loader->findings, config->trusted_hops_origin,
            "nobody is believed: list the networks that the proxies connect from in trusted_proxies");
    for (uint32_t i = 0; i < config->upstream_count && !is_wrong; i++)
        if (!loader->is_used[i])
            config_warning(loader->findings, config->upstreams[i].origin,
                           "no route uses the upstream \"%.*s\"", SLICE_ARGS(config->upstreams[i].name));
    if (!is_wrong)
        config_check_tls(loader);
}

static void set_defaults(struct loader *loader)
{
    size_t count;
    const struct setting *rows = schema_rows(SECTION_root, &count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].type != SETTING_PART)
            continue;
        char *part = (char *)loader->config + rows[i].offset;
        struct config_origin *origins = config_new_origins(loader, rows[i].part);
        schema_set_defaults(rows[i].part, part);
        memcpy(part + rows[i].origins, &origins, sizeof origins);
    }
    loader->config->scope_count = 1;
    schema_set_defaults(SECTION_inherited, &loader->config->defaults);
    loader->config->defaults.origins = config_new_origins(loader, SECTION_inherited);
}

static void start(struct loader *loader, const char *name, struct config_findings *findings)
{
    *loader = (struct loader){.config = calloc(1, sizeof *loader->config), .findings = findings};
    CHECK(loader->config != NULL);
    arena_init(&loader->config->arena, NULL, 0);
    arena_init(&loader->trees, NULL, 0);
    loader->config->file = config_keep(loader, slice_of(name));
    findings->main_file = arena_copy(&findings->arena, slice_of(name));
    set_defaults(loader);
}

/* Makes the configuration from what the files say; NULL when anything is wrong. */
static struct config *finish(struct loader *loader)
{
    read_includes(loader);
    config_compile_upstreams(loader);
    config_compile_sites(loader);
    config_find_asked_upstreams(loader);
    config_link_limits(loader);
    check_whole(loader);
    arena_fini(&loader->trees);
    if (loader->findings->errors > 0)
        config_free(&loader->config);
    return loader->config;
}

struct config *config_load(const char *path, struct config_findings *findings)
{
    struct loader loader;
    start(&loader, path, findings);
    read_path(&loader, path, (struct config_origin){0}, SECTION_root);
    return finish(&loader);
}

struct config *config_load_text(const char *name, struct slice text, struct config_findings *findings)
{
    struct loader loader;
    start(&loader, name, findings);
    read_text(&loader, new_file(&loader, name, true), text, SECTION_root);
    return finish(&loader);
}

void config_free(struct config **config)
{
    if (!*config)
        return;
    arena_fini(&(*config)->arena);
    free(*config);
    *config = NULL;
}
