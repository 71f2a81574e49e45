/*
 * Which endpoint of a cluster takes the next request: round robin over those whose last connect did not just
 * fail; when all did, over all of them (the last one is never given up).
 */
#ifndef PORTICO_UPSTREAM_BALANCER_H
#define PORTICO_UPSTREAM_BALANCER_H

#include "base/fault.h"
#include "upstream/cluster.h"

/* The endpoint for the next attempt. FAULT_unresolved when the cluster has none. */
MUST_USE enum fault balancer_pick(struct cluster *cluster, struct endpoint **endpoint_out);

/* Connecting to the endpoint failed: prefer others for a second, and resolve the upstream's names again. */
void balancer_connect_failed(struct endpoint *endpoint);

#endif
