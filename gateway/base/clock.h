/*
 * The time of the current loop turn: read at most once a turn, on first use, so that the hot path pays no
 * clock call. Monotonic time is for deadlines and durations and does not jump; wall time is only for what
 * people and HTTP read.
 */
#ifndef PORTICO_BASE_CLOCK_H
#define PORTICO_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* One thread's clock. */
struct clock {
    uint64_t now_us; /* monotonic microseconds at first use in this turn */
    bool fresh;
    uint64_t wall_offset_us;  /* wall minus monotonic time, as last read */
    uint64_t wall_read_at_us; /* monotonic */
};

/* Reads CLOCK_MONOTONIC now, in microseconds. */
uint64_t clock_monotonic_us(void);

/* Reads CLOCK_REALTIME now, in microseconds since 1970. */
uint64_t clock_wall_us(void);

/* Monotonic microseconds as of this turn. */
static inline uint64_t clock_now_us(struct clock *clock)
{
    if (!clock->fresh) {
        clock->now_us = clock_monotonic_us();
        clock->fresh = true;
    }
    return clock->now_us;
}

/* Wall time as of this turn, in microseconds since 1970; a clock that was set is noticed within a second. */
uint64_t clock_now_wall_us(struct clock *clock);

/* Begins a turn: the next clock_now_us() reads the clock again. */
static inline void clock_turn(struct clock *clock)
{
    clock->fresh = false;
}

#endif
