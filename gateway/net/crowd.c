/*
 * The counts behind net/crowd.h: an atomic total, and a chained table in shards, each with its lock, which is
 * held for a short walk. The hash is seeded, for clients choose their addresses.
 */
#include "net/crowd.h"

#include "base/check.h"
#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SHARDS = 64, CHAINS = 512 };

/* The family and the part of the address that counts. */
struct client_key {
    uint64_t family, prefix;
};

struct crowd_client {
    struct crowd_client *next;
    struct client_key key;
    uint32_t connections;
};

struct shard {
    struct {
        pthread_mutex_t lock;
        struct crowd_client *chains[CHAINS];
    } shared;
};

struct crowd {
    uint64_t seed;
    struct {
        _Atomic uint32_t total, refused, total_max, room, client_max, gate;
    } shared;
    struct crowd_client refused; /* stands in the places of those who are refused */
    struct shard shards[SHARDS];
};

struct crowd *crowd_new(void)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    CHECK(crowd != NULL);
    crowd->seed = hash_seed();
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&crowd->shards[i].shared.lock, NULL);
    return crowd;
}

void crowd_free(struct crowd **crowd_at)
{
    struct crowd *crowd = *crowd_at;
    *crowd_at = NULL;
    if (crowd == NULL)
        return;
    CHECK(atomic_load(&crowd->shared.total) == 0 && atomic_load(&crowd->shared.refused) == 0);
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&crowd->shards[i].shared.lock);
    free(crowd);
}

void crowd_bound(struct crowd *crowd, const struct crowd_bounds *bounds)
{
    atomic_store(&crowd->shared.total_max, bounds->total);
    atomic_store(&crowd->shared.room, bounds->room);
    atomic_store(&crowd->shared.client_max, bounds->client);
}

static bool is_full(uint32_t count, const _Atomic uint32_t *most)
{
    uint32_t bound = atomic_load_explicit(most, memory_order_relaxed);
    return bound > 0 && count >= bound;
}

/* What becomes of one who comes when so many are there. */
static enum crowd_gate gate_for(struct crowd *crowd, uint32_t count)
{
    enum crowd_gate gate = atomic_load_explicit(&crowd->shared.gate, memory_order_relaxed);
    if (is_full(count, &crowd->shared.total_max))
        return CROWD_SHUT;
    if (is_full(count, &crowd->shared.room))
        return gate == CROWD_SHUT ? CROWD_SHUT : CROWD_REFUSES;
    return count < CROWD_ALWAYS ? CROWD_OPEN : gate;
}

bool crowd_enter(struct crowd *crowd, struct crowd_place *place_out)
{
    *place_out = (struct crowd_place){.crowd = crowd};
    if (crowd == NULL)
        return true;
    enum crowd_gate gate = gate_for(crowd, atomic_fetch_add(&crowd->shared.total, 1));
    if (gate == CROWD_OPEN)
        return true;
    crowd_leave(place_out);
    if (gate == CROWD_SHUT)
        return false;
    atomic_fetch_add(&crowd->shared.refused, 1);
    *place_out = (struct crowd_place){.crowd = crowd, .client = &crowd->refused};
    return true;
}

void crowd_set_gate(struct crowd *crowd, enum crowd_gate gate)
{
    atomic_store(&crowd->shared.gate, gate);
}

uint32_t crowd_total(struct crowd *crowd)
{
    return atomic_load(&crowd->shared.total);
}

uint32_t crowd_refused(struct crowd *crowd)
{
    return atomic_load(&crowd->shared.refused);
}

static struct client_key key_of(const struct sockaddr *client)
{
    struct client_key key = {.family = client->sa_family};
    unsigned char bytes[16];
    if (!address_bytes(client, bytes))
        return key;
    if (client->sa_family == AF_INET6)
        memcpy(&key.prefix, bytes, sizeof key.prefix);
    else
        memcpy(&key.prefix, bytes + 12, 4);
    return key;
}

/* Where the chain of the key begins. */
static struct crowd_client **chain_of(struct crowd *crowd, struct client_key key, struct shard **shard_out)
{
    uint64_t hash = hash_bytes(slice_make((const char *)&key, sizeof key), crowd->seed);
    *shard_out = &crowd->shards[hash % SHARDS];
    return &(*shard_out)->shared.chains[hash / SHARDS % CHAINS];
}

/* The client's entry, made if there is none. */
static struct crowd_client *find_or_make(struct crowd_client **chain, struct client_key key)
{
    struct crowd_client *client = *chain;
    while (client && (client->key.family != key.family || client->key.prefix != key.prefix))
        client = client->next;
    if (client)
        return client;
    client = calloc(1, sizeof *client);
    CHECK(client != NULL);
    *client = (struct crowd_client){.next = *chain, .key = key};
    *chain = client;
    return client;
}

bool crowd_count(struct crowd_place *place, const struct sockaddr *address)
{
    struct crowd *crowd = place->crowd;
    uint32_t most = crowd ? atomic_load_explicit(&crowd->shared.client_max, memory_order_relaxed) : 0;
    if (most == 0 || place->client)
        return true;
    struct shard *shard;
    struct client_key key = key_of(address);
    struct crowd_client **chain = chain_of(crowd, key, &shard);
    pthread_mutex_lock(&shard->shared.lock);
    struct crowd_client *client = find_or_make(chain, key);
    bool fits = client->connections < most; /* so an entry that was made now stays */
    client->connections += fits;
    pthread_mutex_unlock(&shard->shared.lock);
    if (fits)
        place->client = client;
    return fits;
}

static void uncount(struct crowd *crowd, struct crowd_client *client)
{
    struct shard *shard;
    struct crowd_client **at = chain_of(crowd, client->key, &shard);
    pthread_mutex_lock(&shard->shared.lock);
    if (--client->connections == 0) {
        while (*at != client)
            at = &(*at)->next;
        *at = client->next;
        free(client);
    }
    pthread_mutex_unlock(&shard->shared.lock);
}

bool crowd_is_refused(const struct crowd_place *place)
{
    return place->crowd && place->client == &place->crowd->refused;
}

void crowd_leave(struct crowd_place *place)
{
    struct crowd *crowd = place->crowd;
    bool refused = crowd_is_refused(place);
    if (place->client && !refused)
        uncount(crowd, place->client);
    if (crowd)
        atomic_fetch_sub(refused ? &crowd->shared.refused : &crowd->shared.total, 1);
    *place = (struct crowd_place){.crowd = NULL};
}
