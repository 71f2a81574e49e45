/*
 * The pin of exchange/exchange.h: how the exchanges of one thread share a snapshot without touching a shared
 * count.
 */
#include "exchange/exchange.h"

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
    return pin;
}

void pin_unref(struct pin **pin_at)
{
    struct pin *pin = *pin_at;
    *pin_at = NULL;
    if (pin == NULL || --pin->refs > 0)
        return;
    snapshot_unref(&pin->snapshot);
    free(pin->clusters);
    free(pin);
}
