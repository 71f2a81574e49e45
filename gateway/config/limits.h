/*
 * What `limits:` defines and what a scope says of them. A limit is written once at the top level and used by
 * name, so that routes can share one. All texts are checked and live in the configuration's arena.
 */
#ifndef PORTICO_CONFIG_LIMITS_H
#define PORTICO_CONFIG_LIMITS_H

#include "config/origin.h"

#include <stdint.h>

/* What a key is made of. */
enum config_limit_source {
    CONFIG_LIMIT_CLIENT_IP, /* IPv6: the /64 */
    CONFIG_LIMIT_HEADER,
    CONFIG_LIMIT_COOKIE,
    CONFIG_LIMIT_ROUTE,
    CONFIG_LIMIT_HOST,
    CONFIG_LIMIT_USER
};

/* One part of a key. */
struct config_limit_part {
    enum config_limit_source source;
    struct slice name;       /* of the header (lower case) or the cookie; else empty */
    struct config_text text; /* as written, "header X-Api-Key" */
};

/* A status that counts. */
struct config_limit_status {
    uint32_t status;
    struct config_text text; /* as written */
};

/* mode: of a limit, in the order of the words. */
enum config_limit_mode { CONFIG_LIMIT_ENFORCE, CONFIG_LIMIT_SHADOW, CONFIG_LIMIT_OFF };

/* when_full: of a limit. */
enum config_limit_full { CONFIG_LIMIT_FULL_REJECT, CONFIG_LIMIT_FULL_PASS };

/* No request of the burst has to wait. */
enum { CONFIG_LIMIT_NO_DELAY = UINT32_MAX };

/* One limit. */
struct config_limit {
    struct slice name;
    uint32_t index;                /* in config.limits */
    struct config_text amount;     /* "10/s" */
    bool window;                   /* written as `window`, else as `rate` */
    uint32_t count;                /* requests ... */
    uint64_t period_us;            /* ... in this time */
    uint32_t burst;                /* beyond the first, at once; of a window: count - 1 */
    uint32_t delay;                /* of the burst that need not wait, or CONFIG_LIMIT_NO_DELAY */
    struct config_text delay_text; /* empty: nobody waits */
    struct config_limit_part *parts;
    uint32_t part_count;
    struct slice parts_text; /* "client_ip, route" */
    struct config_limit_status *statuses;
    uint32_t status_count; /* 0: every request counts, when it comes */
    uint32_t mode;         /* enum config_limit_mode */
    uint32_t status;       /* of the answer */
    uint64_t memory;       /* bytes, a bound */
    uint32_t when_full;    /* enum config_limit_full */
    struct config_origin origin;
    struct config_origin *origins; /* of the settings */
};

/* limits: of a scope. */
struct config_scope_limits {
    struct config_text *names;
    const struct config_limit **limits; /* the same, found when everything has been read */
    uint32_t count;                     /* 0: none, whatever was inherited */
    struct config_origin origin;
    struct config_scope_limits *next; /* of all, while they are read */
};

#endif
