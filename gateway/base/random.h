/*
 * Unpredictable enough for ids and jitter, cheap enough for every request (xoshiro256**, seeded by the
 * kernel). Not for keys. One thread's.
 */
#ifndef PORTICO_BASE_RANDOM_H
#define PORTICO_BASE_RANDOM_H

#include <stdint.h>

/* A generator's state. */
struct random {
    uint64_t state[4];
};

/* Seeds from getrandom(2). */
void random_init(struct random *random);

/* The next 64 bits. */
uint64_t random_next(struct random *random);

/* Writes `digits` lower-case hexadecimal digits, no terminator; a multiple of 16. */
void random_hex(struct random *random, char *out, unsigned digits);

#endif
