/*
 * Counters of what happens, by name. Every thread has a block of its own that only it writes, so that
 * counting is one addition to memory nobody else writes; whoever wants to know adds the blocks up. Sums never
 * go back: a block that ends leaves its counts behind. What is counted stands in tables/counters.def and
 * tables/faults.def.
 */
#ifndef PORTICO_BASE_COUNTERS_H
#define PORTICO_BASE_COUNTERS_H

#include "base/check.h"
#include "base/fault.h"

#include <stdint.h>

/* Every counter. COUNTER_CAUSES + a fault counts the exchanges that this fault ended; + FAULT_NONE, those
 * without. */
enum counter {
#define COUNTER(name, help) COUNTER_##name,
#include "tables/counters.def"
#undef COUNTER
    COUNTER_CAUSES,
    COUNTER_COUNT = COUNTER_CAUSES + FAULT_COUNT
};

/* How a counter is called. */
struct counter_row {
    const char *name;
    const char *cause; /* the fault's name for a counter of COUNTER_CAUSES (a label beside the name), NULL for
                          others */
    const char *help;
};

/* One thread's counts. All zero before counters_init(). */
struct counters {
    uint64_t value[COUNTER_COUNT];
    struct counters *next;
} __attribute__((aligned(64)));

/* Zeroes the block and lets counters_sum() see it; it must stay until counters_fini(). Takes a lock. */
void counters_init(struct counters *counters);

/* Takes the block out, keeping its counts in the sums. Only when its thread counts no more. Takes a lock. */
void counters_fini(struct counters *counters);

/* Adds up all blocks, those that ended included. Any thread, at any time; takes a lock that counting does not
 * take. */
void counters_sum(uint64_t sums_out[COUNTER_COUNT]);

/* The row of a counter. */
struct counter_row counter_row(enum counter counter);

/* Counts `amount` more. Only the block's own thread: the stores are atomic for its readers, the addition is
 * not. */
static inline void counters_add(struct counters *counters, enum counter counter, uint64_t amount)
{
    uint64_t before = __atomic_load_n(&counters->value[counter], __ATOMIC_RELAXED);
    __atomic_store_n(&counters->value[counter], before + amount, __ATOMIC_RELAXED);
}

/* Counts the end of an exchange or a connection by its cause. */
static inline void counters_cause(struct counters *counters, enum fault cause)
{
    counters_add(counters, (enum counter)(COUNTER_CAUSES + cause), 1);
}

/* Counts a response in its class; what is beyond 599 counts as 5xx (RFC 9110 section 15), what is below 100
 * was none. */
static inline void counters_status(struct counters *counters, unsigned status)
{
    unsigned above_1xx = status / 100 < 6 ? status / 100 - 1 : 4;
    if (status >= 100)
        counters_add(counters, (enum counter)(COUNTER_responses_1xx + above_1xx), 1);
}

#endif
