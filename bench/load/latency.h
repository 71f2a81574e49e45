/* How long each of many things took, and the percentiles of that. Several threads may add at once. */
#ifndef BENCH_LOAD_LATENCY_H
#define BENCH_LOAD_LATENCY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { LATENCY_MOST_US = 4 * 1000 * 1000 }; /* what took longer took as long */

/* How often it was so many microseconds. All zero is the beginning. */
struct latencies {
    atomic_ullong count;
    atomic_uint counts[LATENCY_MOST_US + 1];
};

static inline void latencies_add(struct latencies *latencies, uint64_t took_us)
{
    uint64_t place = took_us < LATENCY_MOST_US ? took_us : LATENCY_MOST_US;
    atomic_fetch_add_explicit(&latencies->counts[place], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&latencies->count, 1, memory_order_relaxed);
}

/* The time within which that share of them was over; microseconds. */
static inline uint64_t latencies_percentile(const struct latencies *latencies, double share)
{
    uint64_t wanted = (uint64_t)((double)latencies->count * share), seen = 0;
    size_t place = 0;
    while (place < LATENCY_MOST_US && (seen += latencies->counts[place]) < wanted)
        place++;
    return place;
}

#endif
