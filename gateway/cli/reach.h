/*
 * How a client reaches what a configuration serves: which listener, which host leads to a site, which path to
 * a route, whom to trust. Hosts and paths are guesses that the router has confirmed. What `try` prints and
 * what `loadtest` asks for; sends nothing.
 */
#ifndef PORTICO_CLI_REACH_H
#define PORTICO_CLI_REACH_H

#include "config/snapshot.h"
#include "policy/route.h"

/* A configuration that is looked at. */
struct reach {
    const struct snapshot *snapshot;
    const struct router *router;
    struct router_scratch *scratch;
    struct arena arena;
    const struct config_listener *serving;     /* the best that serves: on a port, over TLS */
    const struct config_listener *redirecting; /* NULL when none does */
};

/* Looks at a snapshot, which must outlive it. */
void reach_init(struct reach *reach, const struct snapshot *snapshot);

/* Frees what was found. */
void reach_fini(struct reach *reach);

/* An address of this machine on which the listener accepts, without its port. */
struct slice reach_address(const struct config_listener *listener);

/* The file of the first certificate that has the host, by a path without detours; empty when none has. */
struct slice reach_trust(struct reach *reach, struct slice host);

/* A host that leads to the site; empty when none is found. */
struct slice reach_host(struct reach *reach, const struct config_site *site);

/* A path that leads to the route, encoded as a URL has it; empty when none is found. */
struct slice reach_path(struct reach *reach, const struct config_route *route);

/* The route that takes a request for the target; NULL when there is none. */
const struct config_route *reach_route(struct reach *reach, const struct config_site *site,
                                       struct slice target);

/* Whether the byte stands for itself in a path, and in a shell. */
bool reach_is_plain(char c);

#endif
