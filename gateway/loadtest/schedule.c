/*
 * The arithmetic of loadtest/schedule.h, in whole microseconds: request n is due n * window / count behind
 * the beginning. Called by a generator for every request; reads no clock.
 */
#include "loadtest/schedule.h"

#include "config/value.h"

enum { RATE_MAX_PER_S = 10 * 1000 * 1000 };

static uint64_t window_of(struct slice unit)
{
    return slice_equal(unit, SLICE("s"))   ? SECONDS(1)
           : slice_equal(unit, SLICE("m")) ? MINUTES(1)
           : slice_equal(unit, SLICE("h")) ? HOURS(1)
                                           : 0;
}

bool load_rate_parse(struct slice text, struct load_rate *rate_out)
{
    const char *slash = text.len ? memchr(text.at, '/', text.len) : NULL;
    if (slash == NULL)
        return false;
    size_t digits = (size_t)(slash - text.at);
    struct load_rate rate = {.window_us = window_of(slice_after(text, digits + 1))};
    if (value_parse(VALUE_COUNT, slice_make(text.at, digits), &rate.count) != VALUE_OK)
        return false;
    if (rate.window_us == 0 || rate.count == 0 || rate.count > RATE_MAX_PER_S * (rate.window_us / SECONDS(1)))
        return false;
    *rate_out = rate;
    return true;
}

void schedule_start(struct schedule *schedule, struct load_rate rate, uint64_t begin_us, unsigned part,
                    unsigned parts)
{
    *schedule = (struct schedule){rate, begin_us, part, parts};
}

/* Whole windows and the rest apart: the product of a day's requests and microseconds has no room in 64 bits.
 */
static uint64_t offset_us(const struct schedule *schedule, uint64_t number)
{
    const struct load_rate *rate = &schedule->rate;
    return number / rate->count * rate->window_us + number % rate->count * rate->window_us / rate->count;
}

uint64_t schedule_due_us(const struct schedule *schedule)
{
    return schedule->begin_us + offset_us(schedule, schedule->next);
}

void schedule_advance(struct schedule *schedule)
{
    schedule->next += schedule->step;
}
