/*
 * A seeded hash of bytes, for tables whose keys come from clients: who does not know the seed cannot make
 * keys that collide. Not for authentication. Pure.
 */
#ifndef PORTICO_BASE_HASH_H
#define PORTICO_BASE_HASH_H

#include "base/slice.h"

#include <stdint.h>

/* 64 bits of which every one depends on every byte, on the length and on the seed. A hash is a good seed for
 * the next part of a key. */
uint64_t hash_bytes(struct slice bytes, uint64_t seed);

/* A seed from getrandom(2). */
uint64_t hash_seed(void);

#endif
