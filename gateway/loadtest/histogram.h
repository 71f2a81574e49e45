/*
 * Counts of durations in log-linear buckets (as HDR histograms have them): exact below 256 microseconds,
 * beyond that 128 buckets for every doubling, so that no percentile is off by more than 1/128. Fixed memory,
 * constant time, and the sum of two is as good as if one had seen everything. Leaf; one thread's.
 */
#ifndef PORTICO_LOADTEST_HISTOGRAM_H
#define PORTICO_LOADTEST_HISTOGRAM_H

#include <stdint.h>

/* Durations from here on are counted as this long: 19 hours. */
#define HISTOGRAM_TOP_US ((UINT64_C(1) << 36) - 1)

/* Buckets below 256 us, for each doubling, and all. */
enum { HISTOGRAM_EXACT = 256, HISTOGRAM_STEPS = 128, HISTOGRAM_BUCKETS = 256 + 28 * 128 };

/* A histogram; all zero is an empty one. */
struct histogram {
    uint64_t count;
    uint64_t sum_us;
    uint64_t max_us;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Counts one duration. */
void histogram_add(struct histogram *histogram, uint64_t duration_us);

/* Adds everything that `from` has counted. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);

/* The shortest duration that at least `share` (0..1) of all do not exceed, too long by less than 1/128 and
 * never too short; 0 when nothing was counted. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

#endif
