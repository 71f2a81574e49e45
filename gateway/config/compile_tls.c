/*
 * The readers of certificates and client authorities, and what the listeners, the certificates and the sites
 * say about TLS held against each other. Paths only: whether the files are any good is judged by whoever
 * opens them.
 */
#include "config/internal.h"
#include "config/names.h"

enum { CERTIFICATES_MAX = 1000 };

static void read_path(struct loader *loader, const struct yaml_node *node, struct config_text *text)
{
    text->origin = config_keep_origin(loader, node->origin);
    if (schema_expect(loader->findings, node, YAML_TEXT, "a file"))
        text->text = config_absolute(loader, node->text);
}

void config_read_certificate_chain(struct loader *loader, const struct setting *row,
                                   const struct yaml_node *node, void *object)
{
    (void)row;
    read_path(loader, node, &((struct config_certificate *)object)->chain);
}

void config_read_certificate_key(struct loader *loader, const struct setting *row,
                                 const struct yaml_node *node, void *object)
{
    (void)row;
    read_path(loader, node, &((struct config_certificate *)object)->key);
}

void config_read_client_ca(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                           void *object)
{
    (void)row;
    read_path(loader, node, &((struct config_client_certificates *)object)->ca);
}

void config_read_upstream_ca(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                             void *object)
{
    (void)row;
    read_path(loader, node, &((struct config_upstream_tls *)object)->ca);
}

void config_read_upstream_server_name(struct loader *loader, const struct setting *row,
                                      const struct yaml_node *node, void *object)
{
    (void)row;
    struct config_text *name = &((struct config_upstream_tls *)object)->server_name;
    name->origin = config_keep_origin(loader, node->origin);
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a host"))
        return;
    const char *problem = names_check_server(node->text);
    struct slice shown = schema_shown(node);
    if (problem)
        config_error(loader->findings, node->origin, "\"%.*s\": %s", SLICE_ARGS(shown), problem);
    else
        name->text = config_keep(loader, node->text);
}

void config_read_upstream_tls(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    struct config_upstream_tls *tls = &((struct config_upstream *)object)->tls;
    tls->origin = config_keep_origin(loader, node->origin);
    if (node->kind == YAML_TEXT && slice_equal(node->text, SLICE("false")))
        return;
    tls->on = true;
    if (node->kind == YAML_TEXT && slice_equal(node->text, SLICE("true")))
        return;
    struct section_target target = {.object = tls, .settings = tls, .origins = tls->origins};
    if (schema_expect(loader->findings, node, YAML_MAP, "true or a mapping, as { ca: ca.pem }"))
        config_read_section(loader, SECTION_upstream_tls, node, target);
}

void config_read_certificates(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    struct config_tls *tls = object;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of certificates"))
        return;
    if (node->count > CERTIFICATES_MAX) {
        config_error(loader->findings, node->origin, "more than %d certificates", CERTIFICATES_MAX);
        return;
    }
    tls->certificates = arena_zalloc(&loader->config->arena, (node->count + 1) * sizeof *tls->certificates);
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        struct config_certificate *certificate = &tls->certificates[tls->certificate_count++];
        certificate->origin = config_keep_origin(loader, child->origin);
        if (schema_expect(loader->findings, child, YAML_MAP,
                          "a mapping, as { chain: fullchain.pem, key: privkey.pem }"))
            config_read_section(loader, SECTION_certificate, child,
                                (struct section_target){.object = certificate});
    }
}

/* Gives whether it speaks TLS. */
static bool check_listener(struct loader *loader, const struct config_listener *listener)
{
    const struct config *config = loader->config;
    if (listener->tls && config->tls.certificate_count == 0)
        config_error(loader->findings, listener->origin, "a listener with tls: true needs tls.certificates");
    if (listener->tls && listener->redirect == CONFIG_REDIRECT_HTTPS)
        config_error(loader->findings, listener->origin,
                     "a listener with tls: true cannot redirect to https");
    if (listener->proxy_protocol && config->trusted_proxy_count == 0 && !listener->name.is_unix)
        config_error(loader->findings, listener->origin,
                     "proxy_protocol needs trusted_proxies: without one, nobody may connect");
    return listener->tls;
}

void config_check_tls(struct loader *loader)
{
    const struct config *config = loader->config;
    bool speaks_tls = false;
    for (uint32_t i = 0; i < config->listener_count; i++)
        speaks_tls = check_listener(loader, &config->listeners[i]) || speaks_tls;
    if (config->tls.certificate_count > 0 && !speaks_tls)
        config_warning(loader->findings, config->tls.certificates[0].origin,
                       "no listener uses the certificates; add tls: true to one");
    for (uint32_t i = 0; i < config->site_count; i++) {
        const struct config_text *ca = &config->sites[i].client_certificates.ca;
        if (ca->text.len > 0 && !speaks_tls)
            config_error(loader->findings, ca->origin, "client_certificates needs a listener with tls: true");
    }
}
