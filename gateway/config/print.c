/*
 * The printing of config/print.h: each KEY row of the setting tables names its function here, those of scopes
 * in config/print_scopes.c.
 */
#include "config/print.h"

#include "config/printer.h"

void config_print_nothing(struct printer *printer, const struct setting *row, const void *object)
{
    (void)printer, (void)row, (void)object; /* its effect stands elsewhere */
}

void config_print_listener_address(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_listener *listener = object;
    printer_value(printer, row->key, printer_shown(printer, listener->text, listener->origin),
                  listener->origin);
}

void config_print_listeners(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    printer_key(printer, row->key, config->listener_count == 0);
    for (uint32_t i = 0; i < config->listener_count; i++) {
        printer->indent += 4;
        printer->is_item = true;
        printer_rows(printer, SECTION_listener, &config->listeners[i], config->listeners[i].origins);
        printer->indent -= 4;
    }
}

void config_print_trusted_proxies(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    printer_key(printer, row->key, config->trusted_proxy_count == 0);
    for (uint32_t i = 0; i < config->trusted_proxy_count; i++)
        printer_element(printer, config->trusted_proxy_texts[i].text, config->trusted_proxy_texts[i].origin);
}

void config_print_trusted_hops(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    if (config->trusted_hops > 0)
        printer_value(printer, row->key, arena_printf(&printer->texts, "%u", config->trusted_hops),
                      config->trusted_hops_origin);
}

void config_print_certificate_chain(struct printer *printer, const struct setting *row, const void *object)
{
    printer_text(printer, row, &((const struct config_certificate *)object)->chain);
}

void config_print_certificate_key(struct printer *printer, const struct setting *row, const void *object)
{
    printer_text(printer, row, &((const struct config_certificate *)object)->key);
}

void config_print_certificates(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_tls *tls = object;
    printer_key(printer, row->key, tls->certificate_count == 0);
    for (uint32_t i = 0; i < tls->certificate_count; i++) {
        printer->indent += 4;
        printer->is_item = true;
        printer_rows(printer, SECTION_certificate, &tls->certificates[i], NULL);
        printer->indent -= 4;
    }
}

void config_print_client_ca(struct printer *printer, const struct setting *row, const void *object)
{
    printer_text(printer, row, &((const struct config_client_certificates *)object)->ca);
}

void config_print_client_certificates(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_client_certificates *wanted =
        &((const struct config_site *)object)->client_certificates;
    if (wanted->ca.text.len == 0)
        return;
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_client_certificates, wanted, wanted->origins);
    printer->indent -= 2;
}

void config_print_upstream_ca(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_text *ca = &((const struct config_upstream_tls *)object)->ca;
    if (ca->text.len > 0)
        printer_text(printer, row, ca);
}

void config_print_process_user(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_text *user = &((const struct config_process *)object)->user;
    if (user->text.len > 0)
        printer_text(printer, row, user);
}

void config_print_process_group(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_text *group = &((const struct config_process *)object)->group;
    if (group->text.len > 0)
        printer_text(printer, row, group);
}

void config_print_upstream_server_name(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_text *name = &((const struct config_upstream_tls *)object)->server_name;
    if (name->text.len > 0)
        printer_text(printer, row, name);
}

void config_print_upstream_tls(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_upstream_tls *tls = &((const struct config_upstream *)object)->tls;
    if (!tls->on)
        return;
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_upstream_tls, tls, tls->origins);
    printer->indent -= 2;
}

void config_print_queue(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_upstream *upstream = object;
    if (upstream->connections_max == 0)
        return;
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_queue, &upstream->queue, upstream->queue.origins);
    printer->indent -= 2;
}

void config_print_servers(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_upstream *upstream = object;
    printer_key(printer, row->key, upstream->server_count == 0);
    for (uint32_t i = 0; i < upstream->server_count; i++)
        printer_element(printer, upstream->servers[i].text, upstream->servers[i].origin);
}

void config_print_upstreams(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    printer_key(printer, row->key, false);
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        const struct config_upstream *upstream = &config->upstreams[i];
        struct slice name = printer_quote(&printer->texts, upstream->name, false);
        printer->indent += 2;
        printer_indent(printer);
        fprintf(printer->out, "%.*s:", SLICE_ARGS(name));
        printer_origin(printer, upstream->origin);
        printer->indent += 2;
        printer_rows(printer, SECTION_upstream, upstream, upstream->origins);
        printer->indent -= 4;
    }
}

void config_print_hosts(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_site *site = object;
    printer_key(printer, row->key, site->host_count == 0);
    for (uint32_t i = 0; i < site->host_count; i++)
        printer_element(printer, site->hosts[i].name, site->hosts[i].origin);
}

void config_print_pattern(struct printer *printer, const struct setting *row, const void *object)
{
    static const char *const keys[] = {
        [CONFIG_MATCH_PREFIX] = "prefix", [CONFIG_MATCH_EXACT] = "path", [CONFIG_MATCH_REGEX] = "regex"};
    const struct config_route *route = object;
    if (strcmp(keys[route->match], row->key) != 0)
        return;
    struct slice pattern =
        route->match == CONFIG_MATCH_REGEX ? route->pattern : printer_path(printer, route->pattern);
    printer_value(printer, row->key, printer_shown(printer, pattern, route->pattern_origin),
                  route->pattern_origin);
}

void config_print_route_upstream(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_route *route = object;
    if (route->upstream)
        printer_value(printer, row->key, printer_quote(&printer->texts, route->upstream->name, false),
                      route->origin);
}

/* The scalars of the section concern upstreams. */
static void print_inherited(struct printer *printer, const struct config_route *route)
{
    if (route->upstream)
        printer_rows(printer, SECTION_inherited, &route->scope, route->scope.origins);
    else
        printer_keys(printer, SECTION_inherited, &route->scope);
}

void config_print_routes(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_site *site = object;
    printer_key(printer, row->key, site->route_count == 0);
    for (uint32_t i = 0; i < site->route_count; i++) {
        const struct config_route *route = &site->routes[i];
        printer->indent += 4;
        printer->is_item = true;
        printer_rows(printer, SECTION_route, route, NULL);
        print_inherited(printer, route);
        printer->indent -= 4;
    }
}

void config_print_sites(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    printer_key(printer, row->key, config->site_count == 0);
    for (uint32_t i = 0; i < config->site_count; i++) {
        printer->indent += 4;
        printer->is_item = true;
        printer_rows(printer, SECTION_site, &config->sites[i], NULL);
        printer_rows(printer, SECTION_inherited, &config->sites[i].scope, config->sites[i].scope.origins);
        printer->indent -= 4;
    }
}

/* In force for what no route is found for. */
void config_print_defaults(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_scope *scope = &((const struct config *)object)->defaults;
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_inherited, scope, scope->origins);
    printer->indent -= 2;
}

void config_print(const struct config *config, FILE *out)
{
    struct printer printer = {.out = out};
    arena_init(&printer.texts, NULL, 0);
    fprintf(out, "# %.*s, as it takes effect\n", SLICE_ARGS(config->file));
    printer_rows(&printer, SECTION_root, config, NULL);
    arena_fini(&printer.texts);
}

void config_print_route_settings(const struct config_route *route, FILE *out, int indent)
{
    struct printer printer = {.out = out, .indent = indent};
    arena_init(&printer.texts, NULL, 0);
    print_inherited(&printer, route);
    arena_fini(&printer.texts);
}
