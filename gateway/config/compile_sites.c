/*
 * Sites, hosts and routes from all files. Settings are inherited by copying: a route's scope begins as its
 * site's, a site's as the defaults, origins included; what is written overwrites. Which route shadows another
 * is not known here.
 */
#include "config/internal.h"

#include "config/names.h"

/* A site while its keys are read. */
struct site_draft {
    struct config_site *site;
    const struct yaml_node *routes;
};

static void read_host(struct loader *loader, const struct yaml_node *node, struct config_host *host)
{
    host->origin = config_keep_origin(loader, node->origin);
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a host"))
        return;
    char *name = arena_copy(&loader->config->arena, node->text);
    for (size_t i = 0; i < node->text.len; i++)
        name[i] = ascii_lower(name[i]);
    host->name = slice_make(name, node->text.len);
    const char *problem = names_check_host(host->name);
    struct slice shown = schema_shown(node);
    if (problem)
        config_error(loader->findings, node->origin, "\"%.*s\": %s", SLICE_ARGS(shown), problem);
}

void config_read_hosts(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                       void *object)
{
    (void)row;
    struct config_site *site = ((struct site_draft *)object)->site;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of hosts"))
        return;
    if (node->count == 0)
        config_error(loader->findings, node->origin, "a site needs at least one host; \"*\" stands for any");
    site->hosts = arena_zalloc(&loader->config->arena, (node->count + 1) * sizeof *site->hosts);
    for (const struct yaml_node *child = node->children; child; child = child->next)
        read_host(loader, child, &site->hosts[site->host_count++]);
}

void config_read_client_certificates(struct loader *loader, const struct setting *row,
                                     const struct yaml_node *node, void *object)
{
    (void)row;
    struct config_client_certificates *wanted = &((struct site_draft *)object)->site->client_certificates;
    wanted->origins = config_new_origins(loader, SECTION_client_certificates);
    struct section_target target = {.object = wanted, .settings = wanted, .origins = wanted->origins};
    if (schema_expect(loader->findings, node, YAML_MAP, "a mapping, as { ca: ca.pem, verify: require }"))
        config_read_section(loader, SECTION_client_certificates, node, target);
}

/* Routes are read when all settings of the site are known. */
void config_read_routes(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                        void *object)
{
    (void)row;
    if (schema_expect(loader->findings, node, YAML_LIST, "a list of routes"))
        ((struct site_draft *)object)->routes = node;
}

void config_read_route_upstream(struct loader *loader, const struct setting *row,
                                const struct yaml_node *node, void *object)
{
    (void)row;
    if (schema_expect(loader->findings, node, YAML_TEXT, "the name of an upstream"))
        ((struct config_route *)object)->upstream = config_find_upstream(loader, node);
}

static void warn_wildcard(struct loader *loader, const struct yaml_node *node, struct slice path)
{
    bool ends_in_star = path.len >= 2 && path.at[path.len - 1] == '*' && path.at[path.len - 2] == '/';
    if (ends_in_star)
        config_warning(
            loader->findings, node->origin,
            "\"*\" is an ordinary character here; a prefix matches everything below it without one");
}

void config_read_pattern(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                         void *object)
{
    struct config_route *route = object;
    if (route->pattern_origin.line > 0) {
        config_error(loader->findings, node->key->origin,
                     "a route has one of prefix, path and regex, not two");
        return;
    }
    route->pattern_origin = config_keep_origin(loader, node->origin);
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a path or an expression"))
        return;
    route->match = strcmp(row->key, "prefix") == 0 ? CONFIG_MATCH_PREFIX
                   : strcmp(row->key, "path") == 0 ? CONFIG_MATCH_EXACT
                                                   : CONFIG_MATCH_REGEX;
    if (route->match == CONFIG_MATCH_REGEX) {
        route->pattern = config_keep(loader, node->text);
        return;
    }
    const char *problem = names_canonical_path(&loader->config->arena, node->text, &route->pattern);
    struct slice shown = schema_shown(node);
    if (problem)
        config_error(loader->findings, node->origin, "\"%.*s\": %s", SLICE_ARGS(shown), problem);
    else
        warn_wildcard(loader, node, route->pattern);
}

/* A copy of the settings with origins of its own. */
static struct config_scope inherit(struct loader *loader, const struct config_scope *from)
{
    size_t count;
    schema_rows(SECTION_inherited, &count);
    struct config_scope copy = *from;
    copy.index = loader->config->scope_count++;
    copy.origins = config_new_origins(loader, SECTION_inherited);
    memcpy(copy.origins, from->origins, count * sizeof *copy.origins);
    return copy;
}

static void read_route(struct loader *loader, const struct yaml_node *node, struct config_route *route)
{
    struct config_scope *scope = &route->scope;
    *scope = inherit(loader, &route->site->scope);
    route->origin = config_keep_origin(loader, node->origin);
    struct section_target target = {.object = route, .settings = scope, .origins = scope->origins};
    if (!schema_expect(loader->findings, node, YAML_MAP, "a mapping, as { prefix: /, upstream: app }"))
        return;
    bool all_known = config_read_section(loader, SECTION_route, node, target);
    if (all_known && route->pattern_origin.line == 0)
        config_error(loader->findings, node->origin, "a route needs one of prefix, path and regex");
    if (all_known)
        config_finish_route(loader, node, route);
}

static void read_routes(struct loader *loader, const struct site_draft *draft)
{
    struct config_site *site = draft->site;
    if (draft->routes->count == 0)
        config_error(loader->findings, draft->routes->origin, "a site needs at least one route");
    site->routes = arena_zalloc(&loader->config->arena, (draft->routes->count + 1) * sizeof *site->routes);
    for (const struct yaml_node *node = draft->routes->children; node; node = node->next) {
        struct config_route *route = &site->routes[site->route_count];
        route->site = site;
        route->index = site->route_count++;
        read_route(loader, node, route);
    }
}

static void read_site(struct loader *loader, const struct yaml_node *node, struct config_site *site)
{
    struct site_draft draft = {.site = site};
    struct config_scope *scope = &site->scope;
    *scope = inherit(loader, &loader->config->defaults);
    site->origin = config_keep_origin(loader, node->origin);
    if (!schema_expect(loader->findings, node, YAML_MAP, "a mapping with hosts and routes"))
        return;
    struct section_target target = {.object = &draft, .settings = scope, .origins = scope->origins};
    schema_set_defaults(SECTION_client_certificates, &site->client_certificates);
    config_read_section(loader, SECTION_site, node, target);
    if (draft.routes)
        read_routes(loader, &draft);
}

void config_compile_sites(struct loader *loader)
{
    struct config *config = loader->config;
    uint32_t count = 0;
    for (const struct pending *pending = loader->sites; pending; pending = pending->next)
        count += pending->node->count;
    config->sites = arena_zalloc(&config->arena, (count + 1) * sizeof *config->sites);
    for (const struct pending *pending = loader->sites; pending; pending = pending->next) {
        loader->file = pending->file;
        for (const struct yaml_node *node = pending->node->children; node; node = node->next) {
            struct config_site *site = &config->sites[config->site_count];
            site->index = config->site_count++;
            read_site(loader, node, site);
        }
    }
}
