/*
 * What the answers that need no upstream say (redirect, respond, maintenance), and how a route changes the
 * path that its upstream gets: made by config/compile_answers.c and config/compile_rewrite.c. Templates are
 * kept as they were written; who fills them reads them (policy/template.h).
 */
#ifndef PORTICO_CONFIG_ANSWERS_H
#define PORTICO_CONFIG_ANSWERS_H

#include "base/address.h"
#include "config/origin.h"

#include <stdint.h>

/* strip_prefix: or rewrite: of a route; one of the two. */
struct config_rewrite {
    bool strips;
    struct config_text prefix; /* strips: canonical, without a slash at its end */
    struct config_text regex;  /* else: that must match; empty: always */
    bool is_route_regex;       /* it is that of the route */
    struct config_text to;     /* else: a template */
    struct config_origin origin;
};

/* redirect: status; the words of the setting in their order. */
enum config_redirect_status {
    CONFIG_REDIRECT_301,
    CONFIG_REDIRECT_302,
    CONFIG_REDIRECT_303,
    CONFIG_REDIRECT_307,
    CONFIG_REDIRECT_308
};

/* redirect: of a route. */
struct config_route_redirect {
    struct config_text to;    /* a template */
    uint32_t status;          /* enum config_redirect_status */
    struct config_text regex; /* of the route, whose groups `to` may name; empty: none */
    struct config_origin *origins;
    struct config_origin origin;
};

/* respond: of a route. */
struct config_respond {
    uint32_t status;
    struct config_text body, type; /* origin.line 0: none was given */
    struct config_origin *origins;
    struct config_origin origin;
};

/* maintenance: */
struct config_maintenance {
    bool on;
    uint32_t status;
    uint64_t retry_after_us;
    struct config_text body, file, type; /* body and file: one of the two; `file` is its path made absolute */
    struct slice page;                   /* what the file held */
    struct network *allow;
    struct config_text *allow_texts; /* the same, as written */
    uint32_t allow_count;
    struct config_origin *origins;
    struct config_origin origin; /* of what switched it on or off last */
};

#endif
