/*
 * Deadlines by the ten thousand: one wheel per thread, one libevent timer behind it. Arming is a list
 * insertion, no system call; an owner whose deadline moves later only stores the new one (timer_set) and the
 * wheel re-files it when the old slot comes up. Timers fire up to TIMER_TICK_MS late, never early.
 */
#ifndef PORTICO_BASE_TIMER_H
#define PORTICO_BASE_TIMER_H

#include "base/clock.h"
#include "base/list.h"

/* The wheel's grain and its size: a slot each TIMER_TICK_MS. */
enum { TIMER_TICK_MS = 50, TIMER_SLOTS = 512 };

struct event_base;
struct timer_wheel;

/* A deadline; a member of the object that waits. All zero is a timer that was never set. */
struct timer {
    struct list_node node; /* of the slot it is filed in */
    uint64_t deadline_us;  /* monotonic; 0 = not set */
    void (*fire)(struct timer *timer);
};

/* Makes a wheel on the thread's loop and clock, both of which must outlive it. */
struct timer_wheel *timer_wheel_new(struct event_base *base, struct clock *clock);

/* Frees the wheel and stores NULL; timers still on it never fire. Accepts NULL. */
void timer_wheel_free(struct timer_wheel **wheel);

/* Fires `timer->fire` once `delay_us` from now; replaces an earlier deadline. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t delay_us);

/* Files the timer in the slot of its deadline; for timer_set_at(), when it is not filed in an earlier one. */
void timer_file(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_us);

/* The same for a moment, which may have passed; not 0. */
static inline void timer_set_at(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_us)
{
    if (list_linked(&timer->node) && deadline_us >= timer->deadline_us)
        timer->deadline_us = deadline_us;
    else
        timer_file(wheel, timer, deadline_us);
}

/* Fires it at `deadline_us` at the latest; an earlier deadline stays. For owners that look again when it
 * fires: their deadlines move later without a word to the wheel. */
static inline void timer_hasten(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_us)
{
    if (timer->deadline_us == 0 || deadline_us < timer->deadline_us)
        timer_set_at(wheel, timer, deadline_us);
}

/* The timer will not fire. */
void timer_clear(struct timer_wheel *wheel, struct timer *timer);

/* The monotonic time of this turn. */
uint64_t timer_now_us(struct timer_wheel *wheel);

#endif
