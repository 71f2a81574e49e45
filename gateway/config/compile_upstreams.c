/*
 * Upstreams and their servers from all files, and the search for one by name. Names are sorted once, so that
 * a file with ten thousand of them costs no more per name.
 */
#include "config/internal.h"

#include "config/names.h"
#include "config/override.h"
#include "config/suggest.h"

#include <stdlib.h>

/* The text of an address with a relative "unix:path" made absolute. */
static struct slice keep_endpoint(struct loader *loader, struct slice text)
{
    if (!slice_starts_with(text, SLICE("unix:")) || text.len == 5)
        return config_keep(loader, text);
    struct slice path = config_absolute(loader, slice_after(text, 5));
    return arena_printf(&loader->config->arena, "unix:%.*s", SLICE_ARGS(path));
}

static const char *explain_endpoint(struct slice text)
{
    if (text.len > 0 && memmem(text.at, text.len, "://", 3))
        return "write it without scheme, as \"app:3000\"";
    return "write host:port, as \"127.0.0.1:3000\", or unix:/path";
}

struct slice config_shown_endpoint(const struct yaml_node *node)
{
    struct slice counts = config_override_find(node->text);
    return counts.at == node->text.at ? schema_shown(node) : counts;
}

bool config_read_endpoint(struct loader *loader, const struct yaml_node *node, struct slice *text_out,
                          struct endpoint_name *name_out)
{
    struct address ignored;
    struct endpoint_name name;
    if (!schema_expect(loader->findings, node, YAML_TEXT, "an address, as \"127.0.0.1:3000\""))
        return false;
    struct slice text = keep_endpoint(loader, config_override_find(node->text));
    struct slice shown = config_shown_endpoint(node);
    if (memmem(text.at, text.len, "://", 3) || !endpoint_name_parse(text, &name)) {
        config_error(loader->findings, node->origin, "\"%.*s\" is no address; %s", SLICE_ARGS(shown),
                     explain_endpoint(text));
        return false;
    }
    if (name.is_unix && !address_from_unix_path(name.host, &ignored)) {
        config_error(loader->findings, node->origin,
                     "the path of a Unix socket may have 107 bytes, this one has %zu", name.host.len);
        return false;
    }
    *text_out = text;
    *name_out = name;
    return true;
}

static void read_server(struct loader *loader, const struct yaml_node *node, struct config_server *server)
{
    server->origin = config_keep_origin(loader, node->origin);
    if (!config_read_endpoint(loader, node, &server->text, &server->name) || server->name.is_unix)
        return;
    struct slice shown = config_shown_endpoint(node);
    const char *problem = server->name.host.len == 0 ? "a server needs a host, as \"127.0.0.1:3000\""
                                                     : names_check_server(server->name.host);
    if (problem)
        config_error(loader->findings, node->origin, "\"%.*s\": %s", SLICE_ARGS(shown), problem);
}

void config_read_servers(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                         void *object)
{
    (void)row;
    struct config_upstream *upstream = object;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of addresses"))
        return;
    if (node->count == 0)
        config_error(loader->findings, node->origin, "an upstream needs at least one server");
    upstream->servers = arena_zalloc(&loader->config->arena, (node->count + 1) * sizeof *upstream->servers);
    for (const struct yaml_node *child = node->children; child; child = child->next)
        read_server(loader, child, &upstream->servers[upstream->server_count++]);
}

/* The protocol says whether there is TLS, or `tls` does. */
static void check_protocol(struct loader *loader, struct config_upstream *upstream)
{
    struct config_upstream_tls *tls = &upstream->tls;
    bool refused = tls->origin.line > 0 && !tls->on;
    if (upstream->protocol == CONFIG_PROTOCOL_H2C && tls->on)
        config_error(loader->findings, tls->origin, "h2c is HTTP/2 in clear; with TLS it is protocol: h2");
    if (upstream->protocol == CONFIG_PROTOCOL_H2 && refused)
        config_error(loader->findings, tls->origin, "h2 is HTTP/2 over TLS; in clear it is protocol: h2c");
    tls->on = tls->on || upstream->protocol == CONFIG_PROTOCOL_H2;
}

void config_read_queue(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                       void *object)
{
    (void)row;
    struct config_queue *queue = &((struct config_upstream *)object)->queue;
    struct section_target target = {.object = queue, .settings = queue, .origins = queue->origins};
    queue->origin = config_keep_origin(loader, node->origin);
    if (schema_expect(loader->findings, node, YAML_MAP, "a mapping, as { length: 100, timeout: 10s }"))
        config_read_section(loader, SECTION_queue, node, target);
}

static void read_upstream(struct loader *loader, const struct yaml_node *node,
                          struct config_upstream *upstream)
{
    upstream->name = config_keep(loader, node->key->text);
    upstream->origin = config_keep_origin(loader, node->key->origin);
    upstream->origins = config_new_origins(loader, SECTION_upstream);
    schema_set_defaults(SECTION_upstream, upstream);
    schema_set_defaults(SECTION_upstream_tls, &upstream->tls);
    upstream->tls.origins = config_new_origins(loader, SECTION_upstream_tls);
    schema_set_defaults(SECTION_queue, &upstream->queue);
    upstream->queue.origins = config_new_origins(loader, SECTION_queue);
    const char *problem = names_check_name(upstream->name);
    if (problem)
        config_error(loader->findings, upstream->origin, "%s", problem);
    if (node->kind == YAML_MAP) {
        struct section_target target = {
            .object = upstream, .settings = upstream, .origins = upstream->origins};
        config_read_section(loader, SECTION_upstream, node, target);
        check_protocol(loader, upstream);
        if (upstream->queue.origin.line > 0 && upstream->connections_max == 0)
            config_warning(loader->findings, upstream->queue.origin,
                           "without connections_max nothing ever waits in the queue");
        return;
    }
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a mapping or an address"))
        return;
    upstream->servers = arena_zalloc(&loader->config->arena, sizeof *upstream->servers);
    upstream->server_count = 1;
    read_server(loader, node, upstream->servers);
}

static int compare_names(struct slice a, struct slice b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least > 0 ? memcmp(a.at, b.at, least) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_upstreams(const void *a, const void *b)
{
    const struct config_upstream *x = *(struct config_upstream *const *)a,
                                 *y = *(struct config_upstream *const *)b;
    int order = compare_names(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void sort_names(struct loader *loader)
{
    struct config *config = loader->config;
    loader->by_name =
        arena_alloc(&loader->trees, (config->upstream_count + 1) * sizeof(struct config_upstream *));
    loader->is_used = arena_zalloc(&loader->trees, config->upstream_count + 1);
    for (uint32_t i = 0; i < config->upstream_count; i++)
        loader->by_name[i] = &config->upstreams[i];
    qsort(loader->by_name, config->upstream_count, sizeof *loader->by_name, compare_upstreams);
    for (uint32_t i = 1; i < config->upstream_count; i++) {
        const struct config_upstream *upstream = loader->by_name[i], *other = loader->by_name[i - 1];
        bool is_other_file = strcmp(upstream->origin.file, other->origin.file) != 0;
        if (is_other_file && slice_equal(upstream->name, other->name))
            config_error(loader->findings, upstream->origin,
                         "the upstream \"%.*s\" is already defined at %s:%u", SLICE_ARGS(upstream->name),
                         other->origin.file, other->origin.line);
    }
}

void config_compile_upstreams(struct loader *loader)
{
    struct config *config = loader->config;
    uint32_t count = 0;
    for (const struct pending *pending = loader->upstreams; pending; pending = pending->next)
        count += pending->node->count;
    config->upstreams = arena_zalloc(&config->arena, (count + 1) * sizeof *config->upstreams);
    for (const struct pending *pending = loader->upstreams; pending; pending = pending->next) {
        loader->file = pending->file;
        for (const struct yaml_node *node = pending->node->children; node; node = node->next) {
            struct config_upstream *upstream = &config->upstreams[config->upstream_count];
            upstream->index = config->upstream_count++;
            read_upstream(loader, node, upstream);
        }
    }
    sort_names(loader);
}

static int compare_key(const void *key, const void *element)
{
    return compare_names(*(const struct slice *)key, (*(struct config_upstream *const *)element)->name);
}

static void report_dangling(struct loader *loader, const struct yaml_node *node)
{
    struct slice shown = schema_shown(node);
    struct suggestion suggestion = suggest_start(node->text);
    for (uint32_t i = 0; i < loader->config->upstream_count && loader->findings->errors < 100; i++)
        suggest_offer(&suggestion, loader->config->upstreams[i].name);
    if (suggestion.best.len > 0)
        config_error(loader->findings, node->origin, "no upstream is called \"%.*s\"; did you mean \"%.*s\"?",
                     SLICE_ARGS(shown), SLICE_ARGS(suggestion.best));
    else
        config_error(loader->findings, node->origin, "no upstream is called \"%.*s\"", SLICE_ARGS(shown));
}

struct config_upstream *config_find_upstream(struct loader *loader, const struct yaml_node *node)
{
    struct config_upstream **found = bsearch(&node->text, loader->by_name, loader->config->upstream_count,
                                             sizeof *loader->by_name, compare_key);
    if (found) {
        loader->is_used[(*found)->index] = true;
        return *found;
    }
    if (!loader->is_incomplete)
        report_dangling(loader, node);
    return NULL;
}
