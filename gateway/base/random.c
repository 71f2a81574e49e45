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

/* Sixteen bytes that are computed with at once. */
typedef unsigned char lanes __attribute__((vector_size(16)));
typedef uint64_t words __attribute__((vector_size(16)));

/* The digits of 64 bits, the lowest first: those of the low and of the high halves of its bytes alternate. */
static lanes hex_of(uint64_t bits)
{
    const uint64_t nibbles = 0x0f0f0f0f0f0f0f0fu;
    lanes low = (lanes)(words){bits & nibbles}, high = (lanes)(words){bits >> 4 & nibbles};
    lanes digits =
        __builtin_shuffle(low, high, (lanes){0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
    return digits + '0' + ((lanes)(digits > 9) & ('a' - '0' - 10));
}

void random_hex(struct random *random, char *out, unsigned digits)
{
    for (unsigned i = 0; i < digits; i += 16) {
        lanes text = hex_of(random_next(random));
        memcpy(out + i, &text, sizeof text);
    }
}
