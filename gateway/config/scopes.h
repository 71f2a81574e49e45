/*
 * What a scope says to the policies, one struct a policy: made by the readers of config/compile_scopes.c from
 * `defaults`, a site or a route, and shared by the scopes that inherit it. All texts are checked and live in
 * the configuration's arena. NULL in a scope: nothing is said.
 */
#ifndef PORTICO_CONFIG_SCOPES_H
#define PORTICO_CONFIG_SCOPES_H

#include "config/access.h"
#include "config/answers.h"
#include "config/limits.h"
#include "config/origin.h"

#include <stdint.h>

/* on_reload: */
struct config_on_reload {
    bool drains;        /* what lasts on a route that is gone ends */
    uint64_t within_us; /* so long */
    struct config_origin origin;
};

/* methods: */
struct config_methods {
    struct slice *names;
    uint32_t count;    /* 0: all */
    struct slice text; /* "GET, HEAD" */
    struct config_origin origin;
};

/* cors: */
struct config_cors {
    struct config_text *origins;           /* "https://app.example.com", or "*" alone; sorted by text */
    uint32_t origin_count;                 /* 0: off */
    struct slice methods, headers, expose; /* "GET, HEAD"; may be empty */
    bool credentials;
    uint64_t max_age_us;
    struct config_origin *origins_of_settings;
    struct config_origin origin;
};

/* headers: what happens to the fields of a name; KEEP: nothing, whatever was inherited. */
enum config_header_action {
    CONFIG_HEADER_SET,
    CONFIG_HEADER_ADD,
    CONFIG_HEADER_REPLACE,
    CONFIG_HEADER_REMOVE,
    CONFIG_HEADER_KEEP
};

/* headers: one change. */
struct config_header_change {
    enum config_header_action action;
    struct config_text name;
    struct config_text value; /* empty with REMOVE and KEEP; may hold variables */
};

/* headers.request, headers.response: in the order in which they are made. */
struct config_header_changes {
    struct config_header_change *changes;
    uint32_t count;
};

/* headers.cookies: words of same_site. */
enum config_same_site {
    CONFIG_SAME_SITE_UNCHANGED,
    CONFIG_SAME_SITE_LAX,
    CONFIG_SAME_SITE_STRICT,
    CONFIG_SAME_SITE_NONE
};

/* headers.cookies: */
struct config_cookies {
    bool secure, http_only;
    uint32_t same_site;            /* enum config_same_site */
    struct config_origin *origins; /* of the settings; NULL: nothing is said */
};

/* headers: */
struct config_headers {
    struct config_header_changes request, response;
    struct config_cookies cookies;
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
