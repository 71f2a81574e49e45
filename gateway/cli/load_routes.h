/*
 * What a configuration says about a gateway to be tested: where it listens, whom to trust, and paths that
 * lead to its routes.
 */
#ifndef PORTICO_CLI_LOAD_ROUTES_H
#define PORTICO_CLI_LOAD_ROUTES_H

#include "base/address.h"

/* Where the gateway is. */
struct load_target {
    struct address address;
    bool secure;
    struct slice authority; /* what is asked for when the mix names no host */
    struct slice path;      /* what is asked for without --mix */
    /* The PEM file to trust for a host, NULL: the system's; may be NULL. */
    const char *(*trust_for)(const struct load_target *target, struct slice host);
};

#endif
