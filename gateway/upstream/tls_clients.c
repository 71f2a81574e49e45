/*
 * The module of upstream/tls_clients.h. Called on the control thread when a configuration is compiled, and by
 * each thread when it takes one over; knows neither connections nor sessions.
 */
#include "upstream/tls_clients.h"

#include "base/check.h"

#include <stdlib.h>

/* One for each upstream. */
struct tls_clients {
    uint32_t count;
    struct tls_client *of[];
};

static struct tls_client *client_of(const struct config_upstream *upstream, struct config_findings *findings)
{
    const struct config_upstream_tls *tls = &upstream->tls;
    struct slice first = upstream->servers[0].name.is_unix ? SLICE("") : upstream->servers[0].name.host;
    struct tls_client_settings settings = {.verify = tls->verify,
                                           .ca_path = tls->ca.text.len > 0 ? tls->ca.text.at : NULL,
                                           .server_name =
                                               tls->server_name.text.len > 0 ? tls->server_name.text : first,
                                           .offer_h2 = upstream->protocol == CONFIG_PROTOCOL_H2};
    struct tls_error error;
    struct tls_client *client = tls_client_new(&settings, &error);
    if (client == NULL)
        config_error(findings, tls->ca.origin, "\"%.*s\" %s", SLICE_ARGS(tls->ca.text), error.text);
    return client;
}

static void free_part(void *part)
{
    struct tls_clients *clients = part;
    for (uint32_t i = 0; clients && i < clients->count; i++)
        tls_client_unref(&clients->of[i]);
    free(clients);
}

/* One in force that is the same goes on, and with it the sessions and connections that were made with it. */
static void keep_known(const struct tls_clients *previous, struct tls_client **client)
{
    for (uint32_t i = 0; previous && *client && i < previous->count; i++) {
        struct tls_client *known = previous->of[i];
        if (known == NULL || !tls_client_equals(known, *client))
            continue;
        tls_client_unref(client);
        *client = tls_client_ref(known);
        return;
    }
}

static void *compile(const struct config *config, const void *previous, struct config_findings *findings)
{
    struct tls_clients *clients = calloc(1, sizeof *clients + config->upstream_count * sizeof clients->of[0]);
    CHECK(clients != NULL);
    clients->count = config->upstream_count;
    for (uint32_t i = 0; i < clients->count; i++)
        if (config->upstreams[i].tls.on) {
            clients->of[i] = client_of(&config->upstreams[i], findings);
            keep_known(previous, &clients->of[i]);
        }
    return clients;
}

const struct config_module tls_clients_module = {.name = "tls_clients",
                                                 .compile = compile,
                                                 .free = free_part};

struct tls_client *tls_clients_of(const struct snapshot *snapshot, uint32_t upstream)
{
    const struct tls_clients *clients = snapshot_part(snapshot, &tls_clients_module);
    return clients ? clients->of[upstream] : NULL;
}
