/*
 * The buckets of loadtest/histogram.h. A bucket of a doubling is found by its highest bit and the seven bits
 * behind that; it is read as its longest duration, so that nothing is reported as faster than it was.
 */
#include "loadtest/histogram.h"

#include <math.h>

enum { EXACT_BITS = 8, STEP_BITS = 7 };

static unsigned bucket_of(uint64_t duration_us)
{
    if (duration_us < HISTOGRAM_EXACT)
        return (unsigned)duration_us;
    unsigned top = 63 - (unsigned)__builtin_clzll(duration_us);
    unsigned step = (unsigned)(duration_us >> (top - STEP_BITS)) - HISTOGRAM_STEPS;
    return HISTOGRAM_EXACT + (top - EXACT_BITS) * HISTOGRAM_STEPS + step;
}

/* The longest duration that is counted there. */
static uint64_t end_of(unsigned bucket)
{
    if (bucket < HISTOGRAM_EXACT)
        return bucket;
    unsigned doubling = (bucket - HISTOGRAM_EXACT) / HISTOGRAM_STEPS;
    uint64_t step = (bucket - HISTOGRAM_EXACT) % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((step + 1) << (doubling + EXACT_BITS - STEP_BITS)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t duration_us)
{
    if (duration_us > HISTOGRAM_TOP_US)
        duration_us = HISTOGRAM_TOP_US;
    histogram->count++;
    histogram->sum_us += duration_us;
    if (duration_us > histogram->max_us)
        histogram->max_us = duration_us;
    histogram->buckets[bucket_of(duration_us)]++;
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    if (from->count == 0)
        return;
    histogram->count += from->count;
    histogram->sum_us += from->sum_us;
    if (from->max_us > histogram->max_us)
        histogram->max_us = from->max_us;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += from->buckets[i];
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->count), seen = 0;
    if (rank == 0)
        rank = 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank)
            return end_of(i) < histogram->max_us ? end_of(i) : histogram->max_us;
    }
    return histogram->max_us;
}
