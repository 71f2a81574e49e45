/*
 * Open addressing with linear probing behind base/hashmap.h, at most half full. Used when a configuration is
 * compiled and read for every request after that; knows nothing of its keys.
 */
#include "base/hashmap.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

struct hashmap_slot {
    struct slice key;
    uint64_t hash;
    void *value; /* NULL: the slot is free */
};

void hashmap_init(struct hashmap *map)
{
    *map = (struct hashmap){.seed = hash_seed()};
}

void hashmap_fini(struct hashmap *map)
{
    free(map->slots);
    *map = (struct hashmap){.slots = NULL};
}

/* The slot that holds the key, or the free one where it belongs. */
static struct hashmap_slot *find(const struct hashmap *map, struct slice key, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct hashmap_slot *slot = &map->slots[i];
        if (slot->value == NULL || (slot->hash == hash && slice_equal(slot->key, key)))
            return slot;
    }
}

static void grow(struct hashmap *map)
{
    struct hashmap bigger = *map;
    bigger.capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY;
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    CHECK(bigger.slots != NULL);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].value)
            *find(&bigger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    free(map->slots);
    *map = bigger;
}

void *hashmap_set(struct hashmap *map, struct slice key, void *value)
{
    CHECK(value != NULL);
    if (map->count * 2 >= map->capacity)
        grow(map);
    uint64_t hash = hash_bytes(key, map->seed);
    struct hashmap_slot *slot = find(map, key, hash);
    void *before = slot->value;
    map->count += before == NULL;
    *slot = (struct hashmap_slot){key, hash, value};
    return before;
}

void *hashmap_get(const struct hashmap *map, struct slice key)
{
    return map->count ? find(map, key, hash_bytes(key, map->seed))->value : NULL;
}
