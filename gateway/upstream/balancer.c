/*
 * Round robin, see upstream/balancer.h. Called by the exchange for every attempt; knows nothing of
 * connections.
 */
#include "upstream/balancer.h"

enum { AVOID_US = 1000 * 1000 };

static struct endpoint *next_endpoint(struct cluster *cluster)
{
    if (cluster->next_pick == NULL)
        cluster->next_pick = list_first(&cluster->endpoints);
    struct list_node *node = cluster->next_pick;
    cluster->next_pick = list_next(&cluster->endpoints, node);
    return CONTAINER_OF(node, endpoint, node);
}

enum fault balancer_pick(struct cluster *cluster, struct endpoint **endpoint_out)
{
    if (cluster->endpoints.count == 0)
        return FAULT_unresolved;
    struct endpoint *endpoint = next_endpoint(cluster);
    uint64_t now_us = clock_now_us(&cluster->home->loop->clock);
    for (size_t tried = 1; endpoint->avoid_until_us > now_us && tried <= cluster->endpoints.count; tried++)
        endpoint = next_endpoint(cluster);
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
}
