/*
 * Which endpoint of a cluster takes the next request: round robin over those that a connection may be had to
 * and whose last connect did not just fail; when all did, over all of them (the last one is never given up).
 */
#ifndef PORTICO_UPSTREAM_BALANCER_H
#define PORTICO_UPSTREAM_BALANCER_H

#include "base/fault.h"
#include "upstream/cluster.h"

/* The endpoint for the next attempt of the claim's exchange, or NULL while it must wait in the queue: all
 * connections there may be are taken. Faults: unresolved (the cluster has no endpoints), queue_full. */
MUST_USE enum fault balancer_pick(struct cluster *cluster, struct claim *claim,
                                  struct endpoint **endpoint_out);

/* Connecting to the endpoint failed: prefer others for a second, and resolve the upstream's names again. */
void balancer_connect_failed(struct endpoint *endpoint);

#endif
