/*
 * The names that servers bear and the addresses they have now: each asked once however many servers bear it,
 * again when its TTL has passed, a short while after a failure, or when somebody is in a hurry. An answer
 * stays until a better one comes. Watches resolv.conf and the hosts file. Knows no upstreams; the control
 * thread's alone.
 */
#ifndef PORTICO_UPSTREAM_NAME_CACHE_H
#define PORTICO_UPSTREAM_NAME_CACHE_H

#include "base/address.h"

#include <stdint.h>

struct event_base;
struct name;
struct name_cache;
struct resolver_settings;

/* Who is told about names. Neither function may free the cache, get or put names. */
struct name_cache_owner {
    void *owner;
    /* Some names have other addresses or have been settled since the last call; from the loop, never from
     * inside a call. */
    void (*changed)(void *owner);
    /* A name begins to fail (it did not before), its last addresses stay; may come from inside a call. */
    void (*failing)(void *owner, const struct name *name);
};

/* What is known of a name. */
struct name_state {
    const struct address *addresses; /* sorted, each once, without port */
    uint32_t count;
    bool settled;        /* has answered or failed at least once */
    const char *failure; /* of the last question, static; NULL: it was answered */
};

/* Makes an empty cache; the settings' texts are copied. NULL when c-ares cannot be initialised. */
struct name_cache *name_cache_new(struct event_base *base, const struct resolver_settings *settings,
                                  const struct name_cache_owner *owner);

/* Frees a cache whose names have all been put back and stores NULL. Accepts NULL. */
void name_cache_free(struct name_cache **cache);

/* The name of a host (case does not count) for one more user; a new one is asked for in name_cache_look_up().
 */
struct name *name_cache_get(struct name_cache *cache, struct slice host);

/* Whether nobody has asked for the name yet. */
bool name_is_new(const struct name *name);

/* Gives up a use and stores NULL. */
void name_put(struct name **name);

/* Asks for the names that are new, and for all when a file has changed. What this machine answers is known on
 * return. */
void name_cache_look_up(struct name_cache *cache);

/* Asks again now, or as soon as the last question is old enough; a question under way is enough. */
void name_hurry(struct name *name);

/* Who is asked for names, for messages; until the loop goes on. */
const char *name_cache_servers(const struct name_cache *cache);

/* What is known of the name, until the loop goes on. */
struct name_state name_state(const struct name *name);

#endif
