/*
 * Server names to addresses, in the background, on the control thread's loop, by c-ares: never in the path of
 * a request. Literals and Unix sockets resolve at once. A name is asked again when its TTL (at most
 * RESOLVER_TTL_MAX_S) has passed and when a worker reports that connecting failed. While a name does not
 * resolve, its last addresses stay in use; a name that never did gives an empty set. resolv.conf and the
 * hosts file are read again when they change.
 */
#ifndef PORTICO_UPSTREAM_RESOLVER_H
#define PORTICO_UPSTREAM_RESOLVER_H

#include "config/config.h"
#include "upstream/endpoint_set.h"
#include "upstream/name_trial.h"

/* How it behaves unless its settings say otherwise. */
enum {
    RESOLVER_TTL_MIN_S = 1,
    RESOLVER_TTL_MAX_S = 10,  /* Docker's DNS says 600 */
    RESOLVER_RETRY_S = 2,     /* after a failure */
    RESOLVER_HURRY_MS = 200,  /* least time between two lookups of one name, however often workers ask */
    RESOLVER_QUERY_MS = 1500, /* a name server's time for the first of two tries, doubled for the second */
    RESOLVER_PATIENCE_MS =
        5000, /* with the names of a configuration tried: both tries, if there is one server */
    RESOLVER_WATCH_MS = 1000,    /* how soon a change of resolv.conf or of the hosts file is noticed */
    RESOLVER_ADDRESSES_MAX = 256 /* of one name; of more, those that sort first */
};

struct event_base;
struct resolver;

/* Told on the control thread whenever the addresses of an upstream have changed, and once for each new
 * upstream from inside resolver_follow() (with what is known by then). The set is lent: take a reference to
 * keep it. MUST NOT call resolver_follow() or resolver_free(). */
typedef void resolver_publish_fn(void *arg, struct endpoint_set *set);

/* What a resolver is born with. Texts are copied; paths may be NULL for the system's files; `servers` like
 * "127.0.0.1:5353" replaces resolv.conf's name servers. Times are milliseconds, 0 for those above. */
struct resolver_settings {
    const char *hosts_path;
    const char *resolv_path;
    const char *servers;
    resolver_publish_fn *publish;
    void *arg;
    uint32_t ttl_min_ms, ttl_max_ms, retry_ms, hurry_ms;
    uint32_t query_timeout_ms; /* of the first try */
    uint32_t watch_ms;         /* between looks at the two files */
};

/* Starts on the control thread's loop. NULL when c-ares cannot be initialised. */
struct resolver *resolver_new(struct event_base *base, const struct resolver_settings *settings);

/* Looks up the names of a configuration that may be followed, see upstream/name_trial.h. One at a time, until
 * resolver_follow() or resolver_let_go(). What is followed notices nothing. */
void resolver_try(struct resolver *resolver, const struct config *config,
                  const struct name_trial_terms *terms);

/* Adds an error for each server of the configuration tried whose name has no address. */
void resolver_report(const struct resolver *resolver, struct config_findings *findings);

/* The configuration tried is not followed: ends its lookups and forgets its names. */
void resolver_let_go(struct resolver *resolver);

/* Follows the upstreams of a configuration (the texts are copied): new ones start, unchanged ones go on,
 * others stop. One whose servers have changed keeps its last addresses until each new name has answered or
 * failed; names that were tried before have done so already. */
void resolver_follow(struct resolver *resolver, const struct config *config);

/* Asks again at once for the names of an upstream: connecting to it failed. Control thread; workers come by
 * mailbox. */
void resolver_hurry(struct resolver *resolver, struct slice upstream);

/* Stops and frees; stores NULL. Accepts NULL. */
void resolver_free(struct resolver **resolver);

#endif
