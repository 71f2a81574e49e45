/*
 * What one check of a rate limit costs while a million keys hold something: `meson test --benchmark`. Draws keys
 * at random, so that every check misses the caches as the checks of a busy gateway do, and fails above the
 * bound. The hash of an IPv4 address is part of it.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "policy/limiter.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { KEYS = 1000000, CHECKS = 4000000, BOUND_NS = 300 };

static bool ask(struct limiter *limiter, uint32_t number, uint64_t now_us)
{
    struct slice key = slice_make((const char *)&number, sizeof number);
    struct limiter_check check = {.limiter = limiter,
                                  .key = hash_bytes(key, limiter_seed(limiter)),
                                  .burst = 20,
                                  .delay_from = LIMITER_NO_DELAY};
    return limiter_admit(&check, 1, now_us);
}

/* Of this process alone, whoever else is at work. */
static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds of CPU of a check, with keys drawn below `keys`. */
static double measure(struct limiter *limiter, uint32_t keys)
{
    uint64_t state = 1, passed = 0, began_us = clock_monotonic_us();
    double began_ns = cpu_ns();
    for (unsigned i = 0; i < CHECKS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        passed += ask(limiter, (uint32_t)((state >> 32) * keys >> 32), began_us + i);
    }
    double each_ns = (cpu_ns() - began_ns) / CHECKS;
    printf("%u keys: %.0f ns a check, %" PRIu64 " of %u passed\n", keys, each_ns, passed, CHECKS);
    return each_ns;
}

int main(void)
{
    struct limiter_terms terms = {.count = 1, .period_us = 60000000, .memory = 16 << 20};
    struct limiter *limiter = limiter_new(&terms, clock_monotonic_us());
    for (uint32_t i = 0; i < KEYS; i++)
        if (!ask(limiter, i, clock_monotonic_us()))
            return 1;
    double many = measure(limiter, KEYS);
    measure(limiter, 1);
    limiter_unref(&limiter);
    return many <= BOUND_NS ? 0 : 1;
}
