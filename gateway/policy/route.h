/*
 * Which site and route a request belongs to. Hosts: exact, then the longest matching wildcard, then "*".
 * Routes of a site: the first in the file that matches wins; compiled so that the cost grows with the path,
 * not with the number of routes. A prefix matches on segment boundaries: /api matches /api and /api/x, never
 * /apiary; a prefix with a trailing slash matches also without it. Immutable after compilation; any thread
 * may match, with its own scratch.
 */
#ifndef PORTICO_POLICY_ROUTE_H
#define PORTICO_POLICY_ROUTE_H

#include "base/check.h"
#include "base/fault.h"
#include "config/snapshot.h"

struct router;
struct router_scratch;

/* The module that compiles a `struct router` into each snapshot. Errors: regexes that do not compile, a host
 * in two sites. Warnings: routes that can never match, naming the one that shadows them. */
extern const struct config_module route_module;

/* Asked by `explain`: called for every route that was looked at, in the order of the decision. `why` is a
 * sentence. */
typedef void router_trace_fn(void *arg, const struct config_route *route, bool matched, const char *why);

/* Memory a thread needs to run regexes (match data, JIT stack). */
struct router_scratch *router_scratch_new(void);

/* Frees it and stores NULL. */
void router_scratch_free(struct router_scratch **scratch);

/* The site of a host name (lower case, no port, no trailing dot; may be empty), or NULL: 421. */
const struct config_site *router_find_site(const struct router *router, struct slice host);

/* The first route of the site that matches the canonical path. Faults: no_route; route_limit when a regex
 * exceeds its match limits. */
MUST_USE enum fault router_find_route(const struct router *router, const struct config_site *site,
                                      struct slice path, struct router_scratch *scratch,
                                      const struct config_route **route_out);

/* Where a path is to be routed. */
struct router_query {
    const struct router *router;
    const struct config_site *site;
    struct slice path; /* canonical */
    struct router_scratch *scratch;
};

/* The same decision, slowly and with every comparison reported. */
MUST_USE enum fault router_explain(const struct router_query *query, router_trace_fn *trace, void *arg,
                                   const struct config_route **route_out);

#endif
