/*
 * A map from bytes to pointers: built by one thread, then only read, by any number. Made for names from the
 * configuration that are looked up with names from clients, so the hash is seeded for each map and a lookup
 * cannot be made slow from outside. Keys are compared byte for byte: callers bring them to lower case where
 * case does not count.
 */
#ifndef PORTICO_BASE_HASHMAP_H
#define PORTICO_BASE_HASHMAP_H

#include "base/slice.h"

#include <stdint.h>

struct hashmap_slot;

/* A map. Keys are not copied and MUST live as long as it does. */
struct hashmap {
    struct hashmap_slot *slots;
    size_t capacity; /* a power of two, at least twice `count`; 0 before the first key */
    size_t count;
    uint64_t seed;
};

/* Makes an empty map with a seed of its own. */
void hashmap_init(struct hashmap *map);

/* Frees the table; keys and values are the caller's. The map may be used again after hashmap_init. */
void hashmap_fini(struct hashmap *map);

/* Maps the key to a value that is not NULL. Gives the value it replaces, or NULL for a new key. */
void *hashmap_set(struct hashmap *map, struct slice key, void *value);

/* The key's value, or NULL. */
void *hashmap_get(const struct hashmap *map, struct slice key);

#endif
