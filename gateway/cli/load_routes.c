/*
 * The reading of a configuration for cli/load_routes.h, by the router that serves it. Called by load_plan.c;
 * sends nothing.
 */
#include "cli/load_routes.h"

#include "cli/cli.h"
#include "cli/lift.h"
#include "cli/modules.h"
#include "config/suggest.h"
#include "http/target.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443 };

bool load_routes_open(struct load_routes *routes, const struct load_options *options)
{
    struct config_findings findings;
    config_findings_init(&findings);
    *routes = (struct load_routes){.options = options};
    routes->snapshot = snapshot_new(options->config, config_modules, NULL, &findings);
    if (routes->snapshot == NULL)
        cli_print_findings(&findings, stderr);
    config_findings_fini(&findings);
    if (routes->snapshot == NULL)
        return false;
    if (options->trial)
        lift_listeners(routes->snapshot->config, NULL, NULL);
    reach_init(&routes->reach, routes->snapshot);
    return true;
}

void load_routes_close(struct load_routes *routes)
{
    if (routes->snapshot == NULL)
        return;
    reach_fini(&routes->reach);
    snapshot_unref(&routes->snapshot);
}

/* --- where it is --- */

static const struct config_listener *listener_of(struct load_routes *routes)
{
    const struct config *config = routes->snapshot->config;
    struct slice wanted = routes->options->listener;
    if (wanted.len == 0)
        return routes->reach.serving;
    for (uint32_t i = 0; i < config->listener_count; i++)
        if (slice_equal(config->listeners[i].text, wanted))
            return &config->listeners[i];
    fprintf(stderr, "portico: --listener %.*s: %s listens on", SLICE_ARGS(wanted), routes->options->config);
    for (uint32_t i = 0; i < config->listener_count; i++)
        fprintf(stderr, "%s %.*s", i ? "," : "", SLICE_ARGS(config->listeners[i].text));
    fputs("\n", stderr);
    return NULL;
}

static bool refuse(const struct load_routes *routes, const char *why)
{
    fprintf(stderr, "portico: %s: %s\n", routes->options->config, why);
    return false;
}

static bool address_of(const struct config_listener *listener, struct address *address_out)
{
    const struct endpoint_name *name = &listener->name;
    if (name->is_unix)
        return address_from_unix_path(name->host, address_out);
    return address_from_literal(reach_address(listener), name->port, address_out);
}

/* The host of the first site that can be asked, with the port when it is not the usual one. */
static struct slice authority_of(struct load_routes *routes, const struct config_listener *listener,
                                 struct slice host)
{
    unsigned usual = listener->tls ? PORT_HTTPS : PORT_HTTP, port = listener->name.port;
    if (port == usual || listener->name.is_unix || host.len == 0)
        return host;
    return arena_printf(&routes->reach.arena, "%.*s:%u", SLICE_ARGS(host), port);
}

static bool needs_certificate(const struct config_site *site)
{
    return site->client_certificates.ca.text.len > 0 &&
           site->client_certificates.verify == CONFIG_VERIFY_REQUIRE;
}

static struct slice host_of(struct load_routes *routes, const struct config_site *site)
{
    return needs_certificate(site) ? slice_make(NULL, 0) : reach_host(&routes->reach, site);
}

bool load_routes_target(struct load_routes *routes, struct load_target *target_out)
{
    const struct config *config = routes->snapshot->config;
    const struct config_listener *listener = listener_of(routes);
    struct load_target target = {.secure = listener && listener->tls};
    if (listener == NULL)
        return false;
    if (listener->proxy_protocol)
        return refuse(routes,
                      "its listeners expect a PROXY header, which loadtest does not send; add one without, "
                      "on 127.0.0.1, or choose one with --listener");
    if (!address_of(listener, &target.address))
        return refuse(routes, "its listener has no address that can be asked");
    for (uint32_t i = 0; i < config->site_count && target.authority.len == 0; i++)
        target.authority = authority_of(routes, listener, host_of(routes, &config->sites[i]));
    if (target.authority.len == 0)
        return refuse(routes,
                      "no site of it can be asked: their hosts are others' or they want client certificates");
    *target_out = target;
    return true;
}

/* --- what leads to its routes --- */

static bool add_route(struct load_routes *routes, const struct config_listener *listener,
                      const struct config_route *route, struct mix_entry *entry)
{
    struct slice host = host_of(routes, route->site);
    struct slice path = host.len && route->upstream ? reach_path(&routes->reach, route) : slice_make(NULL, 0);
    if (path.len == 0)
        return false;
    *entry =
        (struct mix_entry){.authority = authority_of(routes, listener, host), .target = path, .weight = 1};
    return true;
}

bool load_routes_mix(struct load_routes *routes, struct mix_entry **entries_out, unsigned *count_out)
{
    const struct config *config = routes->snapshot->config;
    const struct config_listener *listener = listener_of(routes);
    struct mix_entry *entries = arena_alloc(&routes->reach.arena, LOAD_LINES_MAX * sizeof *entries);
    unsigned count = 0;
    for (uint32_t i = 0; i < config->site_count && listener; i++)
        for (uint32_t j = 0; j < config->sites[i].route_count && count < LOAD_LINES_MAX; j++)
            count += add_route(routes, listener, &config->sites[i].routes[j], &entries[count]);
    *entries_out = entries;
    *count_out = count;
    return count > 0 ||
           refuse(routes, "no path is known that leads to a route with an upstream; write --mix");
}

/* --- whether what is asked for is served --- */

static bool refuse_entry(const struct mix_entry *entry, struct slice sentence)
{
    fprintf(stderr, "portico: --mix, at character %u: %.*s\n", entry->column, SLICE_ARGS(sentence));
    return false;
}

static bool refuse_path(struct load_routes *routes, const struct config_site *site,
                        const struct mix_entry *entry)
{
    struct slice path = slice_make(entry->target.at, strcspn(entry->target.at, "?=,"));
    struct suggestion suggestion = suggest_start(path.len < entry->target.len ? path : entry->target);
    for (uint32_t i = 0; i < site->route_count; i++)
        suggest_offer(&suggestion, site->routes[i].pattern);
    struct slice best = suggestion.best;
    return refuse_entry(entry, arena_printf(&routes->reach.arena, "no route of %s takes %.*s%s%.*s%s",
                                            routes->options->config, SLICE_ARGS(entry->target),
                                            best.len ? "; did you mean " : "", SLICE_ARGS(best),
                                            best.len ? "?" : ""));
}

bool load_routes_find(struct load_routes *routes, struct slice text, const struct mix_entry *entry,
                      const struct config_route **route_out)
{
    struct authority authority;
    struct arena *arena = &routes->reach.arena;
    const struct config_site *site = authority_parse(text, arena, &authority)
                                         ? router_find_site(routes->reach.router, authority.host)
                                         : NULL;
    if (site == NULL)
        return refuse_entry(entry, arena_printf(arena, "no site of %s has the host %.*s",
                                                routes->options->config, SLICE_ARGS(text)));
    *route_out = reach_route(&routes->reach, site, entry->target);
    return *route_out || refuse_path(routes, site, entry);
}
