/*
 * The hash of base/hash.h: eight bytes a step, folded by 128-bit products as wyhash does. Called by
 * base/hashmap.c and by the limiters.
 */
#include "base/hash.h"

#include "base/check.h"

#include <sys/random.h>

uint64_t hash_seed(void)
{
    uint64_t seed;
    CHECK(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
    return seed;
}

/* Both halves of the 128-bit product: every bit of the factors reaches every bit of the result. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The last bytes, eight at most, in any order; which of them overlap depends on their number alone. */
static uint64_t last_word(struct slice bytes)
{
    uint64_t word = 0;
    uint32_t first, last;
    if (bytes.len == 8) {
        memcpy(&word, bytes.at, sizeof word);
    } else if (bytes.len >= 4) {
        memcpy(&first, bytes.at, sizeof first);
        memcpy(&last, bytes.at + bytes.len - sizeof last, sizeof last);
        word = (uint64_t)first << 32 | last;
    } else {
        for (size_t i = 0; i < bytes.len; i++)
            word = word << 8 | (unsigned char)bytes.at[i];
    }
    return word;
}

uint64_t hash_bytes(struct slice bytes, uint64_t seed)
{
    static const uint64_t odd = 0xa0761d6478bd642f, odder = 0xe7037ed1a0b428db;
    uint64_t hash = mix(seed ^ odd, bytes.len ^ odder);
    for (; bytes.len > 8; bytes = slice_after(bytes, 8)) {
        uint64_t word;
        memcpy(&word, bytes.at, sizeof word);
        hash = mix(hash ^ word ^ odd, seed ^ odder);
    }
    hash = mix(hash ^ last_word(bytes) ^ odd, seed ^ odder);
    return mix(hash ^ odd, odder);
}
