/*
 * The configuration as the program reads it: plain structs, all names resolved, all values in range, made
 * whole or not at all by config_load(). Immutable afterwards; any thread may read it. Durations are
 * microseconds, sizes bytes. What a key means, its range and its default stand in the setting tables
 * (config/settings.def), which fill these structs.
 */
#ifndef PORTICO_CONFIG_CONFIG_H
#define PORTICO_CONFIG_CONFIG_H

#include "base/address.h"
#include "base/arena.h"
#include "config/scopes.h"
#include "config/upstreams.h"

#include <stdint.h>

/* process: what a worker may still do, in the order of the setting's words. */
enum config_sandbox { CONFIG_SANDBOX_ON, CONFIG_SANDBOX_LOG, CONFIG_SANDBOX_OFF };

/* process: */
struct config_process {
    uint32_t threads;               /* 0: one per usable core */
    uint64_t shutdown_timeout_us;   /* drain: what is not finished then is closed */
    struct slice pidfile;           /* "off" or a path made absolute */
    uint64_t memory_max;            /* bytes; 0: by the control group */
    uint32_t sandbox;               /* enum config_sandbox */
    struct config_text user, group; /* of the worker when started as root; empty: not given */
    struct config_origin *origins;  /* of the settings; config_setting_origin() reads it */
};

/* log: formats of the access log. */
enum config_log_format { CONFIG_LOG_JSON, CONFIG_LOG_COMBINED };

/* log: */
struct config_log {
    struct slice access; /* "off", "stdout" or a path made absolute */
    enum config_log_format format;
    uint32_t level; /* enum log_level of the error log */
    struct config_origin *origins;
};

/* limits: what a client may send before it is known what it wants. */
struct config_client {
    uint64_t head_timeout_us;       /* whole head, from its first byte (or from accept) */
    uint64_t keep_alive_timeout_us; /* idle between requests */
    uint64_t write_timeout_us;      /* no byte of the response taken */
    uint64_t half_close_timeout_us; /* to finish the response after the client closed its sending side */
    uint64_t body_min_rate;         /* bytes a second, after body_grace */
    uint64_t body_grace_us;
    uint64_t request_line_max, head_max; /* bytes */
    uint32_t fields_max;
    uint32_t connections_max;        /* of all threads; 0: by the file limit */
    uint32_t connections_per_client; /* 0: any number */
    struct config_origin *origins;
};

/* One element of listen: */
struct config_listener {
    struct slice text; /* as written, "host:port" */
    struct endpoint_name name;
    bool tls;
    bool proxy_protocol;
    uint32_t redirect; /* enum config_redirect */
    struct config_origin origin;
    struct config_origin *origins; /* of the settings */
};

/* listen: where the requests of a listener are sent instead of being served. */
enum config_redirect { CONFIG_REDIRECT_OFF, CONFIG_REDIRECT_HTTPS };

/* One element of tls.certificates: */
struct config_certificate {
    struct config_text chain, key; /* paths made absolute */
    struct config_origin origin;
};

/* tls: versions. */
enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };

/* tls: */
struct config_tls {
    struct config_certificate *certificates;
    uint32_t certificate_count;
    uint32_t min_version;    /* enum config_tls_version */
    uint32_t handshakes_max; /* of a thread, under way */
    bool ocsp_stapling;
    bool strict_sni;             /* no handshake for a name without certificate */
    struct slice acme_challenge; /* "off" or a folder made absolute */
    struct config_origin *origins;
};

/* client_certificates: of a site: what a client must show. */
enum config_verify { CONFIG_VERIFY_REQUIRE, CONFIG_VERIFY_OPTIONAL };

/* client_certificates: of a site. */
struct config_client_certificates {
    struct config_text ca; /* path made absolute; empty: the site asks for none */
    uint32_t verify;       /* enum config_verify */
    struct config_origin *origins;
};

/* How a route compares the path. */
enum config_match { CONFIG_MATCH_PREFIX, CONFIG_MATCH_EXACT, CONFIG_MATCH_REGEX };

/* Settings that may stand in defaults, in a site and in a route, as they are in force in one of these
 * places. */
struct config_scope {
    uint32_t index; /* below config.scope_count: 0 is defaults, each site and each route has its own */
    uint64_t first_byte_timeout_us;
    uint64_t between_bytes_timeout_us;        /* both directions, reading and writing */
    uint64_t idle_timeout_us;                 /* tunnels */
    uint64_t max_body;                        /* bytes; 0: no limit */
    const struct config_on_reload *on_reload; /* NULL: keep */
    bool forwarded;                           /* Forwarded, too */
    const struct config_methods *methods;
    const struct config_access *access;
    const struct config_cors *cors;
    const struct config_basic_auth *basic_auth;
    const struct config_forward_auth *forward_auth;
    const struct config_headers *headers;
    const struct config_security_headers *security_headers;
    const struct config_scope_limits *limits;
    const struct config_maintenance *maintenance;
    struct config_rewrite *rewrite;         /* of a route alone, as the next two */
    struct config_route_redirect *redirect; /* at most one of redirect and respond, then without upstream */
    struct config_respond *respond;
    struct config_origin *origins; /* of the settings, wherever they are inherited from */
};

/* One route of a site. */
struct config_route {
    enum config_match match;
    struct slice pattern; /* prefix and exact: a canonical path beginning with '/'; regex: PCRE2 text */
    struct config_upstream *upstream; /* NULL: the route is answered here */
    uint32_t index;                   /* in its site: the first match wins */
    struct config_scope scope;        /* what it inherits from its site and from defaults, and its own */
    struct config_site *site;
    struct config_origin origin; /* of the route */
    struct config_origin pattern_origin;
};

/* One host name of a site, lower case. */
struct config_host {
    struct slice name; /* "*.example.com" for a wildcard of one or more labels, "*" for any host */
    struct config_origin origin;
};

/* One site. */
struct config_site {
    struct config_host *hosts;
    uint32_t host_count;
    struct config_route *routes;
    uint32_t route_count;
    uint32_t index;            /* in config.sites */
    struct config_scope scope; /* for what happens before a route is found */
    struct config_client_certificates client_certificates;
    struct config_origin origin;
};

/* A file that values are read from: ${file:}, users, pages. */
struct config_file {
    struct config_file *next;
    const char *path;
    size_t limit; /* bytes that it may have */
};

/* A whole configuration; freed with config_free(). */
struct config {
    struct arena arena;
    struct slice file;         /* the main file as named by the caller */
    struct config_file *files; /* in no order */
    struct config_process process;
    struct config_log log;
    struct config_client client;
    struct config_tls tls;
    struct config_listener *listeners;
    uint32_t listener_count;
    struct config_upstream *upstreams;
    uint32_t upstream_count;
    struct config_limit *limits;
    uint32_t limit_count;
    struct config_site *sites;
    uint32_t site_count;
    struct config_scope defaults; /* for what happens before a site is found */
    uint32_t scope_count;
    struct network *trusted_proxies;
    struct config_text *trusted_proxy_texts; /* the same, as written */
    uint32_t trusted_proxy_count;
    uint32_t https_port;   /* that redirects name; 0: none, for 443. Set by `try` */
    uint32_t trusted_hops; /* 0: by the networks */
    struct config_origin trusted_hops_origin;
};

/* One thing wrong, or doubtful, in a file. */
struct config_finding {
    struct config_finding *next;
    struct config_origin origin;
    bool is_error; /* otherwise a warning */
    struct slice text;
};

/* All findings, the main file's first, in the order of their places. Lives in its own arena. */
struct config_findings {
    struct arena arena;
    const char *main_file; /* set by config_load() */
    struct config_finding *first, *last;
    unsigned errors, warnings;
};

/* Makes an empty list of findings. */
void config_findings_init(struct config_findings *findings);

/* Frees the findings. */
void config_findings_fini(struct config_findings *findings);

/* Writes each finding to the log. */
void config_findings_log(const struct config_findings *findings);

/* Adds an error at `origin`. */
void config_error(struct config_findings *findings, struct config_origin origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a warning at `origin`. */
void config_warning(struct config_findings *findings, struct config_origin origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads the file and what it includes. NULL when there is any error; every error and warning is in `findings`
 * either way. */
struct config *config_load(const char *path, struct config_findings *findings);

/* The same from bytes, `name` standing for the file in findings; include and ${file:} are refused. For tests
 * and tools. */
struct config *config_load_text(const char *name, struct slice text, struct config_findings *findings);

/* Where a setting's value came from: the object's origins, the section ("process", "log", "client",
 * "upstream", "route") and the key. Line 0: a default. */
struct config_origin config_setting_origin(const struct config_origin *origins, const char *section,
                                           const char *key);

/* Frees a configuration and stores NULL; accepts NULL. */
void config_free(struct config **config);

#endif
