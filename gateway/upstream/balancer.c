/*
 * Round robin, see upstream/balancer.h. Called by the exchange for every attempt; whether there may be a
 * connection, the pool knows.
 */
#include "upstream/balancer.h"

#include "upstream/pool.h"

enum { AVOID_US = 1000 * 1000 };

static struct endpoint *next_endpoint(struct cluster *cluster)
{
    if (cluster->next_pick == NULL)
        cluster->next_pick = list_first(&cluster->endpoints);
    struct list_node *node = cluster->next_pick;
    cluster->next_pick = list_next(&cluster->endpoints, node);
    return CONTAINER_OF(node, endpoint, node);
}

/* The next one that is free for the claim; those that are avoided count only when all are. */
static struct endpoint *next_free(struct cluster *cluster, struct claim *claim, bool avoided)
{
    uint64_t now_us = clock_now_us(&cluster->home->loop->clock);
    bool any = avoided;
    for (size_t tried = 0; tried < cluster->endpoints.count; tried++) {
        struct endpoint *endpoint = next_endpoint(cluster);
        if (endpoint->avoid_until_us > now_us && !avoided)
            continue;
        any = true;
        if (pool_reserve(endpoint, claim))
            return endpoint;
    }
    return any ? NULL : next_free(cluster, claim, true);
}

enum fault balancer_pick(struct cluster *cluster, struct claim *claim, struct endpoint **endpoint_out)
{
    if (cluster->endpoints.count == 0)
        return FAULT_unresolved;
    if (claim->since_us == 0)
        claim->since_us = clock_now_us(&cluster->home->loop->clock);
    struct endpoint *endpoint = pool_given(cluster, claim);
    if (endpoint == NULL)
        endpoint = next_free(cluster, claim, false);
    if (endpoint == NULL && !claim_wait(claim, &cluster->slots))
        return FAULT_queue_full;
    *endpoint_out = endpoint;
    return FAULT_NONE;
}

void balancer_connect_failed(struct endpoint *endpoint)
{
    struct clusters *home = endpoint->cluster->home;
    uint64_t now_us = clock_now_us(&home->loop->clock);
    if (endpoint->avoid_until_us <= now_us) /* once a second is enough, however many attempts fail */
        home->hurry(home->arg, endpoint->cluster->name);
    endpoint->avoid_until_us = now_us + AVOID_US;
    if (endpoint->tally)
        tally_avoid(endpoint->tally, endpoint->avoid_until_us);
}
