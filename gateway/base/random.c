/*
 * The generator of base/random.h, after Blackman and Vigna's xoshiro256** 1.0.
 */
#include "base/random.h"

#include "base/check.h"

#include <sys/random.h>

void random_init(struct random *random)
{
    CHECK(getrandom(random->state, sizeof random->state, 0) == (ssize_t)sizeof random->state);
    random->state[0] |= 1; /* the all-zero state would stay zero */
}

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

void random_hex(struct random *random, char *out, unsigned digits)
{
    for (unsigned i = 0; i < digits; i += 16) {
        uint64_t bits = random_next(random);
        for (unsigned j = 0; j < 16; j++, bits >>= 4)
            out[i + j] = "0123456789abcdef"[bits & 15];
    }
}
