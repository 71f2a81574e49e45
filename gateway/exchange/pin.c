/*
 * The pin of exchange/exchange.h: how the exchanges of one thread share a snapshot without touching a shared
 * count, and how one that lasts goes on without it.
 */
#include "exchange/internal.h"

#include "upstream/tls_clients.h"

#include <stdlib.h>

struct pin *pin_new(struct snapshot *snapshot, struct clusters *clusters)
{
    const struct config *config = snapshot->config;
    struct pin *pin = calloc(1, sizeof *pin);
    CHECK(pin != NULL);
    *pin = (struct pin){.refs = 1,
                        .snapshot = snapshot,
                        .config = config,
                        .router = snapshot_part(snapshot, &route_module),
                        .pipeline = snapshot_part(snapshot, &pipeline_module)};
    pin->clusters = calloc(config->upstream_count + 1u, sizeof(struct cluster *));
    CHECK(pin->clusters != NULL);
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        pin->clusters[i] = clusters_follow(clusters, &config->upstreams[i]);
        cluster_set_tls(pin->clusters[i], tls_clients_of(snapshot, i));
    }
    clusters_tidy(clusters);
    return pin;
}

void pin_unref(struct pin **pin_at)
{
    struct pin *pin = *pin_at;
    *pin_at = NULL;
    if (pin == NULL || --pin->refs > 0)
        return;
    for (uint32_t i = 0; i < pin->config->upstream_count; i++)
        cluster_let_go(&pin->clusters[i]);
    snapshot_unref(&pin->snapshot);
    free(pin->clusters);
    free(pin);
}

void terms_of_client(struct exchange *x)
{
    const struct config_client *client = &x->pin->config->client;
    x->terms.write_timeout_us = client->write_timeout_us;
    x->terms.half_close_timeout_us = client->half_close_timeout_us;
    x->terms.body_min_rate = client->body_min_rate;
    x->terms.body_grace_us = client->body_grace_us;
}

void terms_of_route(struct exchange *x)
{
    const struct config_scope *scope = &x->route->scope;
    x->terms.between_bytes_timeout_us = scope->between_bytes_timeout_us;
    x->terms.idle_timeout_us = scope->idle_timeout_us;
    x->terms.max_body = scope->max_body;
    x->terms.match = x->route->match;
    if (scope->on_reload) {
        x->terms.leaves = scope->on_reload->drains;
        x->terms.leaves_within_us = scope->on_reload->within_us;
    }
}

static void keep(struct exchange *x, struct slice *text)
{
    if (text->len > 0)
        text->at = arena_copy(x->arena, *text);
}

/* The policies hear of the end now: all that they may know of it, the status, is decided. */
void pin_let_go(struct exchange *x)
{
    CHECK(x->responding);
    pipeline_finish(&x->call, x->record.status);
    x->call.chain = NULL;
    keep(x, &x->call.user);
    keep(x, &x->record.route);
    keep(x, &x->record.site);
    keep(x, &x->record.upstream);
    keep(x, &x->record.limit);
    x->site = x->call.site = NULL;
    x->route = x->call.route = NULL;
    x->cluster = NULL;
    pin_unref(&x->pin);
}
