/* The bytes of uploads whose arrival is checked: the load sends them, the upstream knows them by their place. The
 * period is prime, so that a block that is lost, doubled or moved never fits. */
#ifndef PORTICO_BENCH_PATTERN_H
#define PORTICO_BENCH_PATTERN_H

#include <stdint.h>

enum { PATTERN_PERIOD = 65521, PATTERN_RUN = 80 * 1024 }; /* bytes; the second: that pattern_at() gives */

static char pattern[PATTERN_PERIOD + PATTERN_RUN];

static void pattern_make(void)
{
    uint32_t word = 2463534242;
    for (int i = 0; i < PATTERN_PERIOD; i++) {
        word = word * 1664525 + 1013904223;
        pattern[i] = (char)(word >> 24);
    }
    for (int i = PATTERN_PERIOD; i < PATTERN_PERIOD + PATTERN_RUN; i++)
        pattern[i] = pattern[i - PATTERN_PERIOD];
}

/* The bytes from this place on, of the upload with this number. */
static const char *pattern_at(uint64_t number, uint64_t place)
{
    return pattern + (number * 4099 + place) % PATTERN_PERIOD;
}

#endif
