/*
 * The two clocks of base/clock.h. Both are vDSO calls, no system call on any machine we run on.
 */
#include "base/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

uint64_t clock_now_wall_us(struct clock *clock)
{
    uint64_t now_us = clock_now_us(clock);
    if (clock->wall_offset_us == 0 || now_us - clock->wall_read_at_us >= 1000000u) {
        clock->wall_offset_us = clock_wall_us() - now_us;
        clock->wall_read_at_us = now_us;
    }
    return now_us + clock->wall_offset_us;
}
