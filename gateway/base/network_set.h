/*
 * Which of many networks an address lies in, the most specific of them: the networks cut the space of
 * addresses into ranges once, when the set is made, and an address is found among these by bisection. IPv4
 * addresses lie in IPv4 networks only, however they were written. Immutable once made; any thread may ask.
 */
#ifndef PORTICO_BASE_NETWORK_SET_H
#define PORTICO_BASE_NETWORK_SET_H

#include "base/address.h"
#include "base/arena.h"

/* In no network. */
#define NETWORK_NONE UINT32_MAX

/* From `first` on, up to the next range: the most specific network there, by its index, or NETWORK_NONE. */
struct network_range {
    unsigned char first[16];
    uint32_t network;
};

/* The ranges in the order of their addresses; the first begins with the first address. */
struct network_set {
    struct network_range *ranges;
    uint32_t count;
};

/* Makes the set in the arena. Networks have no bits behind their masks; of equal ones the first counts. */
void network_set_build(struct network_set *set, struct arena *arena, const struct network *networks,
                       uint32_t count);

/* The index of the most specific network that holds the address; NETWORK_NONE when none does, or for a Unix
 * socket. */
uint32_t network_set_find(const struct network_set *set, const struct address *address);

#endif
