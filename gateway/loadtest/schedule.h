/*
 * The open loop: when each request is to begin, whatever has become of those before it. Times follow from
 * the beginning and the rate alone, so they never drift, and several threads share one schedule by taking
 * every n-th. A request's latency counts from here, not from when it could be sent: so a gateway that stalls
 * cannot hide the requests that it kept from being sent (coordinated omission). Leaf.
 */
#ifndef PORTICO_LOADTEST_SCHEDULE_H
#define PORTICO_LOADTEST_SCHEDULE_H

#include "base/check.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* So many in so long. */
struct load_rate {
    uint64_t count;
    uint64_t window_us;
};

/* One thread's part of a schedule. */
struct schedule {
    struct load_rate rate;
    uint64_t begin_us; /* when the first request of all is due */
    uint64_t next;     /* number of the next request of this part, among all */
    uint64_t step;     /* parts */
};

/* Parses "500/s", "90/m" or "3600/h"; false when it is none of them or not between 1 and 10,000,000 a second.
 */
MUST_USE bool load_rate_parse(struct slice text, struct load_rate *rate_out);

/* Part `part` of `parts`. */
void schedule_start(struct schedule *schedule, struct load_rate rate, uint64_t begin_us, unsigned part,
                    unsigned parts);

/* When the next one is due. */
uint64_t schedule_due_us(const struct schedule *schedule);

/* Goes on to the one behind it. */
void schedule_advance(struct schedule *schedule);

#endif
