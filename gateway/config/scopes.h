/*
 * What a scope says to the policies, one struct a policy: made by the readers of config/compile_scopes.c from
 * `defaults`, a site or a route, and shared by the scopes that inherit it. All texts are checked and live in
 * the configuration's arena. NULL in a scope: nothing is said.
 */
#ifndef PORTICO_CONFIG_SCOPES_H
#define PORTICO_CONFIG_SCOPES_H

#include "config/access.h"
#include "config/limits.h"
#include "config/origin.h"

#include <stdint.h>

/* methods: */
struct config_methods {
    struct slice *names;
    uint32_t count;    /* 0: all */
    struct slice text; /* "GET, HEAD" */
    struct config_origin origin;
};

/* security_headers: the fields of tables/security_headers.def. */
enum config_security_header {
#define SECURITY_HEADER(key, id, recommended, strict, sentence) CONFIG_SECURITY_##key,
#include "tables/security_headers.def"
#undef SECURITY_HEADER
    CONFIG_SECURITY_COUNT
};

/* security_headers: */
struct config_security_headers {
    struct config_text values[CONFIG_SECURITY_COUNT]; /* empty: not set */
    struct config_origin origin;
};

#endif
