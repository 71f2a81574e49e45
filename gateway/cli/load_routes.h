/*
 * What a configuration says about a gateway to be tested: where it listens, whom to trust, and paths that
 * lead to its routes. Of a trial, the listeners are where `--try` starts it.
 */
#ifndef PORTICO_CLI_LOAD_ROUTES_H
#define PORTICO_CLI_LOAD_ROUTES_H

#include "cli/load_options.h"
#include "cli/reach.h"
#include "loadtest/mix.h"

/* Where a gateway is. */
struct load_target {
    struct address address;
    bool secure;
    struct slice authority; /* what is asked for when the mix names no host */
    struct slice path;      /* what is asked for without --mix; empty: one path of each route */
};

/* A configuration, as the test sees it. */
struct load_routes {
    const struct load_options *options;
    struct snapshot *snapshot;
    struct reach reach;
};

/* Loads the configuration; false after printing what is wrong with it. */
MUST_USE bool load_routes_open(struct load_routes *routes, const struct load_options *options);

/* Frees it; nothing that it gave may be used any more. */
void load_routes_close(struct load_routes *routes);

/* Where its gateway is to be asked; false after saying why that cannot be known. */
MUST_USE bool load_routes_target(struct load_routes *routes, struct load_target *target_out);

/* One path of each route that leads to an upstream; false after saying that there is none. */
MUST_USE bool load_routes_mix(struct load_routes *routes, struct mix_entry **entries_out,
                              unsigned *count_out);

/* The route that takes a request; false after saying that there is none and what there is. */
MUST_USE bool load_routes_find(struct load_routes *routes, struct slice authority,
                               const struct mix_entry *entry, const struct config_route **route_out);

#endif
