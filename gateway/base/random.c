/*
 * The generator of base/random.h, after Blackman and Vigna's xoshiro256** 1.0.
 */
#include "base/random.h"

#include "base/check.h"

#include <string.h>
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

/* The digits of 32 bits, one a byte: nibbles are spread, and those above 9 go on with 'a'. */
static uint64_t hex_of(uint32_t bits)
{
    uint64_t nibbles = bits;
    nibbles = (nibbles | nibbles << 16) & 0x0000ffff0000ffffu;
    nibbles = (nibbles | nibbles << 8) & 0x00ff00ff00ff00ffu;
    nibbles = (nibbles | nibbles << 4) & 0x0f0f0f0f0f0f0f0fu;
    uint64_t above_9 = (nibbles + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    return nibbles + 0x3030303030303030u + above_9 * ('a' - '0' - 10);
}

void random_hex(struct random *random, char *out, unsigned digits)
{
    for (unsigned i = 0; i < digits; i += 16) {
        uint64_t bits = random_next(random);
        uint64_t text[2] = {hex_of((uint32_t)bits), hex_of((uint32_t)(bits >> 32))};
        memcpy(out + i, text, sizeof text);
    }
}
