/*
 * What a scope says to the policies, one struct a policy: made by the readers of config/compile_scopes.c from
 * `defaults`, a site or a route, and shared by the scopes that inherit it. All texts are checked and live in
 * the configuration's arena. NULL in a scope: nothing is said.
 */
#ifndef PORTICO_CONFIG_SCOPES_H
#define PORTICO_CONFIG_SCOPES_H

#include "config/origin.h"

#include <stdint.h>

/* methods: */
struct config_methods {
    struct slice *names;
    uint32_t count;    /* 0: all */
    struct slice text; /* "GET, HEAD" */
    struct config_origin origin;
};

#endif
